"""Listening sockets: a node's own, and those of several nodes on one port (SO_REUSEPORT)."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

#: Connections that the kernel holds for us; it caps this at net.core.somaxconn.
BACKLOG: Final = 4096
#: What to do about it.
_REMEDIES: Final = {
    errno.EADDRINUSE: "stop the program that has it, or give another port",
    errno.EACCES: "give a port from 1024 on, or the right to take lower ones",
}
_REMEDY: Final = "give another host"


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets at all addresses of `host`; the first one's port counts when `port` is 0.

    Raises OSError, whose text is for whoever started the server.
    """
    try:
        return _listen(host, port)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port}: {error.strerror}; {_REMEDIES.get(error.errno or 0, _REMEDY)}"
        ) from error


def _listen(host: str, port: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    with ExitStack() as failing:
        for family, _, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            if port == 0 and listeners:
                address = (address[0], listeners[0].getsockname()[1], *address[2:])  # noqa: PLW2901
            sock = failing.enter_context(_socket(family))
            sock.bind(address)
            sock.listen(BACKLOG)
            listeners.append(sock)
        failing.pop_all()
    return listeners


def share(listeners: Sequence[socket.socket]) -> None:
    """Let `bind_beside` in from now on.

    Until now they were ours alone, which the kernel would not have given us if any program listened there: neither
    another one nor a second trichat of the same user, whom SO_REUSEPORT from the beginning would have let in.
    """
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def bind_beside(listeners: Sequence[socket.socket]) -> list[socket.socket]:
    """More sockets at the same addresses, which are shared. Raises OSError.

    The kernel gives them their part of new connections as soon as somebody calls `listen` on them, not before.
    """
    bound: list[socket.socket] = []
    with ExitStack() as failing:
        for listener in listeners:
            sock = failing.enter_context(_socket(listener.family))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(listener.getsockname())
            bound.append(sock)
        failing.pop_all()
    return bound


def start_listening(sockets: Sequence[socket.socket]) -> None:
    """Have the kernel hand out connections to them. What listens already just goes on."""
    for sock in sockets:
        sock.listen(BACKLOG)


def _socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock
