"""following.py: what VPP reports, and since when it has run."""

from types import SimpleNamespace
from typing import cast

from vpp_snmp_agent.config import Settings
from vpp_snmp_agent.following import Follower
from vpp_snmp_agent.systemd import Supervisor
from vpp_snmp_agent.vpp import feed
from vpp_snmp_agent.vpp.stats import Segment

from .routers import VPP, new_publisher


def test_how_long_vpp_has_run_is_believed_when_it_says_so_later() -> None:
    publisher = new_publisher()
    follower = Follower(Settings(settle=6), lambda: (publisher,), Supervisor())
    follower.take(feed.Present(VPP))
    segment = SimpleNamespace(uptime=0)  # as VPP writes it, every ten seconds
    follower._segment = cast(Segment, segment)
    follower._started = 1004.0  # when another reporter met it: four seconds late
    assert not follower.is_settled(1006.5)
    segment.uptime = 6
    assert follower.is_settled(1006.5)
    segment.uptime = 0  # nor is it believed less, where a segment can not be read
    assert follower.is_settled(1006.5)
    follower.check(1006.5)
    assert publisher.settled
