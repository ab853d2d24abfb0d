"""A crowd of clients on a network that breaks all the time: the laws hold all the same."""

from __future__ import annotations

import random
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from tests.client.fake_chat import FakeChat
from tests.client.fake_server import URL, FakeServer
from trichat.client import Client, ClientOptions, GapFilled, RoomEvent, open_client
from trichat.core.chance import Chance

ROOMS = ("lobby", "dev")
CLIENTS, MESSAGES = 6, 15


@pytest.mark.parametrize("seed", range(5))
async def test_every_message_counts_once_and_is_heard_once(
    nursery: trio.Nursery, autojump_clock: MockClock, seed: int
) -> None:
    chat = FakeChat(random.Random(seed), trouble=0.1, replay=2)
    heard: dict[int, list[RoomEvent]] = {}
    gaps: list[GapFilled] = []
    acknowledged: dict[tuple[str, str], int] = {}

    async def listen(client: Client, number: int) -> None:
        async for one in client.events():
            if isinstance(one, RoomEvent):
                heard.setdefault(number, []).append(one)
                if len(heard[number]) == CLIENTS * MESSAGES:
                    return
            elif isinstance(one, GapFilled):
                gaps.append(one)

    async def talk(client: Client, number: int) -> None:
        for n in range(MESSAGES):
            room = ROOMS[n % 2]
            text = f"{number}: {n}"
            acknowledged[room, text] = (await client.send(room, text)).seq
            await trio.sleep(2.0)

    async def live(number: int) -> None:
        server = FakeServer(nursery, *([chat.serve] * 500))
        options = ClientOptions(patient=True, held_events=3)
        chance = Chance(random.Random(seed * 100 + number))
        async with (
            open_client(URL, connect=server.connect, options=options, chance=chance) as client,
            trio.open_nursery() as tasks,
        ):
            for room in ROOMS:
                await client.join(room, since=0)
            tasks.start_soon(listen, client, number)
            await talk(client, number)

    with trio.fail_after(600):
        async with trio.open_nursery() as clients:
            for number in range(CLIENTS):
                clients.start_soon(live, number)

    assert chat.cuts > 10
    assert gaps
    for room in ROOMS:
        told = {text: seq for (where, text), seq in acknowledged.items() if where == room}
        assert {one["text"]: one["seq"] for one in chat.logs[room]} == told
        assert len(chat.logs[room]) == len(told)
        for events in heard.values():
            seqs = [one.seq for one in events if one.room == room]
            assert seqs == [seq for seq, _ in zip(count(1), chat.logs[room], strict=False)]
