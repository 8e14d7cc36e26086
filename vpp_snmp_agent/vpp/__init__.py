"""What VPP reports: its statistics segment and its binary API."""
