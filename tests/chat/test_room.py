"""A room: everybody hears 1, 2, 3 …, whatever comes in, in whatever order, and whenever they come and go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.chat.rooms import Ear, batch, make_room, seqs
from tests.properties import steady
from trichat.chat.room import Room
from trichat.core.closing import SLOW
from trichat.core.limits import Limits

LAST = 40
runs = st.tuples(st.integers(1, LAST), st.integers(1, 9)).map(lambda run: (run[0], min(run[1], LAST + 1 - run[0])))
whom = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("take"), runs),
    st.tuples(st.just("take next"), st.integers(1, 3)),
    st.tuples(st.just("come"), whom),
    st.tuples(st.just("leave"), whom),
    st.tuples(st.just("leave and come back"), whom),
    st.tuples(st.just("rewire"), whom),
    st.tuples(st.just("yield"), st.integers(1, 2)),
)
#: Listeners before those that are looked at: the room yields when it has served them, in the middle of a hand-out.
CROWD = [Ear() for _ in range(500)]


class Visitor:
    """Comes and goes, and checks at each end of a visit what was heard in it."""

    def __init__(self) -> None:
        self.ear = Ear()
        self.position: int | None = None  # where the visit began; None: away

    def come(self, room: Room) -> None:
        if self.position is None:
            assert not self.ear.heard, "nothing comes after leaving"
            self.position = room.delivered
            assert room.attach(self.ear, self.position)

    def leave(self, room: Room, last: int | None = None) -> None:
        if self.position is not None:
            room.detach(self.ear)
            heard = self.ear.seqs
            assert heard == list(range(self.position + 1, self.position + 1 + len(heard)))
            assert last is None or self.position + len(heard) == last
            self.position = None
            self.ear.heard.clear()


@steady
@given(st.lists(steps, max_size=60))
def test_every_listener_hears_what_follows_its_position_once_and_in_order(plan: list[tuple[str, Any]]) -> None:
    trio.run(_play, plan)


async def _play(plan: list[tuple[str, Any]]) -> None:
    room = make_room()
    visitors = [Visitor() for _ in range(3)]
    for ear in CROWD:
        ear.heard.clear()
        room.attach(ear, 0)
    for visitor in visitors[1:]:
        visitor.come(room)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        for step, value in plan:
            match step:
                case "take":
                    room.take(batch(*value))
                case "take next":
                    room.take(batch(room.head + 1, min(value, LAST - room.head)))
                case "come":
                    visitors[value].come(room)
                case "leave":
                    visitors[value].leave(room)
                case "leave and come back":
                    visitors[value].leave(room)
                    visitors[value].come(room)
                case "rewire":
                    visitors[value].ear.rewire()
                    room.rewired(visitors[value].ear)
                case "yield":
                    for _ in range(value):
                        await trio.lowlevel.checkpoint()
        room.take(batch(1, LAST))  # as the store brings what is missing
        await _until_delivered(room)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="all is said")
    assert room.head == room.delivered == room.needs == LAST
    for visitor in visitors:
        visitor.leave(room, last=LAST)
        visitor.come(room)  # which sees that nothing came after leaving
    assert CROWD[0].seqs == CROWD[-1].seqs == list(range(1, LAST + 1))


async def _until_delivered(room: Room) -> None:
    with trio.fail_after(10):
        while room.delivered < LAST:  # on a busy machine a hand-out takes long, and the room rests after it
            await trio.lowlevel.checkpoint()


@steady
@given(st.lists(runs, max_size=30), st.integers(0, LAST), st.integers(1, 200), st.integers(1, 20))
def test_the_ring_gives_the_delivered_events_after_a_position_or_says_that_it_cannot(
    taken: list[tuple[int, int]], after: int, max_bytes: int, ring_events: int
) -> None:
    async def play() -> None:
        room = make_room(Limits(ring_events=ring_events))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.run_broadcaster)
            for run in taken:
                room.take(batch(*run))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel(reason="all is said")
        frames = room.recent(after, max_bytes)
        if frames is None:
            assert after < room.delivered, "who is at the end lacks nothing"
        elif after >= room.delivered:
            assert frames == []
        else:
            assert frames, "something is missing, and it is in the ring"
            assert seqs(frames) == list(range(after + 1, after + 1 + len(frames)))

    trio.run(play)


def test_a_hole_is_reported_and_what_came_too_early_follows_when_it_is_filled() -> None:
    holes: list[Room] = []
    room = make_room(holes=holes)
    room.take(batch(3, 2))
    assert (holes, room.head, room.needs) == ([room], 0, 4)
    room.take(batch(1, 2))
    assert (room.head, room.needs) == (4, 4)


@pytest.mark.parametrize("count", [1, 100_000], ids=["many batches", "long batches"])
def test_of_too_much_that_comes_too_early_the_rest_is_known_to_be_missing(count: int) -> None:
    room = make_room()
    last = 1 + 300 if count == 1 else 1 + 3 * count
    for first in range(2, last + 1, count):
        room.take(batch(first, count))
    room.take(batch(1))
    assert 1 < room.head < last
    assert room.needs == last


async def test_batches_that_wait_are_handed_out_as_one_buffer(autojump_clock: MockClock) -> None:
    room, ear = make_room(), Ear()
    room.attach(ear, 0)
    for seq in range(1, 101):
        room.take(batch(seq))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="all is said")
    assert len(ear.heard) == 1
    assert ear.seqs == list(range(1, 101))


async def test_a_full_queue_is_a_hole_that_is_read_later(autojump_clock: MockClock) -> None:
    holes: list[Room] = []
    room, ear = make_room(Limits(room_queue=2), holes), Ear()
    room.attach(ear, 0)
    for seq in range(1, 5):
        room.take(batch(seq))
    assert holes
    assert (room.head, room.needs) == (2, 4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        await wait_all_tasks_blocked()
        room.take(batch(3, 2))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="all is said")
    assert ear.seqs == [1, 2, 3, 4]


async def test_who_leaves_in_the_middle_of_a_hand_out_hears_no_more(autojump_clock: MockClock) -> None:
    room = make_room()
    ears = [Ear() for _ in range(2_000)]
    for ear in ears:
        room.attach(ear, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        room.take(batch(1))
        while not ears[0].heard:
            await trio.lowlevel.checkpoint()
        assert not ears[-1].heard, "the hand-out is under way"
        for ear in ears[1_000:]:
            room.detach(ear)
        deaf = [ear for ear in ears[1_000:] if not ear.heard]
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="all is said")
    assert ears[-1] in deaf
    assert not any(ear.heard for ear in deaf)
    assert all(ear.seqs == [1] for ear in ears[:1_000])


async def test_who_leaves_and_comes_back_in_the_middle_of_a_hand_out_does_not_hear_it(
    autojump_clock: MockClock,
) -> None:
    room = make_room()
    ears = [Ear() for _ in range(2_000)]
    for ear in ears:
        room.attach(ear, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        room.take(batch(1))
        while not ears[0].heard:
            await trio.lowlevel.checkpoint()
        assert not ears[-1].heard, "the hand-out is under way"
        room.detach(ears[-1])
        assert room.delivered == 1
        room.attach(ears[-1], 1)
        room.take(batch(2))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="all is said")
    assert ears[-1].seqs == [2]
    assert all(ear.seqs == [1, 2] for ear in ears[:-1])


async def test_a_slow_listener_is_told_to_end_and_the_others_go_on(autojump_clock: MockClock) -> None:
    room = make_room()
    slow, swift = Ear(capacity=1), Ear()
    room.attach(slow, 0)
    room.attach(swift, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.run_broadcaster)
        for seq in range(1, 4):
            room.take(batch(seq))
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="all is said")
    assert slow.closed is SLOW
    assert slow.seqs == [1]
    assert swift.seqs == [1, 2, 3]
    assert swift.closed is None


async def test_a_room_that_ended_hands_out_what_it_has_and_takes_no_more(autojump_clock: MockClock) -> None:
    room, ear = make_room(), Ear()
    room.attach(ear, 0)
    room.take(batch(1))
    room.end()
    room.take(batch(2))
    await room.run_broadcaster()  # it returns
    assert ear.seqs == [1]


def test_who_is_not_exactly_where_the_room_is_cannot_attach() -> None:
    room = make_room()
    assert not room.attach(Ear(), 1)
    assert room.attach(Ear(), 0)


def test_the_ring_keeps_no_more_than_it_may() -> None:
    async def play() -> None:
        room = make_room(msgspec.structs.replace(Limits(), ring_bytes=100))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.run_broadcaster)
            for seq in range(1, 200):
                room.take(batch(seq))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel(reason="all is said")
        assert room.recent(0, 10_000) is None
        kept = room.recent(199 - 20, 10_000)
        assert kept is not None
        assert seqs(kept) == list(range(180, 200))
        assert room.recent(199 - 21, 10_000) is None, "twenty frames of five bytes are all that fit"

    trio.run(play)
