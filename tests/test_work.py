"""interfaces/work.py: rows to be made and jobs between them, in their order."""

import time

from vpp_snmp_agent.interfaces.work import Work

FAR = time.perf_counter() + 3600.0


def test_what_waits_is_merged_and_done_in_its_order() -> None:
    work, done = Work(), list[str]()
    work.make(["eth0", "eth1"])
    work.then(lambda: done.append("job"))
    work.make(["eth1", "eth2"])
    work.run(FAR, done.append)
    assert done == ["eth0", "eth1", "job", "eth2"]
    assert not work
    work.make(["eth1"])
    work.run(FAR, done.append)
    assert done[4:] == ["eth1"]


def test_what_is_to_be_made_again_while_it_is_made_is_made_again() -> None:
    work, done = Work(), list[str]()

    def make(key: str) -> None:
        done.append(key)
        if len(done) < 3:
            work.make([key])

    work.make(["eth0"])
    work.run(FAR, make)
    assert done == ["eth0"] * 3


def test_late_it_does_one_thing_and_leaves_the_rest() -> None:
    work, done = Work(), list[str]()
    work.make(["eth0", "eth1"])
    work.run(0.0, done.append)
    assert (done, len(work)) == (["eth0"], 1)


def test_many_things_are_done_a_few_at_a_time() -> None:
    work, done = Work(), list[list[int]]()
    work.then_each(iter(range(7)), 3, done.append)
    assert len(work) == 3
    work.run(FAR, lambda key: None)
    assert done == [[0, 1, 2], [3, 4, 5], [6]]


def test_what_is_cleared_is_left_undone_and_may_be_wanted_again() -> None:
    work, done = Work(), list[str]()
    work.make(["eth0"])
    work.clear()
    work.run(FAR, done.append)
    assert done == []
    work.make(["eth0"])
    work.run(FAR, done.append)
    assert done == ["eth0"]
