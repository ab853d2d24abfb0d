"""The committer by itself: batches, lanes, deadlines, and what each sender hears."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.nodes import LOOSE
from trichat.chat.committer import Committer, Submission
from trichat.chat.ports import Batch
from trichat.core.chance import Chance
from trichat.core.codec import split_frames
from trichat.core.events import CidReused, Denied, Draft, Outcome, RoomGone
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName, UserId
from trichat.store.memory import MemoryStore

ANN: Final = UserId("g_ann")


class LoggingStore(MemoryStore):
    """Remembers the batches that it was given, and how many were under way at once."""

    def __init__(self, limits: Limits = LOOSE) -> None:
        super().__init__(limits, chance=Chance())
        self.batches: list[list[Draft]] = []
        self.most_at_once = 0
        self._at_once = 0

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        self.batches.append(list(drafts))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await super().append(drafts)
        finally:
            self._at_once -= 1


class Speaker:
    """Sends drafts, and remembers what it hears of each."""

    def __init__(self) -> None:
        self.withdrawn = False
        self.heard: dict[str, list[str]] = {}  # by command id
        self.at: dict[str, float] = {}
        self.posts = 0

    def acknowledged(self, submission: Submission, seq: int, *, repeated: bool) -> bytes:
        self._hear(submission, f"{seq} again" if repeated else str(seq))
        return b""

    def refused(self, submission: Submission, outcome: CidReused | RoomGone | Denied) -> None:
        self._hear(submission, type(outcome).__name__)

    def unavailable(self, submission: Submission) -> None:
        self._hear(submission, "unavailable")

    def post_acks(self, frames: Sequence[bytes]) -> None:
        self.posts += 1

    def _hear(self, submission: Submission, what: str) -> None:
        self.heard.setdefault(str(submission.command_id), []).append(what)
        self.at[str(submission.command_id)] = trio.current_time()


class Desk:
    """A running committer over its store, with two rooms on two lanes."""

    def __init__(self, committer: Committer, store: LoggingStore, announced: list[Batch]) -> None:
        self.committer = committer
        self.store = store
        self.announced = announced
        self.rooms: dict[str, RoomId] = {}

    def submit(
        self, speaker: Speaker, command_id: str, room: str = "one", cid: str | None = None, text: str = "hi"
    ) -> bool:
        body = b'{"text":"%b"}' % text.encode()
        draft = Draft(self.rooms.get(room, RoomId(99)), RoomName(room), "message", ANN, "ann", cid, body)
        return self.committer.submit(Submission(draft, speaker, command_id))


@asynccontextmanager
async def open_desk(limits: Limits = LOOSE, lanes: int = 2) -> AsyncIterator[Desk]:
    store, announced = LoggingStore(limits), list[Batch]()
    desk = Desk(Committer(store, limits, lanes, announced.append), store, announced)
    for name in ("one", "two"):
        desk.rooms[name] = (await store.open_rooms([RoomName(name)], create=True))[RoomName(name)].id
    assert desk.rooms["one"] % 2 != desk.rooms["two"] % 2, "they are on different lanes"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.committer.run)
        await wait_all_tasks_blocked()
        yield desk
        nursery.cancel_scope.cancel(reason="the test is over")


async def test_all_that_waits_goes_into_one_transaction(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        for number in range(100):
            assert desk.submit(ann, str(number))
        await desk.committer.drained()
        assert [len(batch) for batch in desk.store.batches] == [100]
        assert ann.heard == {str(number): [str(number + 1)] for number in range(100)}
        assert ann.posts == 1, "the acks of a batch are one write"


async def test_a_batch_has_no_more_drafts_and_hardly_more_bytes_than_it_may(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, commit_batch=10, commit_batch_bytes=1_000)
    async with open_desk(limits) as desk:
        ann = Speaker()
        for number in range(25):
            desk.submit(ann, str(number))
        for number in range(25, 30):
            desk.submit(ann, str(number), text="x" * 400)
        await desk.committer.drained()
        assert [len(batch) for batch in desk.store.batches] == [10, 10, 8, 2]
        assert list(ann.heard) == [str(number) for number in range(30)]


async def test_rooms_on_different_lanes_commit_side_by_side_and_one_room_in_order(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        desk.store.delay_s = 0.5
        desk.submit(ann, "a", "one")
        await trio.sleep(0.1)
        for command_id, room in (("b", "one"), ("c", "two"), ("d", "one")):
            desk.submit(ann, command_id, room)
        await desk.committer.drained()
        assert desk.store.most_at_once == 2
        assert ann.heard == {"a": ["1"], "c": ["1"], "b": ["2"], "d": ["3"]}
        assert trio.current_time() < 1.1, "two commits one after the other, and one beside them"


async def test_what_is_committed_is_announced_once_for_each_room(autojump_clock: MockClock) -> None:
    async with open_desk(lanes=1) as desk:
        ann = Speaker()
        for number in range(6):
            desk.submit(ann, str(number), "one" if number % 2 else "two")
        await desk.committer.drained()
        assert [(batch.room_id, batch.first, batch.count) for batch in desk.announced] == [
            (desk.rooms["two"], 1, 3),
            (desk.rooms["one"], 1, 3),
        ]
        assert all(len(split_frames(batch.joined)) == 3 for batch in desk.announced)


async def test_repeats_and_refusals_are_not_announced(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        desk.submit(ann, "first", cid="c1")
        await desk.committer.drained()
        desk.announced.clear()
        desk.submit(ann, "again", cid="c1")
        desk.submit(ann, "other", cid="c1", text="other")
        desk.submit(ann, "gone", room="never opened")
        await desk.committer.drained()
        assert desk.announced == []
        assert ann.heard == {"first": ["1"], "again": ["1 again"], "other": ["CidReused"], "gone": ["RoomGone"]}


async def test_a_repeat_between_new_ones_leaves_their_numbers_without_a_hole(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        for command_id, cid in (("a", "c1"), ("b", "c2"), ("c", "c1"), ("d", "c3")):
            desk.submit(ann, command_id, cid=cid)
        await desk.committer.drained()
        assert ann.heard == {"a": ["1"], "b": ["2"], "c": ["1 again"], "d": ["3"]}
        assert [(batch.first, batch.count) for batch in desk.announced] == [(1, 3)]


@pytest.mark.parametrize("hanging", [True, False], ids=["the store hangs", "the store refuses"])
async def test_every_sender_hears_within_the_deadline(hanging: bool, autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        desk.store.down = True
        desk.store.delay_s = LOOSE.store_call_s if hanging else 0.0
        asked: dict[str, float] = {}
        for number in range(40):
            asked[str(number)] = trio.current_time()
            assert desk.submit(ann, str(number), "one" if number % 2 else "two")
            await trio.sleep(0.1)
        await desk.committer.drained()
        assert ann.heard == {str(number): ["unavailable"] for number in range(40)}
        assert max(ann.at[command_id] - asked[command_id] for command_id in asked) <= 2.0


async def test_what_commits_after_its_deadline_is_announced_but_not_acknowledged(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        desk.store.delay_s = 3.0
        desk.submit(ann, "late", cid="c1")
        await desk.committer.drained()
        assert ann.heard == {"late": ["unavailable"]}
        assert [batch.first for batch in desk.announced] == [1]
        desk.store.delay_s = 0.0
        desk.submit(ann, "again", cid="c1")
        await desk.committer.drained()
        assert ann.heard["again"] == ["1 again"]


async def test_what_waited_in_vain_is_not_stored_later(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        desk.store.delay_s = 3.0
        desk.submit(ann, "hangs")
        await trio.sleep(0.5)
        desk.submit(ann, "waits")
        await desk.committer.drained()
        await trio.sleep(10.0)
        assert ann.heard == {"hangs": ["unavailable"], "waits": ["unavailable"]}
        assert [len(batch) for batch in desk.store.batches] == [1]


async def test_what_a_broken_connection_left_in_the_queue_is_not_stored(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann, bob = Speaker(), Speaker()
        desk.store.delay_s = 0.5
        desk.submit(ann, "begun")
        await trio.sleep(0.1)
        desk.submit(ann, "queued")
        desk.submit(bob, "queued too")
        ann.withdrawn = True
        await desk.committer.drained()
        assert [[draft.body for draft in batch] for batch in desk.store.batches] == [[b'{"text":"hi"}']] * 2
        assert bob.heard == {"queued too": ["2"]}
        assert [batch.first for batch in desk.announced] == [1, 2]


async def test_a_full_queue_takes_nothing_more_until_some_are_answered(autojump_clock: MockClock) -> None:
    async with open_desk(msgspec.structs.replace(LOOSE, commit_queue=5)) as desk:
        ann = Speaker()
        desk.store.delay_s = 0.1
        assert [desk.submit(ann, str(number)) for number in range(7)] == [True] * 5 + [False] * 2
        await desk.committer.drained()
        assert desk.submit(ann, "8")
        await desk.committer.drained()
        assert ann.heard["8"] == ["6"]
        assert "6" not in ann.heard, "who was not taken hears nothing from here"


async def test_all_who_wait_for_the_end_hear_of_it(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        await desk.committer.drained()  # nothing waits: at once
        desk.store.delay_s = 1.0
        desk.submit(ann, "last")
        with trio.fail_after(1.2):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(desk.committer.drained)
        assert ann.heard == {"last": ["1"]}


async def test_drained_waits_for_what_is_in_flight_though_all_are_answered(autojump_clock: MockClock) -> None:
    async with open_desk() as desk:
        ann = Speaker()
        desk.store.delay_s = 5.0
        desk.submit(ann, "late")
        await desk.committer.drained()
        assert trio.current_time() >= 5.0
        assert [batch.first for batch in desk.announced] == [1]
