"""The neighbours that one VPP is known to have, and by what a dump or an event differs from them.

The rules this module keeps:

- Of each neighbour is kept what distinguishes it from what VPP sends next time, in two small
  objects: 200,000 of them take 25 MiB.
- A dump is compared as it comes.  What it did not have is known by a bit of what is kept: a
  set of what was seen would take 10 MiB more.
"""

from collections.abc import Iterable, Iterator

from .api import STATIC
from .records import Neighbor


class Neighbors:
    """The neighbours that VPP has, as far as it reported them, and how they change.

    They are those of all interfaces; who reports them leaves out what is not to be shown.
    """

    def __init__(self) -> None:
        # By interface and address: flags, MAC address, and as the last bit the parity of the
        # dump that had it.
        self._known: dict[int, dict[bytes, int]] = {}
        self._parity = 0

    def put(self, index: int, address: bytes, state: int) -> bool:
        """Know one; whether it is new, or differs."""
        of_interface = self._known.get(index)
        if of_interface is None:
            of_interface = self._known[index] = {}
        before = of_interface.get(address)
        of_interface[address] = state << 1 | self._parity
        return before is None or before >> 1 != state

    def remove(self, index: int, address: bytes) -> bool:
        """Forget one; whether it was known."""
        of_interface = self._known.get(index, {})
        if of_interface.pop(address, None) is None:
            return False
        if not of_interface:
            del self._known[index]
        return True

    def differing(self, dump: Iterable[tuple[int, bytes, int]]) -> Iterator[Neighbor]:
        """Those of a whole dump that are new or differ, as they come."""
        self._parity ^= 1
        for index, address, state in dump:
            if self.put(index, address, state):
                yield neighbor(index, address, state)

    def missing(self) -> Iterator[tuple[int, bytes]]:
        """Those that the last dump did not have; they are forgotten."""
        parity = self._parity
        for index, of_interface in list(self._known.items()):
            gone = [address for address, each in of_interface.items() if each & 1 != parity]
            for address in gone:
                del of_interface[address]
                yield index, address
            if not of_interface:
                del self._known[index]

    def keep(self) -> None:
        """Of a dump that came to no end nothing is missing; the next one says what is."""
        for of_interface in self._known.values():
            for address, each in of_interface.items():
                of_interface[address] = each & ~1 | self._parity

    def of(self, index: int) -> Iterator[Neighbor]:
        """All those of an interface."""
        for address, each in self._known.get(index, {}).items():
            yield neighbor(index, address, each >> 1)

    def addresses(self, index: int) -> list[bytes]:
        """The address of each of an interface."""
        return list(self._known.get(index, ()))

    def forget(self, index: int) -> None:
        """All those of an interface."""
        self._known.pop(index, None)


def neighbor(index: int, address: bytes, state: int) -> Neighbor:
    """The record of one; `state`: flags << 48 | MAC address, as Vpp.neighbors yields it."""
    mac_address = (state & 0xFFFFFFFFFFFF).to_bytes(6, "big")
    return Neighbor(index, address, mac_address, bool(state >> 48 & STATIC))
