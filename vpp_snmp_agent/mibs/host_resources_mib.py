"""HOST-RESOURCES-MIB (RFC 2790): VPP's heaps and buffers, appended to snmpd's hrStorageTable.

The table is snmpd's own.  Of it only our rows are registered, one by one, each with a range
over its columns: snmpd's rows stay as they are, before, with and after us.

The type is hrStorageVirtualMemory, which it is: a second row of type hrStorageRam would be
added to the host's own memory by a manager.  hrStorageAllocationFailures is left out, for
VPP counts none.
"""

from ..agentx.mib import Column, Module, Registration, Table
from ..agentx.values import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, oid
from ..interfaces.publisher import Publisher

HR_STORAGE_ENTRY = "1.3.6.1.2.1.25.2.3.1"
HR_STORAGE_VIRTUAL_MEMORY = oid("1.3.6.1.2.1.25.2.1.3")

HR_STORAGE_TABLE = Table(
    HR_STORAGE_ENTRY,
    (
        Column(1, "hrStorageIndex", INTEGER, lambda row: row.index),
        Column(2, "hrStorageType", OBJECT_IDENTIFIER, lambda row: HR_STORAGE_VIRTUAL_MEMORY),
        Column(3, "hrStorageDescr", OCTET_STRING, lambda row: row.name.encode()),
        Column(4, "hrStorageAllocationUnits", INTEGER, lambda row: row.measured().unit),
        Column(5, "hrStorageSize", INTEGER, lambda row: row.measured().size),
        Column(6, "hrStorageUsed", INTEGER, lambda row: row.measured().used),
    ),
)


def registration(index: int) -> Registration:
    """A row of hrStorageTable, from its first column to its last."""
    first, last = HR_STORAGE_TABLE.columns[0].number, HR_STORAGE_TABLE.columns[-1].number
    column = HR_STORAGE_ENTRY.count(".") + 2
    return Registration(f"{HR_STORAGE_ENTRY}.{first}.{index}", column, last)


def module(interfaces: Publisher) -> Module:
    """HOST-RESOURCES-MIB over VPP's memory, which is no interface's."""
    storages = interfaces.system.storages
    return Module(
        capability="1.3.6.1.2.1.25.7.1",
        description="HOST-RESOURCES-MIB (RFC 2790): the memory and buffers of VPP",
        subtrees=(),
        objects=(HR_STORAGE_TABLE.over(storages.rows),),
        rows=lambda: [registration(each.index) for each in storages.shown],
    )
