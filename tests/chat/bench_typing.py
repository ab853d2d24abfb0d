"""By hand: `python -m tests.chat.bench_typing`. What a room costs in which everybody writes all the time.

1,000 people, each of whom says `typing` once a second: the processor's time a second for their commands, and for the
pushes, which are written to real sockets that somebody drains. Reading and parsing frames is not in it (bench_frames).
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
import trio.testing

from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from trichat.chat.dispatch import dispatch
from trichat.chat.identity import welcome
from trichat.chat.session import Session
from trichat.edge.outbox import Outbox

_PEOPLE: Final = 1_000
_SECONDS: Final = 8
_JOIN: Final = b'{"type":"join","room":"lobby","id":"j"}'
_TYPING: Final = b'{"type":"typing","room":"lobby","id":"t"}'


@asynccontextmanager
async def _open_people(node: Node, count: int) -> AsyncIterator[list[tuple[Session, socket.socket]]]:
    """People in the lobby, and their ends of the sockets."""
    people = []
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            theirs.setblocking(False)
            outbox = Outbox(trio.testing.memory_stream_pair()[0], ours, LOOSE)
            session = Session(node.hub, outbox, dispatch, start=nursery.start_soon, on_end=lambda _: None)
            node.hub.sessions[session] = None
            welcome(session)
            session.take(_JOIN)
            people.append((session, theirs))
            await trio.lowlevel.checkpoint()
        yield people
        for session, theirs in people:
            session.gone(clean=True)
            theirs.close()
        nursery.cancel_scope.cancel()


def _drain(people: list[tuple[Session, socket.socket]]) -> int:
    size = 0
    for _, theirs in people:
        with contextlib.suppress(BlockingIOError):
            size += len(theirs.recv(1_048_576))
    return size


async def _second(people: list[tuple[Session, socket.socket]], *, writing: bool) -> dict[str, Any]:
    """One second of the room, by the processor's clock."""
    ends = trio.current_time() + 1.0
    began = time.process_time()
    if writing:
        for session, _ in people:
            session.take(_TYPING)
    commands = time.process_time()
    await trio.sleep_until(ends)
    ended = time.process_time()
    return {"commands": commands - began, "rest": ended - commands, "bytes": _drain(people)}


async def main() -> None:
    async with open_twin_node(make_twins()) as node, _open_people(node, _PEOPLE) as people:
        await trio.sleep(2.0)
        for writing in (False, True):
            rows = [await _second(people, writing=writing) for _ in range(_SECONDS)][1:]
            for key in ("commands", "rest"):
                print(f"writing={writing}: {key:9} {sum(row[key] for row in rows) / len(rows) * 1e6:8.0f} µs a second")
            print(f"writing={writing}: {rows[-1]['bytes'] / _PEOPLE:.0f} bytes to each")


if __name__ == "__main__":
    trio.run(main)
