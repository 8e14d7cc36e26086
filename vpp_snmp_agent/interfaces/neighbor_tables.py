"""The neighbours of the rows that are shown, by ifIndex, a table for each family.

The rules this module keeps:

- A row without neighbours of a family is not in its table: GetNext does not search for them.
- A row keeps the neighbours that the last VPP reported until the next one has reported its own.
"""

from ..agentx.sorted_rows import SortedRows
from ..vpp.records import NEIGHBORS
from ..vpp.router import NeighborLists
from .listing import Listing
from .rows import Row

_NO_NEIGHBORS = NeighborLists()


class NeighborTables:
    """Of each row the lists of its VPP's router (`NeighborLists`), as they are."""

    def __init__(self) -> None:
        self.ipv4 = SortedRows()
        self.ipv6 = SortedRows()

    def refresh(self, row: Row, listing: Listing, sw_if_index: int) -> None:
        """Show what VPP has reported of the neighbours of a row's interface."""
        assert listing.router is not None
        keeps = row.neighbors is not None and NEIGHBORS not in listing.reported
        self.show(row, row.neighbors if keeps else listing.router.neighbors.get(sw_if_index))

    def hide(self, row: Row) -> None:
        """A row is not shown any more; what takes its place may go on with its neighbours."""
        self.ipv4.remove(row.instance)
        self.ipv6.remove(row.instance)

    def show(self, row: Row, neighbors: NeighborLists | None) -> None:
        """Show these, or none, as a row's."""
        row.neighbors = neighbors
        lists = neighbors or _NO_NEIGHBORS
        for table, entries in ((self.ipv4, lists.ipv4), (self.ipv6, lists.ipv6)):
            if entries:
                table.put(row.instance, entries)
            else:
                table.remove(row.instance)
