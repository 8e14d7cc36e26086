"""Everything that can fail, one thing after another, drawn by chance."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from simulator import Simulator, Spec
from simulator.scenario import EDGE_ROUTER
from simulator.stage import AgentProcess, Snmpd, until
from simulator.traffic import Traffic

from .oracle import LEARNED, Oracle
from .probe import children
from .scrapers import CHURNED, CHURNED_HOST, CHURNED_ON, PORTS, Judge

SETTLE = 8  # seconds, the agent's setting
RELEASES = ("22.02", "22.10", "23.10", "24.06", "25.10", "26.06")
WHOLE = 35  # interfaces of the router, TAPs and local0 included
FLAPPING = ("GigabitEthernet6/0/0", "TenGigabitEthernet1/0/0", "TenGigabitEthernet1/0/3", "loop0")


@dataclass
class Window:
    """When something was wrong, and when it was over."""

    kind: str
    begun: float
    ended: float
    blinds: bool  # nobody could answer meanwhile
    away: bool  # nothing could count meanwhile


class Injector:
    """Breaks things, and says to the judges what is to be expected."""

    def __init__(
        self,
        vpp: Simulator,
        snmpd: Snmpd,
        agent: AgentProcess,
        oracle: Oracle,
        judge: Judge,
        seed: int,
    ) -> None:
        self._vpp = vpp
        self._snmpd = snmpd
        self._agent = agent
        self._oracle = oracle
        self._judge = judge
        self._chance = random.Random(seed)
        self._there: list[int] = []  # of CHURNED
        self.windows: list[Window] = []
        self._bag: list[Callable[[], None]] = []

    def inject(self, harmless_to_agent: bool = False) -> None:
        """The next fault, each kind before any comes again, and what it takes to be over."""
        if not self._bag:
            self._bag = self._all()
            self._chance.shuffle(self._bag)
        fault = self._bag.pop()
        harmful = self.agent_stopped, self.agent_killed, self.both_stopped
        if harmless_to_agent and fault in (*harmful, self.agent_killed_without_vpp):
            return
        fault()
        self._wait(1.0)

    def _all(self) -> list[Callable[[], None]]:
        return [
            *(self.agent_stopped, self.agent_killed, self.agent_reloaded, self.reporter_killed),
            *(self.snmpd_stopped, self.snmpd_killed, self.snmpd_hung, self.snmpd_reloaded),
            *(self.both_stopped, self.agent_killed_without_vpp),
            *(self.vpp_stopped, self.vpp_killed, self.vpp_configured_anew, self.vpp_hung),
            *(self.vpp_process_stopped, self.lock_stuck, self.lock_stuck_and_hung, self.cleared),
            *(self.links_flapped, self.interfaces_churned, self.index_reused, self.pair_lost),
        ]

    def _wait(self, seconds: float) -> None:
        """Let time pass, in which the others work."""
        time.sleep(seconds)

    @contextmanager
    def _window(self, kind: str, blinds: bool = False, away: bool = False) -> Iterator[None]:
        window = Window(kind, time.monotonic(), 0.0, blinds, away)
        yield
        window.ended = time.monotonic()
        self.windows.append(window)

    # --- the agent ------------------------------------------------------------------------

    def _restart_agent(self, kind: str, end: Callable[[], object]) -> None:
        with self._judge.blind(), self._window(kind, blinds=True):
            end()
            self._agent.start()
        self._wait(1.5)

    def agent_stopped(self) -> None:
        self._restart_agent("agent stopped", self._agent.stop)

    def agent_killed(self) -> None:
        self._restart_agent("agent killed", self._agent.kill)

    def agent_reloaded(self) -> None:
        with self._window("agent reloaded"):
            self._agent.send(signal.SIGHUP)
            self._wait(0.5)

    def reporter_killed(self) -> None:
        """The child that asks VPP, as the kernel may when memory is short."""
        with self._window("reporter killed"):
            for pid in children(self._agent.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._wait(1.0)

    # --- snmpd ------------------------------------------------------------------------------

    def _restart_snmpd(self, kind: str, end: Callable[[], object]) -> None:
        with self._judge.blind(), self._window(kind, blinds=True):
            end()
            self._wait(self._chance.choice((0.0, 0.0, 2.0)))
            self._snmpd.start()
        self._wait(1.5)

    def snmpd_stopped(self) -> None:
        self._restart_snmpd("snmpd stopped", self._snmpd.stop)

    def snmpd_killed(self) -> None:
        self._restart_snmpd("snmpd killed", self._snmpd.kill)

    def snmpd_hung(self) -> None:
        with self._judge.blind(3.0), self._window("snmpd hung", blinds=True):
            self._snmpd.send(signal.SIGSTOP)
            self._wait(self._chance.choice((1.0, 4.0, 8.0)))
            self._snmpd.send(signal.SIGCONT)

    def snmpd_reloaded(self) -> None:
        with self._judge.blind(), self._window("snmpd reloaded", blinds=True):
            self._snmpd.send(signal.SIGHUP)

    # --- VPP --------------------------------------------------------------------------------

    def _restart_vpp(self, kind: str, end: Callable[[], None]) -> None:
        with self._window(kind, away=True), self._oracle.change(everything=True):
            end()
            self._vpp.start(release=self._chance.choice(RELEASES), empty=False)
        self._lost_for_good()
        self._wait(LEARNED)

    def _lost_for_good(self) -> None:
        """What a new VPP does not have waits for it until it counts as configured."""
        self._there.clear()
        names = [f"{CHURNED_ON}.{number}" for number in CHURNED]
        self._oracle.put_off(time.monotonic() + SETTLE + LEARNED, *names)

    def vpp_stopped(self) -> None:
        self._restart_vpp("VPP stopped", self._vpp.stop)

    def vpp_killed(self) -> None:
        self._restart_vpp("VPP killed", self._vpp.kill)

    def both_stopped(self) -> None:
        """VPP starts again while the agent is away: counters go on from what it saved."""
        with self._judge.blind(4.0), self._window("agent and VPP stopped", blinds=True, away=True):
            self._agent.stop()
            with self._oracle.change(everything=True):
                self._vpp.stop()
                self._vpp.start(release=self._chance.choice(RELEASES), empty=False)
            self._agent.start()
        self._lost_for_good()
        self._wait(LEARNED)

    def agent_killed_without_vpp(self) -> None:
        """What VPP had counted when it ended is saved before the next one is there."""
        with self._judge.blind(4.0), self._window("agent killed, no VPP", blinds=True, away=True):
            with self._oracle.change(everything=True):
                self._vpp.kill()
                self._wait(2.0)
                self._agent.kill()
                self._vpp.start(release=self._chance.choice(RELEASES), empty=False)
            self._agent.start()
        self._lost_for_good()
        self._wait(LEARNED)

    def vpp_configured_anew(self) -> None:
        """It comes back empty, and is configured over some seconds, in another order."""
        with self._window("VPP configured anew", away=True):
            with self._oracle.change(everything=True):
                self._vpp.stop()
                self._vpp.start(empty=True)
                self._vpp.configure(seconds=4, seed=self._chance.randrange(1000))

            def configured() -> bool:
                self._oracle.put_off(time.monotonic() + LEARNED)
                with self._oracle.lock:
                    return len(self._vpp.interfaces()) >= WHOLE

            until("VPP is configured", configured)
        self._lost_for_good()
        self._wait(LEARNED)

    def _hang(self, hung: bool) -> None:
        with self._oracle.lock:
            (self._vpp.hang if hung else self._vpp.resume)()

    def vpp_hung(self) -> None:
        with self._window("VPP hung"):
            self._hang(True)
            self._wait(6.0)
            self._hang(False)

    def vpp_process_stopped(self) -> None:
        with self._window("VPP's process stopped"), self._oracle.lock:
            os.kill(self._vpp.pid, signal.SIGSTOP)
            self._wait(self._chance.choice((1.0, 6.0)))
            os.kill(self._vpp.pid, signal.SIGCONT)

    def _hold_lock(self, kind: str, hang: bool) -> None:
        with self._window(kind):
            with self._oracle.lock:
                held = [time.monotonic(), float("inf")]
                self._oracle.hidden.append(held)
                self._vpp.hold_lock()
                if hang:
                    self._vpp.hang()
            self._wait(4.0)
            with self._oracle.lock:
                if hang:
                    self._vpp.resume()
                self._vpp.hold_lock(False)
                held[1] = time.monotonic() + 0.1

    def lock_stuck(self) -> None:
        self._hold_lock("lock stuck", hang=False)

    def lock_stuck_and_hung(self) -> None:
        self._hold_lock("lock stuck, VPP hung", hang=True)

    def cleared(self) -> None:
        with self._window("cleared"), self._oracle.change(everything=True):
            self._vpp.clear()

    def links_flapped(self) -> None:
        with self._window("links flapped"):
            for _ in range(400):
                name = self._chance.choice(FLAPPING)
                with self._oracle.lock:
                    self._vpp.set_link(name, bool(self._chance.randrange(2)))
            with self._oracle.lock:
                for spec in EDGE_ROUTER:
                    if spec.full_name in FLAPPING:
                        self._vpp.set_link(spec.full_name, spec.link)

    # --- interfaces that come and go ------------------------------------------------------------

    def _add(self, number: int) -> None:
        with self._oracle.change(f"{CHURNED_ON}.{number}"):
            self._vpp.add_sub(
                CHURNED_ON,
                number,
                host=f"{CHURNED_HOST}.{number}",
                traffic=Traffic(rx=1000.0 + number, tx=2000.0 + number),
            )
        self._there.append(number)

    def _waits(self, number: int) -> None:
        """As long as VPP counts as being configured, a row that it deletes waits for it."""
        self._oracle.put_off(time.monotonic() + SETTLE + LEARNED, f"{CHURNED_ON}.{number}")

    def interfaces_churned(self) -> None:
        with self._window("interfaces churned"):
            for number in self._chance.sample(CHURNED, 8):
                if number in self._there:
                    self._there.remove(number)
                    with self._oracle.change(f"{CHURNED_ON}.{number}"):
                        self._vpp.delete(f"{CHURNED_ON}.{number}")
                    self._waits(number)
                else:
                    self._add(number)
                self._wait(self._chance.choice((0.0, 0.1, 0.4)))

    def index_reused(self) -> None:
        """One goes and another takes its index, with no event in between."""
        with self._window("index reused"):
            if not self._there:
                self._add(self._chance.choice(CHURNED))
                self._wait(2.0)
            old = self._there.pop()
            new = self._chance.choice([n for n in CHURNED if n not in (*self._there, old)])
            names = (f"{CHURNED_ON}.{old}", f"{CHURNED_ON}.{new}")
            with self._oracle.change(*names):
                traffic = Traffic(rx=9e5, tx=8e5)
                self._vpp.reuse(names[0], Spec(parent=CHURNED_ON, sub_id=new, traffic=traffic))
            self._waits(old)
            self._there.append(new)
            self._wait(1.0)

    def pair_lost(self) -> None:
        """An LCP pair goes, and comes again."""
        with self._window("LCP pair lost"):
            name, host = "GigabitEthernet5/0/0.205", "eno1.205"
            assert PORTS[host] == name
            with self._oracle.lock:
                self._vpp.delete_pair(name)
            self._wait(2.0)
            with self._oracle.lock:
                self._vpp.create_pair(name, host)
