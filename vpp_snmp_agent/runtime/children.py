"""How a child process begins, whatever it is for.

`start` runs this very file in the child, which then calls the `main` of a module:

    process = children.start("vpp_snmp_agent.runtime.jobs", pipe, "more", "arguments")

The rules this module keeps:

- A child has one descriptor of its parent, its pipe, beside /dev/null and standard error: a
  connection to snmpd that a child kept open would be a session that nobody serves.
- It ends with its parent, however that ends, and at SIGTERM.
- It imports from where its parent does, and never from the working directory on its own:
  Python is run isolated (-I), because 3.10 has neither -P nor PYTHONSAFEPATH.
"""

import ctypes
import importlib
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def start(module: str, pipe: int, *arguments: str) -> subprocess.Popen[bytes]:
    """Have `module.main([str(pipe), *arguments])` called by a process of its own.

    For the main thread alone: to the kernel the parent is the thread that starts a child.
    Raises OSError where there is no process, memory or descriptor for it.
    """
    return subprocess.Popen(
        (
            *(sys.executable, "-I", __file__),
            *(str(os.getpid()), os.pathsep.join(filter(None, sys.path))),
            *(module, str(pipe), *arguments),
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(pipe,),
    )


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends, or end it if that is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew
        os._exit(1)


def main(arguments: list[str]) -> None:
    """In the child."""
    parent, path, module, *rest = arguments
    end_with_parent(int(parent))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a signal that is ignored is inherited
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's ^C is for the parent
    sys.path[:] = path.split(os.pathsep)
    importlib.import_module(module).main(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
