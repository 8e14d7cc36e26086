"""simulator/demo.py: what it prints to be pasted."""

import shlex
from pathlib import Path
from types import SimpleNamespace

from simulator.demo import commands
from simulator.stage import AgentProcess
from vpp_snmp_agent import cli


def test_the_commands_ask_the_demos_own_agent(tmp_path: Path) -> None:
    """Each is pasted into a shell, and its directory may have a space in its name."""
    directory = tmp_path / "a demo"
    vpp = SimpleNamespace(api_socket=directory / "api.sock", stats_socket=directory / "stats.sock")
    agent = AgentProcess(directory, vpp, str(directory / "agentx"), "-c", "/x/vppcfg.yaml")
    asked = []
    for command in commands(agent):
        words = shlex.split(command)[3:]  # behind `python -m vpp_snmp_agent`
        given = cli.parser().parse_intermixed_args(words)
        asked.append([given.command, *given.arguments])
        assert str(given.address) == str(directory / "agentx")
        assert (given.api_socket, given.stats_socket) == (
            str(vpp.api_socket),
            str(vpp.stats_socket),
        )
        assert (given.state_dir, given.vppcfg) == (str(directory / "state"), "/x/vppcfg.yaml")
    assert asked == [["check"], ["show"], ["show", "vpp"], ["ports"]]
