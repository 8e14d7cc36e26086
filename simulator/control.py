"""The simulator's script: one JSON object per line in, one JSON answer per line out.

    {"do": "set_admin", "name": "loop0", "up": false}    ->    {"answer": null, "at": 4711.5}
    {"do": "delete", "name": "nobody"}                   ->    {"error": "...", "at": 4711.6}

Every public method of Script is something to do.  Bytes travel as latin-1 text.  An answer
comes after the API's clients were sent what the order changed; `at` is the time.monotonic()
of that, which is the same for all processes.
"""

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from .api import ApiServer
from .interface import BridgeDomain, Spec
from .scenario import EDGE_ROUTER, in_order, plain
from .traffic import Traffic
from .vpp import Router

NANO = 10**9
AT_ONCE = 100  # interfaces configured before others have their turn


class Script:
    """What can be done to a running simulator."""

    def __init__(self, router: Router, api: ApiServer, hang: Callable[[bool], None]) -> None:
        self._router = router
        self._api = api
        self._hang = hang
        self.to_come: deque[tuple[float, Spec]] = deque()  # when (monotonic), what

    # Interfaces.

    def add(self, **fields: Any) -> int:
        """Make what Spec says; the sw_if_index."""
        return self._router.add(_spec(fields)).sw_if_index

    def delete(self, name: str) -> None:
        self._router.delete(name)

    def reuse(self, old: str, **fields: Any) -> int:
        """Delete one interface and make another, with nobody told in between."""
        self._router.delete(old)
        return self.add(**fields)

    def set_admin(self, name: str, up: bool) -> None:
        self._router.set_admin(name, up)

    def set_link(self, name: str, up: bool) -> None:
        self._router.set_link(name, up)

    def rename(self, name: str, new: str) -> None:
        self._router.rename(name, new)

    def set_mtu(self, name: str, mtu: int) -> None:
        interface = self._router.names[name]
        interface.mtu[0] = mtu
        self._router.changed(interface)

    def set_speed(self, name: str, speed: int) -> None:
        """In kbit/s."""
        interface = self._router.names[name]
        interface.speed = speed
        self._router.changed(interface)

    def set_duplex(self, name: str, duplex: int) -> None:
        interface = self._router.names[name]
        interface.duplex = duplex
        self._router.changed(interface)

    def set_tag(self, name: str, tag: str) -> None:
        interface = self._router.names[name]
        interface.tag = tag.encode("latin-1")
        self._router.changed(interface)

    def set_detailed(self, name: str, on: bool) -> None:
        self._router.set_detailed(name, on)

    def set_traffic(self, name: str, **fields: Any) -> None:
        """Change the given fields of an interface's Traffic."""
        traffic = self._router.names[name].traffic
        self._router.set_traffic(name, replace(traffic, **fields))

    def clear(self) -> None:
        self._router.clear()

    def set_xstats(self, name: str, counts: list[int]) -> None:
        self._router.counters.set_xstats(self._router.names[name], counts)

    def set_addresses(self, name: str, addresses: list[str]) -> None:
        self._router.set_addresses(name, addresses)

    def add_neighbor(self, name: str, address: str, mac: str, static: bool) -> None:
        self._router.add_neighbor(name, address, mac, static)

    def remove_neighbor(self, name: str, address: str) -> None:
        self._router.remove_neighbor(name, address)

    def add_neighbors(self, count: int, name: str) -> None:
        self._router.add_neighbors(count, name)

    def create_pair(self, name: str, host_name: str, host: str) -> int:
        return self._router.create_pair(name, host_name, host).host.sw_if_index

    def delete_pair(self, name: str, keep_host: bool) -> None:
        self._router.delete_pair(name, keep_host)

    def add_member(self, bond: str, name: str) -> None:
        self._router.add_member(bond, name)

    def remove_member(self, bond: str, name: str) -> None:
        self._router.remove_member(bond, name)

    def set_active(self, name: str, active: bool) -> None:
        self._router.set_active(name, active)

    def add_bridge_domain(self, number: int, members: list[str], bvi: str) -> None:
        names = self._router.names
        everyone = tuple(names[m] for m in members)
        domain = BridgeDomain(number, everyone, names[bvi] if bvi else None)
        self._router.bridge_domains.append(domain)

    def configure(
        self, count: int, pairs: bool, addresses: bool, seconds: float, seed: int | None
    ) -> None:
        """Add what is missing of the edge router (or of `count` plain interfaces), one by one."""
        specs = in_order(plain(count, pairs, addresses) if count else EDGE_ROUTER, seed)
        now = time.monotonic()
        pause = seconds / max(1, len(specs))
        self.to_come.extend((now + n * pause, spec) for n, spec in enumerate(specs, 1))

    def go_on(self) -> None:
        """Configure some of what is due."""
        for _ in range(AT_ONCE):
            if not self.to_come or self.to_come[0][0] > time.monotonic():
                return
            self._router.configure(self.to_come.popleft()[1])

    # Traffic.

    def freeze(self) -> None:
        self._router.clock.freeze()
        self._router.write_all()

    def step(self, seconds: float) -> None:
        self._router.step(round(seconds * NANO))

    def run(self) -> None:
        self._router.clock.run()

    def truth(self) -> list[dict[str, object]]:
        return self._router.truth()

    def interfaces(self) -> list[dict[str, object]]:
        """Every interface as VPP sees it."""
        router = self._router
        pairs = {pair.phy: pair for pair in router.pairs if pair}
        return [
            {
                "sw_if_index": i.sw_if_index,
                "name": i.name,
                "parent": i.parent.name if i.parent else "",
                "dev_type": i.dev_type,
                "admin": i.admin,
                "link": i.link,
                "mtu": i.mtu[0],
                "speed": i.speed,
                "mac": i.mac.hex(":"),
                "host": pairs[i].host_name if i in pairs else "",
                "vif_index": pairs[i].vif_index if i in pairs else 0,
                "bond": i.bond.interface.name if i.bond else "",
                "traffic": asdict(i.traffic),
            }
            for i in router.interfaces.values()
        ]

    # Memory.

    def add_heap(self, name: str, total: int, used: int) -> None:
        self._router.counters.add_heap(name, total, used)

    def heaps(self) -> dict[str, tuple[int, int]]:
        return self._router.counters.heaps

    # Misfortune.

    def hang(self) -> None:
        self._hang(True)

    def resume(self) -> None:
        self._hang(False)

    def hold_lock(self, held: bool) -> None:
        self._router.segment.hold(held)

    def drop_row(self, counter: str, thread: int) -> None:
        self._router.counters.drop_row(counter, thread)

    def where(self, name: str) -> dict[str, object]:
        return self._router.segment.where(name)

    def corrupt(self, offset: int, data: str) -> None:
        self._router.segment.overwrite(offset, data.encode("latin-1"))

    def epoch(self) -> int:
        return self._router.segment.epoch

    # The API's side.

    def calls(self) -> dict[str, int]:
        """How often each message was received."""
        return dict(self._api.calls)

    def set_page(self, size: int) -> None:
        self._api.page = size

    def pending(self) -> int:
        """How much is still to be configured."""
        return len(self.to_come)


def _spec(fields: dict[str, Any]) -> Spec:
    traffic = Traffic(**fields.pop("traffic", {}))
    return Spec(**fields, traffic=traffic)


class ControlServer:
    """Reads lines from whoever connects and does what they say."""

    def __init__(
        self, loop: selectors.BaseSelector, listener: socket.socket, script: Script
    ) -> None:
        self._loop = loop
        self._script = script
        self._inboxes: dict[socket.socket, bytearray] = {}
        self._waiting: list[socket.socket] = []
        self._answers: list[tuple[socket.socket, dict[str, Any]]] = []
        loop.register(listener, selectors.EVENT_READ, lambda _: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        self._inboxes[sock] = bytearray()
        self._loop.register(sock, selectors.EVENT_READ, lambda _: self._read(sock))

    def _read(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(1 << 16)
            inbox = self._inboxes[sock]
            inbox += data
            while b"\n" in inbox:
                line, _, rest = bytes(inbox).partition(b"\n")
                inbox[:] = rest
                self._do(sock, json.loads(line))
        except OSError:
            data = b""
        if not data:
            self._loop.unregister(sock)
            del self._inboxes[sock]
            sock.close()

    def _do(self, sock: socket.socket, order: dict[str, Any]) -> None:
        what = order.pop("do")
        if what == "wait":  # answered once everything is configured
            self._waiting.append(sock)
            return
        if what.startswith("_") or not hasattr(Script, what):
            answer: dict[str, Any] = {"error": f"nothing to do: {what}"}
        else:
            try:
                answer = {"answer": getattr(self._script, what)(**order)}
            except (KeyError, TypeError, ValueError, MemoryError, IndexError) as error:
                answer = {"error": f"{what}: {error!r}"}
        self._answers.append((sock, answer))

    def go_on(self) -> None:
        """Those who wait have their answer once there is nothing to wait for."""
        if self._waiting and not self._script.to_come:
            self._answers += [(sock, {"answer": None}) for sock in self._waiting]
            self._waiting.clear()

    def answer(self) -> None:
        """Say what was done, now that it was told to the API's clients."""
        answers, self._answers = self._answers, []
        for sock, answer in answers:
            if sock in self._inboxes:
                with suppress(OSError):  # gone; `_read` finds out
                    answer["at"] = time.monotonic()
                    sock.sendall(json.dumps(answer).encode() + b"\n")
