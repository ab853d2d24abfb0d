"""A send is cancelled at every one of its await points: what is stored, heard, acknowledged, and on the wire.

Whatever comes between, the law is one: what the store was given is stored, heard once by everybody, and found by its
`cid`; what it was not given is nowhere.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import psycopg
import pytest
import trio
import trio.testing

from tests.client_bytes import CLOSE, TEXT, frame, request_head
from tests.conditions import until
from tests.links import Link
from tests.nodes import LOOSE, Node, make_twins, open_node, open_twin_node
from tests.wire import WireClient, open_wire
from trichat.core.chance import Chance
from trichat.core.closing import DRAINING
from trichat.core.codec import split_frames
from trichat.core.events import Draft, Outcome
from trichat.store.memory import MemoryStore

#: Bytes that the link takes at once: an ack is sent in many steps, and a cancellation may come between any two.
_WIDTH: Final = 24
#: Seconds, on the simulation's clock, that a commit takes.
_COMMIT_S: Final = 0.02
#: More steps than there are: the search ends when the last one is behind it.
_MOST_STEPS: Final = 2_000

SEND: Final = {"type": "send", "room": "lobby", "text": "once", "cid": "c1", "id": 1}
ELDER: Final = {"type": "send", "room": "lobby", "text": "elder", "cid": "e1"}


class WatchedStore(MemoryStore):
    """Knows which drafts it was given, and what it is doing at this moment."""

    def watch(self) -> None:
        self.given: list[str | None] = []
        self.busy = False
        self.busy_until = 0.0  # on Trio's clock

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        self.given += [draft.cid for draft in drafts]
        self.busy = True
        self.busy_until = trio.current_time() + self.delay_s
        try:
            return await super().append(drafts)
        finally:
            self.busy = False


class Stepper(trio.abc.Instrument):
    """Does `act` once, after the step `at` of all tasks together: a step ends where its task awaits."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self.steps = 0
        self._at = at
        self._act = act

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self._at:
            self._act()

    @property
    def acted(self) -> bool:
        return self.steps >= self._at


class Writer:
    """The client whose send is cut short: its link, its place at the server, and every byte that came."""

    def __init__(self, node: Node) -> None:
        self.link = Link(_WIDTH)
        self.serving = trio.CancelScope()
        self.gone = trio.Event()
        self.came = bytearray()
        self._node = node

    async def serve(self) -> None:
        with self.serving:
            await self._node.door.serve_stream(self.link.server, "192.0.2.1")
        self.gone.set()

    async def read(self) -> None:
        """Take all that comes, until the end; then close too."""
        try:
            while data := await self.link.client.receive_some():
                self.came += data
        except trio.BrokenResourceError:
            pass
        await self.link.client.aclose()

    def said(self, *, whole: bool) -> list[dict[str, Any]]:
        """The server's messages. Raises ValueError when bytes are no whole frames, unless the link was cut."""
        frames = self.came.partition(b"\r\n\r\n")[2]
        while True:
            try:
                split = split_frames(bytes(frames))
                break
            except ValueError:
                if whole:
                    raise
                del frames[-1]  # a cut link ends anywhere
        opcodes = [one[0] & 0x0F for one in split]
        assert all(opcode == TEXT for opcode in opcodes[:-1])
        assert opcodes[-1] in (TEXT, CLOSE)
        return [msgspec.json.decode(_payload(one)) for one in split if one[0] & 0x0F == TEXT]


def _payload(one: bytes) -> bytes:
    return one[4:] if one[1] == 126 else one[2:]


def cut_the_link(writer: Writer, node: Node) -> None:
    writer.link.cut()


def say_goodbye(writer: Writer, node: Node) -> None:
    next(reversed(node.door.connections)).end(DRAINING)


def cancel_its_task(writer: Writer, node: Node) -> None:
    writer.serving.cancel(reason="the test cancels it")


Harm = Callable[[Writer, Node], None]


class Ending(msgspec.Struct, frozen=True):
    """What became of the send that was cancelled after one step."""

    phase: str  # at that moment
    stored: bool
    acked: bool


async def join(client: WireClient, token: str | None = None) -> str:
    """Join the lobby, as somebody again if there is a token; the token."""
    greeting = await client.receive_until("welcome")
    if token is not None:
        await client.send_json({"type": "auth", "token": token})
        assert (await client.receive())["type"] == "ok"
    await client.send_json({"type": "join", "room": "lobby"})
    await client.receive_until("joined")
    return str(greeting["token"])


