"""A worker: `python -m trichat.supervisor.worker NAME`, a node on sockets that its supervisor holds for it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import Final

from structlog.contextvars import bind_contextvars

from trichat.logs import set_up_logging
from trichat.supervisor.order import decode_order

_PR_SET_PDEATHSIG: Final = 1


def main() -> int:
    """Serve as the order on standard input says, until told to stop; the exit code is the node's."""
    order = decode_order(sys.stdin.buffer.read())
    _end_with(order.supervisor)
    set_up_logging(order.settings.log_level, order.settings.log_format)
    bind_contextvars(node=order.settings.node_id)  # all workers write to one log
    from trichat.app import Place, run  # noqa: PLC0415  what takes its time comes after the death signal

    def say(greeting: str) -> None:
        with open(order.ready, "w") as ready:
            ready.write(greeting)

    place = Place(_sockets(order.listeners), order.who, say, _sockets(order.operators), order.upgrades)
    return run(order.settings, place)


def _end_with(supervisor: int) -> None:
    """Have the kernel tell us to stop, in order, when the supervisor dies."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != supervisor:
        sys.exit("the supervisor died before its worker began")


def _sockets(descriptors: list[int]) -> list[socket.socket]:
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


if __name__ == "__main__":
    sys.exit(main())
