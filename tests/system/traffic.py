"""People who talk steadily in the same rooms on several nodes, and what each said and heard, with the times."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from math import inf
from typing import Final

import msgspec
import psycopg
import trio

from tests.nodes import Node, NodeProcess
from tests.servers import TestServer
from trichat.client import Client, ConnectionLost, Ended, Refused, RoomEvent, StatusChanged, open_client

#: Seconds for whatever must happen in the end, with nothing promised of when: far above the typical.
PATIENCE_S: Final = 20.0
#: Seconds between two looks at a condition.
_LOOK_S: Final = 0.01

#: The error of a message whose answer was lost with the connection.
LOST: Final = "lost"

#: Who speaks in which room, by the number of the node. Where one node alone speaks, nothing but the bridge or a look
#: at the heads tells the other of it; where both do, the next own message shows what is missing.
ROOMS: Final[Mapping[str, Sequence[int]]] = {"lecture": (0,), "reply": (1,), "talk": (0, 1)}


class Spoken(msgspec.Struct):
    """One message of a person's, and what the node answered: a number, or an error's code, or nothing yet."""

    text: str
    said_at: float
    answered_at: float = inf
    seq: int | None = None
    error: str | None = None


class Heard(msgspec.Struct, frozen=True):
    """One event of the room, as a person heard it."""

    seq: int
    text: str
    at: float


class Delay(msgspec.Struct, frozen=True):
    """How long after its ack a message was heard at the other node: 0 when it was heard before."""

    room: str
    acknowledged_at: float
    seconds: float


class Person:
    """A client in one room. Says each thing once: what is refused is not repeated, so that each answer counts."""

    def __init__(self, client: Client, url: str, room: str, *, speaks: bool) -> None:
        self.client = client
        self.url = url
        self.room = room
        self.speaks = speaks
        self.spoken: list[Spoken] = []
        self.heard: list[Heard] = []
        self.fanout: list[str] = []  # what `status` said
        self.others: list[object] = []  # all that is neither a message nor a status: lost connections, gaps

    async def listen(self) -> None:
        """Note all that comes, until the client ends. Raises OutOfOrder when the room's numbers are wrong."""
        try:
            async for event in self.client.events():
                if isinstance(event, RoomEvent):
                    self.heard.append(Heard(event.seq, event.text, trio.current_time()))
                elif isinstance(event, StatusChanged):
                    self.fanout.append(event.fanout)
                else:
                    self.others.append(event)
        except Ended:
            pass

    async def say(self) -> Spoken:
        """Say something that nobody else says; returns when it was answered, whatever the answer is."""
        text = f"{self.client.user_id} says {len(self.spoken) + 1}"
        spoken = Spoken(text, trio.current_time())
        self.spoken.append(spoken)
        try:
            # without a cid the client does not repeat it
            reply = await self.client.request({"type": "send", "room": self.room, "text": text})
            spoken.seq = reply["seq"]
        except Refused as refused:
            spoken.error = refused.code
        except ConnectionLost:
            spoken.error = LOST
        spoken.answered_at = trio.current_time()
        return spoken

    async def speak_steadily(self, every_s: float, silence: trio.Event) -> None:
        """Say something every `every_s`, answered or not, until `silence`; returns when all is answered."""
        async with trio.open_nursery() as nursery:
            while not silence.is_set():
                nursery.start_soon(self.say)
                with trio.move_on_after(every_s):
                    await silence.wait()


