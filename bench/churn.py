"""A router where sessions, links and neighbours come and go, and managers who walk meanwhile.

Each change is stamped by the simulator when VPP has sent its event.  It is shown when the
first answer bears it; a change that the next one of the same thing overtakes before that
was not shown.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from statistics import median
from typing import Any, Concatenate, ParamSpec

from simulator import Simulator, Verbs
from vpp_snmp_agent.agentx import pdu

from .managers import PAUSE, Answer, Managers, Scout, on_wire
from .measures import IF_ENTRY, IF_X_ENTRY

PARENT = "HundredGigabitEthernet1/0/0"
OPER_STATUS, NAME = f"{IF_ENTRY}.8", f"{IF_X_ENTRY}.1"
UP, DOWN = b"\0\0\0\1", b"\0\0\0\2"
SESSIONS, LINKS, NEIGHBORS = 20, 30, 100  # changes a second; as many sessions go as come
LIFE = 4.0  # seconds that a session lives: longer than it may take to be shown
MAX_ORDERS = 100  # under way: neither side's socket may be full, for both wait to write
MAX_GETS = 500  # a second: for the links that are waited for
LATE = 4.0  # seconds after the last change that are waited for what is not shown yet
NEW_SUB_ID, KNOWN_SUB_ID, KNOWN = 2_000_000, 1_000_000, 200
BRIEF_ADDRESSES = int(IPv4Address("172.16.0.0"))
P = ParamSpec("P")


@dataclass
class Times:
    """Seconds until changes of one kind were shown, and how many never were."""

    shown: list[float] = field(default_factory=list)
    missed: int = 0

    @property
    def worst(self) -> float:
        """Infinite where a change was not shown."""
        if self.missed or not self.shown:
            return float("inf")
        return max(self.shown)

    def __str__(self) -> str:
        total = len(self.shown) + self.missed
        middle = f"median {1000 * median(self.shown):.0f} ms, " if self.shown else ""
        missed = f"; {self.missed} of {total} not shown" if self.missed else ""
        worst = f"worst {1000 * max(self.shown):.0f} ms" if self.shown else "none shown"
        return f"{middle}{worst}{missed}"


@dataclass
class Watch:
    """A link that was changed, and is not shown so yet."""

    name: bytes  # of its ifOperStatus, as on the wire
    value: bytes
    since: float
    due: float = 0.0
    asking: bool = False


class Links:
    """The links that are waited for, each asked for again and again."""

    def __init__(self, managers: Managers) -> None:
        self._managers = managers
        self.waiting: dict[int, Watch] = {}  # by ifIndex
        self._unclear: set[int] = set()
        self.times = Times()

    def changed(self, index: int, up: bool, since: float) -> None:
        """Wait for this.

        A link whose change was not shown before the next one is left out from then on: what
        is shown of it may be of any of its changes.
        """
        if self.waiting.pop(index, None) is not None:
            self.times.missed += 1
            self._unclear.add(index)
        if index in self._unclear:
            return
        name = on_wire(f"{OPER_STATUS}.{index}")
        self.waiting[index] = Watch(name, UP if up else DOWN, since)

    def ask(self, now: float) -> None:
        """About each of them whose turn it is."""
        pace = max(PAUSE, len(self.waiting) / MAX_GETS)
        for index, watch in self.waiting.items():
            if not watch.asking and now >= watch.due:
                watch.asking, watch.due = True, now + pace
                self._managers.ask(pdu.GET, watch.name, self._taking(index, watch))

    def _taking(self, index: int, watch: Watch) -> Callable[[Answer], None]:
        def take(answer: Answer) -> None:
            watch.asking = False
            if self.waiting.get(index) is watch and answer.payload[-4:] == watch.value:
                del self.waiting[index]
                self.times.shown.append(answer.asked + answer.took - watch.since)

        return take

    def give_up(self) -> None:
        """What is not shown by now, is not."""
        self.times.missed += len(self.waiting)
        self.waiting.clear()


class Sessions:
    """The sessions that come and go, as a Scout sees them."""

    def __init__(self, managers: Managers, after: int) -> None:
        self.scout = Scout(managers, NAME, after, self._seen, self._round)
        self._to_come: dict[str, float] = {}
        self._to_go: dict[str, float] = {}
        self.come = {"new": Times(), "known": Times()}
        self.gone = Times()

    def came(self, name: str, since: float) -> None:
        """Wait for its row, unless that of last time is there still."""
        if self._to_go.pop(name, None) is not None:
            self.gone.missed += 1
        else:
            self._to_come[name] = since

    def left(self, name: str, since: float) -> None:
        """Wait for its row to go, unless it never was there."""
        if self._to_come.pop(name, None) is not None:
            self._times(name).missed += 1
        else:
            self._to_go[name] = since

    def _times(self, name: str) -> Times:
        new = int(name.rpartition(".")[2]) >= NEW_SUB_ID
        return self.come["new" if new else "known"]

    def _seen(self, name: str, when: float) -> None:
        since = self._to_come.pop(name, None)
        if since is not None:
            self._times(name).shown.append(when - since)

    def _round(self, names: set[str], begun: float) -> None:
        for name in [each for each in self._to_go if each not in names]:
            if self._to_go[name] <= begun:
                self.gone.shown.append(time.monotonic() - self._to_go.pop(name))

    @property
    def waiting(self) -> int:
        """How many are not shown, or shown still."""
        return len(self._to_come) + len(self._to_go)

    def give_up(self) -> None:
        """What is not shown by now, is not."""
        for name in self._to_come:
            self._times(name).missed += 1
        self.gone.missed += len(self._to_go)
        self._to_come.clear()
        self._to_go.clear()


def known_names() -> list[str]:
    """Sessions of the past that come back."""
    return [f"{PARENT}.{KNOWN_SUB_ID + number}" for number in range(KNOWN)]


class Churn:
    """Orders to a simulator, at their rates, with nothing waited for."""

    def __init__(
        self,
        vpp: Simulator,
        ports: dict[str, int],
        holders: list[str],
        links: Links,
        sessions: Sessions,
        numbers: Iterator[int],
    ) -> None:
        """`ports`: ifIndexes of the links to change; `holders`: who has the neighbours;
        `numbers`: of sessions, where no number comes twice a new name stays one.
        """
        self._vpp = vpp
        self._ports = list(ports.items())
        self._holders = holders
        self._links = links
        self._sessions = sessions
        self._numbers = numbers
        self._session = self._link = self._neighbor = 0
        self._living: deque[tuple[float, str]] = deque()
        self._orders: deque[Callable[[float], None] | None] = deque()

    @property
    def outstanding(self) -> int:
        """How many orders are not answered yet."""
        return len(self._orders)

    def _order(
        self,
        then: Callable[[float], None] | None,
        verb: Callable[Concatenate[Verbs, P], Any],
        *values: P.args,
        **named: P.kwargs,
    ) -> None:
        self._vpp.send(verb, *values, **named)
        self._orders.append(then)

    def receive(self) -> None:
        """Take the answers that are there."""
        while self._orders:
            self._vpp.receive()
            then = self._orders.popleft()
            if then:
                then(self._vpp.sent_at)
            if not self._vpp.answered:
                return

    def go_on(self, elapsed: float, now: float) -> None:
        """Order what is due so many seconds after the begin, if answers keep up with it."""
        self._go(now)
        while self._session < elapsed * SESSIONS and self._keeps_up:
            self.come(now)
        while self._link < elapsed * LINKS and self._keeps_up:
            self.flip()
        while self._neighbor < elapsed * NEIGHBORS and self._keeps_up:
            self._change_neighbor()

    @property
    def _keeps_up(self) -> bool:
        return len(self._orders) < MAX_ORDERS

    def _go(self, now: float) -> None:
        """Delete the sessions that lived long enough."""
        while self._living and now >= self._living[0][0] and self._keeps_up:
            _, name = self._living.popleft()
            self._order(
                lambda sent, name=name: self._sessions.left(name, sent),  # type: ignore[misc]
                Verbs.delete,
                name,
            )

    def come(self, now: float, only_new: bool = False) -> None:
        """A session begins: in turn one that was there before, and one under a new name."""
        turn, is_new = divmod(next(self._numbers), 2)
        while only_new and not is_new:
            turn, is_new = divmod(next(self._numbers), 2)
        sub_id = NEW_SUB_ID + turn if is_new else KNOWN_SUB_ID + turn % KNOWN
        self._session += 1
        name = f"{PARENT}.{sub_id}"
        tags = {"outer": 4000 + is_new, "inner": turn % 4000 + 1}
        self._order(
            lambda sent: self._sessions.came(name, sent), Verbs.add_sub, PARENT, sub_id, **tags
        )
        self._living.append((now + LIFE, name))

    def flip(self) -> None:
        """One link goes down, or comes back when all others have gone down."""
        turn, place = divmod(self._link, len(self._ports))
        name, index = self._ports[place]
        up = bool(turn % 2)
        self._link += 1
        self._order(lambda sent: self._links.changed(index, up, sent), Verbs.set_link, name, up)

    def _change_neighbor(self) -> None:
        """One more, and at the next call that one less."""
        turn, removes = divmod(self._neighbor, 2)
        self._neighbor += 1
        name = self._holders[turn % len(self._holders)]
        address = str(IPv4Address(BRIEF_ADDRESSES + turn))
        if removes:
            self._order(None, Verbs.remove_neighbor, name, address)
        else:
            mac = f"02:5c:00:00:{turn >> 8 & 255:02x}:{turn & 255:02x}"
            self._order(None, Verbs.add_neighbor, name, address, mac)

    def put_back(self) -> None:
        """All sessions gone, all links up."""
        while self._living or self._orders:
            self._go(float("inf"))
            self.receive()
        for name, _ in self._ports:
            self._vpp.set_link(name, True)


def run(
    managers: Managers,
    vpp: Simulator,
    churn: Churn,
    links: Links,
    sessions: Sessions,
    seconds: float,
    meanwhile: Iterable[Callable[[], None]] = (),
) -> float:
    """Churn, watch, and call `meanwhile` ten times a second; how long it really took."""
    began = now = time.monotonic()
    poll_at = 0.0
    while True:
        elapsed = now - began
        if elapsed < seconds:
            churn.go_on(elapsed, now)
        elif elapsed > seconds + LATE or not (links.waiting or sessions.waiting):
            break
        links.ask(now)
        if not sessions.scout.busy and now >= sessions.scout.due:
            sessions.scout.begin(now)
        if managers.turn(0.002, vpp):
            churn.receive()
        now = time.monotonic()
        if now >= poll_at:
            poll_at = now + 0.1
            for poll in meanwhile:
                poll()
    links.give_up()
    sessions.give_up()
    return now - began
