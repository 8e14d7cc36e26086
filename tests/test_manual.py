"""The manual pages, docs/settings.md and the completion have every flag and key, and no other."""

import re
from argparse import Action
from pathlib import Path

import pytest

from vpp_snmp_agent import cli
from vpp_snmp_agent.settings.declarations import SETTINGS, SETTINGS_FILE, Setting, parse_settings

ROOT = Path(__file__).resolve().parents[1]
DEBIAN = ROOT / "debian"
COMMAND = (DEBIAN / "vpp-snmp-agent.8").read_text()
FILE = (DEBIAN / "vpp-snmp-agent.yaml.5").read_text()
DOCUMENTED = (ROOT / "docs" / "settings.md").read_text()
BESIDE = (ROOT / "docs" / "beside.md").read_text()
COMPLETION = (DEBIAN / "completions" / "vpp-snmp-agent").read_text()

ACTIONS = {action.dest: action for action in cli.parser()._actions}
FLAGS = {flag for action in ACTIONS.values() for flag in action.option_strings}
COMMANDS = set(ACTIONS["command"].choices or ())


def section(page: str, heading: str) -> str:
    """A section of a manual page, in its mdoc(7)."""
    return page.partition(f"\n.Sh {heading}\n")[2].partition("\n.Sh ")[0]