class Crowd:
    """All the people, over all nodes and rooms."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.people = people
        self.rooms = sorted({person.room for person in people})

    @asynccontextmanager
    async def talking(self, every_s: float = 0.1) -> AsyncIterator[None]:
        """Everybody who speaks does so during the block; at its end everything said has been answered."""
        silence = trio.Event()
        async with trio.open_nursery() as nursery:
            for person in self.people:
                if person.speaks:
                    nursery.start_soon(person.speak_steadily, every_s, silence)
            yield
            silence.set()

    def spoken(self, room: str | None = None) -> list[Spoken]:
        """All that was said, in one room or in all."""
        return [said for person in self.people if room in (None, person.room) for said in person.spoken]

    async def has_heard(self, room: str, log: Sequence[str]) -> None:
        """Wait until everybody in `room` has heard `log` whole; says who has not."""
        listeners = [person for person in self.people if person.room == room]
        try:
            await until(lambda: all(len(person.heard) >= len(log) for person in listeners))
        except trio.TooSlowError:
            raise AssertionError(f"of {len(log)} events were heard: {[len(p.heard) for p in listeners]}") from None

    async def all_have_heard_all(self, database_url: str) -> None:
        """Every acknowledged message is in the log once, every other at most once, and everybody in the room has
        heard the log: 1, 2, 3 … without a hole or a repeat."""
        for room in self.rooms:
            log = read_log(database_url, room)
            await self.has_heard(room, log)
            for person in self.people:
                if person.room == room:
                    assert [heard.seq for heard in person.heard] == list(range(1, len(log) + 1))
                    assert [heard.text for heard in person.heard] == log
            for spoken in self.spoken(room):
                assert spoken.seq is None or log[spoken.seq - 1] == spoken.text
            assert set(Counter(log).values()) <= {1}, "nothing is stored twice"
            assert set(log) <= {spoken.text for spoken in self.spoken(room)}

    def delays(self) -> Iterator[Delay]:
        """For each acknowledged message, and each listener at another node."""
        for speaker in self.people:
            seqs = {spoken.seq: spoken.answered_at for spoken in speaker.spoken if spoken.seq is not None}
            for listener in self.people:
                if listener.room == speaker.room and listener.url != speaker.url:
                    for heard in listener.heard:
                        if heard.seq in seqs:
                            yield Delay(speaker.room, seqs[heard.seq], max(0.0, heard.at - seqs[heard.seq]))


@asynccontextmanager
async def open_crowd(
    nodes: Sequence[Node | NodeProcess], rooms: Mapping[str, Sequence[int]] = ROOMS, each: int = 2
) -> AsyncIterator[Crowd]:
    """`each` people of every node in every room, from its beginning on. Who loses their node goes to the next."""
    async with AsyncExitStack() as stack:
        people = []
        for room, number, _ in product(rooms, range(len(nodes)), range(each)):
            urls = [node.url for node in (*nodes[number:], *nodes[:number])]
            client = await stack.enter_async_context(open_client(urls))
            await client.join(room, since=0)
            people.append(Person(client, nodes[number].url, room, speaks=number in rooms[room]))
        async with trio.open_nursery() as nursery:
            for person in people:
                nursery.start_soon(person.listen)
            yield Crowd(people)
            nursery.cancel_scope.cancel(reason="the test is over")


async def until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait until `condition`. Raises trio.TooSlowError."""
    with trio.fail_after(within_s):
        while True:
            if condition():
                return
            await trio.sleep(_LOOK_S)


async def start_again(server: TestServer) -> None:
    """Start a server that was killed; the nodes in this process go on while it starts."""
    for _ in server.server.starting():  # from this thread: a server dies with the thread that started it
        await trio.sleep(_LOOK_S)


async def answers(server: TestServer) -> None:
    """Wait until the server answers."""
    answered = False
    while not answered:
        asking = server.server.answering()
        try:
            while True:
                next(asking)
                await trio.sleep(_LOOK_S)
        except StopIteration as end:
            answered = end.value
        await trio.sleep(_LOOK_S)


def read_log(database_url: str, room: str) -> list[str]:
    """The texts of the room's log, straight from the database; their numbers are 1, 2, 3 …"""
    statement = """
        SELECT e.seq, e.body ->> 'text' FROM trichat.events e JOIN trichat.rooms r ON r.id = e.room_id
        WHERE r.name = %s ORDER BY e.seq
    """
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(statement, (room,)).fetchall()
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    return [text for _, text in rows]
