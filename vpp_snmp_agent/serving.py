"""What is served, and what is made to be served in its place.

The rules this module keeps:

- Rows, the tables made of them and the state that saves them are one: `Served`.
- Another configuration makes another one beside it, a slice at a time.  It is shown once it is
  complete, all at once; what was shown before is given back a slice at a time.
- A state is open once, and closed when nothing made of it is shown or to be shown; to open
  and to close one takes a thread, because a disk can take seconds.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from . import mibs
from .agentx.mib import Module, UpTime, View
from .control import Control
from .interfaces.facts import UNKNOWN, Configuration
from .interfaces.publisher import Publisher
from .interfaces.state import State, StateError
from .runtime import jobs
from .runtime.loop import Loop, log
from .settings.declarations import Entails, Settings
from .settings.vppcfg import Descriptions

SLICE = 0.0007  # seconds of work between two polls for a request
RESTORE_SLICE = 0.001  # seconds: nobody can ask before all is restored
NEW_NAMES_TIMEOUT = 2.0  # seconds that other rows wait for new names among them


class Served(NamedTuple):
    """Rows, and what snmpd is shown of them."""

    publisher: Publisher
    modules: list[Module]
    view: View
    state: State | None  # None: ifIndexes are not saved

    @property
    def settings(self) -> Settings:
        """Under which these are the rows."""
        return self.publisher.configuration.settings

    @property
    def registered(self) -> list[tuple[str, ...]]:
        """What is registered with snmpd, module by module; rows that are found follow from it."""
        return [(module.capability, *module.subtrees) for module in self.modules]


def _owner(settings: Settings) -> dict[str, Any]:
    """What a state is opened for."""
    return settings.entailing(Entails.STATE)


def _of_rows(configuration: Configuration) -> tuple[object, ...]:
    """What of a configuration makes other rows where it differs."""
    of_rows = configuration.settings.entailing(Entails.ROWS, Entails.STATE)
    return of_rows, configuration.descriptions


class Serving:
    """What is shown, and what is to be shown next, if anything is."""

    def __init__(
        self,
        loop: Loop,
        uptime: UpTime,
        configuration: Configuration,
        switch: Callable[[Served, Served], None],
        status: Callable[[], list[object]],
    ) -> None:
        """`switch(before, after)`: what is shown has changed, and snmpd is to be asked over it.
        `status`: what `check` is answered.

        Raises StateError where the state of ports is unavailable.
        """
        self._loop = loop
        self._uptime = uptime
        self._switch = switch
        self._status = status
        self._wanted = configuration
        self._jobs: deque[Iterator[None]] = deque()
        self._control: Control | None = None
        self._next_due = 0.0  # when the next rows are shown without those of new names
        self._is_opening = False  # another state
        self._closing = 0  # states that are being closed
        state = None
        if configuration.settings.ifindex == "kept":
            state = State.open(configuration.settings.state_dir)
            self._watch(state)
        self.next: Served | None = None
        self.shown = self._make(state, None)
        self._restoring: Iterator[None] | None = self._restore()
        self._listen()

    # --- what the loop asks of it ---------------------------------------------------------------

    @property
    def publishers(self) -> tuple[Publisher, ...]:
        """Of what is shown, and of what is to be shown."""
        return tuple(each.publisher for each in self._all())

    @property
    def is_restored(self) -> bool:
        """Whether all rows of before this start are there: snmpd shall not find half a table."""
        return self._restoring is None

    @property
    def has_work(self) -> bool:
        """Whether a slice would find anything to do; asked after each request."""
        shown = self.shown.publisher
        is_made = shown.is_quiet and not shown.system.is_searching
        return bool(not is_made or self.next or self._jobs or self._restoring)

    def work(self) -> bool:
        """One slice of what there is to do; whether there is more."""
        until = time.perf_counter() + SLICE
        if self._restoring is not None:
            # Before anything else, because until then snmpd has nothing of us.
            for _ in self._restoring:
                if time.perf_counter() >= until + RESTORE_SLICE - SLICE:
                    return True
            self._restoring = None
        if self.shown.publisher.step(until):
            return True
        if self.next is not None:
            if self.next.publisher.step(until):
                return True
            is_late = time.monotonic() >= self._next_due
            if self.next.publisher.is_idle or (is_late and self.next.publisher.is_ready):
                self._show_next()
                return True
        if self._jobs:
            try:
                next(self._jobs[0])
            except StopIteration:
                self._jobs.popleft()
        return bool(self._jobs) or self.shown.publisher.system.search_on()

    @property
    def is_saving(self) -> bool:
        """Whether there is more to be saved soon."""
        return any(each.state is not None and each.state.is_saving for each in self._all())

    def save(self, now: float) -> None:
        """To be called a few times a second."""
        for each in self._all():
            if each.state is not None:
                each.state.save_some(now)

    def close(self) -> None:
        """Save everything."""
        self.shown.publisher.save_totals()
        if self._control is not None:
            self._control.close()
        for state in {each.state for each in self._all() if each.state}:
            state.close()

    # --- another configuration --------------------------------------------------------------------

    def describe(self, descriptions: Descriptions) -> None:
        """The first descriptions: rows get them one by one, as they would from VPP."""
        self._wanted = replace(self._wanted, descriptions=descriptions)
        for each in self._all():
            each.publisher.describe(descriptions)

    def configure(self, configuration: Configuration) -> None:
        """Make other rows, if this configuration asks for others than there are."""
        self._wanted = configuration
        self._renew()

    def _renew(self) -> None:
        newest, settings = self.next or self.shown, self._wanted.settings
        if self._is_opening or _of_rows(self._wanted) == _of_rows(newest.publisher.configuration):
            return
        known = [each for each in self._all() if _owner(each.settings) == _owner(settings)]
        if not known and self._closing:
            return  # it may be the one that is wanted
        before, self.next = self.next, None
        if known:
            self.next = self._make(known[0].state, self.shown.publisher)
        if before is not None:
            self._give_up(before)
        if not known:
            self._open_other_state(settings)

    def _open_other_state(self, settings: Settings) -> None:
        if settings.ifindex == "stateless":
            self.next = self._make(None, self.shown.publisher)
            return
        self._is_opening = True
        jobs.in_thread(
            *(self._loop, partial(self._other_state_opened, settings)),
            lambda: State.open(settings.state_dir, patiently=True),
        )

    def _other_state_opened(
        self, settings: Settings, state: State | None, error: Exception | None
    ) -> None:
        """The state of these settings is open; meanwhile other settings may be wanted."""
        self._is_opening = False
        is_wanted = _owner(settings) == _owner(self._wanted.settings)
        if error is not None:
            if not isinstance(error, StateError):
                raise error
            log.error("%s; ifIndexes stay as they are", error)
            if is_wanted:
                kept = replace(self._wanted.settings, **_owner(self.shown.settings))
                self._wanted = replace(self._wanted, settings=kept)
        elif state is not None:
            self._watch(state)
            if is_wanted:
                self.next = self._make(state, self.shown.publisher)
            else:
                self._close(state)
        self._renew()

    def _show_next(self) -> None:
        """Show what was made beside what is shown."""
        assert self.next is not None
        before, self.shown, self.next = self.shown, self.next, None
        self._switch(before, self.shown)
        self.shown.publisher.succeed(before.publisher)
        if before.state is not self.shown.state:
            self._listen()
        self._give_up(before)

    def _give_up(self, before: Served) -> None:
        """Rows that are not shown any more, or never were."""
        state = before.state
        if state is not None and all(each.state is not state for each in self._all()):
            self._close(state)
            state = None
        self._jobs.append(self._retire(before.publisher, state))

    def _retire(self, before: Publisher, state: State | None) -> Iterator[None]:
        """Give rows up, a step at a time; `state` saves those that took their place."""
        for number, key in enumerate(list(before.by_key) if state is not None else ()):
            rows = [
                each.publisher.by_key[key]
                for each in self._all()
                if each.state is state and key in each.publisher.by_key
            ]
            assert state is not None
            if rows:
                state.show(key, rows[-1].facts)
            elif any(each.state is state for each in self._all()):
                state.hide(key)
            if not number % 100:
                yield
        yield from before.dismantle()

    # --- its parts --------------------------------------------------------------------------------

    def _all(self) -> tuple[Served, ...]:
        return (self.shown, self.next) if self.next else (self.shown,)

    def _make(self, state: State | None, predecessor: Publisher | None) -> Served:
        publisher = Publisher(self._wanted, state, self._uptime, predecessor)
        modules = mibs.modules(publisher, self._wanted.settings.mibs)
        self._next_due = time.monotonic() + NEW_NAMES_TIMEOUT
        view = View([each for module in modules for each in module.objects])
        return Served(publisher, modules, view, state)

    def _restore(self) -> Iterator[None]:
        """Show what was known before this start, until VPP reports."""
        state = self.shown.state
        if state is not None:
            ports = ((each.key, each.if_index, each.facts) for each in state.shown() if each.facts)
            yield from self.shown.publisher.restore(ports, UNKNOWN)

    def _watch(self, state: State) -> None:
        self._loop.watch(state.fileno(), lambda events: self._numbered(state))

    def _numbered(self, state: State) -> None:
        keys = state.committed()
        for each in self._all():
            if each.state is state:
                each.publisher.numbered(keys)

    def _close(self, state: State) -> None:
        """Close a state of which nothing is shown; until then it cannot be opened again."""

        def closed(_: None, error: Exception | None) -> None:
            if error is not None:
                raise error
            self._closing -= 1
            self._renew()

        self._closing += 1
        self._loop.forget(state.fileno())
        jobs.in_thread(self._loop, closed, state.close)

    def _listen(self) -> None:
        """Answer `ports` from the state whose rows are shown."""
        if self._control is not None:
            self._control.close()
            self._control = None
        state, directory = self.shown.state, self.shown.settings.state_dir
        if state is None:
            return
        try:
            self._control = Control(self._loop, state, directory, self._status)
        except OSError as error:
            log.warning("%s: `ports` cannot ask this agent: %s", directory, error.strerror)
