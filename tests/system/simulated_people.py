"""A person of the simulated crowd: talks, moves between rooms, reads slowly, loses the link, and trusts nothing.

Each checks at once what it is told: events have no hole and no repeat, and are what the log has.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from tests.client_bytes import CLOSE, PING, PONG, TEXT, frame, request_head
from tests.links import Link
from trichat.core.codec import format_ts
from trichat.core.events import Event

if TYPE_CHECKING:
    from tests.system.simulated_crowd import World

# seconds
_BETWEEN_WORDS: Final = 20.0
_BETWEEN_MOVES: Final = 300.0  # on average, as the next ones
_BETWEEN_LOSSES: Final = 400.0
_BETWEEN_PAUSES: Final = 240.0
_LONGEST_PAUSE: Final = 120.0
_REPEAT: Final = 2.0  # an unanswered word, or join, is said again after it
_LONG_ABSENCE: Final = (600.0, 2_400.0)
_SETTLED: Final = 5.0  # after a join or a pause, what comes is news
#: Bytes on their way to a client: a person who does not read is soon felt.
_WIDTH: Final = 2_048

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Lost(Exception):
    """The connection has ended, in whatever way."""


class Word(msgspec.Struct):
    """Something to be said until it is acknowledged."""

    cid: str
    text: str
    room: str | None = None  # where it was said first, and therefore is said again
    said_at: float = -1_000.0


class Person:
    """One guest, over all their connections. `position` is the last `seq` seen of each room ever listened to."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.rng = random.Random(world.rng.random())
        self.number = number
        self.room = world.room_for(number)  # where it is, or wants to be
        self.position: dict[str, int] = {}
        self.epochs: dict[str, str] = {}
        self.acks: dict[str, tuple[str, int]] = {}  # of its words: room and seq, by cid
        self.unacked: dict[str, Word] = {}
        self.words = 0
        self.heard = 0
        self.token: str | None = None
        self.user_id = ""
        self.away_until = 0.0
        self.listening = False  # joined, and not leaving
        self._link: Link | None = None
        self._known = False  # to the server, as who it is
        self._leaving_for: str | None = None
        self._asked_since: int | None = None
        self._asked_at = 0.0
        self._read_again_at = 0.0
        self._paging_to = 0  # the end of a gap that is being paged
        self._head = 0  # of the room when it was joined: what follows is live
        self._prompt_since = 0.0  # it has read all that comes

    # life

    async def live(self) -> None:
        """Connect, and come back whenever the connection ends; until cancelled."""
        while True:
            await self._rest_until(self.away_until)
            node = self.rng.choice(self.world.nodes)
            link = self._link = Link(_WIDTH)
            self.world.nursery.start_soon(node.door.serve_stream, link.server, f"192.0.2.{self.number}")
            try:
                await self._connection(link)
            except (Lost, trio.BrokenResourceError, trio.ClosedResourceError):
                self.world.losses += 1
            # what was asked for on this connection is asked for again on the next
            self._link, self._known, self.listening = None, False, False
            self._leaving_for, self._paging_to = None, 0
            # sometimes it is only silence: the server has to notice by itself
            if self.rng.random() < 0.7:
                link.cut()
            self.away_until = max(self.away_until, trio.current_time() + self.rng.uniform(0.1, 5.0))

    async def talk(self) -> None:
        """Every 20 seconds something more to say, whether or not connected."""
        await trio.sleep(self.rng.uniform(0, _BETWEEN_WORDS))
        while not self.world.calm:
            self.words += 1
            word = Word(f"{self.number}-{self.words}", f"word {self.words} of {self.number} é")
            self.unacked[word.cid] = word
            self._say_what_is_left()
            await trio.sleep(_BETWEEN_WORDS)

    async def be_restless(self) -> None:
        """Move, pause, and lose the link, until the calm."""
        chances = {self._move: _BETWEEN_MOVES, self._pause: _BETWEEN_PAUSES, self._lose: _BETWEEN_LOSSES}
        rate = sum(1 / mean for mean in chances.values())
        while not self.world.calm:
            await trio.sleep(self.rng.expovariate(rate))
            deed = self.rng.choices(list(chances), [1 / mean for mean in chances.values()])[0]
            if not self.world.calm:
                deed()

    async def insist(self) -> None:
        """Say again what is not answered; until cancelled."""
        while True:
            await trio.sleep(_REPEAT)
            if self.listening:
                self._say_what_is_left()
            elif self._leaving_for is None and self._asked_at + _REPEAT < trio.current_time():
                self._begin()

    async def _rest_until(self, when: float) -> None:
        """Do nothing until then, or until the calm."""
        with trio.CancelScope(deadline=when):
            await self.world.calmed.wait()

    def _move(self) -> None:
        if self.listening and not self.unacked and not self._paging_to:
            self.listening = False
            self._leaving_for = self.rng.choice([room for room in self.world.rooms if room != self.room])
            self._post({"type": "leave", "room": self.room})

    def _pause(self) -> None:
        self._read_again_at = trio.current_time() + self.rng.uniform(1.0, _LONGEST_PAUSE)

    def _lose(self) -> None:
        if self.rng.random() < 0.05:
            self.away_until = trio.current_time() + self.rng.uniform(*_LONG_ABSENCE)
        if self._link is not None:
            self._link.cut()

    # a connection

    async def _connection(self, link: Link) -> None:
        link.post(request_head())
        came = bytearray()
        while b"\r\n\r\n" not in came:
            came += await self._receive(link)
        assert came.startswith(b"HTTP/1.1 101 "), bytes(came)
        del came[: came.index(b"\r\n\r\n") + 4]
        while True:
            for opcode, payload in _frames(came):
                if opcode == TEXT:
                    self._take(_decode(payload))
                elif opcode == PING:
                    self._post_frame(frame(PONG, payload))
                else:
                    assert not came, "nothing follows a close frame"
                    raise Lost
            came += await self._receive(link)

    async def _receive(self, link: Link) -> bytes:
        if self._read_again_at > trio.current_time():
            await self._rest_until(self._read_again_at)
            self._prompt_since = trio.current_time()
        data = await link.client.receive_some()
        if not data:
            raise Lost
        return bytes(data)

    def _post(self, command: Mapping[str, Any]) -> None:
        self._post_frame(frame(TEXT, msgspec.json.encode(command)))

    def _post_frame(self, raw: bytes) -> None:
        if self._link is not None:
            self._link.post(raw)

    # what is said

    def _begin(self) -> None:
        """Say who it is, then join."""
        self._asked_at = trio.current_time()
        if self._known:
            self._join()
        elif self.token is not None:
            self._post({"type": "auth", "token": self.token})

    def _join(self) -> None:
        room, position = self.room, self.position.get(self.room)
        if position is None:
            self._asked_since = None
            return self._post({"type": "join", "room": room, "id": "join"})
        self._asked_since = position
        place = {"since": position, "epoch": self.epochs[room]}
        if self.number % 2:
            return self._post({"type": "join", "room": room, "id": "join", **place})
        return self._post({"type": "resume", "rooms": {room: place}, "id": "resume"})

    def _say_what_is_left(self) -> None:
        now = trio.current_time()
        for word in self.unacked.values():
            if self.listening and word.room in (None, self.room) and now - word.said_at >= _REPEAT:
                word.room, word.said_at = self.room, now
                self._post({"type": "send", "room": word.room, "text": word.text, "cid": word.cid, "id": word.cid})

    # what is heard

    def _take(self, message: dict[str, Any]) -> None:  # noqa: PLR0912  # an arm for each type
        match message["type"]:
            case "message":
                self._hear(message)
            case "welcome":
                self._identify(message)
            case "ok":
                assert message["user_id"] == self.user_id
                self._known = True
                self._begin()
            case "joined":
                self._enter(message)
            case "left":
                self._go_on(message["room"])
            case "ack":
                self._be_acknowledged(message)
            case "gap":
                self._see_gap(message)
            case "events":
                self._take_page(message)
            case "error":
                self._be_refused(message)
            case "status" | "resumed":
                pass
            case "warning":
                assert message["code"] == "already_joined"  # a join that was said twice
            case "goodbye":
                self.world.goodbyes[message["code"]] += 1
            case other:
                raise AssertionError(other)

    def _identify(self, welcome: dict[str, Any]) -> None:
        if self.token is None:
            self.token, self.user_id, self._known = welcome["token"], welcome["user_id"], True
        self._begin()

    def _enter(self, joined: dict[str, Any]) -> None:
        room = joined["room"]
        if self.listening:
            return  # a join that was said twice is answered twice
        assert room == self.room
        self.epochs[room] = joined["epoch"]
        if self._asked_since is None:
            self.position[room] = joined["seq"]
        self.listening = True
        self._head, self._prompt_since = joined["seq"], trio.current_time()
        self._say_what_is_left()

    def _go_on(self, room: str) -> None:
        assert room == self.room
        assert self._leaving_for is not None
        self.room, self._leaving_for = self._leaving_for, None
        if self.rng.random() < 0.5:
            self.position.pop(self.room, None)  # begin at its head, not where it was left
        self._begin()

    def _hear(self, event: dict[str, Any]) -> None:
        assert event["room"] == self.room
        seq = event["seq"]
        assert seq == self.position[self.room] + 1, (self.number, event, self.position)
        stored = self._compare(event)
        self.position[self.room] = seq
        self.heard += 1
        if seq > self._head and self._prompt_since + _SETTLED < trio.current_time():
            self.world.heard_after(stored)

    def _compare(self, event: dict[str, Any]) -> Event:
        stored: Event = self.world.log_of(event["room"])[event["seq"] - 1]
        assert event["from_id"] == stored.user_id
        assert event["cid"] == stored.cid
        assert event["ts"] == format_ts(stored.ts)
        assert stored.body == msgspec.json.encode({"text": event["text"]})
        return stored

    def _be_acknowledged(self, ack: dict[str, Any]) -> None:
        found = (ack["room"], ack["seq"])
        assert self.acks.setdefault(ack["cid"], found) == found, "a repeat gets its first number"
        self.unacked.pop(ack["cid"], None)

    def _be_refused(self, error: dict[str, Any]) -> None:
        if error["code"] == "bad_state" and error.get("room") == self.room:
            return  # a resume that was said twice
        assert error["code"] == "unavailable", error
        self.world.unavailable += 1
        if isinstance(error.get("id"), int):
            self._paging_to = 0  # the rest of the page is not looked at

    def _see_gap(self, gap: dict[str, Any]) -> None:
        position = self.position[self.room]
        assert gap["from"] == position + 1
        assert gap["to"] - position == gap["messages"]
        self.world.gaps += 1
        self.position[self.room] = self._paging_to = gap["to"]
        self._post({"type": "events", "room": self.room, "since": position, "id": position})

    def _take_page(self, page: dict[str, Any]) -> None:
        since = page["id"]
        assert page["events"]
        for event in page["events"]:
            since += 1
            assert event["seq"] == since
            self._compare(event)
        if since < self._paging_to:
            self._post({"type": "events", "room": self.room, "since": since, "id": since})
        else:
            self._paging_to = 0


def _frames(came: bytearray) -> list[tuple[int, bytes]]:
    """Take the whole frames off the beginning of `came`. A malformed one is an AssertionError."""
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(came)
    while at + 2 <= end:
        opcode, length, start = came[at], came[at + 1], at + 2
        assert opcode in (0x80 | TEXT, 0x80 | PING, 0x80 | CLOSE), hex(opcode)
        if length == 126:
            length, start = int.from_bytes(came[at + 2 : at + 4], "big"), at + 4
        assert length < 65_536
        if start + length > end:
            break
        found.append((opcode & 0x0F, bytes(came[start : start + length])))
        at = start + length
    del came[:at]
    return found
