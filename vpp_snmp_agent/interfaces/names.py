"""ifName: every row has one, and no two rows the same.

Host names are unique only within their network namespace, while VPP's own names are unique
in VPP.  So each row brings two candidates: its own name, and the name it wants.

The rules this module keeps:

- A row that has its own name needs it: a row that merely wants the same gives way.
- Of two rows that want one name the one that has it keeps it, else the earlier has it.
- A change is settled among those who claim the same names, not among all rows.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Candidates(NamedTuple):
    """The name that a row has by itself, and the one it would rather have."""

    own: str
    wanted: str


class Names:
    """The names of rows, by the rows' keys."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}
        self.clashes: dict[str, str] = {}  # the name that a row wanted, and another has
        self._candidates: dict[str, Candidates] = {}
        # When a key claimed it, by name and key; the earliest first.
        self._claims: dict[str, dict[str, int]] = {}
        self._moment = 0

    def put(self, key: str, candidates: Candidates) -> list[str]:
        """A row is there, or wants another name; the other rows whose name changes by that."""
        before = self._candidates.get(key)
        if before == candidates:
            return []
        affected = self._withdraw(key, before) if before else set()
        self._candidates[key] = candidates
        for name in set(candidates):
            self._moment += 1
            self._claims.setdefault(name, {})[key] = self._moment
        if before is None and self._gives_way(key, candidates):
            self.given[key], self.clashes[key] = candidates
            return []
        return self._settle({key, *affected}, but=key)

    def remove(self, key: str) -> list[str]:
        """A row is gone; the other rows whose name changes by that."""
        before = self._candidates.pop(key, None)
        if before is None:
            return []
        affected = self._withdraw(key, before)
        del self.given[key]
        self.clashes.pop(key, None)
        return self._settle(affected, but=key)

    def _gives_way(self, key: str, candidates: Candidates) -> bool:
        """Whether a new row takes no part: another has what it wants, and nobody wants its own.

        A thousand network namespaces can have an eth0 each.
        """
        own, wanted = candidates
        if own == wanted or len(self._claims[own]) > 1:
            return False
        earliest = next(iter(self._claims[wanted]))
        return earliest != key and self.given[earliest] == wanted

    def _withdraw(self, key: str, candidates: Candidates) -> set[str]:
        """End a row's claims; who else claims these names."""
        others: set[str] = set()
        for name in set(candidates):
            claims = self._claims[name]
            del claims[key]
            if not claims:
                del self._claims[name]
            others.update(claims)
        return others

    def _settle(self, keys: set[str], but: str) -> list[str]:
        """Name these rows, and all who claim a name with them; whose name changed, but one."""
        rivals = self._rivals(keys)
        if rivals == {but}:
            self.given[but] = self._candidates[but].wanted
            self.clashes.pop(but, None)
            return []
        names = _resolve(
            {key: self._candidates[key] for key in sorted(rivals, key=self._precedence)}
        )
        changed = [key for key, name in names.items() if key != but and self.given[key] != name]
        self.given |= names
        for key, name in names.items():
            wanted = self._candidates[key].wanted
            if name == wanted:
                self.clashes.pop(key, None)
            else:
                self.clashes[key] = wanted
        return changed

    def _precedence(self, key: str) -> tuple[bool, int]:
        wanted = self._candidates[key].wanted
        return self.given.get(key) != wanted, self._claims[wanted][key]

    def _rivals(self, keys: Iterable[str]) -> set[str]:
        """Those rows, those who claim a name of theirs, and so on."""
        found: set[str] = set()
        names: set[str] = set()
        rest = list(keys)
        while rest:
            key = rest.pop()
            if key in found:
                continue
            found.add(key)
            for name in self._candidates[key]:
                if name not in names:
                    names.add(name)
                    rest += self._claims[name]
        return found


def _resolve(candidates: dict[str, Candidates]) -> dict[str, str]:
    """A name for each row; of two that want the same the first has it."""
    names = {key: own for key, (own, _) in candidates.items()}
    owners: dict[str, str] = {}
    for key, (own, wanted) in candidates.items():
        if wanted != own:
            owners.setdefault(wanted, key)
    # Who keeps its own name needs it: one that wants the same gives way, and keeps its own.
    keeping = list(names.keys() - owners.values())
    while keeping:
        displaced = owners.pop(names[keeping.pop()], None)
        if displaced is not None:
            keeping.append(displaced)
    return names | {key: name for name, key in owners.items()}
