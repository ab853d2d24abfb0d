"""The committer: takes all drafts that wait into one transaction, then announces what was committed.

It announces, not the connection that sent: a client that dies between the commit and the announcement must
not leave a stored message that nobody hears of.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import trio

from trichat.chat.figures import Figures
from trichat.chat.ports import Batch, Store, StoreUnavailable
from trichat.chat.tracing import Span, Tracer
from trichat.core.codec import encode_event, text_frame
from trichat.core.errors import CommandId
from trichat.core.events import CidReused, Committed, Denied, Draft, Event, Outcome, Repeated, RoomGone
from trichat.core.limits import Limits
from trichat.core.names import RoomId

#: Seconds between looks for drafts whose senders have waited long enough.
_DEADLINE_STEP_S: Final = 0.1


class Sender(Protocol):
    """Who sent a draft and hears what became of it. None of these waits."""

    @property
    def withdrawn(self) -> bool:
        """The sender's connection broke: what is queued is not stored (it will be sent again, with its cid)."""
        ...

    def acknowledged(self, submission: Submission, seq: int, *, repeated: bool) -> bytes:
        """The ack's frame, which the committer posts with the others of this batch for the same sender."""
        ...

    def refused(self, submission: Submission, outcome: CidReused | RoomGone | Denied) -> None: ...

    def unavailable(self, submission: Submission) -> None: ...

    def post_acks(self, frames: Sequence[bytes]) -> None: ...


class Submission:
    """A draft on its way to the store, with what its sender needs to hear the end of it."""

    __slots__ = ("answered", "command_id", "deadline", "draft", "sender", "trace")

    def __init__(self, draft: Draft, sender: Sender, command_id: CommandId, trace: Span | None = None) -> None:
        self.draft = draft
        self.sender = sender
        self.command_id = command_id
        self.deadline = math.inf  # on Trio's clock; then the sender hears `unavailable`
        self.answered = False
        self.trace = trace  # of the send, where it is traced


