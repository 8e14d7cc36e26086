"""LACP's states, which VPP keeps in its statistics segment (plugins/lacp, in all releases).

    states = States()                           # of one VPP
    states.changed_ports(segment, router)       # LacpPorts as they are now, where they differ

The API reports a member that was lost only to who dumps again, and no event says when that is
due; the octets in the segment change with the state itself.

The rules this module keeps:

- Only the states are read here; who the partner is, and which members a bond has, is the API's.
- An entry goes with its member, and VPP gives an index to the next one at once: an octet counts
  only while /if/names has at both indexes what it had when the API reported them.  That need not
  be their names, for a rename does not reach it.
- While VPP hangs its octets stand still, and so does what is shown.
"""

from collections.abc import Iterator
from dataclasses import replace

from .records import Bond, LacpPort
from .router import LACP_MODE, Router
from .segment import Segment, SegmentUnavailable

MAX_STATE = 0xFF  # an octet, as LACP has it; a larger number is damage


class States:
    """Whose states are read: the bonds of one VPP, as its API reports them."""

    def __init__(self) -> None:
        # By sw_if_index: the API's name, and the segment's when that was seen first.
        self._names: dict[int, tuple[str, bytes]] = {}

    def changed_ports(self, segment: Segment, router: Router) -> list[LacpPort]:
        """The ports whose states differ from what is known of them."""
        return [
            port
            for bond in router.bonds.values()
            if bond.mode == LACP_MODE
            for port in self._changed(segment, router, bond)
        ]

    def _changed(self, segment: Segment, router: Router, bond: Bond) -> Iterator[LacpPort]:
        for member in bond.members:
            known = router.lacp_ports.get(member)
            if known is None:
                continue
            entry, at = f"/if/lacp/{bond.sw_if_index}/{member}", (bond.sw_if_index, member)
            try:
                states = segment.value(f"{entry}/state"), segment.value(f"{entry}/partner-state")
                before = known.actor_state, known.partner_state
                if states == before or max(states) > MAX_STATE:
                    continue
                if not all(self._is_as_reported(segment, router, index) for index in at):
                    continue
            except SegmentUnavailable:  # locked, or the member is not there yet, or any more
                continue
            yield replace(known, actor_state=states[0], partner_state=states[1])

    def _is_as_reported(self, segment: Segment, router: Router, index: int) -> bool:
        """Whether the interface is there that the API reported.  Raises SegmentUnavailable."""
        interface = router.interfaces.get(index)
        if interface is None:
            return False
        reported, (_, name) = interface.interface_name, segment.name_at(index)
        if self._names.get(index, ("",))[0] != reported:
            self._names[index] = reported, name
        return self._names[index][1] == name
