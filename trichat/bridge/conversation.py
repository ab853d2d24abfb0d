"""What is said and heard over one link, from its first beat until it breaks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from trichat.bridge.channels import Channels
from trichat.bridge.echo import EchoWatch
from trichat.bridge.envelope import (
    BadEnvelope,
    decode,
    decode_beat,
    decode_whisper,
    encode,
    encode_beat,
    encode_whisper,
    is_from,
    is_whisper,
)
from trichat.bridge.feed import NewsFeed
from trichat.bridge.island import aio
from trichat.bridge.link import Link, LinkDown, packed_publish
from trichat.bridge.subscriptions import Subscriptions
from trichat.chat.ports import Batch, Beat, Linked, Subscribed, Whisper
from trichat.chat.whispers import trace_of
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId

log = logging.getLogger("trichat.bridge")

#: Looks at the echo per beat: how finely lateness is measured, and how soon a missing echo is noticed.
_LOOKS_PER_BEAT: Final = 5


class Node:
    """Who speaks: the identity of this node, and the number of its last beat over all links.

    A beat that an earlier link left behind in Redis must not count for a later one; so marks never repeat.
    """

    def __init__(self, incarnation: Incarnation, name: str) -> None:
        self.incarnation: Final = incarnation
        self.name: Final = name
        self.complaints = 0  # payloads that were not understood
        self.mark = 0


class Conversation:
    """Speaks and hears over one `link` for `run`. It is Linked once an own beat has been heard back.

    `queue` and `whispers` hold what is to be published; `rooms` are subscribed, of which `ready` are confirmed already.
    """

    def __init__(
        self,
        link: Link,
        *,
        channels: Channels,
        node: Node,
        feed: NewsFeed,
        queue: deque[Batch],
        whispers: deque[Whisper],
        rooms: Subscriptions,
        ready: list[RoomId],
        limits: Limits,
        on_linked: Callable[[], None],
    ) -> None:
        self._link = link
        self._channels = channels
        self._node = node
        self._feed = feed
        self._queue = queue
        self._whispers = whispers
        self._rooms = rooms
        self._ready = ready
        self._limits = limits
        self._on_linked = on_linked
        self._echo = EchoWatch(limits.beat_missing_s, trio.current_time())
        self._scope = trio.CancelScope()
        self._why = ""
        self._beats: deque[tuple[int, bytes]] = deque()
        self._published = 0
        self._marks: dict[int, int] = {}  # our beats on their way: how much was published before each
        self._confirmed = 0
        self._last_word: int | None = None
        self._heard_last_word = trio.Event()
        self.linked = False

    @property
    def unconfirmed(self) -> bool:
        """Whether something was published of which no later beat has come back."""
        return self._published > self._confirmed

    def wake(self) -> None:
        """There is something in the queue, or other rooms are wanted."""
        self._link.wake()

    async def run(self) -> None:
        """Lives until the link breaks: then raises LinkDown."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_down, self._speak_aio)
                nursery.start_soon(self._until_down, self._hear_aio)
                await self._beat()
        raise LinkDown(self._why)

    async def say_last_word(self) -> None:
        """Publish what waits, then `leaving`, and return when that is heard back: nothing is said after it."""
        if not self.linked:
            return
        self._say_beat(leaving=True)
        self._last_word = self._node.mark
        await self._heard_last_word.wait()

    def _break(self, why: str) -> None:
        self._why = self._why or why
        self._scope.cancel(reason=why)

    async def _until_down(self, work_aio: Callable[[], Awaitable[None]]) -> None:
        try:
            await aio(work_aio)
        except LinkDown as down:
            self._break(str(down))

    # speaking

    async def _beat(self) -> None:
        """Says a beat every `beat_s`, and breaks the link when none comes back."""
        look_s = self._limits.beat_s / _LOOKS_PER_BEAT
        while True:
            if self._last_word is None:
                self._say_beat(leaving=False)
            for _ in range(_LOOKS_PER_BEAT):
                due = trio.current_time() + look_s
                await trio.sleep_until(due)
                self._echo.late(trio.current_time() - due)
                if self._echo.missing(trio.current_time()):
                    self._break(f"no beat came back for {self._limits.beat_missing_s} s")

    def _say_beat(self, *, leaving: bool) -> None:
        self._node.mark += 1
        beat = Beat(self._node.incarnation, self._node.name, leaving)
        self._beats.append((self._node.mark, encode_beat(beat, self._node.mark)))
        self._link.wake()

    async def _speak_aio(self) -> None:
        """Sends all that waits whenever something does: subscriptions, then one pipeline of all that is said."""
        while True:
            await self._link.work_aio()
            if self._rooms.changed:
                await self._change_rooms_aio()
            if self._queue or self._beats or self._whispers:
                traces = [batch.trace for batch in self._queue if batch.trace is not None]
                await self._link.publish_aio(self._take_pipeline())
                for publishing in traces:
                    publishing.end()

    async def _change_rooms_aio(self) -> None:
        changes = self._rooms.take()
        for room_id in changes.kept:
            self._is_subscribed(room_id)
        await self._link.change_aio(map(self._channels.room, changes.ask), map(self._channels.room, changes.drop))

    def _take_pipeline(self) -> list[bytes]:
        incarnation, room = self._node.incarnation, self._channels.room
        commands: list[bytes] = []
        for batch in self._queue:
            if batch.trace is not None:
                said = encode_whisper(incarnation, trace_of(batch, batch.trace))
                commands.append(packed_publish(room(batch.room_id), said))
            commands.append(packed_publish(room(batch.room_id), encode(incarnation, batch)))
        self._published += len(self._queue)
        self._queue.clear()
        for mark, beat in self._beats:
            self._marks[mark] = self._published
            commands.append(packed_publish(self._channels.nodes, beat))
        self._beats.clear()
        # last, and not counted: nobody asks whether they were heard
        commands += [packed_publish(room(one.room_id), encode_whisper(incarnation, one)) for one in self._whispers]
        self._whispers.clear()
        return commands

    # hearing

    async def _hear_aio(self) -> None:
        await self._link.hear_aio(self._hear, lambda channel: self._is_subscribed(self._channels.room_of(channel)))

    def _hear(self, channel: bytes, payload: bytes) -> None:
        try:
            if channel == self._channels.nodes:
                self._hear_beat(*decode_beat(payload))
            elif is_from(payload, self._node.incarnation):
                return
            elif is_whisper(payload):
                self._hear_whisper(decode_whisper(payload))
            else:
                self._hear_batch(decode(payload))
        except BadEnvelope as error:
            self._complain(channel, error)

    def _hear_batch(self, batch: Batch) -> None:
        # before Linked nothing is heard: Subscribed comes after it, and has the room's head looked at
        if batch.room_id in self._rooms and self.linked:
            self._feed.post(batch)

    def _hear_whisper(self, whisper: Whisper) -> None:
        if whisper.room_id in self._rooms and self.linked:
            self._feed.post_whisper(whisper)

    def _hear_beat(self, beat: Beat, mark: int) -> None:
        if beat.incarnation == self._node.incarnation:
            self._hear_echo(mark)
        if self.linked:
            self._feed.post(beat)

    def _hear_echo(self, mark: int) -> None:
        if mark not in self._marks:
            return  # an earlier link's
        self._confirmed = self._marks.pop(mark)
        self._echo.heard(trio.current_time())
        if not self.linked:
            self._be_linked()
        if mark == self._last_word:
            self._heard_last_word.set()

    def _be_linked(self) -> None:
        self.linked = True
        self._on_linked()
        self._feed.post(Linked())
        for room_id in self._ready:
            self._is_subscribed(room_id)

    def _is_subscribed(self, room_id: RoomId) -> None:
        if not self.linked:
            self._ready.append(room_id)
        elif room_id in self._rooms:
            self._feed.post(Subscribed(room_id))

    def _complain(self, channel: bytes, error: BadEnvelope) -> None:
        self._node.complaints += 1
        if self._node.complaints == 1:
            log.warning("ignoring what is no message of ours on %s (told once): %s", channel.decode(), error)
