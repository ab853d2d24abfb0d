"""Whether what people do takes as long in a chat of many messages as in one of few.

    python -m tests.store.bench_long_life [--messages 1000000]

Fills two databases with COPY, one with 10,000 events and one with so many, and measures each call of the store as a
node makes it, in both in turn: its median, and the 95th of a hundred. A PostgreSQL of its own, with fsync.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from random import Random
from typing import Final

import trio
from msgspec import Struct

from tests.store.long_life import ANN, ROOT, Lived, fill
from tests.store.postgres import PostgresServer, embedded_binaries, remove_directory, temporary_directory
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.events import Draft
from trichat.core.limits import Limits
from trichat.core.standing import Actor
from trichat.store.postgres import open_postgres_store

FEW: Final = 10_000
TIMES: Final = 300
LIMITS: Final = Limits()
BYTES: Final = LIMITS.page_bytes
ME: Final = Actor(ANN, "ann")


class Turn(Struct):
    """One call that is measured, on a store in which a chat has lived, at a place that is another each time."""

    store: Store
    lived: Lived
    random: Random

    @property
    def head(self) -> int:
        return self.lived.head

    @property
    def anywhere(self) -> int:
        return self.random.randrange(1_000, self.head)

    @property
    def anywhere_a_thread(self) -> int:
        return self.random.randrange(self.head // 100) * 100 + ROOT

    async def history(
        self, before: int | None = None, after: int | None = None, thread: int | None = None, limit: int = 50
    ) -> None:
        await self.store.read_messages(
            self.lived.room_id, before=before, after=after, limit=limit, max_bytes=BYTES, viewer=ANN, thread=thread
        )

    async def around(self) -> None:
        place = self.anywhere
        await self.history(before=place, limit=25)
        await self.history(after=place - 1, limit=25)

    async def events(self, after: int) -> None:
        await self.store.read_events(self.lived.room_id, after=after, limit=200, max_bytes=BYTES)

    async def compact(self, since: int) -> None:
        await self.store.read_compact(self.lived.room_id, since=since, limit=200, max_bytes=BYTES, viewer=ANN)

    async def between(self, first: int) -> None:
        await self.store.between(self.lived.room_id, first, self.head, ANN)

    async def join(self) -> None:
        await self.store.open_rooms([self.lived.name], create=True)
        await self.store.governance.access(self.lived.name, ANN, marked=True)

    async def read(self) -> None:
        await self.store.markers.read(self.lived.room_id, ME, self.head - self.random.randrange(50))

    async def send(self) -> None:
        body = b'{"text":"x"}'
        await self.store.append([Draft(self.lived.room_id, self.lived.name, "message", ANN, "ann", None, body)])


#: What is measured: each call as a node makes it.
CALLS: Final[dict[str, Callable[[Turn], Awaitable[object]]]] = {
    "history, the latest": lambda turn: turn.history(),
    "history, before a place": lambda turn: turn.history(before=turn.anywhere),
    "history, around a place": Turn.around,
    "history of a thread": lambda turn: turn.history(thread=turn.anywhere_a_thread),
    "events after a place": lambda turn: turn.events(turn.anywhere),
    "resume, 100 missing": lambda turn: turn.events(turn.head - 100),
    "join": Turn.join,
    "inbox of 100 rooms": lambda turn: turn.store.markers.inbox(ANN, after="", limit=100),
    "read, and what is unread": Turn.read,
    "the mentions list": lambda turn: turn.store.markers.mentions(ANN, before="", limit=50),
    "between, over all": lambda turn: turn.between(1),
    "between, from a place": lambda turn: turn.between(turn.anywhere),
    "compacted, from the start": lambda turn: turn.compact(0),
    "compacted, 1,000 missing": lambda turn: turn.compact(turn.head - 1_000),
    "send": Turn.send,
}


async def measure(lived: Mapping[str, Lived]) -> dict[str, list[list[float]]]:
    """Of each call how long it took in each of these databases, by URL, in milliseconds; they take turns."""
    found: dict[str, list[list[float]]] = {}
    async with AsyncExitStack() as stack:
        turns = []
        for url, chat in lived.items():
            store = await stack.enter_async_context(open_postgres_store(url, LIMITS, chance=Chance()))
            turns.append(Turn(store, chat, Random(1)))
        for name, call in CALLS.items():
            times: list[list[float]] = [[] for _ in turns]
            for _ in range(TIMES):
                for turn, taken in zip(turns, times, strict=True):
                    began = time.perf_counter()
                    await call(turn)
                    taken.append(1_000 * (time.perf_counter() - began))
            found[name] = [sorted(taken[TIMES // 10 :]) for taken in times]  # the first ones find nothing in memory
    return found


def show(name: str, times: list[list[float]]) -> str:
    """A row of the table."""
    halves = [taken[len(taken) // 2] for taken in times]
    columns = [f"{half:.2f}, {taken[len(taken) * 95 // 100]:.2f}" for half, taken in zip(halves, times, strict=True)]
    return f"| {name} | {' | '.join(columns)} | {halves[1] / halves[0]:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000, help="events in the larger database")
    many = parser.parse_args().messages
    server = PostgresServer(embedded_binaries(), temporary_directory())
    server.initialise()
    server.start(shared_buffers="256MB", max_wal_size="8GB", checkpoint_timeout="30min")
    try:
        lived = {}
        for events in (FEW, many):
            url, began = server.create_database(), time.perf_counter()
            lived[url] = fill(url, events)
            print(f"{lived[url].events:,} events written in {time.perf_counter() - began:.0f} s", flush=True)
        found = trio.run(measure, lived)
    finally:
        server.stop(signal.SIGQUIT)
        remove_directory(server.directory)
    print(f"| p50, p95 in ms | {FEW:,} | {many:,} | ratio of p50 |\n|---|---|---|---|")
    for name, times in found.items():
        print(show(name, times))


if __name__ == "__main__":
    main()
