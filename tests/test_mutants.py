"""mutants/: which changes are tried, and what is known of those that survive."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from simulator.stage import until

from .mutants import __main__ as judging
from .mutants.__main__ import JUDGES, ROOT, explanations, outdated, run_alone
from .mutants.change import Mutant, mutants

SOURCE = '''
LIMIT = 7

def first(values: list[int]) -> bool:
    """A docstring."""
    for each in values:
        if each < 5 and not each % 3:
            continue
        values.append(11)
    return bool(values)

class Second:
    def third(self) -> int:
        return 13
'''


def test_conditions_numbers_and_statements_are_changed_within_functions_one_at_a_time() -> None:
    found = list(mutants(SOURCE))
    condition = "first: if each < 5 and (not each % 3):"
    assert [each.text for each in found] == [
        f"{condition} -> if each < 5 or not each % 3:",
        f"{condition} -> if each <= 5 and (not each % 3):",
        f"{condition} -> if each < 6 and (not each % 3):",
        f"{condition} -> if each < 5 and each % 3:",
        f"{condition} -> if each < 5 and (not each * 3):",
        f"{condition} -> if each < 5 and (not each % 4):",
        "first: continue -> break",
        "first: values.append(11) -> pass",
        "first: values.append(11) -> values.append(12)",
        "first: return bool(values) -> return None",
        "Second.third: return 13 -> return 14",
    ]
    assert len({each.source for each in found}) == len(found)
    for each in found:
        compile(each.source, "changed.py", "exec")


def test_a_survivor_is_explained_by_what_stands_indented_below_it() -> None:
    text = (
        "# of all\none a: b -> c\n    Because it is.\n    So there.\n\ntwo d: e -> f\n    Well.\n"
    )
    assert dict(explanations(text)) == {
        "one a: b -> c": "Because it is. So there.",
        "two d: e -> f": "Well.",
    }
    with pytest.raises(SystemExit, match="no reason stands below: one a"):
        dict(explanations("one a: b -> c\ntwo d: e -> f\n    Well.\n"))


def test_what_is_explained_and_is_noticed_or_is_no_mutant_is_named() -> None:
    kept, killed = Mutant("a: b -> c", ""), Mutant("d: e -> f", "")
    explained = dict.fromkeys(["one a: b -> c", "one d: e -> f", "one g: h -> i", "two j: k"], "")
    assert outdated("one", explained, [kept, killed], [killed]) == [
        "one d: e -> f",
        "one g: h -> i",
    ]


# Two processes that ignore SIGTERM, and of which one never ends.
STUBBORN = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    pathlib.Path("pids").write_text(f"{os.getpid()} {child}")
    if sys.argv[1] == "ends":
        sys.exit(3)
signal.pause()
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize(("how", "limit", "status"), [("ends", 60.0, 3), ("loops", 3.0, None)])
def test_of_tests_that_end_or_do_not_no_process_is_left(
    tmp_path: Path, how: str, limit: float, status: int | None
) -> None:
    assert run_alone([sys.executable, "-c", STUBBORN, how], tmp_path, limit) == status
    pids = [int(each) for each in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    until("both have ended", lambda: not any(map(is_running, pids)))


def test_the_quick_and_the_slow_tests_of_a_module_have_one_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    now = iter([1000.0, 1003.0, 1047.0])
    monkeypatch.setattr(judging, "time", SimpleNamespace(monotonic=lambda: next(now)))

    def run(command: Sequence[str], copy: Path, limit: float) -> int:
        limits.append(limit)
        return 0

    monkeypatch.setattr(judging, "run_alone", run)
    assert judging.noticed_by(tmp_path, ["tests/test_facts.py"], 71.0) is None
    assert limits == [68.0, 24.0]


@pytest.mark.parametrize("module", JUDGES)
def test_every_module_that_is_judged_and_its_tests_are_there(module: str) -> None:
    assert (ROOT / "vpp_snmp_agent" / f"{module}.py").exists()
    for name in JUDGES[module][0]:
        assert (ROOT / "tests" / f"test_{name}.py").exists()
