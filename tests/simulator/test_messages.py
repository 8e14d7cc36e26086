"""The messages of each release: as vpp_papi reads them, and as real VPPs were recorded."""

import gzip
import json
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from simulator import Simulator
from simulator.grammar import ENUMS
from simulator.messages import CLIENT_LIBRARY, Api
from simulator.release import Release

from .judges import PORT, RECORDED, needs_recording

CLIENT = """
import json, sys
from vpp_papi import VPPApiClient
client = VPPApiClient(apidir=sys.argv[1], server_address=sys.argv[2])
client.connect("judge")
rows = client.api.sw_interface_dump()
lcp = hasattr(client.api, "lcp_itf_pair_get")
pairs = list(client.details_iter(client.api.lcp_itf_pair_get)) if lcp else []
print(json.dumps({
    "version": client.api.show_version().version,
    "types": {row.interface_name: row.interface_dev_type for row in rows},
    "indexes": {row.interface_name: row.sw_if_index for row in rows},
    "pairs": [p.host_if_name for p in pairs] if lcp else None,
    "phys": {p.host_if_name: p.phy_sw_if_index for p in pairs},
    "fields": pairs[0]._fields if pairs else None,
    "json": hasattr(client.api, "get_api_json"),
    "table": list(client.transport.message_table),
}))
client.disconnect()
"""


