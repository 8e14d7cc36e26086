"""The messages of VPP's binary API that the simulator serves, declared once.

From them follow a connection's message table, the packed bytes, and the JSON in which
VPP describes itself to clients (get_api_json, and the *.api.json files).
"""

import json
import struct
from pathlib import Path
from typing import Any

from .grammar import definition, modules
from .release import Release

ANY = 0xFFFFFFFF  # "every interface", "no interface", "no more pages"
CLIENT_LIBRARY = "memclnt"
PLUGINS = ("bond", "l2", "lacp", "lcp")  # those that can be switched off

DECLARATIONS = """
core memclnt
sockclnt_create_455fb9c4 reply string name[64]
sockclnt_create_reply_35166268 request
    i32 response, u32 index, u16 count, message_table_entry message_table[count]
sockclnt_delete_8ac76db6 request u32 index
sockclnt_delete_reply_8f38b1ee reply i32 response
control_ping_51077d14 request
control_ping_reply_f6b0b8ca reply i32 retval, u32 client_index, u32 vpe_pid
get_api_json_51077d14 request
get_api_json_reply_ea715b59 reply i32 retval, string json[]

core vpe
show_version_51077d14 request
show_version_reply_c919bde1 reply
    i32 retval, string program[32], string version[32], string build_date[32],
    string build_directory[256]

core vlib
show_threads_51077d14 request
show_threads_reply_efd78e83 reply i32 retval, u32 count, thread_data thread_data[count]

core interface
sw_interface_event_2d3d95a7 event
    u32 pid, interface_index sw_if_index, if_status_flags flags, bool deleted
want_interface_events_476f5a08 request u32 enable_disable, u32 pid
want_interface_events_reply_e8d4e804 reply i32 retval
sw_interface_details_6c221fc7 reply
    interface_index sw_if_index, u32 sup_sw_if_index, mac_address l2_address,
    if_status_flags flags, if_type type, link_duplex link_duplex, u32 link_speed,
    u16 link_mtu, u32 mtu[4], u32 sub_id, u8 sub_number_of_tags,
    u16 sub_outer_vlan_id, u16 sub_inner_vlan_id, sub_if_flags sub_if_flags,
    u32 vtr_op, u32 vtr_push_dot1q, u32 vtr_tag1, u32 vtr_tag2, u16 outer_tag,
    mac_address b_dmac, mac_address b_smac, u16 b_vlanid, u32 i_sid,
    string interface_name[64], string interface_dev_type[64], string tag[64]
sw_interface_dump_aa610c27 request
    interface_index sw_if_index=4294967295, bool name_filter_valid, string name_filter[]

core bond
sw_bond_interface_dump_f9e6675e request interface_index sw_if_index=4294967295
sw_bond_interface_details_9428a69c reply
    interface_index sw_if_index, u32 id, bond_mode mode, bond_lb_algo lb,
    bool numa_only, u32 active_members, u32 members, string interface_name[64]
sw_member_interface_dump_f9e6675e request interface_index sw_if_index
sw_member_interface_details_3c4a0e23 reply
    interface_index sw_if_index, string interface_name[64], bool is_passive,
    bool is_long_timeout, bool is_local_numa, u32 weight

core l2
bridge_domain_dump_74396a43 request u32 bd_id=4294967295, interface_index sw_if_index=4294967295
bridge_domain_details_0fa506fd reply
    u32 bd_id, bool flood, bool uu_flood, bool forward, bool learn, bool arp_term,
    bool arp_ufwd, u8 mac_age, string bd_tag[64], interface_index bvi_sw_if_index,
    interface_index uu_fwd_sw_if_index, u32 n_sw_ifs, bridge_domain_sw_if sw_if_details[n_sw_ifs]

core ip
ip_address_dump_2d033de4 request interface_index sw_if_index, bool is_ipv6
ip_address_details_ee29b797 reply interface_index sw_if_index, address_with_prefix prefix

core ip_neighbor
ip_neighbor_dump_d817a484 request interface_index sw_if_index=4294967295, address_family af
ip_neighbor_details_e29d79f0 reply f64 age, ip_neighbor neighbor
want_ip_neighbor_events_v2_73e70a86 request
    bool enable, u32 pid, address ip, interface_index sw_if_index=4294967295
want_ip_neighbor_events_v2_reply_e8d4e804 reply i32 retval
ip_neighbor_event_v2_c1d53dc0 event
    u32 pid, ip_neighbor_event_flags flags, ip_neighbor neighbor

plugin lacp
sw_interface_lacp_dump_51077d14 request
sw_interface_lacp_details_d9a83d2f reply
    interface_index sw_if_index, string interface_name[64], u32 rx_state,
    u32 tx_state, u32 mux_state, u32 ptx_state, string bond_interface_name[64],
    u16 actor_system_priority, mac_address actor_system, u16 actor_key,
    u16 actor_port_priority, u16 actor_port_number, u8 actor_state,
    u16 partner_system_priority, mac_address partner_system, u16 partner_key,
    u16 partner_port_priority, u16 partner_port_number, u8 partner_state

plugin lcp
lcp_itf_pair_get_f75ba505 request u32 cursor
lcp_itf_pair_get_reply_53b48f5d reply i32 retval, u32 cursor
lcp_itf_pair_details_{pair_details_crc} reply
    interface_index phy_sw_if_index, interface_index host_sw_if_index, u32 vif_index,
    string host_if_name[16], lcp_itf_host_type host_if_type, string {netns_field}[32]
"""

