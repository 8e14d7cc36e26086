"""What one VPP release does differently from another.

Everything here follows from the release alone, written as VPP names it: "22.02", "26.06".
"""

from vpp_snmp_agent.vpp.layout import Generation

# Those that there are; of 26.10 what master had in August 2026.
RELEASES = [f"{year}.{month}" for year in range(22, 27) for month in ("02", "06", "10")]


class Release:
    """A VPP release, and what it has."""

    def __init__(self, year: int, month: int) -> None:
        def since(*first: int) -> bool:
            return (year, month) >= first

        self.text = f"{year:02}.{month:02}"
        self.generation = Generation.V26_02 if since(26, 2) else Generation.V22_06
        if not since(22, 6):
            self.generation = Generation.V22_02
        # The numbers of lcp_itf_pair_details are in host byte order: a fault of 22.02.
        self.has_pairs_in_host_order = not since(22, 6)
        # What lcp_itf_pair_details calls the Linux namespace; the name is in the message's CRC.
        self.netns_field = "netns" if since(22, 10) else "namespace"
        self.pair_details_crc = "8b5481af" if since(22, 10) else "5a95842f"
        self.has_error_names = since(22, 10)  # of one word, where a sentence was
        self.has_loops = since(22, 10)
        self.has_boottime = since(23, 2)
        self.has_api_json = since(24, 6)  # its own API definitions (get_api_json)
        self.first_tap = 4096 if since(24, 10) else 1  # instance of the first that Linux-CP makes
        self.has_xstats = since(25, 2)  # a counter of its driver's numbers for each port
        self.xstats_prefix = "xstats-" if since(26, 10) else ""  # of a number's symlink
        self.tap_type = "tap" if since(26, 2) else "virtio"  # interface_dev_type
        self.has_union_cases = since(26, 6)  # definitions say which member of a union is in use
        self.pings_with_client = since(26, 10)  # control_ping_reply bears its index: it was 0
        self._name_when_deleted = "deleted" if since(23, 10) else None
        self._keeps_names = since(22, 6)

    @classmethod
    def parse(cls, text: str) -> "Release":
        year, _, month = text.partition(".")
        return cls(int(year), int(month))

    def name_when_deleted(self, name: str) -> str | None:
        """What /if/names says where the interface `name` was (None: a NULL pointer)."""
        return self._name_when_deleted or (name if self._keeps_names else None)
