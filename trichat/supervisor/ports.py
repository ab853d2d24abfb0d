"""The ports of all nodes: who has which sockets."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack

from trichat.edge.listeners import bind_beside, listen, share
from trichat.settings import Settings

Sockets = list[socket.socket]


class Ports:
    """For each slot its sockets at the port that all share, and its own port for operators if they want one.

    They stay open while nodes come and go, so that a node and its successor serve the same ones: nobody who waits in
    a socket's queue is dropped.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the ports, of which no other program may have any. Raises OSError.

        Port 0 is any free one; of the operators' ports each slot's is one above the last one's, or any free one.
        """
        self._public: list[Sockets] = []
        self._operators: list[Sockets] = []
        with ExitStack() as failing:
            failing.callback(self.close)
            first = listen(settings.host, settings.port)
            self._public.append(first)
            share(first)
            for number in range(settings.workers):
                if number:
                    self._public.append(bind_beside(first))
                self._operators.append(_listen_for_operators(settings, number))
            failing.pop_all()

    def public(self, slot: int) -> Sequence[socket.socket]:
        """Some do not listen yet."""
        return self._public[slot]

    def operators(self, slot: int) -> Sequence[socket.socket]:
        return self._operators[slot]

    def renew(self, slot: int, beside: int) -> None:
        """Close the public sockets of a slot whose node has died, for nobody is to wait there, and bind new ones.

        `beside` is a slot that has a node. Raises OSError, and then the old ones stay.
        """
        new = bind_beside(self._public[beside])
        _close(self._public[slot])
        self._public[slot] = new

    def close(self) -> None:
        """Close ours: what the nodes still serve is theirs alone. May be called again."""
        for sockets in (*self._public, *self._operators):
            _close(sockets)


def _listen_for_operators(settings: Settings, number: int) -> Sockets:
    if settings.admin_port is None:
        return []
    return listen(settings.admin_host, settings.admin_port and settings.admin_port + number)


def _close(sockets: Sockets) -> None:
    for sock in sockets:
        sock.close()
