"""How counters move: exact integers, at known rates, on a clock that can stand still.

A cell is one number of one interface.  Its value is (held + rate * time) // UNIT with
nothing rounded in between, so that a parent, which holds and moves by the sum of its
sub-interfaces, can never count less than they do.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

SIMPLE = ["drops", "punt", "ip4", "ip6", "rx-no-buf", "rx-miss", "rx-error", "tx-error", "mpls"]
COMBINED = [
    way + cast for way in ("rx", "tx") for cast in ("", "-unicast", "-multicast", "-broadcast")
]
CELLS = len(SIMPLE) + 2 * len(COMBINED)

# A simple counter has one cell, a combined one two: packets, then bytes.
DROPS, PUNT, IP4, IP6, RX_NO_BUF, RX_MISS, RX_ERROR, TX_ERROR, MPLS = range(9)
RX, TX = 9, 17
UNICAST, MULTICAST, BROADCAST = 2, 4, 6  # after RX or TX

# What a parent counts for its sub-interfaces too.
INCLUDED = (DROPS, RX, RX + 1, TX, TX + 1)

MILLI = 1000  # rates are kept per 1000 seconds
UNIT = 10**9 * MILLI  # of (rate x nanoseconds) make one packet or byte


@dataclass(frozen=True)
class Traffic:
    """What an interface carries itself, without its sub-interfaces.

    Packets per second, bytes per packet, and shares of the received or sent packets in
    thousandths.  All but `rx`, `tx` and the sizes are kept small by a healthy router.
    """

    rx: float = 0
    tx: float = 0
    rx_size: int = 800
    tx_size: int = 600
    multicast: int = 4
    broadcast: int = 1
    ip6: int = 300
    drops: float = 0
    punt: float = 0
    rx_miss: float = 0
    rx_no_buf: float = 0
    rx_error: float = 0
    tx_error: float = 0
    detailed: bool = False  # collect_detailed_interface_stats: kinds of address apart

    @cached_property
    def rates(self) -> list[int]:
        """By cell, per 1000 seconds; the kinds of address are `detail`'s."""
        rates = [0] * CELLS
        rx, tx = round(self.rx * MILLI), round(self.tx * MILLI)
        rates[RX : RX + 2] = rx, rx * self.rx_size
        rates[TX : TX + 2] = tx, tx * self.tx_size
        rates[IP6] = rx * self.ip6 // 1000
        rates[IP4] = rx - rates[IP6]
        for cell, rate in (
            (DROPS, self.drops),
            (PUNT, self.punt),
            (RX_MISS, self.rx_miss),
            (RX_NO_BUF, self.rx_no_buf),
            (RX_ERROR, self.rx_error),
            (TX_ERROR, self.tx_error),
        ):
            rates[cell] = round(rate * MILLI)
        return rates

    def detail(self, rates: list[int]) -> None:
        """Divide all that an interface receives and sends, with its sub-interfaces' share."""
        for way in (RX, TX):
            for unit in (0, 1):
                whole = rates[way + unit]
                multicast = whole * self.multicast // 1000
                broadcast = whole * self.broadcast // 1000
                rates[way + MULTICAST + unit] = multicast
                rates[way + BROADCAST + unit] = broadcast
                rates[way + UNICAST + unit] = whole - multicast - broadcast


STILL = Traffic()


class Amount(NamedTuple):
    """A combined counter."""

    packets: int
    bytes: int


@dataclass(frozen=True)
class Truth:
    """What one interface has really counted; counters by VPP's names, as in /if/<name>."""

    name: str
    sw_if_index: int
    simple: dict[str, int]
    combined: dict[str, Amount]

    @property
    def rx(self) -> Amount:
        return self.combined["rx"]

    @property
    def tx(self) -> Amount:
        return self.combined["tx"]


class Flow:
    """The cells of one interface, moving at rates that can change at any moment."""

    def __init__(self, now: int) -> None:
        self.held = [0] * CELLS
        self.since = now
        self.moving: list[tuple[int, int]] = []  # (cell, rate)

    def settle(self, now: int) -> None:
        """Count until now."""
        elapsed = now - self.since
        for cell, rate in self.moving:
            self.held[cell] += rate * elapsed
        self.since = now

    def change(self, rates: list[int], now: int) -> None:
        """Move at other rates from now on."""
        self.settle(now)
        self.moving = [(cell, rate) for cell, rate in enumerate(rates) if rate]

    def clear(self, now: int) -> None:
        self.held = [0] * CELLS
        self.since = now


class Clock:
    """The traffic's time in nanoseconds; it can be frozen and moved by hand."""

    def __init__(self) -> None:
        self._offset = time.monotonic_ns()
        self._frozen: int | None = None

    def now(self) -> int:
        return time.monotonic_ns() - self._offset if self._frozen is None else self._frozen

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def freeze(self) -> None:
        self._frozen = self.now()

    def step(self, nanoseconds: int) -> None:
        """Let so much time pass at once, and stand still before and after."""
        self._frozen = self.now() + nanoseconds

    def run(self) -> None:
        self._offset = time.monotonic_ns() - self.now()
        self._frozen = None
