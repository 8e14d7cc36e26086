"""Statistics segments, damaged in place: in header, directory, pointers, lengths, anywhere.

A reading is a number or SegmentUnavailable, within a bounded time; after the repair every
counter is what it was, by the very readers that met the damage.
"""

import os
import random
import time
from contextlib import suppress

from simulator.segment import SegmentWriter
from simulator.traffic import COMBINED, SIMPLE
from vpp_snmp_agent.interfaces.counters import CounterSet, InterfaceCounters
from vpp_snmp_agent.interfaces.system import System
from vpp_snmp_agent.vpp import mapping
from vpp_snmp_agent.vpp.cells import Counter
from vpp_snmp_agent.vpp.layout import EPOCH_WORD, HEADER, Generation, Kind
from vpp_snmp_agent.vpp.segment import Segment, SegmentUnavailable

from . import Broken, Tally, dice

KIND, CASES = "segments", 100_000
SIZE, THREADS, ROWS = 1 << 17, 3, 6
MAX_SECONDS = 5.0  # seconds for all readings of one damaged segment

OBJECTS = [name for name, what in vars(InterfaceCounters).items() if isinstance(what, property)]
IP_COLUMNS = ("InReceives", "InHdrErrors")
LINKS = ("/err/ip4-input/version", "/err/ip6-input/version", "/interfaces/eno1/rx_crc_errors")
Places = list[tuple[int, int]]  # (where, how many bytes)


