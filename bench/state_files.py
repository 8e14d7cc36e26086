"""The state directory from outside: a past to begin with, and what is written there."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

VERSION_1_NAME = "interfaces.json"  # of 0.1.0
BLOCK = 4096  # octets that a commit writes at least
IN_MEMORY = ("tmpfs", "ramfs", "overlay")  # whose writes the kernel does not account


def write_past(directory: Path, names: Iterable[str], first: int) -> None:
    """A state of 0.1.0 that remembers names, with ifIndexes from `first` on, and no rows."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps({'ifIndex': index})}"
        for index, name in enumerate(names, first)
    )
    text = f'{{"version": 1, "interfaces": {{\n{lines}\n}}}}\n'
    (directory / VERSION_1_NAME).write_text(text)


def file_system(path: Path) -> str:
    """The type of the file system that a path is on."""
    best, kind = "", "unknown"
    where = str(path.resolve())
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, type_, *_ = line.split()
        inside = where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, type_
    return kind


def written(pid: int) -> int:
    """Octets that a process, and its children that ended, had the kernel write to a disk."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "write_bytes":
            return int(value)
    raise KeyError("write_bytes")


class Growth:
    """What was written to a directory, as far as its files show it, look by look.

    A file that grew took that and a block for each look that found it grown; a file that was
    replaced, or became shorter, was written whole.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.octets = 0
        self._seen: dict[int, tuple[int, int]] = {}  # by inode: size, and when it was changed
        self.poll()
        self.octets = 0

    def poll(self) -> None:
        """To be called more often than files are replaced."""
        found: dict[int, tuple[int, int]] = {}
        with os.scandir(self._directory) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # replaced since
                    continue
                found[status.st_ino] = (status.st_size, status.st_mtime_ns)
        for inode, (size, changed) in found.items():
            before, changed_before = self._seen.get(inode, (size + 1, 0))
            if size < before:
                self.octets += size
            elif changed != changed_before:
                self.octets += size - before + BLOCK
        self._seen = found


class Written:
    """Octets written to a state directory by one process, and how that is known."""

    def __init__(self, directory: Path, pid: int) -> None:
        self._pid = pid
        self._growth = Growth(directory)
        self.by_kernel = file_system(directory) not in IN_MEMORY
        self._before = written(pid) if self.by_kernel else 0

    def poll(self) -> None:
        """To be called often."""
        self._growth.poll()

    def octets(self) -> int:
        """Since this was made."""
        self._growth.poll()
        if self.by_kernel:
            return written(self._pid) - self._before
        return self._growth.octets

    def how(self) -> str:
        """What the octets were counted by."""
        if self.by_kernel:
            return f"write_bytes of the process; files grew {self._growth.octets / 2**20:.2f} MiB"
        return "growth and replacement of files"
