"""The outbox over a socket: whole frames, in order, never waiting for the client."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from tests.edge.links import LAST_WORDS, LIMITS, Link, numbered
from tests.properties import steady_few
from trichat.core.codec import Frame, split_frames, text_frame
from trichat.core.limits import Limits


@pytest.fixture
def link() -> Iterator[Link]:
    link = Link()
    yield link
    link.close()


# over a socket


async def test_with_nothing_queued_a_frame_is_written_at_once(link: Link) -> None:
    first, second = numbered(2)
    assert link.outbox.post(first)
    assert link.take() == first
    link.outbox.post_asked(second)
    assert link.take() == second
    assert link.outbox.queued == 0


async def test_order_is_kept_however_the_socket_takes_it(link: Link, nursery: trio.Nursery) -> None:
    frames = numbered(50)
    assert all(link.outbox.post(frame) for frame in frames)
    assert link.outbox.queued > 0
    nursery.start_soon(link.outbox.run_writer)
    assert await link.take_frames(50) == frames
    assert link.outbox.queued == 0


async def test_live_and_asked_frames_keep_their_order(link: Link, nursery: trio.Nursery) -> None:
    frames = numbered(40)
    nursery.start_soon(link.outbox.run_writer)
    for at, frame in enumerate(frames):
        if at % 2:
            link.outbox.post(frame)
        else:
            link.outbox.post_asked(frame)
        if at % 5 == 0:
            await trio.lowlevel.checkpoint()
    assert await link.take_frames(40) == frames


async def test_after_the_queue_is_drained_frames_are_written_at_once_again(link: Link, nursery: trio.Nursery) -> None:
    frames = numbered(50)
    for frame in frames[:49]:
        link.outbox.post(frame)
    nursery.start_soon(link.outbox.run_writer)
    assert await link.take_frames(49) == frames[:49]
    await wait_all_tasks_blocked()
    link.outbox.post(frames[49])
    assert link.take() == frames[49]


async def test_the_writer_wakes_for_every_queue(link: Link, nursery: trio.Nursery) -> None:
    nursery.start_soon(link.outbox.run_writer)
    for _ in range(3):
        await wait_all_tasks_blocked()
        frames = numbered(20)
        for frame in frames:
            link.outbox.post(frame)
        assert await link.take_frames(20) == frames


async def test_a_full_outbox_says_so_and_sends_nothing_of_what_it_refused(link: Link, nursery: trio.Nursery) -> None:
    taken = link.fill()
    refused = text_frame(b"refused" * 500)
    assert not link.outbox.post(refused)
    assert link.outbox.queued <= LIMITS.outbox_bytes
    assert link.outbox.queued > LIMITS.outbox_bytes - len(refused)
    nursery.start_soon(link.outbox.run_writer)
    assert await link.take_frames(len(taken)) == taken
    await wait_all_tasks_blocked()
    assert link.take() == b""


async def test_what_the_client_asked_for_is_taken_by_a_full_outbox(link: Link, nursery: trio.Nursery) -> None:
    taken = link.fill()
    asked = text_frame(b"asked" * 500)
    link.outbox.post_asked(asked)
    nursery.start_soon(link.outbox.run_writer)
    assert await link.take_frames(len(taken) + 1) == [*taken, asked]


async def test_ephemeral_frames_are_dropped_first(link: Link, nursery: trio.Nursery) -> None:
    frames, ephemeral = numbered(45), text_frame(b"ephemeral")
    sent: list[Frame] = []
    for frame in frames:
        if link.outbox.queued <= LIMITS.outbox_ephemeral_bytes:
            sent.append(ephemeral)
        link.outbox.post_ephemeral(ephemeral)
        assert link.outbox.post(frame)
        sent.append(frame)
    assert 10 < sent.count(ephemeral) < len(frames)
    nursery.start_soon(link.outbox.run_writer)
    assert await link.take_frames(len(sent)) == sent


async def test_refilled_waits_until_little_is_queued(link: Link, nursery: trio.Nursery) -> None:
    await link.outbox.refilled()  # with nothing queued, at once
    taken, seen = link.fill(), list[int]()

    async def note_when_refilled() -> None:
        await link.outbox.refilled()
        seen.append(link.outbox.queued)

    nursery.start_soon(note_when_refilled)
    nursery.start_soon(note_when_refilled)
    nursery.start_soon(link.outbox.run_writer)
    received = b""
    while link.outbox.queued >= LIMITS.outbox_refill_bytes:
        assert seen == []
        received += link.take(4_096)
        await wait_all_tasks_blocked()
    assert len(seen) == 2
    assert all(queued < LIMITS.outbox_refill_bytes for queued in seen)
    assert b"".join(taken).startswith(received)


@pytest.mark.parametrize("queued", [True, False])
async def test_a_client_that_is_gone_is_no_error_of_those_who_post(link: Link, *, queued: bool) -> None:
    if queued:
        link.fill()
    link.client.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.outbox.run_writer)
        await wait_all_tasks_blocked()
        for frame in numbered(100):
            assert link.outbox.post(frame)
            link.outbox.post_asked(frame)
            link.outbox.post_ephemeral(frame)
        await wait_all_tasks_blocked()
        with trio.fail_after(10):
            await link.outbox.refilled()
        nursery.cancel_scope.cancel(reason="the reader has noticed")
    assert link.outbox.queued == 0
    link.outbox.begin_farewell(LAST_WORDS)
    with pytest.raises(trio.BrokenResourceError):
        await link.outbox.drained()


async def test_who_waits_for_a_refill_is_freed_when_the_client_goes(link: Link, nursery: trio.Nursery) -> None:
    link.fill()
    nursery.start_soon(link.outbox.run_writer)
    with trio.fail_after(10):
        async with trio.open_nursery() as waiting:
            waiting.start_soon(link.outbox.refilled)
            await wait_all_tasks_blocked()
            link.client.close()


# the farewell, over a socket


@pytest.mark.parametrize("tail", [0, 1, 3])
async def test_a_farewell_completes_the_half_written_frame_and_drops_the_rest(tail: int) -> None:
    frames = [text_frame(b"a" * 5), text_frame(b"b" * 130), text_frame(b"c"), text_frame(b"d" * 200)]
    posts = [*frames[: 4 - tail], *frames[4 - tail :]]
    for cut in range(len(b"".join(frames)) + 1):
        link = Link(kernel_bytes=100_000)
        link.socket.room = cut
        # the first ones as one joined post, as a room's broadcaster makes it
        link.outbox.post(Frame(b"".join(posts[: 4 - tail])))
        for frame in posts[4 - tail :]:
            link.outbox.post(frame)
        link.socket.room = None
        link.outbox.begin_farewell(LAST_WORDS)
        with trio.fail_after(10):
            await link.outbox.drained()
        touched = next(count for count in range(5) if len(b"".join(frames[:count])) >= cut)
        assert split_frames(link.take()) == [*frames[:touched], LAST_WORDS]
        link.close()


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=12),
    st.lists(st.integers(0, 900), min_size=1, max_size=6),
    st.booleans(),
)
@steady_few
def test_a_writer_that_is_cancelled_anywhere_tears_no_frame(sizes: list[int], rooms: list[int], joined: bool) -> None:
    trio.run(_cancel_after, [text_frame(b"x" * size) for size in sizes], rooms, joined)


async def _cancel_after(frames: Sequence[Frame], rooms: Sequence[int], joined: bool) -> None:
    """The socket takes `rooms` bytes, one after the other, with the writer at work; then the connection ends."""
    link = Link(kernel_bytes=100_000)
    link.socket.room = rooms[0]
    for frame in [Frame(b"".join(frames))] if joined else frames:
        link.outbox.post(frame)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.outbox.run_writer)
        for room in rooms[1:]:
            link.socket.room = room
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
        link.outbox.stop_writing()
        nursery.cancel_scope.cancel(reason="the connection ends")
    link.socket.room = None
    link.outbox.begin_farewell(LAST_WORDS)
    with trio.fail_after(10):
        await link.outbox.drained()
    received = split_frames(link.take())
    assert received == [*frames[: len(received) - 1], LAST_WORDS]
    link.close()


async def test_nothing_follows_the_last_words(link: Link) -> None:
    link.fill()
    link.outbox.begin_farewell(LAST_WORDS)
    late = text_frame(b"late")
    assert link.outbox.post(late)
    link.outbox.post_asked(late)
    link.outbox.post_ephemeral(late)
    received = b""
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.outbox.drained)
            while not received.endswith(LAST_WORDS):
                await trio.lowlevel.wait_readable(link.client)
                received += link.take()
    assert link.outbox.post(late)
    link.outbox.post_asked(late)
    assert link.take() == b""
    assert split_frames(received)[-1] == LAST_WORDS


async def test_a_farewell_that_is_not_taken_can_be_given_up(link: Link) -> None:
    link.fill()
    link.outbox.begin_farewell(Frame(LAST_WORDS * 50_000))
    with trio.move_on_after(0.01, shield=True) as clock:
        await link.outbox.drained()
    assert clock.cancelled_caught


# memory


@pytest.mark.parametrize("size", [200, 4_000])
async def test_a_client_that_does_not_read_costs_the_limit_and_little_more(size: int) -> None:
    limits = Limits()
    link = Link(limits)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    while link.outbox.post(text_frame(b"x" * size)):
        pass
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used < limits.outbox_bytes + 262_144
    link.close()
