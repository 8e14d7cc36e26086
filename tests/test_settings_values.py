"""What a value may be, in a file and behind a flag, and in which words another is refused."""

import pytest

from vpp_snmp_agent.settings.declarations import SETTINGS
from vpp_snmp_agent.settings.document import BadSettings
from vpp_snmp_agent.settings.values import a_path_or_none, enabled, one_of, seconds, word

from .yaml_files import refusal

SECONDS = "expected 1 to 86400 seconds"
NAMES = "expected one of lcp, vpp, tap"
GLOBS = "expected globs as text"
ALL_MIBS = "IF-MIB, IEEE8023-LAG-MIB, EtherLike-MIB, IP-MIB, HOST-RESOURCES-MIB, BRIDGE-MIB"
ALL_MIBS += ", VPP-SNMP-AGENT-MIB"
MIBS = f"expected a list of some of {ALL_MIBS}"
TRAPS = "expected one of enabled, disabled"
SPEED = "expected 0 to 10000000 whole Mb/s"
PLACE = "expected /path/of/socket or host:port"


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize(
    ("text", "refused"),
    [
        # seconds
        ("period: yes", f"period: {SECONDS}; got the boolean `yes`"),
        ("period: soon", f"period: {SECONDS}; got the text `soon`"),
        ("period: 30s", f"period: {SECONDS}; got the text `30s`"),
        ("period: '30'", f"period: {SECONDS}; got the text `30`"),
        ("period:", f"period: {SECONDS}; got nothing"),
        ("period: 0", f"period: {SECONDS}; got `0`"),
        ("period: 0.99", f"period: {SECONDS}; got `0.99`"),
        ("period: -5", f"period: {SECONDS}; got `-5`"),
        ("period: 86400.1", f"period: {SECONDS}; got `86400.1`"),
        ("period: .inf", f"period: {SECONDS}; got `.inf`"),
        ("period: .nan", f"period: {SECONDS}; got `.nan`"),
        ("period: 010", f"period: {SECONDS}; got `010`"),
        ("period: 0x10", f"period: {SECONDS}; got `0x10`"),
        ("period: 1:30", f"period: {SECONDS}; got `1:30`"),
        ("period: 1_000", f"period: {SECONDS}; got `1_000`"),
        (f"period: {'9' * 5000}", f"period: {SECONDS}; got `{'9' * 60}...`"),
        ("period: 2024-02-30", f"period: {SECONDS}; got the date `2024-02-30`"),
        ("period: !mine 5", f"period: {SECONDS}; got a `!mine`, `5`"),
        ("period: [ 5 ]", f"period: {SECONDS}; got a list"),
        ("period: { a: b }", f"period: {SECONDS}; got a mapping"),
        ("settle: -1", "settle: expected 0 to 86400 seconds; got `-1`"),
        ("settle: 86401", "settle: expected 0 to 86400 seconds; got `86401`"),
        ("settle: off", "settle: expected 0 to 86400 seconds; got the boolean `off`"),
        # choices
        ("names: lpc", f"names: {NAMES}; got `lpc`; did you mean `lcp`?"),
        ("names: VPP", f"names: {NAMES}; got `VPP`; did you mean `vpp`?"),
        ("names: kernel", f"names: {NAMES}; got `kernel`"),
        ("names: no", f"names: {NAMES}; got the boolean `no`"),
        ("names: 7", f"names: {NAMES}; got the number `7`"),
        ("names: ''", f"names: {NAMES}; got an empty text"),
        ("names:", f"names: {NAMES}; got nothing"),
        ("names: [ lcp ]", f"names: {NAMES}; got a list"),
        ("names: !mine lcp", f"names: {NAMES}; got a `!mine`, `lcp`"),
        (
            "ifindex: stateles",
            "ifindex: expected one of kept, stateless; got `stateles`; did you mean `stateless`?",
        ),
        ("taps: hidden", "taps: expected one of hide, show; got `hidden`; did you mean `hide`?"),
        ("taps: ~", "taps: expected one of hide, show; got nothing"),
        (
            "alias: descr",
            "alias: expected one of description, name; got `descr`; did you mean `description`?",
        ),
        ("discards: 1", "discards: expected one of misses, all; got the number `1`"),
        ("cpus: 3", "cpus: expected auto, any, or a list of CPUs; got the number `3`"),
        ("cpus: []", "cpus: expected auto, any, or a list of CPUs; got an empty list"),
        ("cpus: [ 0-3 ]", "cpus: expected CPUs as whole numbers, 0 to 8191; got the text `0-3`"),
        ("cpus: [ 8192 ]", "cpus: expected CPUs as whole numbers, 0 to 8191; got `8192`"),
        ("debug: 3", "debug: expected 0, 1 or 2; got `3`"),
        ("debug: -1", "debug: expected 0, 1 or 2; got `-1`"),
        ("debug: 1.0", "debug: expected 0, 1 or 2; got `1.0`"),
        ("debug: true", "debug: expected 0, 1 or 2; got the boolean `true`"),
        ("debug:", "debug: expected 0, 1 or 2; got nothing"),
        # addresses and paths
        ("address: 705", f"address: {PLACE}; got the number `705`"),
        ("address:", f"address: {PLACE}; got nothing"),
        ("address: ''", f"address: {PLACE}; got an empty text"),
        ("address: [ /a ]", f"address: {PLACE}; got a list"),
        ("address: localhost", f"address: 'localhost' is no AgentX address: {PLACE}"),
        (
            "address: localhost:0",
            "address: 'localhost:0' is no AgentX address: a port is 1 to 65535",
        ),
        *(
            (f"{key}: {written}", f"{key}: expected a path; got {got}")
            for key in ("api-socket", "stats-socket", "api-dir", "state-dir")
            for written, got in (
                ("", "nothing"),
                ("''", "an empty text"),
                ("' '", "` `"),
                ("7", "the number `7`"),
                ("on", "the boolean `on`"),
                ('"/a\\0"', "`/a\\x00`"),
                ('"/a\\nb"', "`/a\\nb`"),
                ("{}", "an empty mapping"),
            )
        ),
        ("vppcfg: ''", "vppcfg: expected a path, or `~` for none; got an empty text"),
        ("vppcfg: no", "vppcfg: expected a path, or `~` for none; got the boolean `no`"),
        ("vppcfg: []", "vppcfg: expected a path, or `~` for none; got an empty list"),
        # globs
        (
            "hide: local0",
            "hide: expected a list of globs; got `local0`; did you mean `[ local0 ]`?",
        ),
        ("hide:", "hide: expected a list of globs; got nothing"),
        ("hide: 7", "hide: expected a list of globs; got the number `7`"),
        ("hide: { a: b }", "hide: expected a list of globs; got a mapping"),
        ("hide: [ tap*, 7 ]", f"hide: {GLOBS}; got the number `7`"),
        ("hide: [ no ]", f"hide: {GLOBS}; got the boolean `no`"),
        ("hide: [ ~ ]", f"hide: {GLOBS}; got nothing"),
        ("hide: [ '' ]", f"hide: {GLOBS}; got an empty text"),
        ("hide: [ [ a ] ]", f"hide: {GLOBS}; got a list"),
        ("hide: &h [ *h ]", f"hide: {GLOBS}; got a list"),
        # mibs
        ("mibs: IF-MIB", f"mibs: {MIBS}; got `IF-MIB`"),
        ("mibs: []", f"mibs: {MIBS}; got an empty list"),
        (
            "mibs: [ IF-MIB, if-mib ]",
            f"mibs: expected one of {ALL_MIBS}; got `if-mib`",
        ),
        # speeds
        (
            "speeds: 100",
            "speeds: expected a mapping of globs to Mb/s (`glob: number` lines);"
            " got the number `100`",
        ),
        (
            "speeds: [ a: 1 ]",
            "speeds: expected a mapping of globs to Mb/s (`glob: number` lines); got a list",
        ),
        (
            "speeds:",
            "speeds: expected a mapping of globs to Mb/s (`glob: number` lines); got nothing",
        ),
        ("speeds: { gre*: -1 }", f"speeds: `gre*`: {SPEED}; got `-1`"),
        ("speeds: { gre*: 10000001 }", f"speeds: `gre*`: {SPEED}; got `10000001`"),
        ("speeds: { gre*: 1.5 }", f"speeds: `gre*`: {SPEED}; got `1.5`"),
        ("speeds: { gre*: 10G }", f"speeds: `gre*`: {SPEED}; got the text `10G`"),
        ("speeds: { gre*: }", f"speeds: `gre*`: {SPEED}; got nothing"),
        ("speeds: { gre*: { a: b } }", f"speeds: `gre*`: {SPEED}; got a mapping"),
        ("speeds: { 7: 7 }", f"speeds: {GLOBS}; got the number `7`"),
        ("speeds: { '': 7 }", f"speeds: {GLOBS}; got an empty text"),
        ("speeds: { [ a ]: 7 }", "expected a glob; got a list"),
        ("speeds: { <<: { a: 1 } }", f"speeds: {GLOBS}; got a `tag:yaml.org,2002:merge`, `<<`"),
        # link-traps
        (
            "link-traps: [ bond* ]",
            "link-traps: expected a mapping of globs to enabled or disabled"
            " (`glob: enabled` lines); got a list",
        ),
        ("link-traps: { eno*: yes }", f"link-traps: `eno*`: {TRAPS}; got the boolean `yes`"),
        (
            "link-traps: { eno*: enable }",
            f"link-traps: `eno*`: {TRAPS}; got `enable`; did you mean `enabled`?",
        ),
        ("link-traps: { 7: enabled }", f"link-traps: {GLOBS}; got the number `7`"),
        # vpp-traps
        ("vpp-traps: true", f"vpp-traps: {TRAPS}; got the boolean `true`"),
    ],
)
def test_what_cannot_be_set_is_refused_with_line_key_and_what_was_expected(
    text: str, refused: str
) -> None:
    assert refusal(text) == f"agent.yaml:1: {refused}"
    assert refusal(f"\n# two lines above\n{text}") == f"agent.yaml:3: {refused}"


