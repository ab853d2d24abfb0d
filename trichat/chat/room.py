"""A room on this node: its channel, its ring of recent events, and the broadcaster that feeds its listeners."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio

from trichat.chat.figures import Figures
from trichat.chat.ports import Batch
from trichat.chat.tracing import Span
from trichat.core.closing import SLOW, CloseReason
from trichat.core.codec import Frame, split_frames
from trichat.core.control import Control, Removals, apply_changes, holds_controls, read_control
from trichat.core.events import RoomRecord
from trichat.core.limits import Limits
from trichat.core.log import Appended, Duplicate, Gap, RoomLog
from trichat.core.names import UserId
from trichat.core.standing import is_account

#: Listeners served between two yields of the broadcaster: about a millisecond. A yield costs as much as ten posts.
_TURN_LISTENERS: Final = 500
#: Listeners whose sinks are copied at once: that brings them into the processor's cache, all before the first is used.
_NEAR_LISTENERS: Final = 50
#: Bytes pushed to each listener in one turn: far below an outbox, far above a message. What comes in larger pieces
#: (read after an outage, or a burst in one commit) is pulled by each listener as it drains, and makes nobody slow.
_TURN_BYTES: Final = 131_072
#: Seconds of a hand-out after which the room rests: it has some hundreds of listeners. It rests so many times as long,
#: and at most for so many seconds: two frames of a screen, which nobody sees. See decision 7.
_LONG_S: Final = 0.001
_REST_TIMES: Final = 12
_MOST_REST_S: Final = 0.033
#: Batches, and bytes, that wait for their elders; more are dropped and read from the store.
_MAX_EARLY: Final = 256
_MAX_EARLY_BYTES: Final = 1_048_576
#: Deliveries of a room that are traced at a time; more are not.
_MAX_TRACED: Final = 100
#: People whose removal a room remembers; see `core.control.Removals`.
_REMEMBERED_REMOVALS: Final = 10_000


class Sink(Protocol):
    """What takes frames now: mostly a socket."""

    def send(self, frame: Frame, /) -> int: ...


class Post(Protocol):
    """Where a listener's frames go; `edge.outbox.Outbox` says what each promises. Nothing here waits."""

    @property
    def sink(self) -> Sink: ...

    def post_rest(self, frame: Frame, taken: int) -> bool: ...

    def post_ephemeral(self, frame: Frame) -> None: ...


class Listener(Protocol):
    """Who listens: told to end when it is slow, and to pull what is too much to be pushed."""

    @property
    def outbox(self) -> Post: ...

    def close(self, reason: CloseReason) -> None: ...

    def pull(self, room: Room, position: int) -> None:
        """Detached from `room`, get what follows `position` by a replay, and attach when that has caught up."""
        ...

    @property
    def user_id(self) -> UserId | None: ...

    def as_of(self, room: Room) -> int:
        """The `seq` as of which it was let in: a removal before that, which this node hears of late, is past."""
        ...

    def removed(self, room: Room) -> None:
        """Detached from `room`, whose log says so: it has had that event, and gets nothing after it."""
        ...


