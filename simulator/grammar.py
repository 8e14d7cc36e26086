"""How messages of VPP's binary API are declared, and the bytes and JSON that follow from it.

A declaration is text: a module (`core` or `plugin`, and its name), and below it a message for
each paragraph: its name with its CRC, which is VPP's own and part of the name on the wire; the
fields of its header; and its own fields, in their order on the wire:

    u32 mtu[4]              a fixed number of them; of `string`, so many bytes
    string json[]           as long as the u32 before it says
    entry table[count]      as many as the field `count` says
    u32 bd_id=4294967295    what a client sends when it does not say

Which message answers which follows from the names.
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
# Its type, what each name begins with, and the names.
_ENUMS = {
    "address_family": "u8 ADDRESS_ IP4=0 IP6=1",
    "if_status_flags": "u32 IF_STATUS_API_FLAG_ ADMIN_UP=1 LINK_UP=2",
    "if_type": "u32 IF_API_TYPE_ HARDWARE=0 SUB=1 P2P=2 PIPE=3",
    "link_duplex": "u32 LINK_DUPLEX_API_ UNKNOWN=0 HALF=1 FULL=2",
    "sub_if_flags": "u32 SUB_IF_API_FLAG_ NO_TAGS=1 ONE_TAG=2 TWO_TAGS=4 DOT1AD=8 EXACT_MATCH=16"
    " DEFAULT=32 OUTER_VLAN_ID_ANY=64 INNER_VLAN_ID_ANY=128 MASK_VNET=254 DOT1AH=256",
    "ip_neighbor_flags": "u8 IP_API_NEIGHBOR_FLAG_ NONE=0 STATIC=1 NO_FIB_ENTRY=2",
    "ip_neighbor_event_flags": "u32 IP_NEIGHBOR_API_EVENT_FLAG_ ADDED=1 REMOVED=2",
    "lcp_itf_host_type": "u8 LCP_API_ITF_HOST_ TAP=0 TUN=1",
    "bond_mode": "u32 BOND_API_MODE_ ROUND_ROBIN=1 ACTIVE_BACKUP=2 XOR=3 BROADCAST=4 LACP=5",
    "bond_lb_algo": "u32 BOND_API_LB_ALGO_ L2=0 L34=1 L23=2 RR=3 BC=4 AB=5",
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
# What lies in the same octets, as long as the longest: the field that says which it is, and
# what it is by that field's value.
UNIONS = {
    "address_union": ("af", {"ADDRESS_IP4": "ip4_address ip4", "ADDRESS_IP6": "ip6_address ip6"})
}
HEADERS = {
    "request": "u16 _vl_msg_id, u32 client_index, u32 context,",
    "reply": "u16 _vl_msg_id, u32 context,",
    "event": "u16 _vl_msg_id, u32 client_index,",
}

_FIELD = re.compile(r"(?P<type>\w+) (?P<name>\w+)(\[(?P<count>\w*)\])?(=(?P<default>\d+))?$")


def _enum(text: str) -> tuple[str, dict[str, int]]:
    base, prefix, *names = text.split()
    pairs = (name.split("=") for name in names)
    return base, {prefix + name: int(value) for name, value in pairs}


ENUMS = {name: _enum(text) for name, text in _ENUMS.items()}


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
        times = int(count) if count and count.isdigit() else count
        answer.append(Field(match["type"], match["name"], times, int(default) if default else None))
    return tuple(answer)


def _cases(union: str) -> tuple[Field, ...]:
    """What a union can be."""
    return fields(",".join(UNIONS[union][1].values()))


@dataclass(frozen=True)
class ApiMessage:
    """A message: its CRC as VPP writes it, and its fields, the header's included."""

    name: str
    crc: str
    header: str
    body: str

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return fields(HEADERS[self.header] + self.body)

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


@dataclass(frozen=True)
class ApiModule:
    """One API definition file of VPP."""

    name: str
    plugin: bool
    messages: tuple[ApiMessage, ...]

    @cached_property
    def services(self) -> dict[str, dict[str, Any]]:
        """A request's answers, by its name."""
        names = [message.name for message in self.messages]
        events = [message.name for message in self.messages if message.header == "event"]
        answer: dict[str, dict[str, Any]] = {}
        for name in names:
            details = re.sub("_(dump|get)$", "_details", name)
            if name.endswith("_dump"):
                answer[name] = {"reply": details, "stream": True}
            elif f"{name}_reply" in names:
                answer[name] = {"reply": f"{name}_reply"}
                if details != name and details in names:
                    answer[name] |= {"stream": True, "stream_msg": details}
                if name.startswith("want_"):
                    answer[name]["events"] = events
        return answer


def modules(text: str) -> list[ApiModule]:
    """Read declarations."""
    answer = []
    for each in text.strip().split("\n\n"):
        head, *paragraphs = re.split(r"\n(?=\w)", each)
        place, name = head.split()
        messages = []
        for paragraph in paragraphs:
            words = " ".join(paragraph.split())
            name_crc, header, body = (*words.split(" ", 2), "")[:3]
            message, _, crc = name_crc.rpartition("_")
            messages.append(ApiMessage(message, crc, header, body))
        answer.append(ApiModule(name, place == "plugin", tuple(messages)))
    return answer


def _with_parts(name: str) -> set[str]:
    """A type, and all that it is made of."""
    inside = _cases(name) if name in UNIONS else fields(STRUCTURES.get(name, ""))
    parts = {field.type for field in inside}
    if name in ALIASES:
        parts.add(ALIASES[name][0])
    return {name}.union(*(_with_parts(part) for part in parts))


def definition(module: ApiModule, union_cases: bool = True) -> dict[str, Any]:
    """A module in the JSON form that VPP's build makes of its .api files.

    `union_cases`: with what says which member of a union is in use.
    """
    types = {field.type for message in module.messages for field in message.fields}
    used = set[str]().union(*map(_with_parts, types))

    def alias(base: str, length: int) -> dict[str, Any]:
        kind = {"type": f"vl_api_{base}_t" if base in STRUCTURES else base}
        return kind | ({"length": length} if length else {})

    def case(name: str, field: Field) -> list[Any]:
        return [*field.definition(union_cases), *([{"case": name}] if union_cases else [])]

    return {
        "module": module.name,
        "types": [
            [name, *(field.definition(union_cases) for field in fields(text))]
            for name, text in STRUCTURES.items()
            if name in used
        ],
        "enums": [
            [name, *([key, value] for key, value in values.items()), {"enumtype": base}]
            for name, (base, values) in ENUMS.items()
            if name in used
        ],
        "unions": [
            [name, *map(case, cases, _cases(name))]
            for name, (_, cases) in UNIONS.items()
            if name in used
        ],
        "aliases": {name: alias(*of) for name, of in ALIASES.items() if name in used},
        "messages": [message.definition(union_cases) for message in module.messages],
        "services": module.services,
        "options": {},
    } | {key: [] for key in ("enumflags", "imports", "counters", "paths")}
