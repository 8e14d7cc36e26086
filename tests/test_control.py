"""control.py and ports.py: what is saved, listed and forgotten, with an agent and without."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from simulator.stage import until
from vpp_snmp_agent import control
from vpp_snmp_agent.control import Control
from vpp_snmp_agent.interfaces.state import State
from vpp_snmp_agent.operator.ports import forget_ports, show_ports
from vpp_snmp_agent.runtime.loop import Loop
from vpp_snmp_agent.settings.declarations import Settings

from . import journals

FACTS = replace(journals.FACTS, alias="Core", lower_layers=(), aggregated=False, addresses=())


STATUS = ["7 interfaces; VPP is away; no snmpd", False, ["subtree 1.2"]]


def save(state: State, *keys: str) -> None:
    """Give ifIndexes, and wait until they are durable."""
    for number, key in enumerate(keys):
        state.assign(key, number)

    def durable() -> bool:
        state.committed()
        return all(state.index_of(key) is not None for key in keys)

    until(f"{keys} are durable", durable)


@contextmanager
def running(directory: Path) -> Iterator[State]:
    """An agent's part in it: two names that are shown, two that are not."""
    state, loop = State.open(str(directory)), Loop()
    save(state, "eth0", "eth1", "loop0", "loop1")
    for key in ("eth0", "eth1"):
        state.show(key, FACTS)
    for key in ("loop0", "loop1"):
        state.show(key, FACTS)
        state.hide(key)
    own = Control(loop, state, str(directory), lambda: STATUS)
    ending = threading.Event()

    def turn() -> None:
        while not ending.is_set():
            loop.turn(0.01)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield state
    finally:
        ending.set()
        thread.join()
        own.close()
        state.close()
        loop.close()


def settings_of(directory: Path) -> Settings:
    return Settings(state_dir=str(directory))


def listed(directory: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Whether each saved name is shown."""
    assert show_ports(settings_of(directory)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ifIndex", "last", "seen", "shown", "name"]
    return {line.split()[-1]: line.split()[-2] for line in lines[1:]}


SHOWN = {"eth0": "yes", "eth1": "yes", "loop0": "no", "loop1": "no"}


def test_what_is_saved_is_listed_by_a_running_agent_and_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path):
        assert listed(tmp_path, capsys) == SHOWN
    assert listed(tmp_path, capsys) == SHOWN


def test_a_name_that_is_not_shown_is_forgotten_by_the_running_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as state:
        assert forget_ports(settings_of(tmp_path), "*0", 0.0) == 0
        assert capsys.readouterr().out == "forgot 1002 loop0\n"
        assert state.index_of("loop0") is None
        assert state.index_of("eth0") == 1000
    assert listed(tmp_path, capsys) == {key: SHOWN[key] for key in ("eth0", "eth1", "loop1")}


def test_without_an_agent_a_name_is_forgotten_in_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path):
        pass
    assert forget_ports(settings_of(tmp_path), "loop?", 0.0) == 0
    assert capsys.readouterr().out == "forgot 1002 loop0\nforgot 1003 loop1\n"
    assert listed(tmp_path, capsys) == {key: SHOWN[key] for key in ("eth0", "eth1")}


@pytest.mark.parametrize(("glob", "unseen"), [("eth*", 0.0), ("*", 3600.0), ("LOOP0", 0.0)])
def test_where_nothing_fits_nothing_is_forgotten_and_the_status_is_1(
    tmp_path: Path, glob: str, unseen: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path):
        assert forget_ports(settings_of(tmp_path), glob, unseen) == 1
        assert "nothing was forgotten" in capsys.readouterr().err
        assert listed(tmp_path, capsys) == SHOWN


@pytest.mark.parametrize("name", ["missing", "empty", "below/missing"])
@pytest.mark.parametrize("command", [show_ports, partial(forget_ports, glob="eth7", unseen=0.0)])
def test_where_no_ports_are_saved_both_commands_refuse_and_leave_nothing(
    tmp_path: Path,
    name: str,
    command: Callable[[Settings], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert command(settings_of(tmp_path / name)) == 1
    assert capsys.readouterr() == (
        "",
        f"vpp-snmp-agent: {tmp_path / name}: no ports are saved there: give the agent's own"
        " state-dir\n",
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("glob", ["eth*", "tap7"])
def test_forgetting_nothing_writes_nothing(tmp_path: Path, glob: str) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "ports.lock").unlink()  # as in a copy of the journal alone
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert forget_ports(settings_of(tmp_path), glob, 0.0) == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_state_directory_that_is_none_is_named_without_a_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.touch()
    assert forget_ports(settings_of(path), "*", 0.0) == 1
    assert capsys.readouterr().err == f"vpp-snmp-agent: {path}: Not a directory\n"


def test_a_forgotten_ifindex_is_given_to_nobody_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as state:
        assert forget_ports(settings_of(tmp_path), "loop0", 0.0) == 0
        state.assign("loop9", 2)
        until("it has one", lambda: state.committed() or state.index_of("loop9"))
        assert state.index_of("loop9") == 100_001


def test_what_is_no_request_ends_the_conversation_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path):
        for request in (
            *({"do": "forget"}, {"do": "forget", "glob": "*", "unseen": "x"}, {}),
            {"do": "forget", "glob": "*", "unseen": 10**400},
        ):
            assert control.ask(str(tmp_path), request) == []
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(tmp_path / control.NAME))
            client.settimeout(20)
            client.sendall(b"[" * control.MAX_REQUEST)
            assert client.recv(1) == b""
        assert listed(tmp_path, capsys) == SHOWN


def test_who_says_nothing_takes_no_more_than_a_few_descriptors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path), contextlib.ExitStack() as silent:

        def connect() -> socket.socket:
            client = silent.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.connect(str(tmp_path / control.NAME))
            client.settimeout(20)
            return client

        first = [connect() for _ in range(control.MAX_CLIENTS)]
        assert connect().recv(1) == b""
        first[0].close()

        def has_room() -> bool:
            try:
                return bool(control.ask(str(tmp_path), {"do": "list"}))
            except ConnectionError:  # one too many yet
                return False

        until("there is room again", has_room)
        assert listed(tmp_path, capsys) == SHOWN


def test_the_status_is_what_the_agent_says(tmp_path: Path) -> None:
    with running(tmp_path):
        assert control.ask(str(tmp_path), {"do": "status"}) == [STATUS]
    assert control.ask(str(tmp_path), {"do": "status"}) is None


@pytest.mark.slow
def test_a_long_list_comes_whole_and_in_pieces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = State.open(str(tmp_path))
    save(state, *(f"HundredGigabitEthernet1/0/0.{number}" for number in range(5000)))
    state.close()
    with running(tmp_path):
        assert len(listed(tmp_path, capsys)) == 5004


def test_a_socket_that_a_crash_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / control.NAME).write_text("left")
    with running(tmp_path):
        assert control.ask(str(tmp_path), {"do": "list"})
    assert not (tmp_path / control.NAME).exists()


def test_where_no_state_is_kept_there_is_nothing_to_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(ifindex="stateless")
    assert (show_ports(settings), forget_ports(settings, "*", 0.0)) == (1, 1)
    assert "stateless" in capsys.readouterr().err