class Room:
    """One room, as this node knows it.

    `take` is where its events come in, from the committer, the bridge and the store alike: it checks their
    numbers, so that everybody sees 1, 2, 3 …. The broadcaster hands them out. `delivered` is the last `seq`
    that was handed out: a listener whose position is `delivered` attaches, and gets all that follows, once.
    """

    def __init__(
        self,
        record: RoomRecord,
        limits: Limits,
        on_hole: Callable[[Room], None],
        on_rewrite: Callable[[Room], None] = lambda room: None,
        figures: Figures | None = None,
    ) -> None:
        self.id = record.id
        self.name = record.name
        self.epoch = record.epoch
        self.rules = record.rules  # as of `delivered`
        self.guests_restrained = record.guests_restrained
        self.removals = Removals(_REMEMBERED_REMOVALS)
        self.delivered = record.head
        self.members_elsewhere = 0
        self.people: dict[UserId, int] = {}  # connections at this node, by person; also of those still replaying
        self.idle_since = 0.0  # on Trio's clock, when `people` became empty or a command asked for the room
        self.ended = False  # the node has forgotten it: nothing comes in or goes out any more
        self._limits = limits
        self._on_hole = on_hole
        self._on_rewrite = on_rewrite  # something that was said is said otherwise now, or taken back
        self._figures = figures or Figures()
        self._log = RoomLog(record.head)
        self._early: dict[int, Batch] = {}  # batches whose elders have not come, by their first seq
        self._early_bytes = 0
        self._missed = 0  # the last seq of what could not be taken when it came
        self._attached: dict[Listener, Sink] = {}  # with each one's sink as it is now
        self._sinks: list[Sink] | None = None  # those of `_attached`, made when they are needed
        # since the hand-out under way began: the sinks that have changed, and whose each was; who left
        self._changed: dict[Sink, Listener] = {}
        self._left: set[Listener] = set()
        self._handing_out = False
        self._traced: list[tuple[int, Span]] = []  # the spans that end when this seq is handed out
        self._ring: deque[Batch] = deque()
        self._ring_bytes = 0
        self._ring_events = 0
        self._send, self._incoming = trio.open_memory_channel[Batch](limits.room_queue)

    @property
    def head(self) -> int:
        """The last `seq` taken in; `delivered` follows it within a turn."""
        return self._log.head

    @property
    def needs(self) -> int:
        """The last `seq` that is known to exist: beyond `head` while something is missing."""
        return max(self.head, self._missed)

    def end(self) -> None:
        """The node forgets the room: its broadcaster ends when it has handed out what it has."""
        self.ended = True
        self._send.close()

    def take(self, batch: Batch) -> None:
        """Take in events. Repeats are dropped; what comes too early waits, and the hole is reported.

        A room that has ended takes nothing: what was read for it may come after its end.
        """
        if self.ended:
            return
        match self._log.append(batch.first, batch.count):
            case Appended(first=first):
                self._enqueue(batch if first == batch.first else _cut(batch, first))
                if self._early:
                    self._take_early()
            case Gap():
                self._missed = max(self._missed, batch.first + batch.count - 1)
                self._keep_early(batch)
                self._on_hole(self)
            case Duplicate():
                pass

    def trace(self, seq: int, span: Span) -> None:
        """End `span` when the event `seq` is handed out; at once, when it was."""
        if len(self._traced) < _MAX_TRACED:
            self._traced.append((seq, span))
        self._end_traced()

    def _end_traced(self) -> None:
        for seq, span in self._traced:
            if seq <= self.delivered:
                span.end()
        self._traced = [(seq, span) for seq, span in self._traced if seq > self.delivered]

    def listeners(self) -> list[Listener]:
        """Those who hear what is delivered now."""
        return list(self._attached)

    @property
    def audience(self) -> int:
        """How many those are."""
        return len(self._attached)

    def is_heard_by(self, listener: Listener) -> bool:
        """Whether `listener` is still one of them."""
        return listener in self._attached

    def attach(self, listener: Listener, position: int) -> bool:
        """Let `listener` hear what follows `position`; False unless that is exactly where the room is."""
        if position != self.delivered:
            return False
        self._attached[listener] = listener.outbox.sink
        self._sinks = None
        return True

    def rewired(self, listener: Listener) -> None:
        """The outbox of `listener` has another sink now."""
        if listener in self._attached:
            if self._handing_out:
                self._changed[self._attached[listener]] = listener
            self._attached[listener] = listener.outbox.sink
            self._sinks = None

    def detach(self, listener: Listener) -> None:
        """Nothing of the room reaches `listener` any more."""
        sink = self._attached.pop(listener, None)
        self._sinks = None
        if sink is not None and self._handing_out:
            self._changed[sink] = listener
            self._left.add(listener)

    def recent(self, after: int, max_bytes: int) -> list[Frame] | None:
        """The delivered frames after `after`, from the ring, up to about `max_bytes`; None when it begins later."""
        if after >= self.delivered:
            return []
        if not self._ring or self._ring[0].first > after + 1:
            return None
        frames: list[Frame] = []
        size = 0
        for batch in self._ring:
            if batch.first + batch.count - 1 <= after:
                continue
            split = split_frames(batch.joined)
            frames += split[max(0, after + 1 - batch.first) :]
            size += len(batch.joined)
            if size >= max_bytes:
                break
        return frames

    def forget_recent(self) -> None:
        """Replays read the store again: what it says of earlier events is another thing now."""
        self._ring.clear()
        self._ring_bytes = self._ring_events = 0

    async def run_broadcaster(self) -> None:
        """Hand out what comes in: all that waits as one buffer, one post a listener. Lives until cancelled.

        A hand-out that took long (a large room) is followed by a rest, in which more may come for the next one: a busy
        large room sends fewer and larger buffers, and leaves the node to others.
        """
        rest_until = 0.0
        async for batch in self._incoming:
            if trio.current_time() < rest_until:
                await trio.sleep_until(rest_until)
            batches, size = [batch], len(batch.joined)
            while size < _TURN_BYTES:
                try:
                    batches.append(self._incoming.receive_nowait())
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
                size += len(batches[-1].joined)
            joined = batch.joined if len(batches) == 1 else b"".join([b.joined for b in batches])
            for one in batches:
                self._remember(one)
            began = trio.current_time()
            if holds_controls(joined):
                await self._deliver_in_parts(joined)
            else:
                await self._deliver(joined, batches[-1].first + batches[-1].count - 1)
            if self._traced:
                self._end_traced()
            took = trio.current_time() - began
            rest_s = min(_REST_TIMES * took, _MOST_REST_S) if took > _LONG_S else 0.0
            rest_until = trio.current_time() + rest_s

    async def _deliver_in_parts(self, joined: bytes) -> None:
        """Each event that decides who hears more is applied at its place: they get it, and nothing behind it."""
        first, start, frames = self.delivered + 1, 0, split_frames(joined)
        for index, frame in enumerate(frames):
            control = read_control(frame)
            if control is None:
                continue
            self._apply(control)  # before it is delivered: nobody is let in as of before it from here on
            if control.removes_somebody:
                await self._deliver(b"".join(frames[start : index + 1]), first + index)
                self._remove(control)
                start = index + 1
        if start < len(frames):
            await self._deliver(b"".join(frames[start:]), first + len(frames) - 1)

    def _apply(self, control: Control) -> None:
        if control.rewrites:
            self.forget_recent()
            self._on_rewrite(self)
        self.removals.note(control)
        self.rules = apply_changes(self.rules, control.changes)
        if control.restrained is not None and not is_account(control.restrained):
            self.guests_restrained = True

    def _remove(self, control: Control) -> None:
        for listener in list(self._attached):
            user_id = listener.user_id
            if user_id is not None and control.removes(user_id) and control.seq > listener.as_of(self):
                self.detach(listener)
                listener.removed(self)

    async def _deliver(self, joined: bytes, last: int) -> None:
        """Hand out the events up to `last`, which are `joined`."""
        # from here on new listeners attach behind these events: in one step with the copy of the old ones
        before, self.delivered = self.delivered, last
        if len(joined) > _TURN_BYTES:
            self._have_pulled(before)
        else:
            self._figures.deliveries += (last - before) * len(self._attached)
            await self._hand_out(Frame(joined))

    def _have_pulled(self, position: int) -> None:
        for listener in list(self._attached):
            self.detach(listener)
            listener.pull(self, position)

    async def _hand_out(self, frame: Frame) -> None:
        # the hot path: in a large room each object touched is a cache miss, so there is one for each listener,
        # mostly its socket, and nothing else in the loop
        if self._sinks is None:
            self._sinks = list(self._attached.values())
        sinks, size = self._sinks, len(frame)
        self._handing_out = True
        for start in range(0, len(sinks), _NEAR_LISTENERS):
            if start and start % _TURN_LISTENERS == 0:
                await trio.lowlevel.checkpoint()
            for sink in self._as_now(sinks[start : start + _NEAR_LISTENERS]):
                try:
                    taken = sink.send(frame)
                except OSError:
                    taken = 0  # its socket is full, or gone
                if taken != size:
                    self._post_rest(sink, frame, taken)
        self._handing_out = False
        self._changed.clear()
        self._left.clear()

    def _as_now(self, sinks: Sequence[Sink]) -> Sequence[Sink]:
        """`sinks` of when the hand-out began: without who left since, and each one as it is now."""
        changed = self._changed
        if not changed:
            return sinks
        now = []
        for sink in sinks:
            listener = changed.get(sink)
            if listener is None:
                now.append(sink)
            elif listener in self._attached and listener not in self._left:
                # not who left and came back: they attached behind what is being handed out
                now.append(self._attached[listener])
        return now

    def _post_rest(self, sink: Sink, frame: Frame, taken: int) -> None:
        for listener in [one for one, its_sink in self._attached.items() if its_sink is sink]:
            if not listener.outbox.post_rest(frame, taken):
                self.detach(listener)
                listener.close(SLOW)

    def _enqueue(self, batch: Batch) -> None:
        try:
            self._send.send_nowait(batch)
        except trio.WouldBlock:
            # cannot be handed out now: as if it had not come, so that it is read from the store later
            self._log.head = batch.first - 1
            self._missed = max(self._missed, batch.first + batch.count - 1)
            self._on_hole(self)

    def _keep_early(self, batch: Batch) -> None:
        size = self._early_bytes + len(batch.joined)
        if batch.first not in self._early and len(self._early) < _MAX_EARLY and size <= _MAX_EARLY_BYTES:
            self._early[batch.first] = batch
            self._early_bytes = size

    def _take_early(self) -> None:
        early, self._early = self._early, {}
        self._early_bytes = 0
        for first in sorted(early):
            self.take(early[first])

    def _remember(self, batch: Batch) -> None:
        self._ring.append(batch)
        self._ring_bytes += len(batch.joined)
        self._ring_events += batch.count
        while self._ring and (
            self._ring_bytes > self._limits.ring_bytes or self._ring_events > self._limits.ring_events
        ):
            oldest = self._ring.popleft()
            self._ring_bytes -= len(oldest.joined)
            self._ring_events -= oldest.count


def _cut(batch: Batch, first: int) -> Batch:
    """The end of `batch`, from `first` on."""
    frames = split_frames(batch.joined)[first - batch.first :]
    return Batch(batch.room_id, first, len(frames), b"".join(frames))
