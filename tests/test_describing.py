"""describing.py: the vppcfg is read beside the loop, and what is known stands until then."""

import gc
import logging
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from simulator.stage import until
from vpp_snmp_agent import describing
from vpp_snmp_agent.runtime import jobs
from vpp_snmp_agent.settings.declarations import Settings
from vpp_snmp_agent.vpp import feed

from .agents import Stage, started

KNOWN = {1001: "Core: a", 1003: "Loop: b"}


AS_THEY_WERE = "; the descriptions stay as they were"


def vppcfg_of(**descriptions: str) -> str:
    lines = (f"  {name}:\n    description: '{text}'\n" for name, text in descriptions.items())
    return "interfaces:\n" + "".join(lines)


def aliases(stage: Stage) -> dict[int, str]:
    publisher = stage.agent._serving.shown.publisher
    rows = (publisher.rows.get(index) for index in publisher.rows)
    return {row.index: row.facts.alias for row in rows if row is not None}


def write_to_reader(stage: Stage, fifo: Path, text: str) -> None:
    """Write to whoever reads it: a test does not hang where nobody does."""
    descriptors: list[int] = []

    def has_reader() -> bool:
        with suppress(OSError):  # ENXIO: nobody
            descriptors.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        return bool(descriptors)

    stage.turn_until("the vppcfg is being read", has_reader)
    with os.fdopen(descriptors[0], "w") as file:
        file.write(text)


def is_read(stage: Stage) -> bool:
    """Whether the vppcfg was read, or could not be."""
    return stage.agent._has_read and stage.agent._reader.reading is None


@pytest.fixture
def vppcfg(tmp_path: Path) -> Path:
    """A vppcfg, and an agent of before that served its descriptions."""
    path = tmp_path / "vppcfg.yaml"
    path.write_text(vppcfg_of(eth0="Core: a", loop0="Loop: b"))
    with started(tmp_path, "eth0", "loop0") as before:
        before.turn_until("descriptions show", lambda: aliases(before) == KNOWN)
    return path


def test_until_the_vppcfg_is_read_rows_keep_the_descriptions_that_are_known(
    vppcfg: Path, tmp_path: Path
) -> None:
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    with started(tmp_path, "eth0", "loop0", "eth9") as stage:
        stage.rest()
        assert aliases(stage) == {**KNOWN, 1007: ""}
        assert not is_read(stage)
        write_to_reader(stage, vppcfg, vppcfg_of(eth0="Core: c", eth9="new"))
        described = {1001: "Core: c", 1003: "", 1007: "new"}
        stage.turn_until("it is read", lambda: aliases(stage) == described)


def test_the_first_reading_reaches_the_rows_that_are_shown_and_makes_no_other_ones(
    vppcfg: Path, tmp_path: Path
) -> None:
    vppcfg.write_text(vppcfg_of(eth0="Core: l", loop0="Loop: m"))
    with started(tmp_path, "eth0", "loop0") as stage:
        serving = stage.agent._serving
        shown = serving.shown
        stage.turn_until("it is read", lambda: stage.agent._has_read)
        assert serving.next is None
        stage.rest()
        assert aliases(stage) == {1001: "Core: l", 1003: "Loop: m"}
        assert serving.shown is shown
        vppcfg.write_text(vppcfg_of(eth0="Core: n"))
        stage.reload()
        stage.turn_until("it is read again", lambda: aliases(stage)[1001] == "Core: n")
        assert serving.shown is not shown


