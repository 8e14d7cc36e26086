"""Where VPP-SNMP-AGENT-MIB is registered."""

# Below net-snmp's playpen, until there is an enterprise number of our own.
BASE = "1.3.6.1.4.1.8072.9999.9999.86.80.80"
