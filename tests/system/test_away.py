"""Who was away hears what became of everything: every edit, deletion and reaction, in order.

When that is more than is replayed they hear of a gap, and what has become of it completes their copy.
"""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.nodes import NodeProcess, running_node
from tests.system.crowd import running_nodes
from trichat.client import Client, ClientOptions, GapEvent, Refused, RoomCopy, RoomEvent, open_client

ROOM = "lobby"
SAID, AT_ONCE = 60, 6
#: Seconds for all that happens while they are away, and for hearing of it: ten times the typical.
WITHIN_S = 150.0
EMOJIS = ("👍", "🎉", "🌹")


class Author:
    """Says things, and then takes most of it back."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.said: list[int] = []
        self._rng = random.Random(seed)

    async def say(self, count: int) -> None:
        for number in range(count):
            self.said.append((await self.client.send(ROOM, f"{number}, said at first")).seq)

    async def stir(self, head: int, others: Sequence[int]) -> None:
        """Edits, deletions, reactions and replies, until the room has this head; some concern what is deleted."""
        seen = 0
        while seen < head:
            number, seq, emoji = seen, self._rng.choice(self.said), self._rng.choice(EMOJIS)
            try:
                match self._rng.choice(("edit", "edit", "edit", "delete", "react", "react", "unreact", "reply")):
                    case "edit":
                        seen = (await self.client.edit(ROOM, seq, f"{number}, in other words")).seq
                    case "delete" if self._rng.random() < 0.2:
                        seen = (await self.client.delete(ROOM, seq)).seq
                    case "react":
                        seen = (await self.client.react(ROOM, self._rng.choice(others), emoji)).seq
                    case "unreact":
                        seen = (await self.client.unreact(ROOM, self._rng.choice(others), emoji)).seq
                    case "reply":
                        seen = (await self.client.send(ROOM, "yes", thread=self._rng.choice(others))).seq
                    case _:
                        seen = (await self.client.send(ROOM, f"{number}, new")).seq
                        self.said.append(seen)
            except Refused as refusal:
                if refusal.code not in ("bad_state", "bad_field"):  # it was deleted
                    raise


@asynccontextmanager
async def open_author(nodes: Sequence[NodeProcess], name: str, seed: int) -> AsyncIterator[Author]:
    options = ClientOptions(keep_events=False)
    urls = [node.url for node in nodes]
    async with open_client(urls, name=name, password="a long sentence", register=True, options=options) as client:
        await client.join(ROOM)
        yield Author(client, seed)


async def hear(client: Client, copy: RoomCopy, head: int) -> list[int]:
    """Take what comes up to `head`: the numbers of the events, and 0 for a gap."""
    heard: list[int] = []
    while copy.position < head:
        event = await anext(client.events())
        copy.take(event)
        if isinstance(event, RoomEvent | GapEvent):
            heard.append(event.seq if isinstance(event, RoomEvent) else 0)
    return heard


async def whole_history(client: Client, thread: int | None = None) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    more, before = True, None
    while more:
        page = await client.history(ROOM, before=before, thread=thread)
        messages = [dict(message) for message in page.messages] + messages
        more, before = page.more, messages[0]["seq"] if messages else None
    return messages


async def head_of(client: Client) -> int:
    return (await client.join(ROOM)).seq


@pytest.mark.slow
@pytest.mark.parametrize("changes", [500, 1_100])
async def test_who_was_away_has_the_final_truth(
    database_url: str, redis_url: str, tmp_path: Path, changes: int
) -> None:
    """The node where they were is restarted meanwhile, and they come back at the other one."""
    flags = ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", f"away-{changes}"]
    async with running_nodes(tmp_path, [*flags, "--node-id", "b"]) as (b,):
        with trio.fail_after(WITHIN_S):
            async with (
                running_node(tmp_path, *flags, "--node-id", "a") as a,
                open_author([a, b], "ann", 1) as ann,
                open_author([b, a], "bob", 2) as bob,
            ):
                for author in (ann, bob):
                    await author.say(SAID // 2)
                async with open_client(a.url, name="cat", password="a long sentence", register=True) as cat:
                    copy = RoomCopy(ROOM, cat.user_id, since=0)
                    joined = await cat.join(ROOM, since=0)
                    await hear(cat, copy, await head_of(cat))
                    token = cat.token
                first = copy.position + 1
                await _stir(ann, bob, first + changes // 2)
                assert await a.stopped() == 0
                async with running_node(tmp_path, *flags, "--node-id", "a", port=a.port):
                    await _stir(ann, bob, first + changes)
                    head = await head_of(bob.client)
            await _come_back(b, str(token), copy, joined.epoch, range(first, head + 1))
    assert await _doctor(database_url) == 0


async def _stir(ann: Author, bob: Author, head: int) -> None:
    """Until the room has this head."""
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE // 2):
            nursery.start_soon(ann.stir, head, list(bob.said))
            nursery.start_soon(bob.stir, head, list(ann.said))


async def _come_back(node: NodeProcess, token: str, copy: RoomCopy, epoch: str, missed: range) -> None:
    async with open_client(node.url, token=token, options=ClientOptions(fill_gaps=False)) as client:
        replayed = client.welcome["limits"]["replay"]
        await client.join(ROOM, since=copy.position, epoch=epoch)
        heard = await hear(client, copy, missed[-1])
        if len(missed) <= replayed:
            assert heard == list(missed)
        else:
            assert heard == [0, *missed[-replayed:]]
            assert copy.history() != await whole_history(client)
        await client.complete(copy)
        history = await whole_history(client)
        assert copy.history() == history
        for message in history:
            if "last_reply" in message:
                assert copy.history(message["seq"]) == await whole_history(client, message["seq"])
        kinds = {
            name for message in history for name in ("edited", "deleted", "reactions", "replies") if name in message
        }
        assert len(kinds) == 4


async def _doctor(database_url: str) -> int:
    command = [sys.executable, "-m", "trichat", "doctor", "--database-url", database_url]
    return (await trio.run_process(command, check=False)).returncode
