"""vpp_papi's client made fit for any release: texts, definitions, events, and dumps.

The rules this module keeps:

- vpp_papi is imported here and in transport.py alone: its types are global to a process and
  first come, so another VPP needs another process.
- A dump is read message by message, as it comes.
- An event of an interface is an index that somebody has to ask about, nothing else.
- Of the events of one neighbour the last counts, whatever it was before: each says all there is.
- An answer that cannot be used is the failure of one question: what is left of it is read
  to its end, and the next question is asked over the same connection.
"""

import codecs
import contextlib
import json
import re
import select
import struct
from collections.abc import Callable, Generator, Iterator
from typing import Any

from vpp_papi import VPPApiClient, vpp_papi, vpp_serializer

from .transport import Transport, VPPUnavailable

MAX_INDEX = 1 << 24  # a sw_if_index is a place in a vector, with counters for each thread
REMOVED = 2  # vl_api_ip_neighbor_event_flags_t

# The definitions of VPP that are used.  All 1,000 of a VPP take 18 MB and 0.2 s.
MESSAGES = {
    *("show_version", "show_version_reply"),
    *("show_threads", "show_threads_reply"),
    *("want_interface_events", "want_interface_events_reply", "sw_interface_event"),
    *("sw_interface_dump", "sw_interface_details"),
    *("lcp_itf_pair_get", "lcp_itf_pair_get_reply", "lcp_itf_pair_details"),
    *("sw_bond_interface_dump", "sw_bond_interface_details"),
    *("sw_member_interface_dump", "sw_member_interface_details"),
    *("sw_interface_lacp_dump", "sw_interface_lacp_details"),
    *("bridge_domain_dump", "bridge_domain_details"),
    *("ip_address_dump", "ip_address_details"),
    *("ip_neighbor_dump", "ip_neighbor_details"),
    *("want_ip_neighbor_events_v2", "want_ip_neighbor_events_v2_reply", "ip_neighbor_event_v2"),
}
# Where there is no get_api_json (before v24.06), these files of API_DIR hold them.
API_FILES = ["memclnt", "vpe", "vlib", "interface", "bond", "lcp", "lacp", "l2", "*_types"]
API_FILES += ["ip", "ip_neighbor"]

CRC_DIGITS = 8  # behind each message's name in VPP's table
MESSAGE_ID = struct.Struct(">H")
HEAD = struct.Struct(">HI")  # of each answer: the message's id and the request's context

# The same of an event: client index, pid, what happened, then as above.  There may be thousands
# a second: of another layout none is asked for.
NEIGHBOR_EVENT_NAME = "ip_neighbor_event_v2_c1d53dc0"
NEIGHBOR_EVENT = struct.Struct(">H8xII7sB16s")

# By sw_if_index and address: flags << 48 | MAC address, or None where there is no such neighbour.
NeighborEvents = dict[tuple[int, bytes], int | None]


class UnusableAnswer(VPPUnavailable):
    """The answer to one question cannot be used; the text names the message.

    Other questions can still be asked over the same connection.
    """


# Newlines and escape sequences reach a terminal, the log and sd_notify(3), where a line
# `MAINPID=1` is obeyed; a DisplayString has none (RFC 2579 section 2).
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _clean(raw: bytes) -> str:
    """What VPP says, in one line: a space for each control character.

    VPP cuts a tag at 63 octets: a character that is cut in two is left out.
    """
    text, _ = codecs.utf_8_decode(raw, "replace", False)
    return text if text.isprintable() else _CONTROL.sub(" ", text)


def _decode_text(
    self: Any, data: Any, offset: int = 0, result: Any = None, ntc: bool = False
) -> Any:
    """vpp_serializer.String.unpack, for whatever octets an operator put into a tag."""
    if self.fixed:
        raw = bytes(data[offset : offset + self.num])
        if len(raw) < self.num:
            raise ValueError("a message ends within a string")
        return _clean(raw.split(b"\0", 1)[0]), self.num
    (length,) = struct.unpack_from(">I", data, offset)
    text = _clean(bytes(data[offset + 4 : offset + 4 + length]))
    # An empty string is reported as of no size, as vpp_papi's own does.
    return text, length + 4 if length else 0


