"""The rows whose interfaces have an LCP host interface, by its Linux ifindex.

The rules this module keeps:

- An ifindex means something in one network namespace alone.  The rows are those of one: of
  snmpd's, which is where lldpd runs too.
- In which namespace snmpd is cannot be found out: the agent's service sees no process but
  its own, and LCP says no more than the name of each pair's.  It is `dataplane`, which
  Debian's package makes, where any pair is in that; else the one that most pairs are in.
- A port number of BRIDGE-MIB has 16 bits: what is above has no row.
- Only what VPP lists now is here: with VPP the host interfaces go too, and another one that is
  made may bear the number.
"""

from collections.abc import Iterator

from ..agentx.mib import SortedRows
from ..agentx.values import subids
from ..vpp.records import LcpPair
from .rows import Row

DATAPLANE = "dataplane"
MAX_PORT = 65535  # dot1dBasePort, RFC 4188

_NO_ROWS = SortedRows()


def has_port(pair: LcpPair) -> bool:
    """Whether the ifindex of its host interface can be a port's number."""
    return 0 < pair.vif_index <= MAX_PORT


class HostPorts:
    """`agentx.mib.Rows` of one namespace; those of the others are kept beside them."""

    def __init__(self) -> None:
        self.netns: str | None = None  # whose rows these are; None: no pair is known
        self._by_netns: dict[str, SortedRows] = {}
        self._rows = _NO_ROWS  # of that namespace

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, index: bytes) -> Row | None:
        """The row at an ifindex."""
        row: Row | None = self._rows.get(index)
        return row

    def following(self, index: bytes) -> bytes | None:
        """The first ifindex after this one."""
        return self._rows.following(index)

    def shows(self, pair: LcpPair) -> bool:
        """Whether a pair's row is one of these."""
        row = self.get(subids(pair.vif_index))
        return row is not None and row.pair == pair

    def attach(self, row: Row, pair: LcpPair | None) -> None:
        """The pair of a row is this one from now on."""
        if row.pair == pair:
            return
        self.remove(row)
        row.pair = pair
        if pair is not None and has_port(pair):
            rows = self._by_netns.setdefault(pair.netns, SortedRows())
            rows.put(subids(pair.vif_index), row)
            self._choose(pair.netns)

    def remove(self, row: Row) -> None:
        """The row has no pair any more."""
        pair, row.pair = row.pair, None
        rows = self._by_netns.get(pair.netns) if pair is not None else None
        if pair is None or rows is None:
            return
        index = subids(pair.vif_index)
        if rows.get(index) is not row:
            return  # Linux has given the number to another one, which came first
        rows.remove(index)
        if not len(rows):
            del self._by_netns[pair.netns]
        if pair.netns == self.netns:
            self._choose(*self._by_netns)

    def _choose(self, *candidates: str) -> None:
        """Show the rows of one of these, or of the same as before."""
        before = () if self.netns is None else (self.netns,)
        known = (each for each in (*candidates, *before) if each in self._by_netns)
        self.netns = max(known, key=self._rank, default=None)
        self._rows = _NO_ROWS if self.netns is None else self._by_netns[self.netns]

    def _rank(self, netns: str) -> tuple[bool, int, str]:
        return netns == DATAPLANE, len(self._by_netns[netns]), netns

    def dismantle(self) -> Iterator[None]:
        """Give everything back, a step at a time."""
        for rows in self._by_netns.values():
            yield from rows.dismantle()
