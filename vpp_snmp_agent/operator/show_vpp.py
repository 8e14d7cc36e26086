"""VPP itself, on standard output: `show vpp`.

The rules this module keeps:

- It reads only, by a snapshot, and keeps the manner of `show`.
- Of a VPP that hangs its segment says the rest, which is taken from its process.
- States have the names that VPP-SNMP-AGENT-MIB gives them.
- Errors are as VPP counts them; the running agent may serve more, from before it was restarted.
"""

import json
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from ..interfaces.errors import biggest
from ..interfaces.storage import HEAP, POOL, Storage
from ..interfaces.system import SegmentState, System
from ..interfaces.vpp_state import ApiState
from ..settings.declarations import Settings
from ..vpp.records import INTERFACES
from . import snapshot
from .output import (
    Column,
    Row,
    aligned,
    answer,
    complain,
    complain_of_each,
    number,
    numbers,
    scaled,
    text,
    words,
)
from .snapshot import Asked, ask, system_of, take_segment

MAX_ERRORS = 20  # that are shown

_API_STATE = {
    ApiState.ANSWERING: "answering",
    ApiState.HUNG: "hung",
    ApiState.AWAY: "away",
    ApiState.NOT_REACHED: "notReached",
}
_SEGMENT_STATE = {
    SegmentState.LIVE: "live",
    SegmentState.STUCK: "stuck",
    SegmentState.NONE: "none",
}


def show_vpp(settings: Settings, as_json: bool) -> int:
    """Print what VPP says of itself, as tables or a JSON object; the exit status."""
    asked = ask(settings)
    complain(asked.no_interfaces)
    no_segment = asked.no_segment
    if asked.hung_since is not None and asked.segment is None:
        no_segment = take_segment(settings, asked)
    complain(no_segment and f"no statistics: {no_segment}")
    complain_of_each(asked.unavailable)
    shown = _shown(asked, system_of(asked))
    lines: Iterable[str] = ()
    if as_json:
        lines = (json.dumps(shown, indent=2),)
    elif asked.router is not None or asked.hung_since is not None:
        lines = _in_text(shown)
    for line in lines:
        answer(line)
    return 1 if asked.no_interfaces or no_segment else 0


def _shown(asked: Asked, system: System) -> dict[str, Any]:
    """What is shown; rates a second, memory in octets, None where it is not known."""
    vpp, errors = system.vpp, system.errors
    before = errors.snapshot()
    if system.segment is not None:
        time.sleep(snapshot.RATE_INTERVAL)
        errors.read_all()
        system.threads.refresh()
    generation = system.generation
    return {
        "version": vpp.version or None,
        "pid": vpp.pid or asked.pid or None,
        # The segment has it, and it stands still there while VPP hangs.
        "upTime": vpp.up_time if system.segment and asked.hung_since is None else None,
        "apiState": _API_STATE[vpp.api_state],
        "segmentState": _SEGMENT_STATE[system.segment_state],
        "segmentLayout": generation.value if generation else None,
        "segmentEpoch": system.segment.epoch if system.segment else None,
        "interfaces": _interfaces(asked),
        "punted": errors.punted,
        "threads": [
            {
                "index": index,
                "name": thread.name,
                "cpu": thread.cpu_id,
                "vectorsPerCall": thread.vector_rate,
                "loopRate": thread.loop_rate,
                "inputRate": thread.input_rate,
            }
            for index, thread in system.threads.in_order()
        ],
        "heaps": [_memory(each) for each in system.storages.of_kind(HEAP)],
        "bufferPools": [_buffers(each) for each in system.storages.of_kind(POOL)],
        "errors": [
            {
                "node": each.node,
                "reason": each.reason,
                "count": each.counted,
                "rate": round(each.per_second, 1),
            }
            for each in biggest(before, errors.snapshot(), MAX_ERRORS)
        ],
    }


def _interfaces(asked: Asked) -> int | None:
    if asked.router is None or not asked.has(INTERFACES):
        return None
    return len(asked.router.interfaces)


def _memory(heap: Storage) -> dict[str, Any]:
    amount = heap.amount()
    return {"name": heap.vpp_name, "size": amount.size, "used": amount.used}


def _buffers(pool: Storage) -> dict[str, Any]:
    amount = pool.amount()
    return {
        "name": pool.vpp_name,
        "size": amount.size,
        "used": amount.used,
        "cached": amount.cached,
        "available": amount.available,
    }


# --- as tables -------------------------------------------------------------------------------


def _octets(number: int) -> str:
    """1610612736 as `1.5 GiB`."""
    return scaled(number, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def _percent(amount: Row) -> str:
    """How much of it is used."""
    return f"{100 * amount['used'] / amount['size']:.0f}"


_THREADS = (
    numbers("thread", "index"),
    words("name", "name"),
    numbers("CPU", "cpu"),
    numbers("vectors/call", "vectorsPerCall"),
    numbers("loops/s", "loopRate"),
    numbers("input/s", "inputRate"),
)
_HEAPS = (
    words("heap", "name"),
    numbers("size", "size", _octets),
    numbers("used", "used", _octets),
    Column("%", _percent, is_number=True),
)
_POOLS = (
    words("buffer pool", "name"),
    numbers("buffers", "size"),
    numbers("used", "used"),
    numbers("cached", "cached"),
    numbers("available", "available"),
    Column("%", _percent, is_number=True),
)
_ERRORS = (
    words("node", "node"),
    words("reason", "reason"),
    numbers("count", "count"),
    numbers("per second", "rate", "{:.1f}".format),
)
_TABLES = (("threads", _THREADS), ("heaps", _HEAPS), ("bufferPools", _POOLS), ("errors", _ERRORS))


def _in_text(shown: dict[str, Any]) -> Iterator[str]:
    state = [
        ("version", text(shown["version"])),
        ("pid", number(shown["pid"])),
        ("up time", "-" if shown["upTime"] is None else str(timedelta(seconds=shown["upTime"]))),
        ("API", shown["apiState"]),
        ("segment", _segment(shown)),
        ("interfaces", number(shown["interfaces"])),
        ("punted", number(shown["punted"])),
    ]
    for name, value in state:
        yield f"{name:<12}{value}"
    for key, columns in _TABLES:
        if shown[key]:
            yield ""
            yield from aligned(columns, shown[key])


def _segment(shown: dict[str, Any]) -> str:
    if shown["segmentEpoch"] is None:
        return str(shown["segmentState"])
    laid_out = f"laid out as in {shown['segmentLayout'] or '-'}"
    return f"{shown['segmentState']}, {laid_out}, epoch {shown['segmentEpoch']}"
