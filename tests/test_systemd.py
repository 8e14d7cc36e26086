"""What a supervisor hears, through a socket of the test's own."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from vpp_snmp_agent.runtime.systemd import Supervisor


@pytest.fixture(autouse=True)
def unsupervised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever supervises the tests does not hear of them."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)


def listening(at: str) -> socket.socket:
    """A socket as systemd's."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(at)
    heard.setblocking(False)
    return heard


@pytest.fixture(params=["path", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """Where systemd listens."""
    abstract = request.param == "abstract"
    path = str(tmp_path / "notify")
    with listening("\0" + path if abstract else path) as heard:
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + path if abstract else path)
        yield heard


WORDS: list[tuple[Callable[[Supervisor], None], bytes]] = [
    (Supervisor.ready, b"READY=1"),
    (Supervisor.alive, b"WATCHDOG=1"),
    (Supervisor.stopping, b"STOPPING=1"),
    (
        lambda supervisor: supervisor.status("12 Zeilen für Köln"),
        "STATUS=12 Zeilen für Köln".encode(),
    ),
]


def say_all(supervisor: Supervisor) -> None:
    """Every word there is."""
    for say, _ in WORDS:
        say(supervisor)


@pytest.mark.parametrize(("say", "word"), WORDS)
def test_each_word_is_one_datagram(
    say: Callable[[Supervisor], None], word: bytes, systemd: socket.socket
) -> None:
    say(Supervisor())
    assert systemd.recv(4096) == word
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)


def test_without_a_supervisor_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("opened a socket")

    supervisor = Supervisor()
    monkeypatch.setattr(socket, "socket", refuse)
    say_all(supervisor)
    assert supervisor.watchdog_period is None


@pytest.mark.parametrize(
    ("usec", "period"), [("30000000", 15.0), ("1", 5e-7), ("0", None), ("", None), (None, None)]
)
@pytest.mark.usefixtures("systemd")
def test_the_watchdog_is_fed_twice_in_its_time(
    usec: str | None, period: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if usec is not None:
        monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert Supervisor().watchdog_period == period


@pytest.mark.usefixtures("systemd")
def test_children_inherit_neither_socket_nor_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "6000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert Supervisor().watchdog_period == 3.0
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


@pytest.mark.parametrize(("whose", "period"), [(0, 1.0), (1, None)])
@pytest.mark.usefixtures("systemd")
def test_the_watchdog_of_another_process_is_not_fed(
    whose: int, period: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + whose))
    assert Supervisor().watchdog_period == period


def test_a_watchdog_without_a_socket_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    assert Supervisor().watchdog_period is None


@pytest.mark.parametrize("path", ["/nowhere/notify", "@nowhere/notify", "/" + "x" * 200])
def test_a_socket_that_is_not_there_is_no_failure(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    supervisor = Supervisor()
    say_all(supervisor)
    assert supervisor.watchdog_period is None


def test_a_socket_that_goes_away_is_no_failure(systemd: socket.socket) -> None:
    supervisor = Supervisor()
    supervisor.ready()
    assert systemd.recv(4096) == b"READY=1"
    systemd.close()
    say_all(supervisor)


def test_a_supervisor_that_does_not_read_holds_nobody_up(systemd: socket.socket) -> None:
    supervisor = Supervisor()
    sent = 10_000  # more than any queue holds
    for _ in range(sent):
        supervisor.alive()
    heard = 0
    with suppress(BlockingIOError):
        while systemd.recv(4096) == b"WATCHDOG=1":
            heard += 1
    assert 0 < heard < sent
    supervisor.ready()
    assert systemd.recv(4096) == b"READY=1"


# --- what is left for others ---------------------------------------------------------------


def test_what_is_published_all_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    umask = os.umask(0o077)
    try:
        for text in ("VPP 25.10", "VPP 26.06"):
            Supervisor().publish("distro", text)
            assert (tmp_path / "distro").read_text() == f"{text}\n"
    finally:
        os.umask(umask)
    assert (tmp_path / "distro").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["distro"]


def test_without_a_directory_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)
    Supervisor().publish("distro", "VPP 26.06")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_published_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "gone"))
    Supervisor().publish("distro", "VPP 26.06")
    assert list(tmp_path.iterdir()) == []
