"""The statistics segment as VPP lays it out (vlib/stats/shared.h), declared once.

Everything is in the machine's own byte order.  Pointers are addresses in VPP's
address space; an offset into the segment is `pointer - base`.

    offset 0        the header
    offset 4096     VPP's heap; every pointer leads into it
    pointer - 8     the length (u32) of the vector at `pointer`

A counter is a vector of pointers, one per VPP thread (0 is the main thread).
Each leads to a vector of cells, indexed by sw_if_index; a NULL pointer is a
vector of length 0.
"""

import enum
import struct

VERSION = 2  # in every release since v19.04: it distinguishes no two

HEADER = struct.Struct("=QQQQQ")  # version, base, epoch, in_progress, directory_vector
HEAP = 4096
LENGTH = struct.Struct("=I")
LENGTH_BEFORE = 8

ENTRY = struct.Struct("=I4xQ128s")  # type, value or pointer or two indexes, name
NAME_OFFSET = ENTRY.size - 128
VALUE_OFFSET = 8
POINTER = struct.Struct("=Q")
CELL = struct.Struct("=Q")  # simple counters: packets
CELL_PAIR = struct.Struct("=QQ")  # combined counters: packets, bytes

# The header's fields as u64 words, for readers that map it as such.
VERSION_WORD, BASE_WORD, EPOCH_WORD, IN_PROGRESS_WORD, DIRECTORY_WORD = range(5)
ERROR_VECTOR_WORD = 5  # of v22.02 alone: pointers, one for each thread, to vectors of u64


class Kind(enum.Enum):
    """What a directory entry is, whatever number its VPP gives that."""

    SCALAR = "scalar"  # the entry's value is the number itself, a u64
    SIMPLE = "simple"
    COMBINED = "combined"
    ERROR_INDEX = "error index"  # the entry's value is a column of the error vector
    NAME_VECTOR = "name vector"
    EMPTY = "empty"
    SYMLINK = "symlink"  # index1: an entry; index2: a column of it
    HISTOGRAM = "log2 histogram"
    RING_BUFFER = "ring buffer"
    GAUGE = "gauge"  # as a scalar


class Generation(enum.Enum):
    """A run of releases that number the entry types alike."""

    V22_02 = "v22.02"
    V22_06 = "v22.06 to v25.10"
    V26_02 = "v26.02 and later"


_ALWAYS = {1: Kind.SCALAR, 2: Kind.SIMPLE, 3: Kind.COMBINED}
_SINCE_V22_06 = _ALWAYS | {4: Kind.NAME_VECTOR, 5: Kind.EMPTY, 6: Kind.SYMLINK}

KINDS = {
    Generation.V22_02: _ALWAYS
    | {4: Kind.ERROR_INDEX, 5: Kind.NAME_VECTOR, 6: Kind.EMPTY, 7: Kind.SYMLINK},
    Generation.V22_06: _SINCE_V22_06,
    Generation.V26_02: _SINCE_V22_06 | {7: Kind.HISTOGRAM, 8: Kind.RING_BUFFER, 9: Kind.GAUGE},
}

IF_NAMES = b"/if/names"  # its type is that of the generation
NODE_ERRORS = b"/node/errors"  # [thread][column]; v22.02 has the error vector in its place