class Victim:
    """A segment as VPP's, what is in it, and who reads it."""

    def __init__(self, generation: Generation) -> None:
        self.writer = SegmentWriter(SIZE, generation)
        writer = self.writer
        writer.add_scalar("/sys/last_update", 77)
        writer.add_scalar("/sys/vector_rate", 12, Kind.GAUGE)
        writer.add_names("/if/names")
        sources = [(f"/if/{name}", Kind.SIMPLE) for name in SIMPLE]
        sources += [(f"/if/{name}", Kind.COMBINED) for name in COMBINED]
        for name, kind in sources:
            writer.add_counter(name, kind, THREADS, ROWS)
        writer.add_counter("/mem/main heap", Kind.SIMPLE, 1, ROWS)
        writer.add_counter("/if/xstats/1", Kind.SIMPLE, THREADS, ROWS)
        for column, name in enumerate(LINKS):
            writer.add_symlink(name, "/if/xstats/1", column)
        for number, state in enumerate(("cached", "used", "available"), 17):
            writer.add_scalar(f"/buffer-pools/default-numa-0/{state}", number, Kind.GAUGE)
        writer.add_counter("/node/errors", Kind.SIMPLE, THREADS, ROWS)
        writer.add_counter("/net/punt", Kind.COMBINED, THREADS, ROWS)
        for index in range(ROWS):
            writer.set_name(index, f"eno{index}")
            writer.add_error(f"/err/node-{index}/reason", index)
        self._fill()
        self.places = self._places()
        self.whole = os.pread(writer.fd, SIZE, 0)
        self.segment = Segment(writer.fd)
        self.counters = [Counter(self.segment, name, kind) for name, kind in sources]
        self.readings = self.read()

    def _fill(self) -> None:
        for number, counter in enumerate(self.writer.counters.values()):
            width = 2 if counter.kind is Kind.COMBINED else 1
            for thread, row in enumerate(counter.rows):
                assert row is not None
                for cell in range(width * ROWS):
                    self.writer.words[row.offset // 8 + cell] = (number + 1) << 8 | thread | cell

    def _places(self) -> Places:
        """The numbers by which a reader finds its way, each with its size."""
        writer = self.writer
        found = [(word * 8, 8) for word in range(HEADER.size // 8)]
        directory = writer._directory
        found.append((directory.offset - 8, 4))
        for entry in range(directory.length):
            at = directory.offset + entry * directory.item
            found += [(at, 4), (at + 8, 8), (at + 16, 8)]  # type, value, the name's beginning
        names = writer._name_pointers
        found.append((names.offset - 8, 4))
        found += [(names.offset + 8 * index, 8) for index in range(names.length)]
        for counter in writer.counters.values():
            found.append((counter.pointers.offset - 8, 4))
            for thread, row in enumerate(counter.rows):
                assert row is not None
                found += [(counter.pointers.offset + 8 * thread, 8), (row.offset - 8, 4)]
        return found

    def damage(self, chance: random.Random) -> None:
        """Change a few numbers, most of them those that matter."""
        for _ in range(chance.choice((1, 1, 1, 2, 3, 10))):
            if chance.randrange(4):
                at, size = chance.choice(self.places)
            else:
                size = chance.choice((1, 4, 8))
                at = chance.randrange(SIZE - size)
            number = int.from_bytes(os.pread(self.writer.fd, size, at), "little")
            match chance.randrange(4):
                case 0:
                    number ^= 1 << chance.randrange(8 * size)
                case 1:
                    number += chance.choice((-4096, -8, -4, -1, 1, 4, 8, 4096, SIZE))
                case 2:
                    number = chance.choice((0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64 - 8))
                case 3:
                    number = chance.getrandbits(8 * size)
            os.pwrite(self.writer.fd, (number % 256**size).to_bytes(size, "little"), at)

    def repair(self, epoch: int) -> None:
        """All as it was, but in an epoch that nothing was ever read in."""
        os.pwrite(self.writer.fd, self.whole, 0)
        self.writer.words[EPOCH_WORD] = epoch

    def read(self) -> list[int | None]:
        """Every counter of every interface, and of one that is not there."""
        return [self._read(counter, row) for counter in self.counters for row in range(ROWS + 1)]

    def _read(self, counter: Counter, row: int) -> int | None:
        try:
            return counter.read(row)
        except SegmentUnavailable:
            return None


def _read_anew(victim: Victim) -> None:
    """As an agent that starts now; raises SegmentUnavailable, or gives numbers."""
    segment = Segment(victim.writer.fd)
    with suppress(SegmentUnavailable):
        segment.scalar("/sys/vector_rate")
    if not 0 <= segment.uptime < 2**64:
        raise Broken(f"an uptime of {segment.uptime}")
    sources = CounterSet(segment)
    for row in (0, 3, ROWS):
        counters = InterfaceCounters(sources, row, f"eno{row}")
        for name in OBJECTS:
            value = getattr(counters, name)
            if value is not None and not (isinstance(value, float) or 0 <= value < 2**66):
                raise Broken(f"{name} is {value}")
    system = System()
    system.use(segment, 1)
    system.search_all()
    for storage in system.storages.shown:
        unit, size, used = storage.measured()
        if not (0 < unit < 2**31 and 0 <= used <= size < 2**31):
            raise Broken(f"{storage.name} is {storage.measured()}")
    for names, count in system.errors.snapshot().counts.items():
        if not 0 <= count < 2**64:
            raise Broken(f"{names} is {count}")
    counted = [each.value(column) for each in (system.ipv4, system.ipv6) for column in IP_COLUMNS]
    for name in system.ports:
        port = system.ports.get(name)
        assert port is not None
        counted.append(port.value("FCSErrors"))
    if not all(each is None or 0 <= each < 2**64 for each in counted):
        raise Broken(f"{counted} are counted")


def run(seed: int, cases: range) -> Tally:
    """The cases; how many readings there were."""
    tally = Tally()
    victims = [Victim(generation) for generation in Generation]
    for case in cases:
        chance = dice(seed, KIND, case)
        victim = chance.choice(victims)
        victim.damage(chance)
        # Half of the time the lock counts as kept for long, and is read through.
        mapping.STUCK_TIMEOUT = chance.choice((0.0, 1.0))
        mapping.LOCK_WAIT = 0.0
        began = time.monotonic()
        try:
            if chance.randrange(2):
                victim.segment.poll_lock()
            readings = victim.read()
            with suppress(SegmentUnavailable):
                _read_anew(victim)
            if time.monotonic() - began > MAX_SECONDS:
                raise Broken(f"the readings took {time.monotonic() - began:.1f} s")
            victim.repair(chance.getrandbits(60))
            if victim.read() != victim.readings:
                raise Broken("other readings after the repair")
        except Exception as error:
            raise Broken(f"{KIND} case {case}: {error!r}") from error
        tally["readings"] += len(readings)
        tally["refused"] += readings.count(None)
        tally["same"] += readings == victim.readings
    for victim in victims:
        os.close(victim.writer.fd)
    return tally
