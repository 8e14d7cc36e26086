"""How a message of VPP's binary API is declared, and the bytes and JSON that follow from it.

A message is a line of fields, in the order in which they follow the header:

    u32 mtu[4]              a fixed number of them; of `string`, so many bytes
    string json[]           as long as the u32 before it says
    entry table[count]      as many as the field `count` says
    u32 bd_id=4294967295    what a client sends when it does not say

CRCs are VPP's own: they are part of a message's name on the wire.
"""

import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

BASE = {"u8": "B", "u16": "H", "u32": "I", "i32": "i", "u64": "Q", "f64": "d", "bool": "?"}
ALIASES: dict[str, tuple[str, int]] = {
    "interface_index": ("u32", 0),
    "mac_address": ("u8", 6),
    "ip4_address": ("u8", 4),
    "ip6_address": ("u8", 16),
    "address_with_prefix": ("prefix", 0),
}
ENUMS: dict[str, tuple[str, dict[str, int]]] = {
    "address_family": ("u8", {"ADDRESS_IP4": 0, "ADDRESS_IP6": 1}),
    "if_status_flags": (
        "u32",
        {"IF_STATUS_API_FLAG_ADMIN_UP": 1, "IF_STATUS_API_FLAG_LINK_UP": 2},
    ),
    "if_type": (
        "u32",
        {
            "IF_API_TYPE_HARDWARE": 0,
            "IF_API_TYPE_SUB": 1,
            "IF_API_TYPE_P2P": 2,
            "IF_API_TYPE_PIPE": 3,
        },
    ),
    "link_duplex": (
        "u32",
        {"LINK_DUPLEX_API_UNKNOWN": 0, "LINK_DUPLEX_API_HALF": 1, "LINK_DUPLEX_API_FULL": 2},
    ),
    "mtu_proto": (
        "u32",
        {
            "MTU_PROTO_API_L3": 0,
            "MTU_PROTO_API_IP4": 1,
            "MTU_PROTO_API_IP6": 2,
            "MTU_PROTO_API_MPLS": 3,
        },
    ),
    "sub_if_flags": (
        "u32",
        {
            "SUB_IF_API_FLAG_NO_TAGS": 1,
            "SUB_IF_API_FLAG_ONE_TAG": 2,
            "SUB_IF_API_FLAG_TWO_TAGS": 4,
            "SUB_IF_API_FLAG_DOT1AD": 8,
            "SUB_IF_API_FLAG_EXACT_MATCH": 16,
            "SUB_IF_API_FLAG_DEFAULT": 32,
            "SUB_IF_API_FLAG_OUTER_VLAN_ID_ANY": 64,
            "SUB_IF_API_FLAG_INNER_VLAN_ID_ANY": 128,
            "SUB_IF_API_FLAG_MASK_VNET": 254,
            "SUB_IF_API_FLAG_DOT1AH": 256,
        },
    ),
    "ip_neighbor_flags": (
        "u8",
        {
            "IP_API_NEIGHBOR_FLAG_NONE": 0,
            "IP_API_NEIGHBOR_FLAG_STATIC": 1,
            "IP_API_NEIGHBOR_FLAG_NO_FIB_ENTRY": 2,
        },
    ),
    "ip_neighbor_event_flags": (
        "u32",
        {"IP_NEIGHBOR_API_EVENT_FLAG_ADDED": 1, "IP_NEIGHBOR_API_EVENT_FLAG_REMOVED": 2},
    ),
    "lcp_itf_host_type": ("u8", {"LCP_API_ITF_HOST_TAP": 0, "LCP_API_ITF_HOST_TUN": 1}),
    "bond_mode": (
        "u32",
        {
            "BOND_API_MODE_ROUND_ROBIN": 1,
            "BOND_API_MODE_ACTIVE_BACKUP": 2,
            "BOND_API_MODE_XOR": 3,
            "BOND_API_MODE_BROADCAST": 4,
            "BOND_API_MODE_LACP": 5,
        },
    ),
    "bond_lb_algo": (
        "u32",
        {
            "BOND_API_LB_ALGO_L2": 0,
            "BOND_API_LB_ALGO_L34": 1,
            "BOND_API_LB_ALGO_L23": 2,
            "BOND_API_LB_ALGO_RR": 3,
            "BOND_API_LB_ALGO_BC": 4,
            "BOND_API_LB_ALGO_AB": 5,
        },
    ),
}
STRUCTURES = {
    "message_table_entry": "u16 index, string name[64]",
    "thread_data": "u32 id, string name[64], string type[64], u32 pid, u32 cpu_id, u32 core,"
    "u32 cpu_socket",
    "bridge_domain_sw_if": "u32 context, interface_index sw_if_index, u8 shg",
    "address": "address_family af, address_union un",
    "prefix": "address address, u8 len",
    "ip_neighbor": "interface_index sw_if_index, ip_neighbor_flags flags,"
    "mac_address mac_address, address ip_address",
}
# What lies in the same octets, as long as the longest: the field that tells which it is, and
# what it is by that field's value.
UNIONS = {
    "address_union": ("af", {"ADDRESS_IP4": "ip4_address ip4", "ADDRESS_IP6": "ip6_address ip6"})
}