@pytest.mark.parametrize(
    ("text", "wrong", "level"),
    [
        (None, "{path}: there is no such file", logging.WARNING),
        ("interfaces: [1]\n", "{path}:1: expected interfaces as a mapping", logging.ERROR),
    ],
)
def test_a_vppcfg_that_cannot_be_used_at_the_start_leaves_the_known_descriptions(
    vppcfg: Path,
    tmp_path: Path,
    text: str | None,
    wrong: str,
    level: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vppcfg.unlink()
    if text:
        vppcfg.write_text(text)
    with started(tmp_path, "eth0", "loop0") as stage:
        stage.turn_until("it is not read", lambda: is_read(stage))
        stage.rest()
        assert aliases(stage) == KNOWN
        (said,) = (each for each in caplog.records if AS_THEY_WERE in each.getMessage())
        assert said.getMessage().startswith(wrong.format(path=vppcfg))
        assert said.levelno == level


def test_a_vppcfg_that_could_not_be_read_is_tried_again_and_the_failure_is_logged_once(
    vppcfg: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(feed.Feed, "check", lambda feed, now: iter(()))
    vppcfg.unlink()
    with started(tmp_path, "eth0", "loop0") as stage:
        agent = stage.agent
        stage.turn_until("it is not read", lambda: is_read(stage))
        for _ in range(2):
            agent._tick(agent._reader.due - 0.1)
            assert agent._reader.reading is None
            agent._tick(agent._reader.due)
            assert agent._reader.reading is not None
            stage.turn_until("it is not read again", lambda: is_read(stage))
        assert caplog.text.count(AS_THEY_WERE) == 1
        vppcfg.write_text(vppcfg_of(eth0="Core: d"))
        agent._tick(agent._reader.due)
        stage.turn_until("it is read", lambda: aliases(stage) == {1001: "Core: d", 1003: ""})
        assert agent._reader.due == float("inf")
        assert "2 times more: " in caplog.text
        assert caplog.messages[-1] == f"{vppcfg}: 1 description"


def test_a_failure_is_logged_again_for_who_asks_for_a_reading(
    vppcfg: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vppcfg.write_text("interfaces: 7\n")
    with started(tmp_path) as stage:
        for said in (1, 2):
            stage.turn_until("it is not read", lambda: is_read(stage))
            assert caplog.text.count(AS_THEY_WERE) == said
            stage.reload()


def test_a_vppcfg_that_does_not_answer_is_given_up_in_one_line_and_the_agent_serves_on(
    vppcfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(describing, "VPPCFG_TIMEOUT", 1.5)
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    with started(tmp_path, "eth0", "loop0") as stage:
        stage.turn_until("it is given up", lambda: is_read(stage))
        stage.rest()
        assert aliases(stage) == KNOWN
        (said,) = (each for each in caplog.messages if AS_THEY_WERE in each)
        assert said.startswith(f"{vppcfg}: the process for it did not answer within 1.5 s")


def test_where_there_is_no_process_for_it_the_descriptions_stay(
    vppcfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, timeout: float) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(jobs, "in_process", refuse)
    with started(tmp_path, "eth0", "loop0") as stage:
        stage.rest()
        assert aliases(stage) == KNOWN
        assert stage.agent._reader.due < float("inf")
        assert f"{vppcfg}: no process to read it: Resource temporarily unavailable" in caplog.text


def test_a_reload_while_the_vppcfg_is_read_has_it_read_again(vppcfg: Path, tmp_path: Path) -> None:
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    with started(tmp_path, "eth0") as stage:
        first = stage.agent._reader.reading
        stage.reload()
        assert stage.agent._reader.reading is first
        write_to_reader(stage, vppcfg, vppcfg_of(eth0="Core: e"))
        stage.turn_until("it is read again", lambda: stage.agent._reader.reading is not first)
        write_to_reader(stage, vppcfg, vppcfg_of(eth0="Core: f"))
        stage.turn_until("that shows", lambda: aliases(stage)[1001] == "Core: f")


def test_another_vppcfg_is_not_kept_waiting_by_one_that_does_not_answer(
    vppcfg: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    other = tmp_path / "other.yaml"
    other.write_text(vppcfg_of(eth0="Core: g"))
    with started(tmp_path, "eth0") as stage:
        stage.rest()
        stage.reload(vppcfg=str(other))
        stage.turn_until("the other is read", lambda: aliases(stage)[1001] == "Core: g")
        assert AS_THEY_WERE not in caplog.text
        stage.reload(vppcfg=None)
        stage.turn_until("none is", lambda: aliases(stage)[1001] == "")


def test_other_settings_wait_two_seconds_for_a_vppcfg_that_does_not_answer(
    vppcfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed.Feed, "check", lambda feed, now: iter(()))
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    with started(tmp_path, "eth0", "loop0") as stage:
        stage.rest()
        before = time.monotonic()
        stage.reload(hide=("loop*",))
        stage.agent._tick(before + describing.SETTINGS_TIMEOUT - 0.1)
        stage.rest()
        assert stage.names() == {1001: "eth0", 1003: "loop0"}
        stage.agent._tick(time.monotonic() + describing.SETTINGS_TIMEOUT)
        stage.turn_until("they are in force", lambda: stage.names() == {1001: "eth0"})
        assert aliases(stage) == {1001: KNOWN[1001]}


def test_a_name_that_was_served_as_ifalias_is_no_known_description(tmp_path: Path) -> None:
    (tmp_path / "vppcfg.yaml").write_text(vppcfg_of(loop0="Loop: h"))
    with started(tmp_path, "eth0", "loop0", alias="name") as before:
        described = {1001: "eth0", 1003: "Loop: h"}
        before.turn_until("names show", lambda: aliases(before) == described)
    (tmp_path / "vppcfg.yaml").unlink()
    with started(tmp_path, "eth0", "loop0", alias="name") as stage:
        stage.turn_until("it is not read", lambda: is_read(stage))
        assert stage.agent._reader.descriptions.by_name == {"loop0": "Loop: h"}


def test_questions_are_held_until_the_vppcfg_is_read(vppcfg: Path, tmp_path: Path) -> None:
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    with started(tmp_path, "eth0") as stage:
        stage.rest()
        assert stage.agent._master.on_hold
        vppcfg.write_text(vppcfg_of(eth0="Core: i"))
        stage.turn_until("they are answered", lambda: not stage.agent._master.on_hold)
        assert aliases(stage)[1001] == "Core: i"


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def test_the_reading_ends_with_the_agent(vppcfg: Path, tmp_path: Path) -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    others = set(children.read_text().split())  # of tests before, ended and not waited for
    vppcfg.unlink()
    os.mkfifo(vppcfg)
    made = Stage(Settings(state_dir=str(tmp_path / "state"), vppcfg=str(vppcfg)))
    made.agent._stopping = True
    handlers = [(number, signal.getsignal(number)) for number in SIGNALS]
    made.agent.run()
    for number, handler in handlers:
        signal.signal(number, handler)
    until("no child is left", lambda: set(children.read_text().split()) <= others)
    gc.unfreeze()
    gc.enable()
