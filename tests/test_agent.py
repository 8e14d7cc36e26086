"""agent.py without its sockets; with them it runs in test_system and test_restarts."""

from types import SimpleNamespace
from typing import cast

from vpp_snmp_agent.agent import Agent
from vpp_snmp_agent.config import Settings
from vpp_snmp_agent.vpp.stats import Segment


def test_how_long_vpp_has_run_is_believed_when_it_is_told_later() -> None:
    settings = Settings(ifindex="stateless", settle=6)
    agent = Agent(settings, lambda: settings)
    segment = SimpleNamespace(uptime=0)  # as VPP writes it, every ten seconds
    agent._segment = cast(Segment, segment)
    agent._vpp_started = 1004.0  # when another reporter met it: four seconds late
    assert not agent._settled(1006.5)
    segment.uptime = 6
    assert agent._settled(1006.5)
    segment.uptime = 0  # nor is it believed less, where a segment can not be read
    assert agent._settled(1006.5)
    agent._loop.close()
