"""A crowd for the tests of whole nodes: who observes, who sends, and what PostgreSQL says was said."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import trio
from msgspec import Struct

from tests.nodes import NodeProcess
from tests.wire import WireClient
from trichat.client import Client, ClientEvent, Connected, Disconnected, RoomEvent, open_client


class Line(Struct, frozen=True):
    """One message, as an observer heard it or as the log has it."""

    seq: int
    user_id: str
    user: str
    cid: str | None
    text: str


#: What was said, by room, in the order in which it was heard or stored.
Lines = dict[str, list[Line]]


def read_log(database_url: str) -> Lines:
    """The logs of all rooms, as PostgreSQL has them."""
    statement = """
        SELECT r.name, seq, user_id, user_name, cid, body ->> 'text'
        FROM trichat.events JOIN trichat.rooms r ON r.id = room_id ORDER BY room_id, seq
    """
    log: Lines = {}
    with psycopg.connect(database_url) as connection:
        for room, *line in connection.execute(statement):
            log.setdefault(room, []).append(Line(*line))
    return log


def cids(lines: Lines) -> list[str]:
    """The cids of all that was said, room by room."""
    return [line.cid for room in lines.values() for line in room if line.cid is not None]


def assert_gapless(lines: Lines) -> None:
    """In each room the numbers are 1, 2, 3 …"""
    for room, said in lines.items():
        assert [line.seq for line in said] == list(range(1, len(said) + 1)), room


async def until(condition: Callable[[], bool], within_s: float) -> float:
    """Wait until the condition holds; how long that took, in seconds. Raises trio.TooSlowError."""
    began = trio.current_time()
    with trio.fail_after(within_s):
        while True:
            if condition():
                return trio.current_time() - began
            await trio.sleep(0.01)


class Observer:
    """Listens by hand to rooms that are new, and trusts nothing: what it heard is exactly what came."""

    def __init__(self, wire: WireClient, rooms: Sequence[str]) -> None:
        self._wire = wire
        self.heard: Lines = {room: [] for room in rooms}

    async def join(self) -> None:
        for room in self.heard:
            await self._wire.send_json({"type": "join", "room": room})
            joined = await self._wire.receive_until("joined")
            assert joined["seq"] == 0

    async def listen(self, count: int) -> None:
        """Until `count` messages have come; a ping's answer then shows that nothing more was on its way."""
        while sum(map(len, self.heard.values())) < count:
            self._note(await self._wire.receive())
        await self._wire.send_json({"type": "ping"})
        while (frame := await self._wire.receive())["type"] != "pong":
            self._note(frame)

    def _note(self, frame: Mapping[str, Any]) -> None:
        if frame["type"] == "message":
            line = Line(frame["seq"], frame["from_id"], frame["from"], frame.get("cid"), frame["text"])
            self.heard[frame["room"]].append(line)


class Person:
    """Somebody with the resuming client, who hears some new rooms from their beginning and talks in them."""

    def __init__(self, name: str, rooms: Sequence[str], urls: Sequence[str]) -> None:
        self.name = name
        self.rooms = rooms
        self.heard: Lines = {room: [] for room in rooms}
        self.nodes: list[str] = []  # where they were connected, in order
        self.absences: list[float] = []  # seconds from each lost connection to the next one
        self.sent: dict[str, str] = {}  # rooms by cid
        self.acked: dict[str, int] = {}  # seqs by cid
        self._urls = urls
        self._left_at: float | None = None
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there and listen, until cancelled; started when all rooms are joined."""
        async with open_client(self._urls) as self._client:
            for room in self.rooms:
                joined = await self.client.join(room)
                assert joined.seq == 0
            task_status.started()
            async for event in self.client.events():
                self._note(event)

    async def say(self, count: int, *, at_once: int = 1) -> None:
        """Send `count` messages, in one room after the other; returns when all are acknowledged.

        `at_once` are on their way at any time.
        """
        first = len(self.sent)
        waiting = iter([(f"{self.name}-{n}", self.rooms[n % len(self.rooms)]) for n in range(first, first + count)])

        async def say_next() -> None:
            for cid, room in waiting:
                self.sent[cid] = room
                self.acked[cid] = (await self.client.send(room, f"this is {cid}", cid)).seq

        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(say_next)

    def has_heard(self, log: Lines) -> bool:
        """As much as the log has; whether it is the same is for the test to see."""
        return all(len(self.heard[room]) >= len(log[room]) for room in self.rooms)

    def _note(self, event: ClientEvent) -> None:
        if isinstance(event, Connected):
            self.nodes.append(event.node)
            if self._left_at is not None:
                self.absences.append(trio.current_time() - self._left_at)
        elif isinstance(event, Disconnected):
            self._left_at = trio.current_time()
        elif isinstance(event, RoomEvent):
            line = Line(event.seq, event.user_id, event.user, event.cid, event.text)
            self.heard[event.room].append(line)


async def members_are(there: Sequence[Person], asked: Client) -> None:
    """Wait until whom `asked` is shown, and how many, is exactly `there`, in each of their rooms."""
    rooms = {room for person in there for room in person.rooms}
    those = {room: {person.client.user_id for person in there if room in person.rooms} for room in rooms}
    while True:
        listed = {room: {member.user_id for member in (await asked.members(room)).members} for room in rooms}
        counted = {one.room: one.members for one in (await asked.rooms()).rooms}
        if listed == those and counted == {room: len(those[room]) for room in rooms}:
            return
        await trio.sleep(0.1)


def assert_acknowledged_is_in(log: Lines, people: Sequence[Person]) -> None:
    """Each ack names the place of its message in the log, and no message is there twice."""
    places = {line.cid: (room, line.seq) for room, said in log.items() for line in said}
    assert len(places) == len(cids(log)), "somebody's message is in the log twice"
    for person in people:
        acked = {cid: (person.sent[cid], seq) for cid, seq in person.acked.items()}
        assert acked == {cid: places.get(cid) for cid in acked}


@asynccontextmanager
async def running_nodes(directory: Path, *each: Sequence[str]) -> AsyncIterator[list[NodeProcess]]:
    """Node processes that are started side by side, each with its flags; killed at the end if they still run."""
    async with AsyncExitStack() as stack:
        nodes = []
        for flags in each:
            nodes.append(NodeProcess(directory, *flags))
            stack.enter_context(contextlib.closing(nodes[-1]))
        for node in nodes:
            await node.ready()
        yield nodes