async def heard_by(client: WireClient) -> list[tuple[int, str]]:
    """The events that have come to this client."""
    await client.send_json({"type": "ping"})
    events: list[tuple[int, str]] = []
    while (message := await client.receive())["type"] != "pong":
        if message["type"] != "ack":  # of its own words
            events.append((message["seq"], message["text"]))
    return events


@asynccontextmanager
async def writing(node: Node, *, joined: bool) -> AsyncIterator[tuple[Writer, str]]:
    """A writer who is connected, and in the lobby if `joined`; and their token."""
    async with trio.open_nursery() as nursery:
        writer = Writer(node)
        nursery.start_soon(writer.serve)
        nursery.start_soon(writer.read)
        await writer.link.client.send_all(request_head())
        await until(lambda: b"welcome" in writer.came)
        await trio.testing.wait_all_tasks_blocked()
        token = writer.said(whole=True)[0]["token"]
        if joined:
            await writer.link.client.send_all(frame(TEXT, b'{"type":"join","room":"lobby"}'))
            await until(lambda: b'"joined"' in writer.came)
            await trio.testing.wait_all_tasks_blocked()
        yield writer, token
        nursery.cancel_scope.cancel(reason="the writer's time is over")


async def cancelled_after(step: int, harm: Harm, *, behind_elder: bool, behind_join: bool) -> Ending | None:
    """Send, do `harm` after that step, and look at what came of it. None: all was over before that step."""
    twins = make_twins(chance=Chance(random.Random(1)))
    twins.store = store = WatchedStore(twins.limits, chance=twins.chance)
    store.watch()
    async with open_twin_node(twins) as node:
        observer = await WireClient(await node.connect()).shake_hands()
        await join(observer)
        async with writing(node, joined=not behind_join) as (writer, token):
            store.delay_s = _COMMIT_S
            if behind_elder:
                await observer.send_json(ELDER)
                await trio.testing.wait_all_tasks_blocked()
                assert store.busy
            phase = ""

            def act() -> None:
                nonlocal phase
                if "c1" in store.given:
                    phase = "in commit" if store.busy else "later"
                else:
                    # at the very end of the elder's commit, the lane may be quicker than the news of the harm
                    queued = store.busy and trio.current_time() < store.busy_until
                    phase = "behind the elder" if queued else "before"
                harm(writer, node)

            stepper = Stepper(step, act)
            trio.lowlevel.add_instrument(stepper)
            words = [{"type": "join", "room": "lobby"}, SEND] if behind_join else [SEND]
            raw = b"".join(frame(TEXT, msgspec.json.encode(word)) for word in words)
            await send_until_over(writer, raw)
            trio.lowlevel.remove_instrument(stepper)
            if not stepper.acted:
                return None
            await writer.gone.wait()
            await node.hub.committer.drained()
            await trio.testing.wait_all_tasks_blocked()
            said = writer.said(whole=harm is not cut_the_link)
        ending = await ending_of(node, store, observer, token, said)
        return msgspec.structs.replace(ending, phase=phase)


async def send_until_over(writer: Writer, raw: bytes) -> None:
    """Returns when the send was answered and heard, or the connection has ended."""
    try:
        await writer.link.client.send_all(raw)
    except trio.BrokenResourceError:
        return
    await until(lambda: writer.gone.is_set() or (b'"ack"' in writer.came and b'"message"' in writer.came))
    await trio.testing.wait_all_tasks_blocked()


async def ending_of(
    node: Node, store: WatchedStore, observer: WireClient, token: str, said: list[dict[str, Any]]
) -> Ending:
    """Check the law, then repeat the send as the same person on another connection, and check it again."""
    room = node.hub.room("lobby")
    assert room is not None
    log = (await store.read_events(room.id, after=0, limit=10, max_bytes=10_000)).events
    texts = [(event.seq, msgspec.json.decode(event.body)["text"]) for event in log]
    stored = "c1" in store.given
    assert ("once" in dict(texts).get(len(texts), "")) == stored, "the store was given it, or not"
    heard = await heard_by(observer)
    assert heard == texts, "stored and heard are the same"
    acks = [message for message in said if message["type"] == "ack"]
    assert len(acks) <= stored, "an ack comes once, and only for what is stored"

    again = await WireClient(await node.connect()).shake_hands()
    await join(again, token)
    await again.send_json(SEND)
    ack = await again.receive_until("ack")
    assert ack.get("dup", False) == stored, "a repeat finds what was stored"
    seq = len(log) if stored else len(log) + 1
    assert (ack["seq"], ack["cid"], ack["id"]) == (seq, "c1", 1)
    assert all(earlier["seq"] == seq for earlier in acks)
    await trio.testing.wait_all_tasks_blocked()
    assert await heard_by(observer) == ([] if stored else [(seq, "once")]), "and nobody hears it twice"
    return Ending("", stored, bool(acks))