def items(text: str) -> dict[str, str]:
    """What each `.It` line of a list says, by what stands after it."""
    found = re.split(r"^\.It (.*)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


OPTIONS = items(section(COMMAND, "OPTIONS"))
KEYS = items(section(FILE, "KEYS"))


def flags_of(item: str) -> list[str]:
    """`Fl h , -help` means -h and --help."""
    words = item.removeprefix("Fl ").split(" Ar ")[0].split(" , ")
    return [f"-{word}" for word in words]


def test_the_manual_has_every_flag_and_no_other() -> None:
    assert sorted(flag for item in OPTIONS for flag in flags_of(item)) == sorted(FLAGS)


@pytest.mark.parametrize(
    "action", [each for each in ACTIONS.values() if each.option_strings], ids=lambda each: each.dest
)
def test_a_flag_of_the_manual_takes_what_the_command_takes(action: Action) -> None:
    (item,) = [item for item in OPTIONS if action.option_strings[0] in flags_of(item)]
    takes = str(action.metavar or "").strip("{}").replace(",", " | ")
    assert item.partition(" Ar ")[2] == takes


@pytest.mark.parametrize(
    ("key", "setting"), [(key, each) for key, each in SETTINGS.items() if each.flag]
)
def test_the_manual_of_the_command_has_each_flags_default(key: str, setting: Setting) -> None:
    assert setting.flag is not None
    (text,) = [text for item, text in OPTIONS.items() if setting.flag.name in flags_of(item)]
    said = re.findall(r"The default is (.*?) ?[.;](?: |$)", text.replace("\n.Pa ", " "), re.M)
    # A flag that is counted has none to be set to.
    assert said == ([setting.default_text] if setting.flag.metavar else [])


def test_the_manual_of_the_command_has_the_default_of_the_settings_file() -> None:
    assert f"The default is\n.Pa {SETTINGS_FILE} ,\nif it is there.\n" in OPTIONS["Fl f Ar FILE"]


def rows(page: str) -> dict[str, list[str]]:
    """The rows of the tables of a page, by their first cell."""
    lines = re.findall(r"^\| (`.*) \|$", page, re.MULTILINE)
    cells = [re.split(r" ?\| ?", line.replace(r"\|", "")) for line in lines]
    return {first: others for first, *others in cells}


ROWS = rows(DOCUMENTED)
# Where more is to be said than the declaration does.
IN_WORDS = {
    "taps": "`hide`; `show` with `names: tap`",
    "link-traps": "bonds, and what is over no other",
}


@pytest.mark.parametrize(("key", "setting"), SETTINGS.items())
def test_the_documentation_has_each_default(key: str, setting: Setting) -> None:
    of_flag = [cells for cells in ROWS.values() if cells[0] == f"`{key}`"]
    cells = of_flag[0] if of_flag else ROWS[f"`{key}`"]
    default = setting.default
    if isinstance(default, tuple) and default:
        text = f"`[{', '.join(default)}]`"
    elif default is None or default == () or isinstance(default, (int, float)):
        text = setting.default_text if default != () else "none"
    else:
        text = f"`{setting.default_text}`"
    assert cells[-1] == IN_WORDS.get(key, text)


def test_the_manual_has_every_command_and_no_other() -> None:
    described = items(section(COMMAND, "DESCRIPTION"))
    assert {item.removeprefix("Cm ") for item in described} == COMMANDS
    assert set(re.findall(r"Cm (\w+)", section(COMMAND, "SYNOPSIS"))) == COMMANDS


def test_the_manual_has_every_key_and_no_other() -> None:
    assert [item.removeprefix("Ic ") for item in KEYS] == list(SETTINGS)


@pytest.mark.parametrize(("key", "setting"), SETTINGS.items())
def test_the_manual_has_each_keys_default(key: str, setting: Setting) -> None:
    match setting.default:
        case None if key == "taps":
            shown = "hide"
        case tuple() as elements:
            shown = f"[{', '.join(elements)}]" if elements else "none"
        case _:
            shown = setting.default_text
    text = KEYS[f"Ic {key}"].replace("\n.Pa ", " ").replace("\n", " ")
    assert re.search(rf"The default is {re.escape(shown)} ?[.,;]", text)


def test_the_documentation_has_every_flag_with_its_key_and_no_other() -> None:
    rows = re.findall(r"^\| (`-.*?`) \| *(?:`(.*?)`)? *\|", DOCUMENTED, re.MULTILINE)
    flags = {flag: key for cell, key in rows for flag in re.findall(r"`(-.*?)`", cell)}
    own = {each.flag.name: key for key, each in SETTINGS.items() if each.flag}
    assert flags == own | {"-dd": "debug", "-f": "", "--unseen": ""}
    assert flags.keys() == FLAGS - {"-h", "--help", "--version", "--json"} | {"-dd"}
    alone = set(re.findall(r"^\| `([a-z][a-z-]*)` \| ", DOCUMENTED, re.MULTILINE))
    assert alone == SETTINGS.keys() - own.values()


def test_the_completion_knows_every_command_and_flag_and_no_other() -> None:
    words = COMPLETION.partition('words="')[2].partition('"')[0].split()
    assert sorted(words) == sorted({*COMMANDS, *FLAGS, "-dd"})


def test_the_packages_settings_file_is_one_and_names_the_vppcfg() -> None:
    path = DEBIAN / "agent.yaml"
    assert parse_settings(path.read_bytes(), str(path)) == {"vppcfg": "/etc/vpp/vppcfg.yaml"}
    uncommented = re.sub(r"^#(\w+: )", r"\1", path.read_text(), flags=re.MULTILINE)
    shown = parse_settings(uncommented.encode(), str(path))
    assert shown.keys() == {"vppcfg", "hide", "speeds", "names", "alias"}


def test_frr_and_lldpd_are_led_to_the_socket_and_the_group_of_the_configuration() -> None:
    conf = (ROOT / "snmpd-dataplane.conf").read_text()
    (path,) = re.findall(r"^agentXSocket (\S+)$", conf, re.MULTILINE)
    ((owner, group),) = re.findall(r"^agentXPerms 0660 0755 (\S+) (\S+)$", conf, re.MULTILINE)
    made = (DEBIAN / "vpp-snmp-agent.sysusers").read_text().splitlines()
    assert {f"g {group} - -", f"m {owner} {group}"} <= set(made)
    assert f"groupdel {group}\n" in (DEBIAN / "vpp-snmp-agent.postrm").read_text()
    assert f"usermod --append --groups {group} frr\n" in BESIDE
    assert f"'agentXSocket unix:{path}' > /etc/snmp/frr.conf\n" in BESIDE
    assert f'DAEMON_ARGS="-x -X unix:{path}"\n' in BESIDE
    with_snmp = re.findall(r'^(\w+)_options=".* -M snmp"$', BESIDE, re.MULTILINE)
    assert with_snmp == ["bgpd", "ospfd", "ospf6d"]