_FIELD = re.compile(r"(?P<type>\w+) (?P<name>\w+)(\[(?P<count>\w*)\])?(=(?P<default>\d+))?$")


class Field(NamedTuple):
    """One field; `times` is None, a number, a field's name, or "" (counts itself)."""

    type: str
    name: str
    times: int | str | None
    default: int | None

    @property
    def varies(self) -> bool:
        return isinstance(self.times, str)

    @property
    def format(self) -> str:
        """For struct, of a field of fixed length."""
        if self.type == "string":
            return f"{self.times}s"
        base, length = ALIASES.get(self.type, (self.type, 0))
        if self.type in ENUMS:
            base = ENUMS[self.type][0]
        if length:
            return f"{length}s"
        if base in STRUCTURES:
            return "".join(field.format for field in fields(STRUCTURES[base]))
        if base in UNIONS:
            return max((case.format for case in _cases(base)), key=struct.calcsize)
        return f"{self.times or ''}{BASE[base]}"

    def definition(self, union_cases: bool) -> list[Any]:
        """As VPP's JSON has it; `union_cases`: with the field that says what a union is."""
        known = any(self.type in kind for kind in (ALIASES, ENUMS, STRUCTURES, UNIONS))
        answer: list[Any] = [f"vl_api_{self.type}_t" if known else self.type, self.name]
        if self.varies:
            answer += [0, self.times] if self.times else [0]
        elif self.times is not None:
            answer.append(self.times)
        if self.type in UNIONS and union_cases:
            answer.append({"discriminator": UNIONS[self.type][0]})
        if self.default is not None:
            answer.append({"default": self.default})
        return answer


def fields(text: str) -> tuple[Field, ...]:
    """Read a line of fields."""
    answer = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _FIELD.match(part)
        if match is None:
            raise ValueError(f"not a field: {part}")
        count, default = match["count"], match["default"]
        answer.append(
            Field(
                match["type"],
                match["name"],
                int(count) if count and count.isdigit() else count,
                int(default) if default else None,
            )
        )
    return tuple(answer)


def _cases(union: str) -> tuple[Field, ...]:
    """What a union can be."""
    return fields(",".join(UNIONS[union][1].values()))


REQUEST = "u16 _vl_msg_id, u32 client_index, u32 context,"
REPLY = "u16 _vl_msg_id, u32 context,"
EVENT = "u16 _vl_msg_id, u32 client_index,"


@dataclass(frozen=True)
class Message:
    """A message: its CRC as VPP writes it and its fields, the header's included."""

    name: str
    crc: str
    header: str
    body: str = ""

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return fields(self.header + self.body)

    @cached_property
    def layout(self) -> struct.Struct:
        """All fields up to the one whose length varies (always the last)."""
        return struct.Struct(">" + "".join(f.format for f in self.fields if not f.varies))

    @property
    def name_crc(self) -> str:
        return f"{self.name}_{self.crc}"

    def definition(self, union_cases: bool) -> list[Any]:
        """As VPP's JSON has it."""
        crc = {"crc": f"0x{self.crc}", "options": {}}
        return [self.name, *(f.definition(union_cases) for f in self.fields), crc]

    @property
    def types(self) -> set[str]:
        return {f.type for f in self.fields}


@dataclass(frozen=True)
class Module:
    """One API definition file of VPP; `services` maps a request to its answers."""

    name: str
    plugin: bool
    messages: tuple[Message, ...]
    services: dict[str, dict[str, Any]]
    extra_types: tuple[str, ...] = ()


def _with_parts(name: str) -> set[str]:
    """A type, and all that it is made of."""
    inside = _cases(name) if name in UNIONS else fields(STRUCTURES.get(name, ""))
    parts = {field.type for field in inside}
    if name in ALIASES:
        parts.add(ALIASES[name][0])
    return {name}.union(*(_with_parts(part) for part in parts))


def definition(module: Module, union_cases: bool = True) -> dict[str, Any]:
    """A module in the JSON form that VPP's build makes of its .api files.

    `union_cases`: with what says which member of a union is in use.
    """
    used: set[str] = set()
    for name in set(module.extra_types).union(*(message.types for message in module.messages)):
        used |= _with_parts(name)
    structures = [name for name in STRUCTURES if name in used]
    aliases: dict[str, dict[str, Any]] = {}
    for name, (base, length) in ALIASES.items():
        if name in used:
            aliases[name] = {"type": f"vl_api_{base}_t" if base in STRUCTURES else base}
            if length:
                aliases[name]["length"] = length
    return {
        "module": module.name,
        "types": [
            [n, *(f.definition(union_cases) for f in fields(STRUCTURES[n]))] for n in structures
        ],
        "enums": [
            [name, *([key, value] for key, value in values.items()), {"enumtype": base}]
            for name, (base, values) in ENUMS.items()
            if name in used
        ],
        "enumflags": [],
        "unions": [
            [
                name,
                *(
                    [*field.definition(union_cases), *([{"case": case}] if union_cases else [])]
                    for case, field in zip(cases, _cases(name), strict=True)
                ),
            ]
            for name, (_, cases) in UNIONS.items()
            if name in used
        ],
        "aliases": aliases,
        "messages": [message.definition(union_cases) for message in module.messages],
        "services": module.services,
        "options": {},
        "imports": [],
        "counters": [],
        "paths": [],
    }
