"""children.py: how a child begins, and that none outlives its parent."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stage import until
from vpp_snmp_agent.runtime import children

ROOT = Path(__file__).resolve().parents[1]
MODULE = """
import json, os, sys, time
from pathlib import Path

def main(arguments):
    pipe, path, *rest = arguments
    try:
        import shadowed
    except ImportError:
        shadowed = None
    said = [os.getpid(), rest, sys.path, bool(shadowed), sys.flags.isolated]
    Path(path + ".new").write_text(json.dumps(said))
    Path(path + ".new").rename(path)
    if "stay" in rest:
        time.sleep(3600)
"""
# A parent that starts a child and stays; it ignores SIGTERM, which a child inherits.
PARENT = """
import signal, sys
sys.path[:0] = sys.argv[1:3]
from vpp_snmp_agent.runtime import children
signal.signal(signal.SIGTERM, signal.SIG_IGN)
children.start("worker", 2, sys.argv[3], "stay").wait()
signal.pause()
"""
PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.1*/bin/python"))


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    """A directory with a module `worker`, whose `main` says what it was given, and where."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "worker.py").write_text(MODULE)
    return tmp_path / "modules"


def said(path: Path) -> tuple[int, list[str], list[str], bool]:
    until("the child says so", path.exists)
    pid, arguments, searched, shadowed, isolated = json.loads(path.read_text())
    assert isolated  # nor does a module of ours hide one of Python's from children.py
    return pid, arguments, searched, shadowed


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_child_is_given_its_arguments_and_finds_modules_where_its_parent_does(
    worker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(worker))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shadowed.py").touch()
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as in an interactive interpreter
    child = children.start("worker", 2, str(tmp_path / "said"), "Zürich", "-c", "")
    assert child.wait() == 0
    pid, arguments, searched, shadowed = said(tmp_path / "said")
    assert (pid, arguments) == (child.pid, ["Zürich", "-c", ""])
    assert searched == sys.path[1:]
    assert not shadowed


@pytest.fixture
def parent(worker: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that starts a child and waits for it."""
    command = (sys.executable, "-c", PARENT, str(ROOT), str(worker), str(tmp_path / "said"))
    with subprocess.Popen(command) as process:
        yield process
        process.kill()


@pytest.mark.usefixtures("worker")
def test_a_child_ends_with_its_parent_however_that_ends(
    parent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    child, *_ = said(tmp_path / "said")
    assert is_running(child)
    parent.kill()
    until("it has ended", lambda: not is_running(child))


def test_a_child_ends_at_sigterm_though_its_parent_ignores_it(
    parent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    child, *_ = said(tmp_path / "said")
    os.kill(parent.pid, signal.SIGTERM)
    os.kill(child, signal.SIGTERM)
    until("it has ended", lambda: not is_running(child))
    assert is_running(parent.pid)


def test_a_child_whose_parent_ended_before_it_began_does_nothing(
    worker: Path, tmp_path: Path
) -> None:
    with subprocess.Popen(("true",)) as ended:
        pass
    path = os.pathsep.join((str(worker), *filter(None, sys.path)))
    command = (sys.executable, "-I", children.__file__, str(ended.pid), path, "worker")
    assert subprocess.run((*command, "2", str(tmp_path / "said")), check=False).returncode == 1
    assert not (tmp_path / "said").exists()


@pytest.mark.parametrize(
    "python", PYTHONS or [Path(sys.executable)], ids=lambda path: path.parts[-3]
)
def test_no_python_takes_a_module_from_the_working_directory(
    python: Path, worker: Path, tmp_path: Path
) -> None:
    """Neither the child's own, nor one of Python's that it imports before it knows where from."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("shadowed", "ctypes", "importlib", "signal", "subprocess", "json", "worker"):
        (here / f"{name}.py").write_text("raise SystemExit('taken from the working directory')")
    script = tmp_path / "parent.py"
    script.write_text(
        f"import sys; sys.path[0] = {str(ROOT)!r}; sys.path.insert(1, {str(worker)!r})\n"
        "from vpp_snmp_agent.runtime import children\n"
        "sys.exit(children.start('worker', 2, sys.argv[1]).wait())"
    )
    command = (str(python), str(script), str(tmp_path / "said"))
    assert subprocess.run(command, cwd=here, check=False).returncode == 0
    assert said(tmp_path / "said")[3] is False
