"""A real snmptrapd beside a private snmpd."""

from pathlib import Path

from simulator.stage import COMMUNITY, Process, Snmpd, free_port, until


class Snmptrapd(Process):
    """What a manager is notified of, in the place where snmpd stands."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / "snmptrapd.log")
        self._directory = directory
        self._address = f"127.0.0.1:{free_port()}"
        # For the configuration of snmpd.
        self.sink = f"trap2sink {self._address} {COMMUNITY}\n"

    def start_beside(self, snmpd: Snmpd) -> None:
        """Start it where `snmpd` is, and wait until it listens."""
        conf = self._directory / "snmptrapd.conf"
        conf.write_text(f"authCommunity log {COMMUNITY}\ndoNotLogTraps no\n")
        # A notification is a line: what it is, and its variable bindings.
        command = ["snmptrapd", "-f", "-Lo", "-On", "-m", "", "-C", "-c", str(conf)]
        command += ["-F", "notification %v\\n", "--pidFile=" + str(self._directory / "pid")]
        greeting, started = "NET-SNMP version", self.text().count("NET-SNMP version")
        here, kept = str(self._directory), str(self._directory / "kept")
        self._start(
            [*snmpd.enter(), *command, f"udp:{self._address}"],
            {"SNMPCONFPATH": here, "SNMP_PERSISTENT_DIR": kept},
        )
        until("snmptrapd listens", lambda: self.text().count(greeting) > started)

    def heard(self) -> list[dict[str, str]]:
        """The notifications so far: names (without the leading dot) to `TYPE: value`."""
        lines = [line for line in self.text().splitlines() if line.startswith("notification ")]
        return [
            dict(
                each.removeprefix(".").split(" = ", 1)
                for each in line.removeprefix("notification ").split("\t")
            )
            for line in lines
        ]