@pytest.mark.usefixtures("either_loader")
def test_each_value_is_refused_with_its_own_line() -> None:
    assert refusal("period: 5\nhide:\n  - tap*\n  - 7\n").startswith("agent.yaml:4: hide: ")
    assert refusal("speeds:\n  a: 1\n\n  b: x\n").startswith("agent.yaml:4: speeds: `b`: ")
    assert refusal("period:\nnames: lcp\n").startswith("agent.yaml:1: period: ")
    assert refusal("names:\n  lpc\n").startswith("agent.yaml:2: names: ")


# --- behind a flag -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("address", "localhost"),
        ("address", "localhost:0"),
        ("period", "0"),
        ("period", "86401"),
        ("period", "010"),
        ("ifindex", "stateles"),
        ("debug", "3"),
    ],
)
def test_a_flag_and_a_file_refuse_a_value_in_the_same_words(key: str, text: str) -> None:
    with pytest.raises(BadSettings) as caught:
        SETTINGS[key].parse(word(text))
    assert refusal(f"{key}: {text}") == f"agent.yaml:1: {key}: {caught.value}"


def test_behind_a_flag_everything_is_text() -> None:
    assert SETTINGS["api-dir"].parse(word("4711")) == "4711"
    assert one_of("yes", "no")(word("no")) == "no"
    assert seconds(1)(word("12.5")) == 12.5
    assert enabled(word("enabled")) is True
    assert a_path_or_none(word("~")) == "~"
    with pytest.raises(BadSettings) as caught:
        seconds(3)(word("often"))
    assert str(caught.value) == "expected 3 to 86400 seconds; got `often`"
    with pytest.raises(BadSettings) as caught:
        a_path_or_none(word(""))
    assert str(caught.value) == "expected a path; got an empty text"
