"""Whatever happens to VPP and to the agent, an index means one interface for ever."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpp_snmp_agent.config import Descriptions
from vpp_snmp_agent.interfaces.naming import DOWN
from vpp_snmp_agent.interfaces.store import Store
from vpp_snmp_agent.interfaces.table import InterfaceTable
from vpp_snmp_agent.vpp.inventory import Identity, Interface, Inventory, LcpPair

from .test_store import write_and_die_at

NAMES = [f"port{number}" for number in range(6)] + ["e0", "e1"]
HOSTS = ["", "e0", "e1", "e2", "port1"]
TEMPLATE = Interface(0, 0, "", "dpdk", "", bytes(6), True, True, 10**6, 2, 9000, 1500)


@dataclass
class FakeVpp:
    """Interfaces by sw_if_index, indexes handed out lowest first, as VPP does."""

    pid: int = 1
    names: dict[int, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)  # LCP host name by interface name

    def add(self, name: str, host: str = "") -> None:
        if name in self.names.values():
            return
        self.names[min(set(range(1, len(self.names) + 2)) - self.names.keys())] = name
        if host:
            self.hosts[name] = host

    def delete(self, name: str) -> None:
        self.names = {index: each for index, each in self.names.items() if each != name}
        self.hosts.pop(name, None)

    def inventory(self) -> Inventory:
        interfaces = {
            index: replace(TEMPLATE, sw_if_index=index, sup_sw_if_index=index, interface_name=name)
            for index, name in self.names.items()
        }
        pairs = {}
        for index, name in self.names.items():
            if name in self.hosts:
                tap = 100 + index
                interfaces[tap] = replace(
                    TEMPLATE, sw_if_index=tap, sup_sw_if_index=tap, interface_name=f"tap{tap}"
                )
                pairs[index] = LcpPair(index, tap, index, self.hosts[name], "dataplane")
        return Inventory(Identity("26.06", "", self.pid), interfaces, pairs)


OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(NAMES), st.sampled_from(HOSTS)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("reuse"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("restart VPP"), st.integers(0, 1000)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("restart agent")),
    st.tuples(st.just("kill agent"), st.integers(1, 4)),
)


@settings(max_examples=300, deadline=None)
@given(history=st.lists(OPERATIONS, max_size=25))
def test_no_history_changes_what_an_index_means(history: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as directory:
        play(history, Path(directory))


def play(history: list[tuple[object, ...]], directory: Path) -> None:
    vpp, settled = FakeVpp(names={1: "port0", 2: "port1"}, hosts={"port0": "e0"}), True
    meanings: dict[int, str] = {}
    table = start(directory)
    for operation, *details in history:
        words = [str(each) for each in details]
        match operation:
            case "add":
                vpp.add(*words)
            case "delete":
                vpp.delete(words[0])
            case "rename" if words[1] not in vpp.names.values():
                vpp.names = {
                    index: words[1] if name == words[0] else name
                    for index, name in vpp.names.items()
                }
            case "reuse":
                vpp.delete(words[0])
                vpp.add(words[1])
            case "restart VPP":
                before = list(vpp.names.values())
                random.Random(words[0]).shuffle(before)
                table.away()
                vpp = FakeVpp(vpp.pid + 1, dict(enumerate(before[: len(before) // 2], 1)))
                settled = False
            case "settle":
                settled = True
            case "restart agent":
                table = start(directory)
            case "kill agent":
                for _ in table.update(vpp.inventory(), None, Descriptions(), settled):
                    pass
                with pytest.MonkeyPatch.context() as patch:
                    write_and_die_at(table.store, int(words[0]), patch)
                table = start(directory)
        before_rows = set(table._by_key)
        for _ in table.update(vpp.inventory(), None, Descriptions(), settled):
            pass
        table.store.write()
        table.commit()
        rows = list(table.rows.by_index.values())
        if not settled:
            assert before_rows <= set(table._by_key)  # nothing vanishes meanwhile
        assert len({row.name for row in rows}) == len(rows)
        for row in rows:
            assert meanings.setdefault(row.index, row.key) == row.key
        assert len(set(meanings.values())) == len(meanings)


def start(directory: Path) -> InterfaceTable:
    store = Store(str(directory))
    store.load()
    table = InterfaceTable(store)
    table.restore(DOWN)
    return table
