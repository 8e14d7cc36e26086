"""How the statistics segment is had: from VPP, or from a VPP that hangs; and who listens.

The rules this module keeps:

- Nothing here waits for VPP longer than the caller says.
- A descriptor is the caller's to close; one that VPP gave beside it is closed here.
"""

import array
import os
import socket
from contextlib import suppress

from .mapping import SegmentUnavailable

MEMFD = "/memfd:stat segment"  # what VPP calls it (vlib/stats/init.c), as /proc shows it


def receive_segment(path: str, timeout: float) -> tuple[int, int]:
    """Ask VPP at `path` for its segment (vlib/stats/init.c).

    Returns (a file descriptor of the segment, the process id of who gave it or 0).
    Raises SegmentUnavailable after `timeout` seconds, or where nobody listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as vpp:
        vpp.settimeout(timeout)
        descriptors = array.array("i")
        try:
            vpp.connect(path)
            # A zero-length message bears the descriptor: 0 octets are not the end here.
            _, ancillary, _, _ = vpp.recvmsg(0, socket.CMSG_SPACE(descriptors.itemsize))
            pid = peer_pid(vpp)
        except OSError as error:
            raise SegmentUnavailable(f"{path}: {error.strerror or 'no answer'}") from error
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if not descriptors:
        raise SegmentUnavailable(f"{path}: VPP gave no descriptor of its segment")
    first, *others = descriptors
    for other in others:
        os.close(other)
    return first, pid


def open_segment_of(pid: int) -> int:
    """A file descriptor of the segment that VPP, process `pid`, has open itself.

    For one whose main thread hangs, which hands over nothing.  The kernel lets root read that,
    and who VPP runs as.  Raises SegmentUnavailable.
    """
    directory = f"/proc/{pid}/fd"
    try:
        for each in os.listdir(directory):
            path = f"{directory}/{each}"
            with suppress(FileNotFoundError):  # it was closed just now
                if os.readlink(path).startswith(MEMFD):
                    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        why = f"{directory}: {error.strerror}"
        if isinstance(error, PermissionError):
            why = f"only root can read that of a VPP that hangs ({why})"
        raise SegmentUnavailable(why) from error
    raise SegmentUnavailable(f"process {pid} has no segment open")


def listener_pid(path: str, timeout: float) -> int:
    """The process that listens at a stream socket; 0 if it is in another pid namespace.

    It need not accept: the kernel knows.  Raises OSError.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        probe.connect(path)
        return peer_pid(probe)


def peer_pid(connected: socket.socket) -> int:
    """The process at the other end of a unix socket; 0 if it is in another pid namespace."""
    credentials = array.array("i")
    size = 3 * credentials.itemsize
    credentials.frombytes(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return credentials[0]
