"""Clean Debian systems: made once, kept outside the tree, and copied for each run.

The rules this module keeps:

- Debian's mirror is that of this machine's own apt.
- Nothing of this machine is in a system, except what is bound to it by name.
- What was started in a system ends with it, whatever happens.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from simulator.stage import ROOT

from .story import Failed, until

BASES = Path("/var/cache/vpp-snmp-agent-deb-test")
# What the package depends on, because a system has no network; snmp is for the test.
PACKAGES = ("systemd-sysv", "iproute2", "python3-yaml", "snmpd", "snmp")
SOURCE = "/opt/source"  # where this is bound to of the source tree:
SOURCES = ("debian", "simulator", "snmpd-dataplane.conf", "tests", "vpp_snmp_agent")
REBOOTS = 133  # systemd-nspawn(1): the exit status where the system asked for it


def mirror() -> str:
    """Where this machine has Debian's packages from."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    asked += ["Identifier: Packages", "Origin: Debian", "Label: Debian"]
    found = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if not found:
        raise Failed("apt of this machine knows no mirror of Debian: apt-get update")
    return found[0]


def base(suite: str) -> Path:
    """A clean system of a suite, made now if there is none yet."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    path = BASES / f"{suite}-{key}"
    if not path.exists():
        print(f"Making a clean {suite} in {path} ...", flush=True)
        new = path.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        BASES.mkdir(parents=True, exist_ok=True)
        # In mounts of its own: what it mounts goes with it, wherever it is interrupted.
        command = ["unshare", "--mount", "debootstrap", "--variant=minbase"]
        command.append(f"--include={','.join(PACKAGES)}")
        log = BASES / f"{suite}.log"
        with log.open("wb") as output:
            done = subprocess.run(
                [*command, suite, str(new), mirror()], stdout=output, stderr=output, check=False
            )
        if done.returncode:
            raise Failed(f"debootstrap of {suite}:\n{log.read_text()[-2000:]}")
        (new / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        shutil.rmtree(new / "var/cache/apt/archives")
        new.rename(path)
    return path


class System:
    """A copy of a clean system, in a container without a network."""

    def __init__(self, suite: str, boot: bool) -> None:
        """`boot`: with systemd as its init; else nothing runs but what is started."""
        self.suite = suite
        self.root = Path()
        self._boot = boot
        self._container: subprocess.Popen[bytes] | None = None
        self._init = 0

    def __enter__(self) -> "System":
        clean = base(self.suite)
        self._directory = Path(tempfile.mkdtemp(prefix="vpp-snmp-agent-deb-test.", dir="/var/tmp"))
        self.root = self._directory / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", clean, self.root], check=True)
        try:
            self._start()
        except BaseException:  # ^C too: no container is left behind
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._container is not None:
            while self._container.poll() is None:
                for each in self._children():
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)  # all that runs in it ends with its init
                with suppress(subprocess.TimeoutExpired):
                    self._container.wait(0.1)
        shutil.rmtree(self._directory)
        _sweep()

    def _start(self) -> None:
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"]
        command += ["--private-network", "--console=pipe", f"--directory={self.root}"]
        command += ["--hostname=router", "--machine", f"deb-test-{os.getpid()}"]
        command += [f"--bind-ro={ROOT / name}:{SOURCE}/{name}" for name in SOURCES]
        command += ["--boot"] if self._boot else ["--as-pid2", "sleep", "infinity"]
        with (self._directory / "console").open("ab") as console:
            self._container = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        until("the container's init runs", self._find_init)
        if self._boot:
            # What failed, if it is degraded, is for the story to find out.
            until(
                "the system is up",
                lambda: self._find_init() and self._state() in ("running", "degraded"),
            )
        else:
            until("it can be entered", lambda: self.succeeds("true"))

    def _find_init(self) -> bool:
        assert self._container is not None
        if self._container.poll() is not None:
            raise Failed(f"systemd-nspawn:\n{(self._directory / 'console').read_text()}")
        self._init = 0
        for each in self._children():
            with suppress(OSError):
                ours = Path(f"/proc/{each}/root{SOURCE}/vpp_snmp_agent/agent.py").exists()
                if ours and _is_init(each):
                    self._init = each
        return bool(self._init)

    def _children(self) -> list[int]:
        assert self._container is not None
        thread = f"/proc/{self._container.pid}/task/{self._container.pid}"
        try:
            return [int(each) for each in Path(thread, "children").read_text().split()]
        except OSError:
            return []

    def _state(self) -> str:
        return self.prints("systemctl", "is-system-running")

    def reboot(self) -> None:
        """As the operator does; returns when the system is up again."""
        assert self._container is not None
        self.run("systemctl", "reboot", check=False)
        status = self._container.wait(60)
        if status != REBOOTS:
            raise Failed(f"the system did not reboot: exit status {status}")
        self._start()

    def command(self, *words: str, env: Sequence[str] = ()) -> list[str]:
        """A command in the system, as root, and with no more environment than is given."""
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        enter = ["nsenter", "-t", str(self._init), "-a"]
        return [*enter, "env", "-i", path, "LANG=C.UTF-8", *env, *words]

    def run(self, *words: str, check: bool = True, env: Sequence[str] = ()) -> str:
        """What a command prints, on both outputs.  Failed if it fails, unless not checked."""
        done = subprocess.run(
            self.command(*words, env=env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise Failed(f"{' '.join(words)}: exit status {done.returncode}\n{done.stdout}")
        return done.stdout.strip()

    def prints(self, *words: str) -> str:
        """What a command prints on its standard output, however it ends."""
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        return done.stdout.strip()

    def succeeds(self, *words: str) -> bool:
        """Whether a command does."""
        return not subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode

    def begin(self, name: str, *words: str, env: Sequence[str] = ()) -> None:
        """Start what runs until `end(name)`, or until the system ends."""
        words = ("sh", "-c", f'echo $$ > /run/{name}.pid; exec "$@"', "sh", *words)
        with (self._directory / f"{name}.log").open("ab") as log:
            subprocess.Popen(
                self.command(*words, env=env), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def end(self, name: str) -> None:
        """End what was begun."""
        pid = self.run("cat", f"/run/{name}.pid")
        self.run("sh", "-c", f"kill {pid}")
        until(f"{name} ended", lambda: not self.succeeds("test", "-e", f"/proc/{pid}"))
        self.run("rm", f"/run/{name}.pid")

    def install(self, package: Path, *options: str) -> str:
        """`apt install ./package`, as a user would; what it prints."""
        shutil.copy(package, self.root / "srv")
        try:
            return self.apt("install", *options, f"/srv/{package.name}")
        finally:
            (self.root / "srv" / package.name).unlink()

    def apt(self, *words: str) -> str:
        """apt-get with nobody there to be asked."""
        return self.run(
            "apt-get", "--quiet", "--yes", *words, env=["DEBIAN_FRONTEND=noninteractive"]
        )


def _is_init(pid: int) -> bool:
    """Whether a process is the first of a pid namespace that is not this machine's.

    The process that makes the system's namespaces has the system's root too, for a moment, but
    a pid of this machine alone (proc(5): NSpid, one pid per namespace, the innermost last).
    """
    status = Path(f"/proc/{pid}/status").read_text()
    (pids,) = (line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
    return len(pids) > 1 and pids[-1] == "1"


def _sweep() -> None:
    """Remove the control groups that systemd-nspawn leaves, unless another one is in them."""
    hierarchies = Path("/sys/fs/cgroup")
    for name in ("payload", "supervisor"):
        for top in [*hierarchies.glob(name), *hierarchies.glob(f"*/{name}")]:
            groups = [Path(directory) for directory, _, _ in os.walk(top, topdown=False)]
            if not any((group / "cgroup.procs").read_text() for group in groups):
                for group in groups:
                    group.rmdir()
