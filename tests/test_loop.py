"""loop.py: what the loop calls, and what is logged once."""

import logging
import os
import select

import pytest

from vpp_snmp_agent.runtime.loop import Loop, StateLog


def test_who_is_ready_is_called_until_forgotten() -> None:
    loop, called = Loop(), list[int]()
    reader, writer = os.pipe()
    loop.watch(reader, called.append)
    loop.turn(0)
    assert not called
    os.write(writer, b"!")
    loop.turn(0)
    assert called == [select.EPOLLIN]
    loop.forget(reader)
    loop.forget(reader)
    loop.turn(0)
    assert len(called) == 1
    for end in (reader, writer):
        os.close(end)
    loop.close()


def test_one_who_was_forgotten_by_another_in_the_same_turn_is_not_called() -> None:
    loop = Loop()
    pipes = [os.pipe() for _ in range(2)]
    called = []

    def forget_the_other(own: int) -> None:
        called.append(own)
        for reader, _ in pipes:
            if reader != own:
                loop.forget(reader)

    for reader, writer in pipes:
        loop.watch(reader, lambda events, own=reader: forget_the_other(own))  # type: ignore[misc]
        os.write(writer, b"!")
    loop.turn(0)
    assert len(called) == 1
    for ends in pipes:
        for end in ends:
            os.close(end)
    loop.close()


def test_the_same_is_logged_once_and_a_failure_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state_log = StateLog()
    for _ in range(4):
        state_log.report(logging.WARNING, "disk", "the disk is full")
        state_log.report(logging.INFO, "rows", "18 rows")
    assert caplog.messages == ["the disk is full", "18 rows"]
    state_log.report(logging.INFO, "disk", "the disk takes it")
    state_log.report(logging.INFO, "rows", "19 rows")
    assert caplog.messages[2:] == [
        "3 times more: the disk is full",
        "the disk takes it",
        "19 rows",
    ]
    for text in ("the name is gone", "the name is gone", "the name is back"):
        state_log.report(logging.ERROR, "name", text)
    assert caplog.messages[5:] == [
        "the name is gone",
        "1 time more: the name is gone",
        "the name is back",
    ]
    assert state_log.last("disk") == "the disk takes it"
    assert state_log.last("nothing") == ""


def test_that_a_failure_is_over_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state_log = StateLog()
    state_log.solved("disk", "the disk is back")
    for _ in range(2):
        state_log.report(logging.ERROR, "disk", "the disk is gone")
    state_log.report(logging.WARNING, "cpu", "no CPU")
    for _ in range(2):
        state_log.solved("disk", "the disk is back")
    assert caplog.messages == [
        "the disk is gone",
        "no CPU",
        "1 time more: the disk is gone",
        "the disk is back",
    ]
