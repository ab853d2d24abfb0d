"""How long searches take over a million messages, and how fast they are put into the index.

    python -m tests.store.bench_search [--messages 1000000] [--queries 500]

Words have the frequencies that words have (Zipf), rooms their sizes likewise; one PostgreSQL of its own, one search at
a time, each the first of its kind for its words.
"""

from __future__ import annotations

import argparse
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

import psycopg
import trio
from msgspec import structs

from tests.store.postgres import PostgresServer, embedded_binaries, remove_directory, temporary_directory
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.names import RoomName, UserId
from trichat.core.query import parse_query
from trichat.core.standing import Actor
from trichat.store import open_postgres_store

WORDS: Final = 50_000
ROOMS: Final = 200
AUTHORS: Final = 1_000
#: Over which the messages are spread, up to the end of 2026-11-23.
DAYS: Final = 730
END: Final = datetime(2026, 11, 24, tzinfo=UTC)
#: Of the rooms: whose one searcher is a member of all of them, and the other of every tenth.
ALL, SOME = Actor(UserId("u_all"), "all"), Actor(UserId("u_some"), "some")
SIZES: Final = """
    SELECT pg_size_pretty(pg_table_size('trichat.search')), pg_size_pretty(pg_indexes_size('trichat.search'))
"""
SYLLABLES: Final = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


def word(rank: int) -> str:
    """The word of this rank: each has its own, of two syllables or more."""
    said = ""
    rank += len(SYLLABLES)
    while rank:
        rank, syllable = divmod(rank, len(SYLLABLES))
        said += SYLLABLES[syllable]
    return said


def zipf(count: int, exponent: float) -> list[float]:
    """Weights of `count` things by rank, summed up."""
    return list(accumulate(1 / (rank + 2.7) ** exponent for rank in range(count)))


def texts(chance: random.Random, count: int) -> Iterator[str]:
    """Of 3 to 25 words."""
    vocabulary, weights = [word(rank) for rank in range(WORDS)], zipf(WORDS, 1.05)
    for _ in range(count):
        yield " ".join(chance.choices(vocabulary, cum_weights=weights, k=chance.randint(3, 25)))


def fill(url: str, chance: random.Random, count: int) -> list[str]:
    """Rooms 1 to 200 with their messages, in the order of time; some of the texts."""
    seqs: dict[int, int] = defaultdict(int)
    rooms, some = zipf(ROOMS, 1.0), []
    step = timedelta(days=DAYS) / count
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        copy_events = "COPY trichat.events (room_id, seq, kind, user_id, user_name, ts, body, no) FROM STDIN"
        with cursor.copy(copy_events) as copy:
            for n, text in enumerate(texts(chance, count)):
                (room,) = chance.choices(range(1, ROOMS + 1), cum_weights=rooms)
                seqs[room] += 1
                author = chance.randrange(AUTHORS)
                said = END - (count - n) * step
                row = (room, seqs[room], "message", f"u_{author}", f"person{author}", said, f'{{"text":"{text}"}}')
                copy.write_row((*row, seqs[room]))
                if n % 1_000 == 0:
                    some.append(text)
        for room in range(1, ROOMS + 1):
            connection.execute(
                "INSERT INTO trichat.rooms (name, epoch, last_seq, last_no) VALUES (%s, 'e', %s, %s)",
                (f"room{room}", seqs[room], seqs[room]),
            )
        for user_id, every in ((ALL.user_id, 1), (SOME.user_id, 10)):
            connection.execute(
                "INSERT INTO trichat.standings (room_id, user_id, name, role, since)"
                " SELECT id, %s, 'x', 2, 1 FROM trichat.rooms WHERE id %% %s = 0",
                (user_id, every),
            )
    return some


async def index(store: Store, count: int) -> None:
    began = time.monotonic()
    while await store.searching.index():
        pass
    took = time.monotonic() - began
    print(f"index: {count} messages in {took:.0f} s, {count / took:.0f} a second")


#: Of each kind of search: who asks, and what, where {room} is one of the ten largest rooms.
Kinds = dict[str, tuple[Actor, str]]


