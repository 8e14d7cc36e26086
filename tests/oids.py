"""OIDs that several test files ask for, as the RFCs have them, and not as the agent does.

bench/ has its own (bench/measures.py): it imports no tests.
"""

MIB_2 = "1.3.6.1.2.1"
UP_TIME = f"{MIB_2}.1.3.0"  # sysUpTime
TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"  # snmpTrapOID
LINK_DOWN, LINK_UP = (f"1.3.6.1.6.3.1.1.5.{event}" for event in (3, 4))

INTERFACES, IF_MIB = f"{MIB_2}.2", f"{MIB_2}.31"  # RFC 2863
IF_NUMBER = f"{INTERFACES}.1"
IF_TABLE, IF_X_TABLE = f"{INTERFACES}.2.1", f"{IF_MIB}.1.1.1"
IF_INDEX, IF_DESCR, IF_TYPE, IF_MTU, IF_SPEED, IF_PHYS_ADDRESS = (
    f"{IF_TABLE}.{column}" for column in range(1, 7)
)
ADMIN_STATUS, OPER_STATUS, IF_LAST_CHANGE, IF_IN = (
    f"{IF_TABLE}.{column}" for column in range(7, 11)
)
IF_NAME, HC_IN, HC_OUT, HIGH_SPEED, IF_ALIAS, IF_DISCONTINUITY = (
    f"{IF_X_TABLE}.{column}" for column in (1, 6, 10, 15, 18, 19)
)
STACK = f"{IF_MIB}.1.2.1.3"  # ifStackStatus

IP = f"{MIB_2}.4"  # RFC 4293
ETHERLIKE = f"{MIB_2}.10.7"  # RFC 3635
BRIDGE = f"{MIB_2}.17"  # RFC 4188
STORAGE = f"{MIB_2}.25.2.3.1"  # hrStorageEntry
LAG = "1.2.840.10006.300.43"  # IEEE8023-LAG-MIB