async def endings_at_every_step(harm: Harm, *, behind_elder: bool = False, behind_join: bool = False) -> set[Ending]:
    endings: set[Ending] = set()
    for step in range(1, _MOST_STEPS):
        ending = await cancelled_after(step, harm, behind_elder=behind_elder, behind_join=behind_join)
        if ending is None:
            return endings
        endings.add(ending)
    raise AssertionError("the search does not end")


HARMS: Final = pytest.mark.parametrize("harm", [cut_the_link, say_goodbye, cancel_its_task])


@HARMS
async def test_a_send_is_stored_and_heard_or_neither_wherever_it_is_cancelled(
    harm: Harm, autojump_clock: trio.testing.MockClock
) -> None:
    endings = await endings_at_every_step(harm)
    found = {(ending.phase, ending.stored) for ending in endings}
    assert {("before", False), ("in commit", True), ("later", True)} <= found
    assert not {("in commit", False), ("later", False)} & found
    assert Ending("in commit", stored=True, acked=False) in endings, "the ack may be lost"


@HARMS
async def test_a_send_that_waits_for_its_lane_is_not_stored(harm: Harm, autojump_clock: trio.testing.MockClock) -> None:
    endings = await endings_at_every_step(harm, behind_elder=True)
    queued = {ending.stored for ending in endings if ending.phase == "behind the elder"}
    assert queued == {False}
    assert any(ending.stored for ending in endings), "the others came to their lane"


@HARMS
async def test_a_send_that_waits_behind_a_join_is_stored_and_heard_or_neither(
    harm: Harm, autojump_clock: trio.testing.MockClock
) -> None:
    endings = await endings_at_every_step(harm, behind_join=True)
    assert {ending.stored for ending in endings} == {True, False}


#: A machine that stands still for a moment does not decide what is tested here.
PATIENT: Final = msgspec.structs.replace(LOOSE, commit_s=30.0, store_call_s=30.0)


@asynccontextmanager
async def locked_lobby(database_url: str) -> AsyncIterator[psycopg.Connection]:
    """While the block lasts, a commit to the lobby waits for this connection's lock of the room's row."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT 1 FROM trichat.rooms WHERE name = 'lobby' FOR UPDATE")
        yield connection
        connection.rollback()


async def waits_for_lock(connection: psycopg.Connection) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    afresh = "SELECT pg_stat_clear_snapshot()"  # or a transaction sees the same all its life
    await until(lambda: connection.execute(afresh) and connection.execute(waiting).fetchall())


async def test_in_commit_in_postgresql_a_lost_sender_is_heard_and_its_repeat_finds_the_seq(
    database_url: str, redis_url: str
) -> None:
    async with (
        open_node(database_url, redis_url, limits=PATIENT, prefix="cancel-1") as node,
        open_wire(node.port or 0) as observer,
    ):
        await join(observer)
        async with open_wire(node.port or 0) as writer:
            token = await join(writer)
            async with locked_lobby(database_url) as lock:
                await writer.send_json(SEND)
                await waits_for_lock(lock)
                await trio.aclose_forcefully(writer.stream)
                await until(lambda: len(node.door.connections) == 1)
        assert (await observer.receive_until("message"))["text"] == "once"
        async with open_wire(node.port or 0) as again:
            await join(again, token)
            await again.send_json(SEND)
            ack = await again.receive_until("ack")
        assert (ack["seq"], ack["dup"]) == (1, True)
        assert await heard_by(observer) == []


async def test_queued_in_postgresql_a_lost_sender_leaves_nothing_and_its_repeat_is_the_first(
    database_url: str, redis_url: str
) -> None:
    async with (
        open_node(database_url, redis_url, limits=PATIENT, prefix="cancel-2") as node,
        open_wire(node.port or 0) as observer,
    ):
        await join(observer)
        async with open_wire(node.port or 0) as writer:
            token = await join(writer)
            async with locked_lobby(database_url) as lock:
                await observer.send_json(ELDER)
                await waits_for_lock(lock)
                await writer.send_json(SEND)
                await writer.send_json({"type": "ping"})
                await writer.receive_until("pong")
                await trio.aclose_forcefully(writer.stream)
                await until(lambda: len(node.door.connections) == 1)
        assert (await observer.receive_until("message"))["text"] == "elder"
        await node.hub.committer.drained()
        async with open_wire(node.port or 0) as again:
            await join(again, token)
            await again.send_json(SEND)
            ack = await again.receive_until("ack")
        assert (ack["seq"], "dup" in ack) == (2, False)
        assert (await observer.receive_until("message"))["seq"] == 2
