"""What is reported to systemd, if it started us (sd_notify(3)); silence otherwise.

And what is left in the directory that it made for us, for those who may not ask VPP.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path


class Supervisor:
    """systemd, or nobody."""

    def __init__(self) -> None:
        # Taken out of the environment: no child shall speak for us, nor take our watchdog for its.
        path = os.environ.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        usec = int(os.environ.pop("WATCHDOG_USEC", "0") or 0)
        meant = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        # Half the time, as sd_watchdog_enabled(3) recommends.
        self.watchdog_period = usec / 2e6 if usec and meant and self._address else None

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.setblocking(False)
            try:
                notify.sendto(text.encode(), self._address)
            except OSError:
                return  # a supervisor that does not listen is not worth a failure

    def ready(self) -> None:
        """The service does its work from now on."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """The loop turns."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def publish(self, name: str, text: str) -> None:
        """Leave one line in a file of RuntimeDirectory= (systemd.exec(5)), for all to read."""
        directory = os.environ.get("RUNTIME_DIRECTORY", "")
        if not directory:
            return
        path = Path(directory, name)
        new = path.with_name(f"{name}.new")
        with suppress(OSError):  # what nobody can read then is no more than a decoration
            new.write_text(f"{text}\n", encoding="utf-8")
            new.chmod(0o644)
            new.replace(path)
