"""What VPP tells: its statistics segment and its binary API."""
