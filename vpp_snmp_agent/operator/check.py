"""`check`: one line for each thing that must be right before a manager sees every port.

The rules this module keeps:

- It reads only, by a snapshot.  How snmpd is served the running agent knows (control.py): it is
  asked.
- A line is `ok`, `FAIL` with what to do, or a `note` of what is not wrong but worth knowing.
- A cause is a FAIL once: what cannot be checked because of it is a note.
"""

import os
from collections.abc import Callable, Iterator

from .. import control
from ..runtime import sockets
from ..runtime.loop import counted
from ..settings.declarations import Settings
from ..settings.document import BadSettings
from .check_managers import managers
from .check_snmpd import agentx, cpus
from .check_vpp import memory, vpp
from .output import FAIL, NOTE, OK, Line, answer, flush
from .snapshot import ask, load_descriptions, read_ports


def check(settings_path: str, load: Callable[[], Settings]) -> int:
    """Print a line for each thing; 1 if one fails, else 0.  `load` raises BadSettings."""
    status = 0
    for line in _lines(settings_path, load):
        answer(line)
        flush()
        if line.mark == FAIL:
            status = 1
    return status


def _lines(settings_path: str, load: Callable[[], Settings]) -> Iterator[Line]:
    try:
        settings = load()
    except BadSettings as error:
        yield Line(FAIL, "settings", f"{error}; nothing else is checked before this is right")
        return
    if os.path.exists(settings_path):
        yield Line(OK, "settings", settings_path)
    else:
        yield Line(
            NOTE, "settings", f"{settings_path}: there is no such file; flags and defaults hold"
        )
    yield _vppcfg(settings)
    asked = ask(settings)
    yield from vpp(settings, asked)
    yield from memory(settings, asked)
    yield from agentx(settings)
    yield from cpus(settings, asked)
    yield _agent(settings)
    yield _state_directory(settings)
    yield from managers(settings, asked)


def _vppcfg(settings: Settings) -> Line:
    descriptions, wrong = load_descriptions(settings)
    if settings.vppcfg is None:
        return Line(NOTE, "vppcfg", "none is set: only VPP's own tags become ifAlias")
    if wrong:
        return Line(FAIL, "vppcfg", f"{wrong}; correct it, or interfaces go without descriptions")
    found = counted(len(descriptions.by_name), "description", "descriptions")
    return Line(OK, "vppcfg", f"{settings.vppcfg}: {found}")


def _agent(settings: Settings) -> Line:
    """What the running agent says of itself."""
    if settings.ifindex == "stateless":
        return Line(NOTE, "agent", "not asked: without a state directory it cannot be reached")
    directory = settings.state_dir
    try:
        answer = control.ask(directory, {"do": "status"})
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror
        return Line(NOTE, "agent", f"{directory}: the running agent is unavailable: {why}")
    if answer is None:
        return Line(NOTE, "agent", f"none runs with the state directory {directory}")
    if not answer:
        return Line(NOTE, "agent", "one of an older version runs; restart it")
    status, is_serving, refused = answer[0]
    if refused:
        advice = "end the agent that holds them, or switch them off in snmpd"
        listed = ", ".join(each.removeprefix("subtree ") for each in refused)
        return Line(FAIL, "agent", f"{status} ({listed}); {advice}")
    return Line(OK if is_serving else NOTE, "agent", status)


def _state_directory(settings: Settings) -> Line:
    if settings.ifindex == "stateless":
        return Line(NOTE, "state directory", "none is used: ifIndexes are stateless")
    path = settings.state_dir
    ports, wrong = read_ports(settings)
    if wrong:
        return Line(FAIL, "state directory", f"{wrong}; the agent does not start like this")
    user = sockets.user_name(os.geteuid())
    exists = os.path.exists(path)
    nearest = os.path.abspath(path)
    while not os.path.exists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
        wrong = f"{nearest}: no permission to write for user {user}"
        advice = "give it to the agent's user" if exists else f"make {path} for the agent's user"
        return Line(FAIL, "state directory", f"{wrong}; {advice}")
    if exists and not _has_room(path):
        return Line(FAIL, "state directory", f"{path}: its disk is full; free some space on it")
    saved = counted(len(ports), "interface is saved", "interfaces are saved")
    known = saved if exists else "it can be made"
    return Line(OK, "state directory", f"{path}: {known} (checked as {user})")


def _has_room(directory: str) -> bool:
    """Whether its disk has room for who is not root; some have no number of files."""
    disk = os.statvfs(directory)
    return bool(disk.f_bavail and (disk.f_favail or not disk.f_files))
