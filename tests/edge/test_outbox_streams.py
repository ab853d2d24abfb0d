"""The outbox over a stream without a socket, as under TLS: the writer alone writes, and tears no frame."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from tests.edge.links import LAST_WORDS, LIMITS, SlowStream, numbered
from trichat.core.codec import split_frames, text_frame
from trichat.edge.outbox import Outbox


async def test_a_stream_is_written_by_the_writer_alone(nursery: trio.Nursery) -> None:
    client, stream = memory_stream_pair()
    outbox, frames = Outbox(stream, None, LIMITS), numbered(3)
    assert all(outbox.post(frame) for frame in frames)
    assert outbox.queued == len(b"".join(frames))
    nursery.start_soon(outbox.run_writer)
    await wait_all_tasks_blocked()
    assert split_frames(bytes(await client.receive_some())) == frames
    assert outbox.queued == 0
    outbox.post(frames[0])
    await wait_all_tasks_blocked()
    assert bytes(await client.receive_some()) == frames[0]


async def test_what_comes_during_a_send_follows_it(nursery: trio.Nursery) -> None:
    stream = SlowStream(step=100)
    outbox, frames = Outbox(stream, None, LIMITS), numbered(30)
    nursery.start_soon(outbox.run_writer)
    for frame in frames:
        assert outbox.post(frame)
        await trio.lowlevel.checkpoint()
    await wait_all_tasks_blocked()
    assert split_frames(bytes(stream.received)) == frames
    assert 1 < stream.sends < len(frames)


async def test_a_full_outbox_of_a_stream_says_so() -> None:
    outbox = Outbox(SlowStream(1), None, LIMITS)
    taken = [frame for frame in numbered(100) if outbox.post(frame)]
    assert 0 < len(taken) < 100
    assert outbox.queued <= LIMITS.outbox_bytes


async def test_a_cancelled_writer_ends_its_send_and_begins_no_other() -> None:
    frames = [text_frame(b"x" * size) for size in (10, 20, 30)]
    for checkpoints in range(1, 80):
        stream = SlowStream(step=1)
        outbox = Outbox(stream, None, LIMITS)
        outbox.post(frames[0])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outbox.run_writer)
            await trio.lowlevel.checkpoint()
            for frame in frames[1:]:
                outbox.post(frame)
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            begun = stream.sends
            outbox.stop_writing()
            nursery.cancel_scope.cancel(reason="the connection ends")
        assert stream.sends == begun
        outbox.begin_farewell(LAST_WORDS)
        await outbox.drained()
        received = split_frames(bytes(stream.received))
        assert received == [*frames[: len(received) - 1], LAST_WORDS]


async def test_a_cancelled_writer_of_a_stuck_stream_ends_in_time(autojump_clock: MockClock) -> None:
    client, stream = lockstep_stream_pair()  # takes nothing before it is read
    outbox = Outbox(stream, None, LIMITS)
    for frame in numbered(30):
        outbox.post(frame)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run_writer)
        await wait_all_tasks_blocked()
        began = trio.current_time()
        outbox.stop_writing()
        nursery.cancel_scope.cancel(reason="the connection ends")
    assert trio.current_time() - began == pytest.approx(LIMITS.farewell_s)
    # how much of the frame was taken is not known: nothing may follow it
    outbox.begin_farewell(LAST_WORDS)
    assert outbox.queued == 0
    with pytest.raises(trio.BrokenResourceError):
        await outbox.drained()
    await client.aclose()


async def test_a_farewell_to_a_stuck_stream_can_be_given_up(autojump_clock: MockClock) -> None:
    client, stream = lockstep_stream_pair()
    outbox = Outbox(stream, None, LIMITS)
    outbox.begin_farewell(LAST_WORDS)
    with trio.move_on_after(LIMITS.farewell_s, shield=True) as clock:
        await outbox.drained()
    assert clock.cancelled_caught
    await client.aclose()


async def test_a_stream_whose_client_is_gone_is_no_error_of_those_who_post(nursery: trio.Nursery) -> None:
    client, stream = memory_stream_pair()
    outbox = Outbox(stream, None, LIMITS)
    nursery.start_soon(outbox.run_writer)
    await client.aclose()
    await stream.aclose()
    for frame in numbered(200):
        assert outbox.post(frame)
        await trio.lowlevel.checkpoint()
    with trio.fail_after(10):
        await outbox.refilled()
    assert outbox.queued == 0
