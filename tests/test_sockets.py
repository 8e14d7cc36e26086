"""Why a socket cannot be used: which one, which user, and what would help."""

import errno
import os
import stat
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from vpp_snmp_agent.runtime import sockets
from vpp_snmp_agent.runtime.sockets import explain

Files = dict[str, os.stat_result | OSError]  # by path: what stat says

USER, VPP = 995, 994  # our user's and its group's number; the number of VPP's group
PATH = "/run/vpp/api.sock"


def socket_file(mode: int, uid: int = 0, gid: int = VPP) -> os.stat_result:
    """What stat says of a socket."""
    return os.stat_result((stat.S_IFSOCK | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def directory(mode: int, uid: int = 0, gid: int = VPP) -> os.stat_result:
    """What stat says of a directory."""
    return os.stat_result((stat.S_IFDIR | mode, 0, 0, 2, uid, gid, 0, 0, 0, 0))


def system(
    stat_of: Callable[[str], os.stat_result], user: int = USER, group: int = USER, *groups: int
) -> SimpleNamespace:
    """The system as a user of these groups finds it, as the module under test sees it."""
    return SimpleNamespace(
        path=os.path,
        strerror=os.strerror,
        stat=stat_of,
        geteuid=lambda: user,
        getegid=lambda: group,
        getgroups=lambda: list(groups),
    )


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    """What our user sees in a file system; nothing is there unless a test puts it there."""
    seen: Files = {}

    def stat_of(path: str) -> os.stat_result:
        result = seen.get(path, FileNotFoundError(errno.ENOENT, "", path))
        if isinstance(result, OSError):
            raise result
        return result

    def user(uid: int) -> SimpleNamespace:
        return SimpleNamespace(pw_name={0: "root", USER: "vpp-snmp-agent"}[uid])

    def group(gid: int) -> SimpleNamespace:
        return SimpleNamespace(gr_name={0: "root", USER: "vpp-snmp-agent", VPP: "vpp"}[gid])

    monkeypatch.setattr(sockets, "os", system(stat_of))
    monkeypatch.setattr(sockets, "pwd", SimpleNamespace(getpwuid=user))
    monkeypatch.setattr(sockets, "grp", SimpleNamespace(getgrgid=group))
    return seen


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "there is no such socket"),
        (errno.ECONNREFUSED, "nobody listens"),
        (errno.ETIMEDOUT, "Connection timed out"),
        (errno.ENOTSOCK, "Socket operation on non-socket"),
        (errno.EPROTOTYPE, "Protocol wrong type for socket"),
    ],
)
def test_each_errno_has_its_words(number: int, words: str) -> None:
    assert explain(PATH, number) == f"{PATH}: {words}"


def test_a_socket_of_a_group_is_named_with_user_and_group(files: Files) -> None:
    files[PATH] = socket_file(0o775)
    assert explain(PATH, errno.EACCES) == (
        "/run/vpp/api.sock: no permission for user vpp-snmp-agent:"
        " /run/vpp/api.sock is root:vpp 0775; add the user to group vpp"
    )


def test_a_group_that_may_not_write_would_not_help_alone(files: Files) -> None:
    files[PATH] = socket_file(0o755)
    assert explain(PATH, errno.EACCES).endswith(
        " is root:vpp 0755; add the user to group vpp; give group vpp write permission"
    )


@pytest.mark.parametrize("groups", [(VPP,), (USER, VPP), (USER, 4, VPP)])
@pytest.mark.usefixtures("files")
def test_a_user_already_in_the_group_is_not_sent_there(
    groups: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "os", system(lambda path: socket_file(0o755), USER, *groups))
    assert explain(PATH, errno.EACCES).endswith(
        " is root:vpp 0755; give group vpp write permission"
    )


@pytest.mark.usefixtures("files")
def test_nothing_is_advised_where_the_group_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = socket_file(0o575, uid=USER)
    monkeypatch.setattr(sockets, "os", system(lambda path: owned, USER, VPP))
    assert explain(PATH, errno.EACCES).endswith(" is vpp-snmp-agent:vpp 0575")


def test_the_directory_that_bars_the_way_is_named(files: Files) -> None:
    files[PATH] = PermissionError(errno.EACCES, "", PATH)
    files["/run/vpp"] = directory(0o750)
    files["/run"] = directory(0o755, gid=0)
    assert explain(PATH, errno.EACCES) == (
        "/run/vpp/api.sock: no permission for user vpp-snmp-agent:"
        " /run/vpp is root:vpp 0750; add the user to group vpp"
    )


def test_it_is_the_uppermost_directory_that_bars_the_way(files: Files) -> None:
    for path in (PATH, "/run/vpp"):
        files[path] = PermissionError(errno.EACCES, "", path)
    files["/run"] = directory(0o700)
    assert explain(PATH, errno.EACCES).endswith(
        ": /run is root:vpp 0700; add the user to group vpp; give group vpp search permission"
    )


@pytest.mark.parametrize("gone", [FileNotFoundError(errno.ENOENT, ""), OSError(errno.EIO, "")])
def test_what_cannot_be_seen_is_not_guessed(gone: OSError, files: Files) -> None:
    files[PATH] = gone
    assert explain(PATH, errno.EACCES) == f"{PATH}: no permission for user vpp-snmp-agent"


@pytest.mark.parametrize("path", ["/api.sock", "api.sock", "/"])
def test_the_way_up_ends_at_the_root(path: str, files: Files) -> None:
    for each in (path, "/"):
        files[each] = PermissionError(errno.EACCES, "", each)
    assert explain(path, errno.EACCES) == f"{path}: no permission for user vpp-snmp-agent"


def test_a_nameless_user_and_group_are_named_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(number: int) -> None:
        raise KeyError(number)

    strange = socket_file(0o770, uid=4711, gid=4712)
    monkeypatch.setattr(sockets, "os", system(lambda path: strange, 4713, 4714))
    monkeypatch.setattr(sockets, "pwd", SimpleNamespace(getpwuid=nameless))
    monkeypatch.setattr(sockets, "grp", SimpleNamespace(getgrgid=nameless))
    assert explain(PATH, errno.EACCES) == (
        f"{PATH}: no permission for user 4713: {PATH} is 4711:4712 0770; add the user to group 4712"
    )
