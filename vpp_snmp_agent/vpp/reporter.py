"""The child process that talks to one VPP over its binary API, for as long as that VPP lives.

    children.start("vpp_snmp_agent.vpp.reporter", PIPE, API_SOCKET, STATS_SOCKET, API_DIR,
        PERIOD, ADDRESSES, NEIGHBORS)

The last three are seconds: between two dumps of what no event reports, in which all
interfaces are asked for their addresses, and between two dumps of neighbours where VPP
reports no events of them; 0 for never.
It waits for VPP, connects, dumps, listens for events, hands each change of what VPP reports
down PIPE (a SOCK_SEQPACKET descriptor), and ends with its VPP or with its parent.

The rules this module keeps:

- One process for each connection, because vpp_papi knows one VPP (client.py), and one thread.
- A VPP that hangs is waited for, because no call has a time limit (transport.py).  The parent is
  kept informed, and ends this process when another VPP is there.
- What a call that failed left behind is reported to nobody: the process ends instead.
- A message that VPP has otherwise than it is understood takes down what it is for, and is
  reported as that.
- It ends where its parent is gone, or takes nothing for long (pipe.py).
"""

import os
import resource
import select
import socket
import time

from .api import Vpp
from .client import Client, UnusableAnswer, decode_any_text
from .descriptor import peer_pid, receive_segment
from .inventory import Interfaces
from .layer3 import Layer3
from .mapping import SegmentUnavailable
from .pipe import Pipe
from .records import (
    ACCEPTS_NOBODY,
    THREADS,
    Broken,
    Connected,
    Connecting,
    Gone,
    Mapped,
    Threads,
    Unavailable,
    Unmapped,
    Unreachable,
    Waiting,
)
from .transport import VPPUnavailable

RETRY_INTERVAL = 0.25  # seconds between two attempts to reach a VPP that is not there
PING_INTERVAL = 2.0  # seconds between two questions to a VPP that has nothing to report
HANDOVER_TIMEOUT = 0.5  # seconds that VPP may take to hand over its segment
MAX_MEMORY = 1 << 29  # octets of this process; 10,000 interfaces take a twentieth of it


def wait_for_vpp(path: str, pipe: Pipe) -> int:
    """Return the process id of who listens at `path`, once somebody does."""
    reported = None
    waited = 0.0  # for somebody who listens and accepts nobody
    while True:
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(RETRY_INTERVAL)
            try:
                probe.connect(path)
                return peer_pid(probe)
            except OSError as error:
                number = error.errno or 0
                if number != reported:
                    pipe.send(Unreachable(path, number))
                    reported = number
        if select.select([pipe.socket], [], [], RETRY_INTERVAL)[0]:
            os._exit(0)
        if number in ACCEPTS_NOBODY:
            # Not the time for which this process was stopped.
            waited += min(time.monotonic() - began, 2 * RETRY_INTERVAL)
            pipe.send(Waiting(waited))
        else:
            waited = 0.0


def send_segment(pipe: Pipe, stats_socket: str, api_pid: int, vpp: Vpp) -> bool:
    """Hand on the segment of the VPP that `vpp` asks; whether it was available."""
    try:
        descriptor, pid = receive_segment(stats_socket, HANDOVER_TIMEOUT)
    except SegmentUnavailable as error:
        pipe.send(Unmapped(str(error), getattr(error.__cause__, "errno", None)))
        return False
    try:
        if pid and api_pid and pid != api_pid:
            pipe.send(Unmapped(f"{stats_socket} is another VPP's"))
            return False
        # It answers after the handover as before it: one VPP lived through both.
        vpp.ping()
        pipe.send(Mapped(), (descriptor,))
        return True
    finally:
        os.close(descriptor)


def report_threads(vpp: Vpp) -> Threads | Unavailable:
    """VPP's threads, or why they are not known."""
    try:
        return Threads(vpp.threads())
    except UnusableAnswer as error:
        return Unavailable(THREADS, str(error))


def report(
    pipe: Pipe,
    client: Client,
    stats_socket: str,
    api_pid: int,
    period: float,
    addresses: float,
    neighbors: float,
) -> None:
    """Report one VPP until the parent is gone; what VPP or vpp_papi raise comes out."""
    client.connect("vpp-snmp-agent")
    vpp = Vpp(client)
    pipe.send(Connected(vpp.identity()))
    pipe.send(report_threads(vpp))
    vpp.want_events()
    mapped = send_segment(pipe, stats_socket, api_pid, vpp)
    layer3 = Layer3(vpp, addresses, neighbors)
    interfaces = Interfaces(vpp, layer3, period)
    ping_due = time.monotonic() + PING_INTERVAL

    poll = select.poll()
    poll.register(client.transport.socket, select.POLLIN)
    poll.register(pipe.socket, select.POLLIN)
    while True:
        # An answer may have brought events along: those are in no socket any more.
        client.collect_events()
        due = min(interfaces.due(client.events), layer3.due(), ping_due)
        pause = due - time.monotonic()
        if pause > 0:
            if pipe.socket.fileno() in dict(poll.poll(pause * 1000)):
                if not pipe.is_asked():
                    return
                interfaces.ask_again()
            continue
        for message in interfaces.refresh(client.events):
            pipe.send(message)
        if time.monotonic() >= layer3.due():  # or a link that flaps would keep it waiting
            for message in layer3.refresh(client.events):
                pipe.send(message)
        if time.monotonic() >= ping_due:
            vpp.ping()  # whose answer is passed on, as all that comes from VPP (`received`)
            mapped = mapped or send_segment(pipe, stats_socket, api_pid, vpp)
            ping_due = time.monotonic() + PING_INTERVAL


def main(arguments: list[str]) -> None:
    """The process; it ends by itself only with its VPP."""
    descriptor, api_socket, stats_socket, api_dir, *periods = arguments
    period, addresses, neighbors = map(float, periods)
    pipe = Pipe(int(descriptor))
    os.dup2(2, 1)  # vpp_papi prints
    decode_any_text()
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    client = Client(
        *(api_socket, api_dir),
        received=pipe.send_alive,
        waiting=lambda seconds: pipe.send(Waiting(seconds)),
    )
    api_pid = wait_for_vpp(api_socket, pipe)
    pipe.send(Connecting())
    try:
        report(pipe, client, stats_socket, api_pid, period, addresses, neighbors)
    except Exception as error:  # vpp_papi's boundary: unexpected bytes raise anything there
        if isinstance(error, ConnectionError) or client.hung_up():
            pipe.send_last(Gone())
        if isinstance(error, VPPUnavailable):
            pipe.send_last(Broken(str(error)))
        pipe.send_last(Broken(f"{type(error).__name__}: {error}"))
    pipe.send_last(Gone())