class Committer:
    """Commits drafts in lanes: rooms are spread over them, a room stays on one, each has one batch in flight.

    `announce` is called with each room's new events, right after the commit; it neither waits nor raises.
    """

    def __init__(
        self,
        store: Store,
        limits: Limits,
        lanes: int,
        announce: Callable[[Batch], None],
        *,
        figures: Figures | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._store = store
        self._announce = announce
        self._limits = limits
        self._figures = figures or Figures()
        self._tracer = tracer
        self._lanes = [_Lane() for _ in range(lanes)]
        self._waiting = 0  # submissions that are not answered
        self._idle = trio.Event()
        self._busy = trio.Event()

    def submit(self, submission: Submission) -> bool:
        """Queue a draft; False when `commit_queue` drafts wait already. The sender is told what became of it."""
        if self._waiting >= self._limits.commit_queue:
            return False
        submission.deadline = trio.current_time() + self._limits.commit_s
        lane = self._lanes[submission.draft.room_id % len(self._lanes)]
        lane.queue.append(submission)
        lane.wake.set()
        self._busy.set()
        self._waiting += 1
        return True

    @property
    def waiting(self) -> int:
        """How many drafts are not answered yet."""
        return self._waiting

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is in flight."""
        while self._waiting or any(lane.in_flight for lane in self._lanes):
            if self._idle.is_set():
                self._idle = trio.Event()  # one event for all who wait
            await self._idle.wait()

    async def run(self) -> None:
        """All lanes, and the clock that lets no sender wait longer than `commit_s`. Lives until cancelled."""
        async with trio.open_nursery() as nursery:
            for lane in self._lanes:
                nursery.start_soon(self._run_lane, lane)
            nursery.start_soon(self._run_deadlines)

    async def _run_lane(self, lane: _Lane) -> None:
        while True:
            if not lane.queue:
                lane.wake = trio.Event()
                await lane.wake.wait()
            batch = self._next_batch(lane.queue)
            if batch:
                lane.in_flight = batch
                await self._commit(batch)
                lane.in_flight = []
            if not self._waiting:
                self._idle.set()

    async def _commit(self, batch: list[Submission]) -> None:
        began = trio.current_time()
        span = None if self._tracer is None else _begin_span(self._tracer, batch)
        try:
            outcomes = await self._store.append([submission.draft for submission in batch])
        except StoreUnavailable:
            for submission in batch:
                self._give_up(submission)
            if span is not None:
                span.end(outcome="unavailable")
        else:
            # no checkpoint between the commit and the announcement: no cancellation can come between them
            self._conclude(batch, outcomes, span)
            self._figures.batch_drafts.observe(len(batch))
            self._figures.commit_s.observe(trio.current_time() - began)

    def _next_batch(self, queue: deque[Submission]) -> list[Submission]:
        batch: list[Submission] = []
        size = 0
        while queue and len(batch) < self._limits.commit_batch and size < self._limits.commit_batch_bytes:
            submission = queue.popleft()
            if submission.answered:
                continue  # its sender has given up; not begun, so it is not stored
            if submission.sender.withdrawn:
                self._figures.sends["withdrawn"] += self._answer(submission)
                continue
            batch.append(submission)
            size += len(submission.draft.body)
        return batch

    def _conclude(self, batch: Sequence[Submission], outcomes: Sequence[Outcome], span: Span | None) -> None:
        acks: dict[Sender, list[bytes]] = {}
        rooms: dict[RoomId, list[tuple[Submission, Committed]]] = {}
        repeated = refused = 0
        for submission, outcome in zip(batch, outcomes, strict=True):
            match outcome:
                case Committed(seq=seq):
                    rooms.setdefault(submission.draft.room_id, []).append((submission, outcome))
                    self._acknowledge(submission, seq, acks)
                case Repeated(seq=seq):
                    repeated += 1
                    self._acknowledge(submission, seq, acks, repeated=True)
                case CidReused() | RoomGone() | Denied():
                    refused += 1
                    if self._answer(submission):
                        submission.sender.refused(submission, outcome)
        self._count(len(batch) - repeated - refused, repeated, refused)
        if span is not None:
            span.end()
        for committed in rooms.values():
            self._announce(_encode(committed, span))
        for sender, frames in acks.items():
            sender.post_acks(frames)
        if span is not None:
            _end_sends(batch, outcomes)

    def _count(self, committed: int, repeated: int, refused: int) -> None:
        sends = self._figures.sends
        sends["committed"] += committed
        sends["repeated"] += repeated
        sends["refused"] += refused

    def _acknowledge(
        self, submission: Submission, seq: int, acks: dict[Sender, list[bytes]], *, repeated: bool = False
    ) -> None:
        if self._answer(submission):
            frame = submission.sender.acknowledged(submission, seq, repeated=repeated)
            acks.setdefault(submission.sender, []).append(frame)

    def _give_up(self, submission: Submission) -> None:
        if self._answer(submission):
            self._figures.sends["unavailable"] += 1
            if submission.trace is not None:
                submission.trace.end(outcome="unavailable")
            submission.sender.unavailable(submission)

    def _answer(self, submission: Submission) -> bool:
        """True once: each sender hears one answer, whichever comes first."""
        if submission.answered:
            return False
        submission.answered = True
        self._waiting -= 1
        return True

    async def _run_deadlines(self) -> None:
        while True:
            if not self._waiting:
                self._busy = trio.Event()
                await self._busy.wait()
            await trio.sleep(_DEADLINE_STEP_S)
            now = trio.current_time()
            for lane in self._lanes:
                for submission in _overdue(lane, now):
                    self._give_up(submission)
            if not self._waiting:
                self._idle.set()


class _Lane:
    def __init__(self) -> None:
        self.queue: deque[Submission] = deque()
        self.in_flight: list[Submission] = []
        self.wake = trio.Event()


def _overdue(lane: _Lane, now: float) -> Iterable[Submission]:
    """Those whose time is over, oldest first: both lists are in the order of their deadlines."""
    for waiting in (lane.in_flight, lane.queue):
        for submission in waiting:
            if submission.deadline > now:
                break
            yield submission


def _begin_span(tracer: Tracer, batch: Sequence[Submission]) -> Span | None:
    traced = [submission.trace for submission in batch if submission.trace is not None]
    return tracer.begin_commit(traced, len(batch)) if traced else None


def _end_sends(batch: Sequence[Submission], outcomes: Sequence[Outcome]) -> None:
    """Their acks, or what else was said to their senders, are on their way."""
    for submission, outcome in zip(batch, outcomes, strict=True):
        if submission.trace is not None:
            seq = outcome.seq if isinstance(outcome, Committed | Repeated) else None
            submission.trace.end(seq=seq, outcome=type(outcome).__name__.lower())


def _encode(committed: Sequence[tuple[Submission, Committed]], span: Span | None) -> Batch:
    """The announcement of one room's new events: the bytes that every listener on every node gets.

    `span` is of their commit; it goes with the events of the rooms in which something of it is traced.
    """
    frames = [
        text_frame(
            encode_event(
                submission.draft.room,
                Event(
                    seq=outcome.seq,
                    kind=submission.draft.kind,
                    user_id=submission.draft.user_id,
                    user=submission.draft.user,
                    ts=outcome.ts,
                    cid=submission.draft.cid,
                    body=submission.draft.body,
                ),
            )
        )
        for submission, outcome in committed
    ]
    first = committed[0][1].seq
    assert committed[-1][1].seq == first + len(frames) - 1, "a batch numbers a room's drafts without a hole"
    if span is not None and all(submission.trace is None for submission, _ in committed):
        span = None
    return Batch(committed[0][0].draft.room_id, first, len(frames), b"".join(frames), span)
