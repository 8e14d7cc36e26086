"""mibs/VPP-SNMP-AGENT-MIB: it lints, and says of each object what the code serves."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import vpp_snmp_agent.mibs
from vpp_snmp_agent.agentx.mib import Scalar, TableView
from vpp_snmp_agent.agentx.values import decode_varbind, dotted
from vpp_snmp_agent.interfaces.system import SegmentState
from vpp_snmp_agent.interfaces.vpp_state import Alarm, ApiState
from vpp_snmp_agent.mibs import MODULES, vpp_snmp_agent_mib
from vpp_snmp_agent.mibs.vpp_base import BASE
from vpp_snmp_agent.mibs.vpp_snmp_agent_mib import NOTIFICATIONS, SNMP_TRAP_OID

from .routers import new_publisher

NAME = "VPP-SNMP-AGENT-MIB"
FILE = Path(vpp_snmp_agent.mibs.__file__).parent / NAME
CONF = Path(__file__).resolve().parents[1] / "snmpd-dataplane.conf"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
STANDARD = CACHE / "vpp-snmp-agent" / "mibs"  # where `make mibs` puts them


@pytest.fixture(scope="module")
def standard() -> Path:
    """Where the standard MIBs are."""
    if not (STANDARD / "SNMPv2-SMI.mib").is_file():
        pytest.skip("no texts of the standard MIBs: `make mibs` brings them")
    return STANDARD


# --- by the tools of others ----------------------------------------------------------------------


def lint(path: Path, standard: Path) -> str:
    """What smilint says of a file, if anything; its exit status is 0 even for errors."""
    smilint = shutil.which("smilint")
    if smilint is None:
        pytest.skip("no smilint: `make mibs` brings it")
    configuration = path.parent / "smi.conf"
    configuration.write_text(f"path {standard}\n")
    done = subprocess.run(
        [smilint, "-c", str(configuration), "-l", "3", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_smilint_has_nothing_to_say(tmp_path: Path, standard: Path) -> None:
    copy = tmp_path / NAME
    shutil.copy(FILE, copy)
    assert lint(copy, standard) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("        vppPid,\n", "        vppPd,\n"),
        ("FROM SNMPv2-TC", "FROM SNMPv3-TC"),
        ("{ vppState 2 }", "{ vppState 3 }"),
        ("STATUS current", "STATUS fine"),
    ],
)
def test_smilint_has_something_to_say_of_a_slip(
    tmp_path: Path, standard: Path, right: str, wrong: str
) -> None:
    text = FILE.read_text()
    assert right in text
    copy = tmp_path / NAME
    copy.write_text(text.replace(right, wrong, 1))
    assert lint(copy, standard)


def test_snmptranslate_knows_every_object(standard: Path) -> None:
    if shutil.which("snmptranslate") is None:
        pytest.skip("no snmptranslate")
    names = sorted(each for each in OIDS if each != "enterprises")
    done = subprocess.run(
        ["snmptranslate", "-M", f"{standard}:{FILE.parent}", "-m", NAME, "-On"]
        + [f"{NAME}::{name}" for name in names],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"SNMPCONFPATH": "/nonexistent"},
    )
    assert done.stdout.split() == [f".{OIDS[name]}" for name in names]
    assert done.stderr == ""


# --- a reader of the file ------------------------------------------------------------------------


class Described(NamedTuple):
    """An object as the file has it."""

    name: str
    syntax: str
    access: str


def plain(text: str) -> str:
    """The file without its texts and comments."""
    return re.sub(r'--.*|"[^"]*"', "", text)


PLAIN = plain(FILE.read_text())
CONVENTIONS = {
    "DisplayString": "OCTET STRING",  # RFC 2579
    **dict(re.findall(r"(\w+) ::= TEXTUAL-CONVENTION\s.*?SYNTAX (\w+)", PLAIN, re.DOTALL)),
}
SAME_IN_AGENTX = {"Integer32": "INTEGER", "Unsigned32": "Gauge32"}
MACROS = "MODULE-IDENTITY|OBJECT IDENTIFIER|OBJECT-TYPE|NOTIFICATION-TYPE"


def oids() -> dict[str, str]:
    """The OID of everything that has a name."""
    found = {"enterprises": "1.3.6.1.4.1"}
    pattern = rf"^(\w+)\s+(?:{MACROS})\s[^:]*?::= {{ (\w+) ([\d ]+) }}"
    for name, parent, numbers in re.findall(pattern, PLAIN, re.MULTILINE):
        found[name] = ".".join((found[parent], *numbers.split()))
    return found


OIDS = oids()


def objects() -> Iterator[tuple[str, Described]]:
    """By OID what is neither a table nor a row."""
    pattern = r"^(\w+) OBJECT-TYPE\s+SYNTAX ([\w ]+?)\s*[({\n].*?MAX-ACCESS ([\w-]+)"
    for name, syntax, access in re.findall(pattern, PLAIN, re.MULTILINE | re.DOTALL):
        if not name.endswith(("Table", "Entry")):
            base = CONVENTIONS.get(syntax, syntax)
            yield OIDS[name], Described(name, SAME_IN_AGENTX.get(base, base), access)


DESCRIBED = dict(objects())


def served() -> dict[str, Described]:
    """What the code serves, in the same form."""
    found = {}
    for each in MODULES[NAME](new_publisher()).objects:
        if isinstance(each, TableView):
            for column in each.columns:
                described = Described(column.name, column.type.name, "read-only")
                found[dotted(column.prefix)] = described
        else:
            assert isinstance(each, Scalar)
            found[dotted(each.prefix)] = Described(each.name, each.type.name, "read-only")
    return found


def test_the_reader_reads_all_of_the_file() -> None:
    assert len(DESCRIBED) == PLAIN.count(" OBJECT-TYPE\n") - 2 * PLAIN.count(" SEQUENCE OF ")
    assert DESCRIBED[f"{BASE}.1.1.4"] == ("vppApiState", "INTEGER", "read-only")
    assert DESCRIBED[f"{BASE}.1.3.1.2"] == ("vppHeapSize", "Counter64", "read-only")


def test_every_object_that_is_served_is_described_by_number_name_and_syntax() -> None:
    assert served()
    assert {number: DESCRIBED.get(number) for number in served()} == served()


def test_every_object_that_is_described_is_served() -> None:
    readable = {number for number, each in DESCRIBED.items() if each.access == "read-only"}
    assert served().keys() >= readable


def test_what_an_index_is_made_of_is_not_accessible() -> None:
    indexes = re.findall(r"INDEX \{ (.*?) \}", PLAIN)
    names = {name for each in indexes for name in each.split(", ")}
    assert names == {each.name for each in DESCRIBED.values() if each.access == "not-accessible"}


def test_every_object_and_notification_is_in_one_group() -> None:
    groups = re.findall(r"-GROUP\s+(?:OBJECTS|NOTIFICATIONS) {(.*?)}", PLAIN, re.DOTALL)
    grouped = sorted(name for each in groups for name in re.findall(r"\w+", each))
    readable = [each.name for each in DESCRIBED.values() if each.access == "read-only"]
    notifications = re.findall(r"^(\w+) NOTIFICATION-TYPE", PLAIN, re.MULTILINE)
    assert grouped == sorted([*readable, *notifications])


@pytest.mark.parametrize(
    ("name", "states"), [("vppApiState", ApiState), ("vppSegmentState", SegmentState)]
)
def test_a_state_is_numbered_as_it_is_described(
    name: str, states: type[ApiState] | type[SegmentState]
) -> None:
    (listed,) = re.findall(rf"^{name} OBJECT-TYPE\s+SYNTAX INTEGER {{(.*?)}}", PLAIN, re.M | re.S)
    described = {
        label.lower(): int(number) for label, number in re.findall(r"(\w+)\((\d)\)", listed)
    }
    assert described == {each.name.lower().replace("_", ""): each.value for each in states}


def test_a_notification_has_the_number_and_the_objects_that_are_described() -> None:
    described = {
        OIDS[name]: (name, [OIDS[each] for each in listed.split(", ")])
        for name, listed in re.findall(
            r"^(\w+) NOTIFICATION-TYPE\s+OBJECTS { (.*?) }", PLAIN, re.MULTILINE
        )
    }
    sent = {}
    for alarm in Alarm:
        for is_raised in (True, False):
            name, varbinds = vpp_snmp_agent_mib.notification(new_publisher(), alarm, is_raised)
            event, *others = map(decode_varbind, varbinds)
            assert event.name == SNMP_TRAP_OID
            assert isinstance(event.value, bytes)
            instances = [dotted(each.name) for each in others]
            assert all(each.endswith(".0") for each in instances)
            sent[dotted(event.value)] = (name, [each.removesuffix(".0") for each in instances])
    assert sent == described
    assert {number.rpartition(".")[0] for number in sent} == {NOTIFICATIONS}


def test_the_base_stands_in_the_file_in_the_code_and_in_snmpds_view_and_is_the_same() -> None:
    assert OIDS["vppSnmpAgentMIB"] == BASE
    assert f"view poller included .{BASE}\n" in CONF.read_text()
