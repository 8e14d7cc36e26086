"""What one VPP release does differently from another.

Everything here follows from the release alone, written as VPP names it: "22.02", "26.06".
"""

from dataclasses import dataclass

from vpp_snmp_agent.vpp.layout import Generation


@dataclass(frozen=True, order=True)
class Release:
    """A VPP release; releases compare by age."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Release":
        year, _, month = text.partition(".")
        return cls(int(year), int(month))

    def __str__(self) -> str:
        return f"{self.year:02}.{self.month:02}"

    @property
    def generation(self) -> Generation:
        if self < Release(22, 6):
            return Generation.V22_02
        return Generation.V22_06 if self < Release(26, 2) else Generation.V26_02

    @property
    def has_api_json(self) -> bool:
        """Does VPP tell its own API definitions (get_api_json)?"""
        return self >= Release(24, 6)

    @property
    def netns_field(self) -> str:
        """What lcp_itf_pair_details calls the Linux namespace."""
        return "netns" if self >= Release(22, 10) else "namespace"

    @property
    def pair_details_crc(self) -> str:
        """The field's name is in the CRC of lcp_itf_pair_details."""
        return "8b5481af" if self >= Release(22, 10) else "5a95842f"

    @property
    def has_pairs_in_host_order(self) -> bool:
        """Are the numbers of lcp_itf_pair_details in host byte order?  A fault of 22.02."""
        return self < Release(22, 6)

    @property
    def has_union_cases(self) -> bool:
        """Do the definitions say which member of a union is in use?"""
        return self >= Release(26, 6)

    @property
    def pings_with_client(self) -> bool:
        """Does control_ping_reply bear the client's index?  It was 0 before."""
        return self >= Release(26, 10)

    @property
    def has_boottime(self) -> bool:
        return self >= Release(23, 2)

    @property
    def has_xstats(self) -> bool:
        """Has each port a counter of its driver's numbers?"""
        return self >= Release(25, 2)

    @property
    def xstats_prefix(self) -> str:
        """What stands before a number's name in its symlink."""
        return "xstats-" if self >= Release(26, 10) else ""

    @property
    def tap_type(self) -> str:
        """The interface_dev_type of a TAP."""
        return "tap" if self >= Release(26, 2) else "virtio"

    @property
    def first_tap(self) -> int:
        """The instance number of the first TAP that Linux-CP makes."""
        return 4096 if self >= Release(24, 10) else 1

    def name_when_deleted(self, name: str) -> str | None:
        """What /if/names says where the interface `name` was (None: a NULL pointer)."""
        if self < Release(22, 6):
            return None
        return name if self < Release(23, 10) else "deleted"