def decode_any_text() -> None:
    """From now on a text is read whatever octets an operator put into it."""
    vpp_serializer.String.unpack = _decode_text


class Client(VPPApiClient):  # type: ignore[misc]
    """vpp_papi's client, for any release, with dumps that are read as they come."""

    def __init__(
        self,
        path: str,
        api_dir: str,
        received: Callable[[], None] = lambda: None,
        waiting: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`received` and `waiting`: as of Transport."""
        super().__init__(bootstrapapi=True, server_address=path, read_timeout=0, async_thread=False)
        self.transport = Transport(self, path, received, waiting)
        self._api_dir = api_dir
        self._end = b""  # of the dump that is under way: how the message that ends it begins
        self.events: set[int] = set()  # each sw_if_index of which VPP reported an event
        self.neighbor_events: NeighborEvents = {}  # what VPP reported of each
        self._neighbor_event_id: int | None = None
        self._takes_neighbor_events = False

    def get_api_definitions(self) -> None:
        """VPP's own definitions where it offers them, those of its package where not."""
        self._register_functions(do_async=False)
        files = vpp_papi.VPPApiJSONFiles
        if hasattr(self.api, "get_api_json"):
            reply = self.api.get_api_json()
            if reply.retval:
                raise VPPUnavailable(f"VPP refused get_api_json: {reply.retval}")
            modules = [_restricted(each) for each in json.loads(reply.json)]
            messages, services = files.process_json_array_str(json.dumps(modules))
        else:
            found = files.find_api_files(self._api_dir, API_FILES)
            if not found:
                raise VPPUnavailable(
                    f"this VPP is older than 24.06 and {self._api_dir} holds no *.api.json:"
                    " install the files that come with VPP, or name their directory with --api-dir"
                )
            _, messages, services = files.load_api(apifiles=found)
        self.messages.update(messages)
        self.services.update(services)

    def take_event(self, message: bytes) -> bool:
        """Whether the message answers no request; if it is an interface's event, it is noted."""
        if len(message) < MESSAGE_ID.size:
            raise VPPUnavailable(f"VPP sent a message of {len(message)} octets")
        (number,) = MESSAGE_ID.unpack_from(message)
        if number == self._neighbor_event_id:
            if self._takes_neighbor_events:
                self._take_neighbor_event(message)
            return True
        definition = self.id_msgdef[number] if number < len(self.id_msgdef) else None
        if definition is None:
            raise VPPUnavailable(f"VPP sent a message of the unknown id {number}")
        if "context" in definition.field_by_name:
            return False
        if definition.name == "sw_interface_event":
            self.events.add(checked_index(definition.unpack(message, ntc=True)[0].sw_if_index))
        return True

    def take_neighbor_events(self) -> bool:
        """From now on note them; whether VPP has them as they are understood here."""
        self._neighbor_event_id = self.transport.message_table.get(NEIGHBOR_EVENT_NAME)
        self._takes_neighbor_events = self._neighbor_event_id is not None
        return self._takes_neighbor_events

    def ignore_neighbor_events(self) -> None:
        """Note no more of them, and forget those that were."""
        self._takes_neighbor_events = False
        self.neighbor_events.clear()

    def _take_neighbor_event(self, message: bytes) -> None:
        _, happened, index, state, family, address = NEIGHBOR_EVENT.unpack(message)
        key = (checked_index(index), address if family else address[:4])
        self.neighbor_events[key] = None if happened & REMOVED else int.from_bytes(state, "big")

    def collect_events(self) -> None:
        """Note the events that have come by now."""
        self.transport.receive_waiting()
        for message in self.transport.waiting():
            self.take_event(message)

    def has(self, name: str) -> bool:
        """Whether VPP knows a request, defined as here or not, or its plugin is off."""
        return self._offered(name) is not None

    def _offered(self, name: str) -> str | None:
        """A message of VPP's by its name, with the CRC that VPP has for it."""
        length = len(name) + 1 + CRC_DIGITS
        for offered in self.transport.message_table:
            if len(offered) == length and offered.startswith(f"{name}_"):
                return str(offered)
        return None

    def dump(self, name: str, *requests: dict[str, Any]) -> Generator[bytes, None, bytes]:
        """The details that answer the requests, all of them `name`, one by one as they come.

        Returned is the message that ends them.  No other call may be made in between.
        """
        context = self.get_context()
        self._id(name)
        service, transport = self.services[name], self.transport
        asked = [self._pack(name, context, each) for each in requests]
        if "stream_msg" in service:
            details, last = self._id(service["stream_msg"]), self._id(service["reply"])
        else:
            # VPP answers in the order in which it is asked: a ping's reply is behind them all.
            details, last = self._id(service["reply"]), self._id("control_ping_reply")
            asked.append(self._pack("control_ping", context, {}))
        head, end = HEAD.pack(details, context), HEAD.pack(last, context)
        transport.write_all(asked)
        self._end = end
        next_message = transport.next_message
        while True:
            message: bytes = next_message()
            if message.startswith(head):
                yield message
            elif message.startswith(end):
                self._end = b""
                return message
            else:
                self.take_event(message)  # or the answer to no question of ours

    def skip_dump(self) -> None:
        """Read a dump that was given up to its end, if one is under way."""
        while self._end:
            message = self.transport.next_message()
            if message.startswith(self._end):
                self._end = b""
            else:
                self.take_event(message)

    @contextlib.contextmanager
    def question(self, name: str) -> Iterator[None]:
        """Turn what goes wrong with the answer to `name` into UnusableAnswer.

        What ends the connection comes out as it is: VPPGone, VPPUnavailable.
        """
        try:
            yield
        except UnusableAnswer:
            self.skip_dump()
            raise
        except (ConnectionError, VPPUnavailable, MemoryError):
            raise
        except Exception as error:  # vpp_papi's boundary: unexpected octets raise anything there
            self.skip_dump()
            raise UnusableAnswer(f"{name}: {type(error).__name__}: {error}") from error

    def decode(self, message: bytes) -> Any:
        """A message as vpp_papi has it, its numbers left as they are."""
        (number,) = MESSAGE_ID.unpack_from(message)
        # The conversions would make an enum and an address object of every number.
        return self.id_msgdef[number].unpack(message, ntc=True)[0]

    def _id(self, name: str) -> int:
        if name not in self.messages:
            raise UnusableAnswer(f"{name}: no definition of it in {self._api_dir}")
        with_crc = f"{name}_{self.messages[name].crc[2:]}"
        number = self.transport.get_msg_index(with_crc)
        if not number:
            offered = self._offered(name) or "no such message"
            raise UnusableAnswer(f"{name}: defined as {with_crc}, but VPP has {offered}")
        return int(number)

    def _pack(self, name: str, context: int, fields: dict[str, Any]) -> bytes:
        head = {"_vl_msg_id": self._id(name), "context": context}
        head["client_index"] = self.transport.socket_index
        return bytes(self.messages[name].pack(head | fields))

    def hung_up(self) -> bool:
        """Whether VPP closed the connection."""
        poll = select.poll()
        if self.transport.socket is None or self.transport.socket.fileno() < 0:
            return True
        poll.register(self.transport.socket, 0)
        return bool(poll.poll(0))


def _restricted(module: dict[str, Any]) -> dict[str, Any]:
    """A module of VPP's definitions without the messages that are not used."""
    messages = [each for each in module.get("messages", ()) if each[0] in MESSAGES]
    services = {name: each for name, each in module.get("services", {}).items() if name in MESSAGES}
    return module | {"messages": messages, "services": services}


def checked_index(sw_if_index: int) -> int:
    """A sw_if_index, unless it is one that no VPP gives: then UnusableAnswer."""
    if sw_if_index > MAX_INDEX:
        raise UnusableAnswer(f"VPP reports a sw_if_index {sw_if_index}")
    return sw_if_index
