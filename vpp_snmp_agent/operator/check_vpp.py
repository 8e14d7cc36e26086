"""What `check` says of VPP: its API, LCP, its segment, its memory.

The rules this module keeps:

- A cause is a FAIL once: what cannot be seen because of it is a note.
- Memory is checked of a VPP that hangs too, as far as the kernel lets us see its segment.
"""

from collections.abc import Iterator

from ..interfaces.storage import HEAP, POOL, Storage
from ..runtime.loop import counted
from ..settings.declarations import Settings
from ..vpp.records import INTERFACES, LCP_PAIRS
from ..vpp.segment import SegmentUnavailable
from .output import FAIL, NOTE, OK, Line
from .snapshot import Asked, system_of, take_segment

MAX_USED = 0.9  # of a heap or a pool; more is too much

# How VPP is given more, by what it calls a heap.
HEAP_ADVICE = {
    "main heap": "raise `memory { main-heap-size }` in its startup.conf",
    "stat segment": "raise `statseg { size }` in its startup.conf",
}


def vpp(settings: Settings, asked: Asked) -> Iterator[Line]:
    """Its API, what that does not report, LCP, and the segment."""
    router = asked.router
    if router is None or not asked.has(INTERFACES):
        yield Line(FAIL, "API socket", asked.no_interfaces)
        yield Line(NOTE, "LCP plugin", "skipped: VPP does not report")
    else:
        identity = router.identity
        vpp = f"VPP {identity.version}, pid {identity.vpe_pid}"
        count = counted(len(router.interfaces), "interface", "interfaces")
        yield Line(OK, "API socket", f"{settings.api_socket}: {vpp}, {count}")
        for what, reason in asked.unavailable.items():
            advice = "before 24.06 --api-dir must name the files of this very VPP"
            yield Line(FAIL, what, f"unavailable: {reason}; {advice}")
        if LCP_PAIRS in asked.unavailable:
            yield Line(NOTE, "LCP plugin", f"skipped: {LCP_PAIRS} are unavailable")
        elif router.pairs:
            have = "interface has a host interface", "interfaces have a host interface"
            yield Line(OK, "LCP plugin", counted(len(router.pairs), *have))
        else:
            off = "VPP has no LCP pair (is linux_cp_plugin.so off?): names are VPP's own"
            yield Line(NOTE, "LCP plugin", off)
    if asked.segment is not None:
        try:
            of = f"laid out as in {asked.segment.generation.value}"
            epoch = asked.segment.settled_epoch()
        except SegmentUnavailable as error:
            wrong = f"{settings.stats_socket}: {error}; without it there are no counters"
            yield Line(FAIL, "segment", f"{wrong}: restart VPP if that stays so")
        else:
            yield Line(OK, "segment", f"{settings.stats_socket}: {of}, epoch {epoch}")
            if not asked.segment.is_sealed:
                huge = "of huge pages (statseg { page-size }), which VPP cannot seal"
                ends = "the agent ends if the segment is cut off, and systemd starts it again"
                yield Line(NOTE, "segment", f"{huge}: {ends}")
    elif asked.no_segment:
        yield Line(FAIL, "segment", f"{asked.no_segment}; without it there are no counters")
    else:
        yield Line(NOTE, "segment", "skipped: VPP does not report")


def memory(settings: Settings, asked: Asked) -> Iterator[Line]:
    """Its heaps and pools of buffers; of a VPP that hangs too, as far as the kernel lets us."""
    why = "VPP's segment says nothing of them"
    if asked.hung_since is not None and asked.segment is None:
        why = take_segment(settings, asked) or why
    storages = system_of(asked).storages
    for thing, kind, wrong in (("heaps", HEAP, _scarce_heap), ("buffers", POOL, _scarce_pool)):
        found = storages.of_kind(kind)
        scarce = [each for each in found if _share(each) > MAX_USED]
        for each in scarce:
            yield Line(FAIL, thing, wrong(each))
        if not found:
            yield Line(NOTE, thing, f"skipped: {why}")
        elif not scarce:
            shares = ", ".join(f"{each.vpp_name} {_share(each):.0%}" for each in found)
            yield Line(OK, thing, f"in use: {shares}")


def _share(storage: Storage) -> float:
    """How much of it is used, 0 to 1."""
    amount = storage.amount()
    return amount.used / amount.size if amount.size else 0.0


def _scarce_heap(heap: Storage) -> str:
    advice = HEAP_ADVICE.get(heap.vpp_name, "give it more in its startup.conf")
    used = f"{_share(heap):.0%} of {heap.amount().size >> 20} MiB is used"
    return f"{heap.vpp_name}: {used}; VPP ends without memory: {advice}, and restart it"


def _scarce_pool(pool: Storage) -> str:
    amount = pool.amount()
    used = f"{amount.used} of {amount.size} buffers are used ({_share(pool):.0%})"
    advice = "raise `buffers { buffers-per-numa }` in VPP's startup.conf, and restart it"
    return f"{pool.vpp_name}: {used}; without any, packets are dropped on reception: {advice}"
