"""The part of the matrix that reads and sends, over two processes with PostgreSQL and Valkey; and what they log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.chat import matrix_talk as talk
from tests.chat.guests import Guest
from tests.chat.matrix import Play
from tests.chat.matrix_stage import OLD, OWN, PINNED, REPLY, TEXT, TITLE, TOPIC
from tests.chat.matrix_who import ROOMS, WHO
from tests.nodes import LOOSE, NodeProcess
from tests.system.crowd import running_nodes
from tests.wire import WireClient
from trichat.core.chance import Chance
from trichat.store.postgres import open_postgres_store

pytestmark = pytest.mark.slow

#: Variants that come to the same statements as others; and what is said of oneself, or is not kept.
_SAME: Final = {
    "send-reply", "send-room", "edit-other", "delete-other", "react", "unpin", "revisions-own", "search-in", "follow",
    "typing", "set_presence", "set_presence-hidden",
}  # fmt: skip
_OF_CONVERSATIONS: Final = [label for label in (*talk.NEEDS, *talk.NEEDS_OF_KEY) if label not in _SAME]
#: What reads and sends; who may do more is asked on the twins (tests/chat/test_matrix.py).
LABELS: Final = ["join", "resume", "send", "history", "events", "room", "rooms", *_OF_CONVERSATIONS]
#: Plays that go on at a time: as many as the store has readers.
AT_ONCE: Final = 4
#: Seconds in which the other node hears of something: about a hundred times the typical.
HEARD_S: Final = 5.0
#: Seconds for all of it: ten times the typical.
WITHIN_S: Final = 300.0


@pytest.mark.parametrize("room", ["history-joined", "private", "direct"])
async def test_what_they_may_read_and_send_is_what_the_table_says(
    room: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    flags = [
        "--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", f"matrix-{room}", "--log-level",
        "debug",
    ]  # fmt: skip
    cast = [who for who in WHO if room != "direct" or WHO[who].possible_in_direct]
    wrong: list[str] = []
    at_once = trio.CapacityLimiter(AT_ONCE)
    hidden = {TITLE, TOPIC, TEXT, REPLY, OLD, PINNED, OWN}
    with trio.fail_after(WITHIN_S):
        async with (
            running_nodes(tmp_path, [*flags, "--node-id", "a"], [*flags, "--node-id", "b"]) as nodes,
            open_postgres_store(database_url, LOOSE, chance=Chance()) as store,
        ):

            async def play(turn: int, who: str) -> None:
                async with at_once, connecting(nodes) as connect:
                    play = Play(store, connect, WHO[who], ROOMS[room], mark=f"-{who}", within_s=HEARD_S, turn=turn)
                    await play.begin()
                    wrong.extend([f"{who} in a {room} room says {one}" for one in await play.wrong(LABELS)])
                    hidden.update(play.rooms)

            async with trio.open_nursery() as nursery:
                for turn, who in enumerate(cast):
                    nursery.start_soon(play, turn, who)
            told = [node.log.read_text() + repr(await node.readyz()) for node in nodes]
    assert not wrong, "\n".join(wrong)
    assert not [secret for secret in hidden for text in told if secret in text]


@asynccontextmanager
async def connecting(nodes: list[NodeProcess]) -> AsyncIterator[Callable[[int], Awaitable[Guest]]]:
    """What connects to the node of a number; all connections end with the block."""
    async with trio.open_nursery() as nursery:
        guests: list[Guest] = []

        async def connect(node: int) -> Guest:
            stream = await trio.open_tcp_stream("127.0.0.1", nodes[node].port)
            guests.append(Guest(await WireClient(stream).shake_hands()))
            nursery.start_soon(guests[-1].run)
            await guests[-1].until(lambda: bool(guests[-1].frames))
            return guests[-1]

        yield connect
        for guest in guests:
            await guest.drop()
