"""The messages of VPP's binary API that the simulator serves, declared once.

From them follow a connection's message table, the packed bytes, and the JSON in which
VPP describes itself to clients (get_api_json, and the *.api.json files).
"""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from .grammar import EVENT, REPLY, REQUEST, Message, Module, definition
from .release import Release

GET_API_JSON = "get_api_json"
ANY = 0xFFFFFFFF  # "every interface", "no interface", "no more pages"


def _reply(request: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {request: {"reply": f"{request}_reply", **more}}


def _dump(request: str) -> dict[str, dict[str, Any]]:
    return {request: {"reply": request.replace("_dump", "_details"), "stream": True}}


_ONE_INTERFACE = f"interface_index sw_if_index={ANY}"

MEMCLNT = Module(
    "memclnt",
    False,
    (
        Message("sockclnt_create", "455fb9c4", REPLY, "string name[64]"),
        Message(
            "sockclnt_create_reply",
            "35166268",
            REQUEST,
            "i32 response, u32 index, u16 count, message_table_entry message_table[count]",
        ),
        Message("sockclnt_delete", "8ac76db6", REQUEST, "u32 index"),
        Message("sockclnt_delete_reply", "8f38b1ee", REPLY, "i32 response"),
        Message("memclnt_keepalive", "51077d14", REQUEST),
        Message("memclnt_keepalive_reply", "e8d4e804", REPLY, "i32 retval"),
        Message("control_ping", "51077d14", REQUEST),
        Message(
            "control_ping_reply", "f6b0b8ca", REPLY, "i32 retval, u32 client_index, u32 vpe_pid"
        ),
        Message("get_api_json", "51077d14", REQUEST),
        Message("get_api_json_reply", "ea715b59", REPLY, "i32 retval, string json[]"),
    ),
    _reply("sockclnt_create")
    | _reply("sockclnt_delete")
    | _reply("memclnt_keepalive")
    | _reply("control_ping")
    | _reply("get_api_json"),
)

VPE = Module(
    "vpe",
    False,
    (
        Message("show_version", "51077d14", REQUEST),
        Message(
            "show_version_reply",
            "c919bde1",
            REPLY,
            "i32 retval, string program[32], string version[32], string build_date[32],"
            "string build_directory[256]",
        ),
    ),
    _reply("show_version"),
)

VLIB = Module(
    "vlib",
    False,
    (
        Message("show_threads", "51077d14", REQUEST),
        Message(
            "show_threads_reply",
            "efd78e83",
            REPLY,
            "i32 retval, u32 count, thread_data thread_data[count]",
        ),
    ),
    _reply("show_threads"),
)

INTERFACE = Module(
    "interface",
    False,
    (
        Message(
            "sw_interface_event",
            "2d3d95a7",
            EVENT,
            "u32 pid, interface_index sw_if_index, if_status_flags flags, bool deleted",
        ),
        Message("want_interface_events", "476f5a08", REQUEST, "u32 enable_disable, u32 pid"),
        Message("want_interface_events_reply", "e8d4e804", REPLY, "i32 retval"),
        Message(
            "sw_interface_details",
            "6c221fc7",
            REPLY,
            "interface_index sw_if_index, u32 sup_sw_if_index, mac_address l2_address,"
            "if_status_flags flags, if_type type, link_duplex link_duplex, u32 link_speed,"
            "u16 link_mtu, u32 mtu[4], u32 sub_id, u8 sub_number_of_tags,"
            "u16 sub_outer_vlan_id, u16 sub_inner_vlan_id, sub_if_flags sub_if_flags,"
            "u32 vtr_op, u32 vtr_push_dot1q, u32 vtr_tag1, u32 vtr_tag2, u16 outer_tag,"
            "mac_address b_dmac, mac_address b_smac, u16 b_vlanid, u32 i_sid,"
            "string interface_name[64], string interface_dev_type[64], string tag[64]",
        ),
        Message(
            "sw_interface_dump",
            "aa610c27",
            REQUEST,
            f"{_ONE_INTERFACE}, bool name_filter_valid, string name_filter[]",
        ),
    ),
    _reply("want_interface_events", events=["sw_interface_event"]) | _dump("sw_interface_dump"),
    ("mtu_proto",),
)

BOND = Module(
    "bond",
    False,
    (
        Message("sw_bond_interface_dump", "f9e6675e", REQUEST, _ONE_INTERFACE),
        Message(
            "sw_bond_interface_details",
            "9428a69c",
            REPLY,
            "interface_index sw_if_index, u32 id, bond_mode mode, bond_lb_algo lb,"
            "bool numa_only, u32 active_members, u32 members, string interface_name[64]",
        ),
        Message("sw_member_interface_dump", "f9e6675e", REQUEST, "interface_index sw_if_index"),
        Message(
            "sw_member_interface_details",
            "3c4a0e23",
            REPLY,
            "interface_index sw_if_index, string interface_name[64], bool is_passive,"
            "bool is_long_timeout, bool is_local_numa, u32 weight",
        ),
    ),
    _dump("sw_bond_interface_dump") | _dump("sw_member_interface_dump"),
)

L2 = Module(
    "l2",
    False,
    (
        Message("bridge_domain_dump", "74396a43", REQUEST, f"u32 bd_id={ANY}, {_ONE_INTERFACE}"),
        Message(
            "bridge_domain_details",
            "0fa506fd",
            REPLY,
            "u32 bd_id, bool flood, bool uu_flood, bool forward, bool learn, bool arp_term,"
            "bool arp_ufwd, u8 mac_age, string bd_tag[64], interface_index bvi_sw_if_index,"
            "interface_index uu_fwd_sw_if_index, u32 n_sw_ifs,"
            "bridge_domain_sw_if sw_if_details[n_sw_ifs]",
        ),
    ),
    _dump("bridge_domain_dump"),
)

IP = Module(
    "ip",
    False,
    (
        Message(
            "ip_address_dump",
            "2d033de4",
            REQUEST,
            "interface_index sw_if_index, bool is_ipv6",
        ),
        Message(
            "ip_address_details",
            "ee29b797",
            REPLY,
            "interface_index sw_if_index, address_with_prefix prefix",
        ),
    ),
    _dump("ip_address_dump"),
)

IP_NEIGHBOR = Module(
    "ip_neighbor",
    False,
    (
        Message("ip_neighbor_dump", "d817a484", REQUEST, f"{_ONE_INTERFACE}, address_family af"),
        Message("ip_neighbor_details", "e29d79f0", REPLY, "f64 age, ip_neighbor neighbor"),
        Message(
            "want_ip_neighbor_events_v2",
            "73e70a86",
            REQUEST,
            f"bool enable, u32 pid, address ip, {_ONE_INTERFACE}",
        ),
        Message("want_ip_neighbor_events_v2_reply", "e8d4e804", REPLY, "i32 retval"),
        Message(
            "ip_neighbor_event_v2",
            "c1d53dc0",
            EVENT,
            "u32 pid, ip_neighbor_event_flags flags, ip_neighbor neighbor",
        ),
    ),
    _dump("ip_neighbor_dump")
    | _reply("want_ip_neighbor_events_v2", events=["ip_neighbor_event_v2"]),
)

LACP = Module(
    "lacp",
    True,
    (
        Message("sw_interface_lacp_dump", "51077d14", REQUEST),
        Message(
            "sw_interface_lacp_details",
            "d9a83d2f",
            REPLY,
            "interface_index sw_if_index, string interface_name[64], u32 rx_state,"
            "u32 tx_state, u32 mux_state, u32 ptx_state, string bond_interface_name[64],"
            "u16 actor_system_priority, mac_address actor_system, u16 actor_key,"
            "u16 actor_port_priority, u16 actor_port_number, u8 actor_state,"
            "u16 partner_system_priority, mac_address partner_system, u16 partner_key,"
            "u16 partner_port_priority, u16 partner_port_number, u8 partner_state",
        ),
    ),
    _dump("sw_interface_lacp_dump"),
)


def _memclnt(release: Release) -> Module:
    if release.has_api_json:
        return MEMCLNT
    messages = (m for m in MEMCLNT.messages if not m.name.startswith(GET_API_JSON))
    services = {name: each for name, each in MEMCLNT.services.items() if name != GET_API_JSON}
    return replace(MEMCLNT, messages=tuple(messages), services=services)


def _lcp(release: Release) -> Module:
    return Module(
        "lcp",
        True,
        (
            Message("lcp_itf_pair_get", "f75ba505", REQUEST, "u32 cursor"),
            Message("lcp_itf_pair_get_reply", "53b48f5d", REPLY, "i32 retval, u32 cursor"),
            Message(
                "lcp_itf_pair_details",
                release.pair_details_crc,
                REPLY,
                "interface_index phy_sw_if_index, interface_index host_sw_if_index,"
                "u32 vif_index, string host_if_name[16], lcp_itf_host_type host_if_type,"
                f"string {release.netns_field}[32]",
            ),
        ),
        _reply("lcp_itf_pair_get", stream=True, stream_msg="lcp_itf_pair_details"),
    )


PLUGINS = ("bond", "l2", "lacp", "lcp")  # those that can be switched off

# Message ids of the client library are the same in every VPP; the others follow.
_FIXED_IDS = {
    "sockclnt_create": 15,
    "sockclnt_create_reply": 16,
    "sockclnt_delete": 17,
    "sockclnt_delete_reply": 18,
    "memclnt_keepalive": 21,
    "memclnt_keepalive_reply": 22,
    "control_ping": 23,
    "control_ping_reply": 24,
    "get_api_json": 27,
    "get_api_json_reply": 28,
}


class Api:
    """The API of one VPP: a release, with the plugins that are on."""

    def __init__(self, release: Release, off: frozenset[str] = frozenset()) -> None:
        core = (_memclnt(release), VPE, VLIB, INTERFACE, BOND, L2, IP, IP_NEIGHBOR)
        modules = (*core, LACP, _lcp(release))
        self.release = release
        self.modules = [module for module in modules if module.name not in off]
        every = [message for module in self.modules for message in module.messages]
        self.messages = {message.name: message for message in every}
        free = iter(range(max(_FIXED_IDS.values()) + 1, 0xFFFF))
        self.ids = {name: _FIXED_IDS.get(name) or next(free) for name in self.messages}
        self.names = {number: name for name, number in self.ids.items()}

    def pack(self, name: str, *values: Any, tail: bytes = b"") -> bytes:
        """A message: its id, its fields in order, then what varies in length."""
        return self.messages[name].layout.pack(self.ids[name], *values) + tail

    def unpack(self, name: str, message: bytes) -> tuple[Any, ...]:
        """The fields of fixed length, the id and the header's included."""
        return self.messages[name].layout.unpack_from(message)

    def table(self) -> bytes:
        """The entries of sockclnt_create_reply's message table."""
        entry = struct.Struct(">H64s")
        return b"".join(
            entry.pack(self.ids[m.name], m.name_crc.encode()) for m in self.messages.values()
        )

    def json(self) -> bytes:
        """What get_api_json answers: every module but the client library's, which clients have."""
        rest = [each for each in self.definitions() if each["module"] != MEMCLNT.name]
        return json.dumps(rest).encode()

    def definitions(self) -> list[dict[str, Any]]:
        """Every module as VPP's build writes it."""
        return [definition(module, self.release.has_union_cases) for module in self.modules]


def write_api_files(directory: Path, release: str = "26.06") -> None:
    """Write the *.api.json files that a VPP of this release installs."""
    api = Api(Release.parse(release))
    for module, each in zip(api.modules, api.definitions(), strict=True):
        folder = directory / ("plugins" if module.plugin else "core")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{module.name}.api.json").write_text(json.dumps(each, indent=1))