# Message ids of the client library are the same in every VPP; the others follow.
_FIXED_IDS = (15, 16, 17, 18, 23, 24, 27, 28)


class Api:
    """The API of one VPP: a release, with the plugins that are on."""

    def __init__(self, release: Release, off: frozenset[str] = frozenset()) -> None:
        self.release = release
        text = DECLARATIONS.format(
            pair_details_crc=release.pair_details_crc, netns_field=release.netns_field
        )
        if not release.has_api_json:
            text = "".join(
                line for line in text.splitlines(True) if not line.startswith("get_api_json")
            )
        self.modules = [module for module in modules(text) if module.name not in off]
        self.messages = {each.name: each for module in self.modules for each in module.messages}
        self.answers = {
            request: service["reply"]
            for module in self.modules
            for request, service in module.services.items()
        }
        library, *others = self.modules
        names = (each.name for module in others for each in module.messages)
        self.ids = dict(zip((each.name for each in library.messages), _FIXED_IDS, strict=False))
        self.ids |= {name: number for number, name in enumerate(names, _FIXED_IDS[-1] + 1)}
        self.names = {number: name for name, number in self.ids.items()}

    def pack(self, name: str, *values: Any) -> bytes:
        """A message: its id, and its fields in order; the octets of the one that varies as such."""
        message, tail = self.messages[name], b""
        if message.fields[-1].varies:
            *values, tail = values  # type: ignore[assignment]
        return message.layout.pack(self.ids[name], *values) + tail

    def unpack(self, name: str, octets: bytes) -> tuple[Any, ...]:
        """The context of a message that a client sends, and its fields as `pack` takes them."""
        message = self.messages[name]
        _, *values = message.layout.unpack_from(octets)
        if message.header == "request":
            del values[0]  # the client's index
        return *values, *([octets[message.layout.size :]] if message.fields[-1].varies else ())

    def table(self) -> bytes:
        """The entries of sockclnt_create_reply's message table."""
        entry = struct.Struct(">H64s")
        return b"".join(
            entry.pack(self.ids[m.name], m.name_crc.encode()) for m in self.messages.values()
        )

    def json(self) -> bytes:
        """What get_api_json answers: every module but the client library's, which clients have."""
        rest = [each for each in self.definitions() if each["module"] != CLIENT_LIBRARY]
        return json.dumps(rest).encode()

    def definitions(self) -> list[dict[str, Any]]:
        """Every module as VPP's build writes it."""
        return [definition(module, self.release.has_union_cases) for module in self.modules]


def write_api_files(directory: Path, release: Release) -> None:
    """Write the *.api.json files that a VPP of this release installs."""
    api = Api(release)
    for module, each in zip(api.modules, api.definitions(), strict=True):
        folder = directory / ("plugins" if module.plugin else "core")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{module.name}.api.json").write_text(json.dumps(each, indent=1))
