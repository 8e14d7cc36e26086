"""What the kernel accounts to a process: its CPU time and its memory."""

import os
from pathlib import Path

PROC = Path("/proc")


def cpu(pid: int) -> int:
    """Nanoseconds that all threads of a process have run, in user and kernel mode.

    From schedstat, which the scheduler adds up exactly; utime and stime are multiples of
    a clock tick, or guesses.
    """
    tasks = (PROC / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def voluntary_switches(pid: int) -> int:
    """How often the threads of a process went to sleep; of those that there are now."""
    found = 0
    for task in (PROC / str(pid) / "task").iterdir():
        text = (task / "status").read_text()
        found += int(text.partition("\nvoluntary_ctxt_switches:")[2].split(None, 1)[0])
    return found


def queued(*pids: int) -> float:
    """Seconds that processes of one thread were ready to run and had to wait for a CPU."""
    return sum(int((PROC / str(pid) / "schedstat").read_text().split()[1]) for pid in pids) * 1e-9


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    return [pid, *map(int, children.split())]


def family_cpu(pid: int) -> int:
    """`cpu` of a process and its children."""
    return sum(map(cpu, family(pid)))


def memory(pid: int, field: str) -> int:
    """A field of /proc/PID/status (VmRSS, VmHWM) in bytes."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise KeyError(field)


def machine() -> str:
    """Processor and kernel."""
    model = "processor of an unknown model"
    for line in (PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    kernel = os.uname()
    return f"{os.cpu_count()} x {model}, {kernel.sysname} {kernel.release} {kernel.machine}"
