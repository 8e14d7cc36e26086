"""An agent without a feed and without snmpd, which several test files turn by hand."""

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from simulator.stage import until
from vpp_snmp_agent.agent import Agent
from vpp_snmp_agent.runtime.loop import log
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.records import INTERFACES, Changes, Complete, Interface

from .routers import VPP, port

ETHERNET, LOOP = port(1, "eth0"), port(3, "loop0", interface_dev_type="Loopback")


class Stage:
    """An agent without a feed and without snmpd, whose settings a test changes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.agent = Agent(settings, lambda: self.settings)

    def turn(self) -> None:
        """A turn of its loop."""
        self.agent._work()
        self.agent._loop.turn(0.001)

    def turn_until(self, what: str, condition: Callable[[], object]) -> None:
        """Turn until it is so."""

        def is_so() -> bool:
            self.turn()
            return bool(condition())

        until(what, is_so)

    def reload(self, **settings: object) -> None:
        """SIGHUP, under other settings."""
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        self.agent._read_again()

    def report(self, *interfaces: Interface) -> None:
        """What VPP reports."""
        self.agent._follower.take(Changes(tuple(interfaces)))

    def rest(self) -> None:
        """Turn until there is nothing to do any more."""
        agent = self.agent
        self.turn_until(
            "nothing is left to do",
            lambda: (
                not (
                    agent._serving._is_opening
                    or agent._serving._closing
                    or agent._serving.next
                    or agent._serving._jobs
                )
                and agent._serving.shown.publisher.is_idle
            ),
        )

    def names(self) -> dict[int, str]:
        """The rows that are shown."""
        publisher = self.agent._serving.shown.publisher
        rows = (publisher.rows.get(index) for index in publisher.rows)
        return {row.index: row.facts.name for row in rows if row is not None}

    def close(self) -> None:
        """What `run` does at its end."""
        self.rest()
        if self.agent._serving._control is not None:
            self.agent._serving._control.close()
        state = self.agent._serving.shown.state
        if state is not None:
            state.close()
        self.agent._loop.close()
        log.setLevel(logging.NOTSET)  # a reload sets it


@contextmanager
def two_interfaces(directory: Path) -> Iterator[Stage]:
    """Two interfaces, and a state directory `a`."""
    made = Stage(Settings(state_dir=str(directory / "a"), settle=0))
    made.agent._follower.take(feed.Present(VPP))
    made.report(ETHERNET, LOOP)
    made.agent._follower.take(Complete(INTERFACES))
    made.rest()
    assert made.names() == {1001: "eth0", 1003: "loop0"}
    level = log.level
    yield made
    made.close()
    log.setLevel(level)
    gc.unfreeze()
    gc.enable()


@contextmanager
def started(directory: Path, *interfaces: str, **settings: object) -> Iterator[Stage]:
    """An agent with a vppcfg beside its state directory, and these interfaces in its VPP."""
    wanted = {"vppcfg": str(directory / "vppcfg.yaml"), "settle": 0, **settings}
    made = Stage(Settings(state_dir=str(directory / "state"), **wanted))  # type: ignore[arg-type]
    made.turn_until("what is known is restored", lambda: made.agent._serving.is_restored)
    if interfaces:
        made.agent._follower.take(feed.Present(VPP))
        known = {"eth0": ETHERNET, "loop0": LOOP}
        made.report(*(known.get(each, port(7, each)) for each in interfaces))
        made.agent._follower.take(Complete(INTERFACES))
    try:
        yield made
    finally:
        made.close()
        if made.agent._reader.reading is not None:
            made.agent._reader.reading.end()
        gc.unfreeze()
        gc.enable()
