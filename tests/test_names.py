"""interfaces/names.py: no name twice, whatever comes and goes, and only rivals are asked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.interfaces import names as room
from vpp_snmp_agent.interfaces.names import Candidates, Names

OWN = "abcdefgh"
WANTED = OWN + "xyz"


def named(**wanted: str) -> Names:
    """Rows whose own name is their key, in this order."""
    names = Names()
    for key, want in wanted.items():
        names.put(key, Candidates(key, want))
    return names


def want(names: Names, key: str, wanted: str) -> list[str]:
    return names.put(key, Candidates(key, wanted))


# --- one sentence each ----------------------------------------------------------------------


def test_a_row_bears_the_name_it_wants_where_that_is_free() -> None:
    names = named(a="x", b="b")
    assert names.given == {"a": "x", "b": "b"}
    assert names.clashes == {}


def test_a_row_that_wants_anothers_own_name_gives_way() -> None:
    names = named(a="b", b="b")
    assert names.given == {"a": "a", "b": "b"}
    assert names.clashes == {"a": "b"}


def test_whoever_needs_its_own_name_takes_it_back_and_the_other_is_reported() -> None:
    names = named(a="b")
    assert names.given == {"a": "b"}
    assert want(names, "b", "b") == ["a"]
    assert names.given == {"a": "a", "b": "b"}


def test_of_two_that_want_one_name_the_earlier_has_it_and_the_later_inherits_it() -> None:
    names = named(a="x", b="x")
    assert names.given == {"a": "x", "b": "b"}
    assert names.remove("a") == ["b"]
    assert names.given == {"b": "x"}
    assert names.clashes == {}


def test_whoever_bears_a_name_keeps_it_though_an_earlier_one_wants_it_later() -> None:
    names = named(a="y", b="x")
    assert want(names, "a", "x") == []
    assert names.given == {"a": "a", "b": "x"}


def test_a_row_of_which_the_own_name_changes_keeps_the_one_it_bears() -> None:
    names = Names()
    names.put("tap of a", Candidates("tap1", "x"))
    names.put("b", Candidates("b", "x"))
    assert names.put("tap of a", Candidates("tap2", "x")) == []
    assert names.given == {"tap of a": "x", "b": "b"}


def test_the_same_candidates_again_change_nothing() -> None:
    names = named(a="x", b="x")
    assert want(names, "b", "x") == []
    assert names.given == {"a": "x", "b": "b"}


def test_names_may_be_exchanged() -> None:
    names = named(a="a", b="b")
    assert want(names, "a", "b") == []
    assert names.given == {"a": "a", "b": "b"}
    assert want(names, "b", "a") == ["a"]
    assert names.given == {"a": "b", "b": "a"}


def test_one_that_keeps_its_own_name_displaces_a_chain() -> None:
    names = named(a="b", b="c", c="x")
    assert names.given == {"a": "b", "b": "c", "c": "x"}
    assert sorted(want(names, "c", "c")) == ["a", "b"]
    assert names.given == {"a": "a", "b": "b", "c": "c"}


def test_a_row_that_was_never_there_is_removed_in_vain() -> None:
    names = named(a="x")
    assert names.remove("b") == []
    assert names.given == {"a": "x"}


# --- any rows ---------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(OWN), st.sampled_from(WANTED) | st.none()), max_size=30
)  # key and what it wants; None: it goes


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(OWN), st.sampled_from(WANTED)))
def test_no_name_is_given_twice_and_none_is_invented(wanted: dict[str, str]) -> None:
    check(named(**wanted), wanted)


def check(names: Names, wanted: dict[str, str]) -> None:
    """What holds of any rows, by their keys, which are their own names."""
    given = names.given
    assert given.keys() == wanted.keys()
    assert len(set(given.values())) == len(given)
    for key, name in given.items():
        assert name in (key, wanted[key])
        assert wanted[key] in given.values()  # it has it, or another does
    assert names.clashes == {key: wanted[key] for key, name in given.items() if name != wanted[key]}


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_after_any_coming_and_going_no_name_is_given_twice(
    steps: list[tuple[str, str | None]],
) -> None:
    names, wanted = Names(), dict[str, str]()
    for key, want_now in steps:
        before = dict(names.given)
        if want_now is None:
            wanted.pop(key, None)
            changed = names.remove(key)
        else:
            wanted[key] = want_now
            changed = want(names, key, want_now)
        check(names, wanted)
        others = before.keys() & names.given.keys() - {key}
        assert sorted(changed) == sorted(k for k in others if before[k] != names.given[k])
        for each in changed:
            if before[each] == wanted[each] != each:
                # It bore what it wants, and lost it to the one row whose own name that is.
                assert names.given[before[each]] == before[each]
    assert names._claims.keys() == {name for key in wanted for name in (key, wanted[key])}


def rivals(wanted: dict[str, str], key: str) -> set[str]:
    """Those who claim a name of a row's, and so on, the slow way."""
    found = {key}
    while True:
        claimed = {name for each in found for name in (each, wanted[each])}
        more = {each for each in wanted if {each, wanted[each]} & claimed}
        if more == found:
            return found
        found = more


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(OWN), st.sampled_from(WANTED), min_size=1),
    st.data(),
)
def test_a_rename_asks_its_rivals_of_before_and_after_and_no_others(
    wanted: dict[str, str], data: st.DataObject
) -> None:
    names = named(**wanted)
    key = data.draw(st.sampled_from(sorted(wanted)))
    new = data.draw(st.sampled_from(WANTED))
    asked: set[str] = set()
    with pytest.MonkeyPatch.context() as monkeypatch:
        original = room._resolve

        def noting(candidates: dict[str, Candidates]) -> dict[str, str]:
            asked.update(candidates)
            return original(candidates)

        monkeypatch.setattr(room, "_resolve", noting)
        want(names, key, new)
    after = wanted | {key: new}
    old_rivals = rivals(wanted, key) - {key}
    allowed = rivals(after, key).union(*(rivals(after, each) for each in old_rivals))
    assert asked <= allowed
    check(names, after)


def test_among_ten_thousand_rows_a_rename_asks_none() -> None:
    names = Names()
    for number in range(10_000):
        names.put(f"eth{number}", Candidates(f"eth{number}", f"host{number}"))
    asked: list[int] = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        original = room._resolve

        def noting(candidates: dict[str, Candidates]) -> dict[str, str]:
            asked.append(len(candidates))
            return original(candidates)

        monkeypatch.setattr(room, "_resolve", noting)
        want(names, "eth77", "another")
        want(names, "eth78", "host79")
    assert asked == [2]  # the first has no rival at all


def test_a_thousand_hosts_of_one_name_ask_each_other_nothing() -> None:
    names = Names()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(room, "_resolve", None)  # nor is anybody named anew
        for number in range(1000):
            names.put(f"port{number}", Candidates(f"port{number}", "eth0"))
    assert names.given["port0"] == "eth0"
    assert names.given["port999"] == "port999"
    assert len(names.clashes) == 999
    changed = names.remove("port0")
    assert changed == ["port1"]
    assert names.given["port1"] == "eth0"