def kinds(chance: random.Random, some: list[str]) -> Kinds:
    frequent, medium, rare = (word(chance.randrange(*ranks)) for ranks in ((0, 30), (200, 2_000), (5_000, WORDS)))
    said = chance.choice(some).split()
    at = chance.randrange(len(said) - 1)
    phrase = f'"{said[at]} {said[at + 1]}"'
    room, small = f"in:room{chance.randint(1, 10)}", f"in:room{chance.randint(100, ROOMS)}"
    author = f"from:person{chance.randrange(AUTHORS)}"
    day = f"{END - timedelta(days=chance.randrange(30, DAYS)):%Y-%m-%d}"
    return {
        "frequent word, large room": (ALL, f"{frequent} {room}"),
        "medium word, large room": (ALL, f"{medium} {room}"),
        "rare word, large room": (ALL, f"{rare} {room}"),
        "rare word, small room": (ALL, f"{rare} {small}"),
        "two words, large room": (ALL, f"{frequent} {medium} {room}"),
        "phrase, large room": (ALL, f"{phrase} {room}"),
        "beginning, large room": (ALL, f"{medium[:4]}* {room}"),
        "author, large room": (ALL, f"{author} {room}"),
        "author and word, 200 rooms": (ALL, f"{author} {frequent}"),
        "before a day, large room": (ALL, f"{medium} before:{day} {room}"),
        "before a day, 200 rooms": (ALL, f"{frequent} before:{day}"),
        "frequent word, 200 rooms": (ALL, frequent),
        "medium word, 200 rooms": (ALL, medium),
        "rare word, 200 rooms": (ALL, rare),
        "phrase, 200 rooms": (ALL, phrase),
        "frequent word, 20 rooms": (SOME, frequent),
        "medium word, 20 rooms": (SOME, medium),
        "rare word, 20 rooms": (SOME, rare),
        "word not there, 200 rooms": (ALL, f"q{rare}"),
    }


async def measure(store: Store, chance: random.Random, some: list[str], queries: int) -> None:
    times: dict[str, list[float]] = defaultdict(list)
    hits: dict[str, int] = defaultdict(int)
    limits = Limits()
    for _ in range(queries // len(kinds(chance, some)) + 1):
        for kind, (viewer, text) in kinds(chance, some).items():
            asked = parse_query(text, limits)
            people = tuple(UserId(f"u_{name.removeprefix('person')}") for name in asked.names)
            rooms = None if asked.room is None else [RoomName(asked.room)]
            asked = structs.replace(asked, authors=people)
            began = time.perf_counter()
            found = await store.searching.search(viewer, rooms, asked, before="", limit=51)
            times[kind].append(time.perf_counter() - began)
            hits[kind] += len(found)
    for kind, took in times.items():
        report(f"{kind} ({hits[kind] / len(took):.0f} found)", took)
    report("all", [one for took in times.values() for one in took])


def report(what: str, took: list[float]) -> None:
    """In milliseconds."""
    took.sort()
    p50, p95, p99 = (took[min(len(took) - 1, len(took) * part // 100)] * 1000 for part in (50, 95, 99))
    print(f"{what:44} {len(took):5} searches, p50 {p50:6.1f} ms, p95 {p95:6.1f} ms, p99 {p99:6.1f} ms")


async def main(url: str, messages: int, queries: int) -> None:
    chance = random.Random(1)
    async with open_postgres_store(url, Limits(), chance=Chance()) as store:
        some = fill(url, chance, messages)
        await index(store, messages)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            sizes = connection.execute(SIZES).fetchone()
        print(f"size of the table, and of its indexes: {sizes}")
        await measure(store, chance, some, queries)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--messages", type=int, default=1_000_000)
    options.add_argument("--queries", type=int, default=500)
    said = options.parse_args()
    server = PostgresServer(embedded_binaries(), temporary_directory())
    server.initialise()
    server.start(shared_buffers="256MB", max_wal_size="4GB")
    try:
        trio.run(main, server.create_database(), said.messages, said.queries)
    finally:
        server.stop(signal.SIGQUIT)
        remove_directory(server.directory)
