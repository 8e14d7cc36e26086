"""What the view that ships hides, and what a machine has to have for it to show without one."""

# Below mib-2.
HIDDEN = {
    "3": "neighbours by kernel ifIndex",
    "4.21": "routes",
    "4.24": "routes",
    "4.37": "default routers",
    "6.13": "TCP connections",
    "6.19": "TCP connections",
    "6.20": "TCP listeners",
    "7.5": "UDP ports",
    "7.7": "UDP ports",
    "25.4": "processes",
    "25.5": "processes",
    "25.6": "packages",
    "28": "mail queues",
    "55": "kernel interfaces",
    "92": "sent notifications",
}
# What snmpd's own tables would show: for ip(8).
KERNEL = (
    "link add kernel0 type veth peer name kernel1",
    "link set kernel0 up",
    "link set kernel1 up",
    "address add 198.18.0.1/24 dev kernel0",
    "address add 2001:db8:18::1/64 dev kernel0 nodad",
    "neighbor add 198.18.0.9 lladdr 02:00:00:00:00:09 dev kernel0",
    "route add default via 198.18.0.2",
)
# For snmpd.conf: a community that no view bounds, and a TCP port.
WHOLE = "rocommunity whole 127.0.0.1\nagentAddress tcp:127.0.0.1:161\n"
