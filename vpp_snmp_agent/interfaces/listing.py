"""Which interface VPP lists under which key, and what it has reported whole.

The rules this module keeps:

- It is one VPP's: nothing is listed until it reports it, also after a reporter was started again.
- A key is that of whoever VPP reported last under it.  An interface that is gone, is no row any
  more, or has another key gives its key back, unless somebody else has it by now.
- What is listed need not have a row: that the settings hide it is not asked here.
"""

from collections.abc import Iterable, Iterator

from ..settings.declarations import Settings
from ..vpp.records import Interface
from ..vpp.router import Router
from . import facts as rules


class Listing:
    """The interfaces of the VPP that is there, if one is, by the keys of their rows."""

    def __init__(self) -> None:
        self.router: Router | None = None
        self.reported: set[str] = set()  # the sorts of records that VPP has reported whole
        self._indexes: dict[str, int] = {}  # sw_if_index by key
        self._keys: dict[int, str] = {}  # by sw_if_index

    def __contains__(self, key: str) -> bool:
        return key in self._indexes

    def __iter__(self) -> Iterator[str]:
        return iter(self._indexes)

    def follow(self, router: Router | None) -> None:
        """This VPP reports from now on, or none does."""
        self.router = router
        self.reported = set()
        self._indexes, self._keys = {}, {}

    def key_at(self, sw_if_index: int) -> str | None:
        """Under which key an interface is listed."""
        return self._keys.get(sw_if_index)

    def interface(self, key: str) -> Interface | None:
        """What VPP lists under a key."""
        index = self._indexes.get(key)
        if self.router is None or index is None:
            return None
        return self.router.interfaces.get(index)

    def refresh(self, sw_if_indexes: Iterable[int], settings: Settings) -> Iterable[str]:
        """List these as VPP has them now; the keys whose rows are to be made, in their order."""
        router = self.router
        touched: dict[str, None] = {}
        if router is None:
            return touched
        for index in sw_if_indexes:
            interface = router.interfaces.get(index)
            key = None
            if interface and rules.may_be_row(interface, router, settings):
                key = rules.key_of(interface, router)
            before = self._keys.get(index)
            if before is not None and before != key:
                del self._keys[index]
                if self._indexes.get(before) == index:
                    del self._indexes[before]
                touched[before] = None
            if key is not None:
                self._keys[index], self._indexes[key] = key, index
                touched[key] = None
        return touched
