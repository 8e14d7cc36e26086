"""Why a socket cannot be used, in the words an operator needs."""

import errno
import grp
import os
import pwd
import stat


def user_name(uid: int) -> str:
    """The user's name, or the number of one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The group's name, or the number of one without."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def explain(path: str, number: int) -> str:
    """What errno `number` on connecting to `path` means, and what would help."""
    if number == errno.ENOENT:
        return f"{path}: there is no such socket"
    if number == errno.ECONNREFUSED:
        return f"{path}: nobody listens"
    if number == errno.EACCES:
        return f"{path}: no permission for user {user_name(os.geteuid())}{_what_would_help(path)}"
    return f"{path}: {os.strerror(number)}"


def _what_would_help(path: str) -> str:
    while path != "/":
        try:
            status = os.stat(path)
        except PermissionError:
            path = os.path.dirname(path) or "/"
            continue
        except OSError:
            break
        group = group_name(status.st_gid)
        found = f": {path} is {user_name(status.st_uid)}:{group} {status.st_mode & 0o7777:04o}"
        needed, bit = ("write", stat.S_IWGRP)
        if stat.S_ISDIR(status.st_mode):
            needed, bit = ("search", stat.S_IXGRP)
        if status.st_gid != os.getegid() and status.st_gid not in os.getgroups():
            found += f"; add the user to group {group}"
        if not status.st_mode & bit:
            found += f"; give group {group} {needed} permission"
        return found
    return ""
