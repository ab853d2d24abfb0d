"""The client and real nodes, over the twins: people, their rooms, and how one goes out of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.nodes import Node, make_twins, open_twin_node
from trichat.chat.vault_port import OutsideIdentity
from trichat.client import (
    Client,
    ClientEvent,
    ClientOptions,
    Connected,
    Disconnected,
    Ended,
    Expiring,
    GapEvent,
    Refused,
    RoomEvent,
    RoomLeft,
    RoomLost,
    open_client,
)

LIVENESS_S = 30.0  # of the clock that jumps
OPTIONS = ClientOptions(fill_gaps=False)

Connect = Callable[[], Awaitable[trio.abc.Stream]]


@asynccontextmanager
async def open_person(connect: Connect, name: str, *, register: bool = True) -> AsyncIterator[Client]:
    """A client of the account `name`, which is made unless it is there."""
    async with open_client(
        f"ws://{name}.test", name=name, password="a long sentence", register=register, connect=connect, options=OPTIONS
    ) as client:
        yield client


class Line:
    """A way to the node that can be cut for a time."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._streams: list[trio.abc.Stream] = []
        self.down = False

    async def connect(self) -> trio.abc.Stream:
        if self.down:
            raise ConnectionRefusedError(111, "Connection refused")
        self._streams.append(await self._node.connect())
        return self._streams[-1]

    async def cut(self) -> None:
        self.down = True
        for stream in self._streams:
            await trio.aclose_forcefully(stream)


async def hear(client: Client, until: type[ClientEvent], within_s: float = LIVENESS_S) -> list[ClientEvent]:
    """All events up to the first of this type."""
    heard: list[ClientEvent] = []
    with trio.fail_after(within_s):
        async for one in client.events():
            heard.append(one)
            if isinstance(one, until):
                break
    return heard


def in_short(events: list[ClientEvent]) -> list[object]:
    """Of a room's events the text, or whose change it was; connections left out; all others as they are."""
    shown: list[object] = []
    for one in events:
        if isinstance(one, RoomEvent):
            shown.append(f"{one.member.user} {one.member.change}" if one.member else one.text or dict(one.changes))
        elif not isinstance(one, Connected | Disconnected):
            shown.append(one)
    return shown


async def test_who_is_banned_hears_why_and_nothing_after_it_on_another_node(autojump_clock: MockClock) -> None:
    twins = make_twins()
    async with (
        open_twin_node(twins) as one,
        open_twin_node(twins, name="n2") as two,
        open_person(one.connect, "ann") as ann,
        open_person(two.connect, "bob") as bob,
    ):
        await ann.create("garden", topic="roses")
        await ann.join("garden")
        await bob.join("garden", since=0)
        await ann.send("garden", "hi")
        banned = await ann.ban("garden", "bob", for_s=3600, reason="enough")
        await ann.send("garden", "he is gone")
        heard = await hear(bob, RoomLeft)
        made = {"kind": "public", "topic": "roses"}
        assert in_short(heard) == [made, "ann joined", "bob joined", "hi", "bob banned", RoomLeft("garden")]
        last = heard[-2]
        assert isinstance(last, RoomEvent)
        assert last.member is not None
        assert (last.seq, last.user, last.member.reason) == (banned.seq, "ann", "enough")
        assert last.member.until is not None
        with pytest.raises(Refused, match=r"you are banned from this room until .*: enough"):
            await bob.join("garden")
        assert [(person.user, person.banned) for person in (await ann.bans("garden")).people] == [("bob", True)]


async def test_who_leaves_a_room_on_one_device_has_left_it_on_all(autojump_clock: MockClock) -> None:
    twins = make_twins()
    async with (
        open_twin_node(twins) as node,
        open_person(node.connect, "ann") as ann,
        open_person(node.connect, "bob") as bob,
        open_person(node.connect, "bob", register=False) as phone,
    ):
        room = (await ann.create(kind="private", history="joined")).room
        await ann.join(room)
        await ann.send(room, "of this bob sees nothing")
        accepted = await bob.accept((await ann.invite_code(room)).code)
        for device in (bob, phone):
            await device.join(room, since=0)
        assert [mine.room for mine in (await phone.my_rooms()).rooms] == [room]
        await bob.leave(room)
        hidden = GapEvent(room, 1, accepted.seq - 1, 0, hidden=True)
        heard = in_short(await hear(phone, RoomLeft))
        assert heard == [hidden, "bob joined", "bob left", RoomLeft(room)]
        await bob.ping()
        await bob.join("lobby", since=0)
        assert RoomLeft(room) not in await hear(bob, RoomEvent)  # nobody is told of what they did themselves
        with pytest.raises(Refused, match="no_such_room"):
            await phone.join(room)


async def test_a_kick_that_was_missed_is_found_on_coming_back(autojump_clock: MockClock) -> None:
    twins = make_twins()
    async with open_twin_node(twins) as node:
        line = Line(node)
        async with open_person(node.connect, "ann") as ann, open_person(line.connect, "bob") as bob:
            await ann.create("garden")
            for person in (ann, bob):
                await person.join("garden")
                await person.join("lobby")
            await line.cut()
            await hear(bob, Disconnected)
            await ann.kick("garden", "bob")
            await ann.send("lobby", "he is kicked")
            line.down = False
            await bob.send("lobby", "here again")
            heard: list[ClientEvent] = []
            while "here again" not in in_short(heard):
                heard += await hear(bob, RoomEvent)
            assert [one.text for one in heard if isinstance(one, RoomEvent) and one.text] == [
                "he is kicked",
                "here again",
            ]
            assert [(one.room, one.code) for one in heard if isinstance(one, RoomLost)] == [("garden", "not_joined")]
            assert bob.position("garden") is None


async def test_a_revoked_login_ends_on_all_its_connections_though_one_knows_the_password(
    autojump_clock: MockClock,
) -> None:
    twins = make_twins()
    async with (
        open_twin_node(twins) as node,
        open_person(node.connect, "ann") as ann,
        open_person(node.connect, "ann", register=False) as laptop,
        open_client("ws://phone.test", token=laptop.token, connect=node.connect) as phone,
    ):
        await laptop.join("lobby")
        assert len(await ann.sessions()) == 2
        await ann.revoke_others()
        for device in (phone, laptop):
            with pytest.raises(Ended, match="4009"):
                await hear(device, RoomLost)
        assert [login.current for login in await ann.sessions()] == [True]
        await ann.logout()
        with pytest.raises(Ended, match="1000"):
            await hear(ann, RoomLost)


async def test_a_token_of_another_site_is_renewed_before_it_ends(autojump_clock: MockClock) -> None:
    twins = make_twins()

    def identity(lasts_s: float) -> OutsideIdentity:
        return OutsideIdentity("site", "7", "ann", "Ann", twins.store.now / 1000 + lasts_s)

    twins.vault.site["a.b.first"] = identity(70)
    async with (
        open_twin_node(twins) as node,
        open_client("ws://site.test", token="a.b.first", connect=node.connect) as client,
    ):
        await client.join("lobby")
        *_, expiring = await hear(client, Expiring)
        assert isinstance(expiring, Expiring)
        assert 0 < expiring.in_ms <= 60_000
        twins.vault.site["a.b.second"] = identity(100)
        await client.renew("a.b.second")
        await trio.sleep(expiring.in_ms / 1000 + 1)
        assert (await client.send("lobby", "still here")).seq > 1
        await hear(client, Expiring, within_s=100)
        with pytest.raises(Ended, match="4009"):
            await hear(client, RoomLeft, within_s=100)
