"""`ports`: which names have an ifIndex, and which of them are to be forgotten.

The rules this module keeps:

- A running agent owns the state: it is asked.  Without one the files are read, and changed only
  under the lock that an agent would take.
- What is shown is not forgotten.
- Where there is nothing to forget, no file and no directory is made.
"""

import sys
import time
from collections.abc import Sequence

from .. import control
from ..interfaces import opening
from ..interfaces.journal import Port
from ..interfaces.state import State, StateError
from ..settings.declarations import Settings
from .output import answer, complain

STATELESS = "no ports are saved: the setting `ifindex` is stateless"


def show_ports(settings: Settings) -> int:
    """Print every name that has an ifIndex; the exit status."""
    if settings.ifindex == "stateless":
        complain(STATELESS)
        return 1
    try:
        ports = control.ask(settings.state_dir, {"do": "list"})
        if ports is None:
            ports = [each.listed for each in _saved(settings.state_dir)]
    except (StateError, OSError) as error:
        return _fail(settings, error)
    answer(f"{'ifIndex':>10}  {'last seen':19}  {'shown':5}  name")
    for index, key, last_seen, shown in sorted(ports):
        answer(f"{index:>10}  {_moment(last_seen):19}  {'yes' if shown else 'no':5}  {key}")
    return 0


def forget_ports(settings: Settings, glob: str, unseen: float) -> int:
    """Forget names that fit a glob and were not shown for so many seconds; the exit status."""
    if settings.ifindex == "stateless":
        complain(STATELESS)
        return 1
    try:
        request = {"do": "forget", "glob": glob, "unseen": unseen}
        forgotten = control.ask(settings.state_dir, request)
        if forgotten is None:
            forgotten = _forget(settings.state_dir, glob, time.time() - unseen)
    except (StateError, OSError) as error:
        return _fail(settings, error)
    for index, key in sorted(forgotten):
        answer(f"forgot {index} {key}")
    if not forgotten:
        print("no name that is not shown fits: nothing was forgotten", file=sys.stderr)
        return 1
    return 0


def _saved(directory: str) -> Sequence[Port]:
    """Raises StateError, also where no name is saved."""
    saved = opening.read(directory)
    if not saved:
        raise StateError(f"{directory}: no ports are saved there: give the agent's own state-dir")
    return saved


def _forget(directory: str, glob: str, unseen_before: float) -> list[tuple[int, str]]:
    """Without an agent.  Raises StateError."""
    saved = _saved(directory)
    if not control.forgettable((each for each in saved if not each.shown), glob, unseen_before):
        return []
    own = State.open(directory)
    try:
        indexes = control.forgettable(own.ports(), glob, unseen_before)
        return [(indexes[key], key) for key in own.forget(indexes)]
    finally:
        own.close()


def _fail(settings: Settings, error: Exception) -> int:
    if isinstance(error, OSError):
        complain(f"{settings.state_dir}: {error.strerror or error}")
    else:
        complain(str(error))
    return 1


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "never"
