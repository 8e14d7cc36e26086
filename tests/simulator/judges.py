"""Independent judges of the simulator: vpp_papi, unchanged, and recordings of real VPPs."""

import queue
from pathlib import Path
from typing import Any

import pytest
from vpp_papi import VPPApiClient
from vpp_papi.vpp_stats import VPPStats

from simulator import Simulator
from vpp_snmp_agent.vpp import layout
from vpp_snmp_agent.vpp.layout import Kind

RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "recorded" / "vpp-26.06"


needs_recording = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="no recording of a real VPP beside the repository"
)


PORT, CUSTOMER, BOND = "GigabitEthernet5/0/0", "GigabitEthernet5/0/0.205", "BondEthernet0"


HUNDRED = "HundredGigabitEthernet1/0/0"


class Connection:
    """vpp_papi connected to a simulator, with the events that were reported to it."""

    def __init__(self, simulator: Simulator) -> None:
        self.client = VPPApiClient(
            bootstrapapi=True, server_address=str(simulator.api_socket), read_timeout=2
        )
        self.client.connect("judge")
        self.api = self.client.api
        self.events: queue.Queue[tuple[int, int, bool]] = queue.Queue()
        self.neighbor_events: list[tuple[int, int, str, str]] = []
        self.client.register_event_callback(self._note)

    def _note(self, name: str, event: Any) -> None:
        if name == "sw_interface_event":
            self.events.put((event.sw_if_index, int(event.flags), event.deleted))
        if name == "ip_neighbor_event_v2":
            about = event.neighbor
            addresses = (str(about.ip_address), str(about.mac_address))
            self.neighbor_events.append((int(event.flags), about.sw_if_index, *addresses))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()

    def rows(self) -> dict[str, Any]:
        return {row.interface_name: row for row in self.api.sw_interface_dump()}

    def pairs(self) -> dict[str, Any]:
        pairs = self.client.details_iter(self.api.lcp_itf_pair_get)
        return {pair.host_if_name: pair for pair in pairs}

    def reported(self) -> list[tuple[int, int, bool]]:
        """The events so far: what is sent before a ping's answer is there before it."""
        self.api.control_ping()
        answer = []
        while not self.events.empty():
            answer.append(self.events.get())
        return answer


def stats_of(simulator: Simulator) -> VPPStats:
    stats = VPPStats(str(simulator.stats_socket))
    stats.connect()
    return stats


def entries(segment: bytes, generation: layout.Generation) -> dict[str, tuple[Kind, int]]:
    """A directory as (kind, value) by name, with none of the simulator's code."""
    _, base, _, _, directory = layout.HEADER.unpack_from(segment)
    start = directory - base
    (count,) = layout.LENGTH.unpack_from(segment, start - layout.LENGTH_BEFORE)
    answer = {}
    for place in range(start, start + count * layout.ENTRY.size, layout.ENTRY.size):
        number, value, name = layout.ENTRY.unpack_from(segment, place)
        answer[name.split(b"\0")[0].decode()] = (layout.KINDS[generation][number], value)
    return answer


def segment_of(simulator: Simulator) -> bytes:
    stats = stats_of(simulator)
    try:
        return bytes(stats.statseg[:])
    finally:
        stats.disconnect()
