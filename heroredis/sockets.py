"""Listening sockets, made at once: a change of port or address is refused before anything is given up.

Addresses are written as Redis has them: `*` for all IPv4 addresses, `::*` for all of IPv6, a dash in front of one
that may be missing.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from pathlib import Path
from typing import Final

ABSENT: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT})
"""What an address with a dash may fail with."""
PROBE_S: Final = 0.5


def hosts_of(addresses: str) -> list[tuple[str, bool]]:
    """Each host, and whether it has to be there."""
    found = []
    for word in addresses.split():
        needed = not word.startswith("-")
        name = word.removeprefix("-")
        found.append(({"*": "0.0.0.0", "::*": "::"}.get(name, name), needed))
    return found


def is_wide(addresses: str) -> bool:
    """Whether other machines can reach one of the addresses."""
    return any(not _is_loopback(host) for host, _ in hosts_of(addresses))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen_tcp(addresses: str, port: int, backlog: int) -> list[socket.socket]:
    """A socket for each address; port 0 takes any free one, the same for all. OSError, and then none stays open."""
    made: list[socket.socket] = []
    try:
        for host, needed in hosts_of(addresses):
            try:
                made.append(_listen(host, port, backlog))
            except OSError as error:
                if needed or error.errno not in ABSENT:
                    raise
                continue
            port = port or made[0].getsockname()[1]
        if not made:
            raise OSError(errno.EADDRNOTAVAIL, "none of the addresses can be listened on")
    except OSError:
        for one in made:
            one.close()
        raise
    return made


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(backlog)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def listen_unix(path: str, permissions: int, backlog: int) -> socket.socket:
    """A Unix socket that nobody could open before it had its permissions; a stale file is replaced. OSError."""
    _clear_stale(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        made.bind(path)
        if permissions:
            os.chmod(path, permissions)
        made.listen(backlog)
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.umask(old)
    return made


def _clear_stale(path: str) -> None:
    """Remove a socket file behind which nobody listens; OSError when somebody does or it is no socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not Path(path).absolute().parent.is_dir():
            raise FileNotFoundError(2, "the folder of the Unix socket does not exist", path) from None
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(17, "there is a file that is no socket", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError:
            pass
    raise OSError(98, "another server listens on this Unix socket", path)