def through_files(simulator: Simulator) -> dict[str, Any]:
    command = [sys.executable, "-c", CLIENT, str(simulator.api_dir), str(simulator.api_socket)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


@pytest.mark.parametrize(
    ("release", "tap", "has_json"),
    [
        ("22.02", "tap1", False),
        ("22.06", "tap1", False),
        ("22.10", "tap1", False),
        ("23.06", "tap1", False),
        ("25.10", "tap4096", True),
    ],
)
def test_vpp_papi_connects_to_any_release_through_its_files(
    tmp_path: Path, release: str, tap: str, has_json: bool
) -> None:
    with Simulator(tmp_path, release=release) as simulator:
        found = through_files(simulator)
    assert found["version"] == f"{release}-release"
    assert found["types"][tap] == "virtio"
    assert len(found["pairs"]) == 16
    assert found["json"] is has_json
    crc = "5a95842f" if release in ("22.02", "22.06") else "8b5481af"
    assert f"lcp_itf_pair_details_{crc}" in found["table"]
    assert found["fields"][-1] == ("namespace" if release in ("22.02", "22.06") else "netns")
    phy = struct.pack(">I", found["indexes"][PORT])
    order = sys.byteorder if release == "22.02" else "big"
    assert found["phys"]["eno1"] == int.from_bytes(phy if order == "big" else phy[::-1], "big")


def test_a_plugin_that_is_off_has_no_messages(tmp_path: Path) -> None:
    with Simulator(tmp_path, without=["lcp", "lacp"]) as simulator:
        found = through_files(simulator)
    assert found["pairs"] is None
    assert not any("lcp" in name or "lacp" in name for name in found["table"])


@pytest.fixture(scope="module")
def conversation() -> list[bytes]:
    """What the real VPP sent."""
    with gzip.open(RECORDED / "api-bootstrap.jsonl.gz", "rt") as lines:
        messages = [json.loads(line) for line in lines]
    return [bytes.fromhex(entry["message"]) for entry in messages if entry["from"] == "vpp"]


@needs_recording
def test_every_message_has_the_crc_of_the_recorded_table(conversation: list[bytes]) -> None:
    (table,) = (m for m in conversation if struct.unpack_from(">H", m) == (16,))
    recorded = {
        name.split(b"\0")[0].decode(): number
        for number, name in struct.iter_unpack(">H64s", table[20:])
    }
    api = Api(Release(26, 6))
    for name, message in api.messages.items():
        assert message.name_crc in recorded
        if message in api.modules[0].messages:
            assert recorded[message.name_crc] == api.ids[name]


def without_comments(definition: list[Any]) -> list[Any]:
    """A message's fields, without what only people read."""
    return [
        {"crc": part["crc"]} if isinstance(part, dict) else part
        for part in definition
        if not isinstance(part, dict) or "crc" in part
    ]


@needs_recording
def test_every_message_and_type_is_laid_out_as_recorded(conversation: list[bytes]) -> None:
    (reply,) = (m for m in conversation if struct.unpack_from(">H", m) == (28,))
    retval, length = struct.unpack_from(">iI", reply, 6)
    assert retval == 0
    recorded: dict[tuple[str, str], Any] = {}
    for module in json.loads(reply[14 : 14 + length]):
        for part in ("messages", "types", "unions", "enums", "enumflags"):
            recorded |= {(part.rstrip("s"), d[0]): d for d in module[part]}
        recorded |= {("alias", name): alias for name, alias in module["aliases"].items()}
        recorded |= {("service", name): one for name, one in module["services"].items()}
    ours = json.loads(Api(Release(26, 6)).json())
    compared = 0
    for module in ours:
        for message in module["messages"]:
            assert without_comments(message) == without_comments(recorded["message", message[0]])
            compared += 1
        for structure in module["types"]:
            assert structure[1:] == recorded["type", structure[0]][1 : len(structure)]
        for union in module["unions"]:
            assert union == recorded["union", union[0]]
        for enum in module["enums"]:
            assert enum == recorded["enum", enum[0]]
        for name, alias in module["aliases"].items():
            assert alias == recorded["alias", name]
        for request, service in module["services"].items():
            assert service == recorded["service", request]
    assert compared > 15
    assert len(ENUMS) > 5


@needs_recording
def test_details_are_packed_byte_for_byte_as_recorded(conversation: list[bytes]) -> None:
    api = Api(Release(26, 6))
    layout_of = {name: api.messages[name].layout for name in api.messages}
    decoded = json.loads((RECORDED / "api-decoded.json").read_text())
    details = [m for m in conversation if struct.unpack_from(">H", m) == (247,)]
    assert len(details) == len(decoded["sw_interface_dump"])
    for message, row in zip(details, decoded["sw_interface_dump"], strict=True):
        values = layout_of["sw_interface_details"].unpack(message)
        names = [field.name for field in api.messages["sw_interface_details"].fields]
        flat = [name for name in names for _ in range(4 if name == "mtu" else 1)]
        ours = dict(zip(flat, values, strict=True))
        assert ours["interface_name"].rstrip(b"\0").decode() == row["interface_name"]
        assert ours["l2_address"].hex(":") == row["l2_address"]
        for name in ("sw_if_index", "sup_sw_if_index", "flags", "link_mtu", "sub_if_flags"):
            assert ours[name] == row[name]


@needs_recording
def test_a_reply_and_an_event_have_the_recorded_shape(conversation: list[bytes]) -> None:
    api = Api(Release(26, 6))
    sizes = {
        24: "control_ping_reply",
        931: "show_version_reply",
        246: "want_interface_events_reply",
        244: "sw_interface_event",
        112: "lcp_itf_pair_get_reply",
        115: "lcp_itf_pair_details",
        403: "sw_bond_interface_details",
        407: "sw_member_interface_details",
        100: "sw_interface_lacp_details",
        18: "sockclnt_delete_reply",
    }
    met = set()
    for message in conversation:
        (number,) = struct.unpack_from(">H", message)
        if number in sizes:
            assert len(message) == api.messages[sizes[number]].layout.size
            met.add(number)
    assert met == set(sizes)


def octets_alone(definition: Any) -> Any:
    """Of VPP's JSON what describes octets."""
    if isinstance(definition, dict):
        kept = {k: v for k, v in definition.items() if k not in ("comment", "options")}
        return {key: octets_alone(each) for key, each in kept.items()}
    if isinstance(definition, list):
        return [
            each for each in map(octets_alone, definition) if each or not isinstance(each, dict)
        ]
    return definition


def recorded_modules(directory: Path) -> list[dict[str, Any]]:
    """VPP's own definitions: its files, or what get_api_json answered."""
    files = sorted((directory / "api").glob("*.api.json"))
    if files:
        return [json.loads(path.read_text()) for path in files]
    with gzip.open(directory / "api-bootstrap.jsonl.gz", "rt") as lines:
        messages = (bytes.fromhex(json.loads(line)["message"]) for line in lines)
        longest = max(messages, key=len)
    (length,) = struct.unpack_from(">I", longest, 10)
    return list(json.loads(longest[14 : 14 + length].rstrip(b"\0")))


@needs_recording
@pytest.mark.parametrize("release", ["22.02", "23.06", "26.06"])
def test_every_message_and_type_is_defined_as_that_releases_vpp_defines_it(release: str) -> None:
    theirs: dict[str, dict[str, Any]] = {}
    for module in map(octets_alone, recorded_modules(RECORDED.with_name(f"vpp-{release}"))):
        for kind in ("messages", "types", "enums", "unions"):
            theirs.setdefault(kind, {}).update({each[0]: each for each in module[kind]})
        for kind in ("aliases", "services"):
            theirs.setdefault(kind, {}).update(module[kind])
    compared = Counter[str]()
    for module in map(octets_alone, Api(Release.parse(release)).definitions()):
        if module["module"] == CLIENT_LIBRARY and Release.parse(release).has_api_json:
            continue  # which clients have, and VPP does not send
        for kind in ("messages", "types", "enums", "unions"):
            for each in module[kind]:
                assert each == theirs[kind][each[0]]
                compared[kind] += 1
        for kind in ("aliases", "services"):
            for name, each in module[kind].items():
                assert each == theirs[kind][name]
                compared[kind] += 1
    assert compared["messages"] >= 22
    assert compared["unions"]
