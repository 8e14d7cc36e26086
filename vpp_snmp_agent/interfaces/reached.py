"""What the counters of an interface have come to, and which cell of which VPP that was.

A cell is where VPP counts for an interface.  A restart of VPP, or another sw_if_index, is another
cell, which counts from 0 whether that looks like a fall or not.
"""

from array import array
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from .formulas import VALUES

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# Cells that are none:
UNKNOWN = 0  # of which nobody knows whether it is the one before
ENDED = 1  # which VPP has given to another interface: it will count from 0 again

NOTHING_READ = array("Q", [0] * VALUES)


class Reached(NamedTuple):
    """What the counters of an interface have come to, for whoever goes on from there."""

    cell: int  # which VPP counts them, at which sw_if_index: see `CounterSet.cell`
    served: "array[int]"  # by source; then what is derived, at its highest
    bases: "array[int]"  # by source; empty where all are 0
    read: int = 0  # a bit for each source that was read since the agent runs

    def is_at(self, cell: int) -> bool:
        """Whether that cell is surely the one that these were read from."""
        return self.cell == cell != UNKNOWN

    def may_be_at(self, cell: int) -> bool:
        """Whether that cell can be the one that these were read from."""
        return self.cell == cell or UNKNOWN in (self.cell, cell)


# Of a row that was served plain: whoever carries its counters begins with what VPP counts.
NOTHING_REACHED = Reached(ENDED, NOTHING_READ, array("Q"))


def vpp_of(vpe_pid: int, inode: int, boot_id: Path = BOOT_ID) -> int:
    """A number that this VPP has, and no other; UNKNOWN where nobody can say.

    Of the machine's boot, VPP's pid, and the inode of its segment, which it makes when it
    starts: within a boot the kernel gives no inode of shared memory twice.
    """
    try:
        boot = boot_id.read_text().strip()
    except OSError:
        return UNKNOWN
    text = f"{boot} {vpe_pid} {inode}".encode()
    return int.from_bytes(blake2b(text, digest_size=6).digest(), "big") + 2
