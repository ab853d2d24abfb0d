"""What may be lost is carried like the rest, and never at its cost. From the twin and from Redis alike."""

from __future__ import annotations

import struct

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.bridge.buses import Bus, Ear, RedisBus, batch, hear_room
from trichat.bridge.envelope import BadEnvelope, decode, decode_whisper, encode, encode_whisper, is_from, is_whisper
from trichat.bridge.feed import NewsFeed
from trichat.chat.ports import CLUSTER, Batch, Beat, Cut, Linked, Missed, Subscribed, Whisper
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId


def whisper(room: int, said: bytes = b"psst") -> Whisper:
    return Whisper(RoomId(room), said)


async def test_the_others_that_hear_the_room_hear_a_whisper_and_the_speaker_does_not(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob, bus.open_bridge(3) as cat:
        anns, bobs, cats = Ear(ann), Ear(bob), Ear(cat)
        await hear_room(ann, anns, 7)
        await hear_room(bob, bobs, 7)
        await hear_room(cat, cats, 8)
        ann.whisper(whisper(7, b'{"w":"x"}'))
        ann.publish(batch(8, 1))
        assert await bobs.until(Whisper) == whisper(7, b'{"w":"x"}')
        await cats.until(Batch)
        for _ in range(3):
            await anns.until(Beat)
        assert not anns.all_of(Whisper)
        assert not cats.all_of(Whisper)


async def test_what_is_whispered_to_the_cluster_is_heard_by_who_subscribed_to_it(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, CLUSTER)
        ann.whisper(whisper(CLUSTER))
        assert await ear.until(Whisper) == whisper(CLUSTER)


async def test_what_is_whispered_while_cut_is_lost_and_not_missed(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear, anns = Ear(bob), Ear(ann)
        await hear_room(bob, ear, 1)
        bus.cut(1)
        await anns.until(Cut)
        ann.whisper(whisper(1, b"lost"))
        bus.heal(1)
        await anns.until(Linked)
        ann.whisper(whisper(1, b"heard"))
        assert (await ear.until(Whisper)).said == b"heard"
        assert not anns.all_of(Missed)


async def test_whispers_that_nobody_takes_are_dropped_and_what_comes_behind_them_is_not(bus: Bus) -> None:
    limits = Limits(news_queue=100)
    async with bus.open_bridge(1) as ann, bus.open_bridge(2, limits) as bob:
        ear, anns = Ear(bob), Ear(ann)
        await hear_room(bob, ear, 1)
        for number in range(500):
            ann.whisper(whisper(1, b"%d" % number))
        ann.publish(batch(1, 1))
        for _ in range(4):  # the own beats behind them: all is with bob by now
            await anns.until(Beat, lambda beat: beat.incarnation == 1)
        assert len(ear.waiting()) < 100
        assert ear.all_of(Batch) == [batch(1, 1)]
        assert 0 < len(ear.all_of(Whisper)) <= 10
        assert not ear.all_of(Subscribed)[1:], "no batch was lost for a whisper"


async def test_to_redis_so_many_whispers_wait_as_are_allowed_and_none_where_as_many_batches_do(
    redis_bus: RedisBus,
) -> None:
    limits = Limits(whisper_queue=10)
    async with redis_bus.open_bridge(1, limits) as ann, redis_bus.open_bridge(2) as bob:
        ear, anns = Ear(bob), Ear(ann)
        await hear_room(bob, ear, 1)
        await anns.until(Linked)
        for number in range(100):
            ann.whisper(whisper(1, b"%d" % number))
        assert [one.said for one in await ear.take(Whisper, 10)] == [b"%d" % number for number in range(10)]
        for first in range(1, 11):
            ann.publish(batch(1, first))
        ann.whisper(whisper(1, b"dropped"))
        await ear.take(Batch, 10)
        ann.whisper(whisper(1, b"heard"))
        await ear.until(Whisper)
        assert [one.said for one in ear.all_of(Whisper)[10:]] == [b"heard"]
        assert not anns.waiting() or not anns.all_of(Missed)


incarnations = st.integers(0, 2**63 - 1).map(Incarnation)
whispers = st.builds(Whisper, st.integers(0, 2**63 - 1).map(RoomId), st.binary(max_size=300))


@given(incarnations, incarnations, whispers)
def test_a_whisper_comes_out_as_it_went_in(speaker: Incarnation, other: Incarnation, said: Whisper) -> None:
    payload = encode_whisper(speaker, said)
    assert is_whisper(payload)
    assert decode_whisper(payload) == said
    assert is_from(payload, speaker)
    assert is_from(payload, other) == (speaker == other)


def test_a_batch_is_no_whisper_and_who_knows_batches_alone_refuses_a_whisper_by_its_version() -> None:
    assert not is_whisper(encode(Incarnation(1), batch(1, 1)))
    assert not is_whisper(b"")
    with pytest.raises(BadEnvelope, match="version 2"):
        decode(encode_whisper(Incarnation(1), whisper(1, b"x" * 60)))


@pytest.mark.parametrize("length", [1, 9, struct.calcsize(">BQQ") - 1])
def test_a_whisper_that_lost_its_head_is_refused(length: int) -> None:
    with pytest.raises(BadEnvelope, match="shorter"):
        decode_whisper(encode_whisper(Incarnation(1), whisper(1))[:length])


async def test_a_whisper_never_waits_where_something_is_owed() -> None:
    feed = NewsFeed(1, missed_every_s=1.0)
    feed.post(batch(1, 1))
    feed.post(batch(1, 2))  # owed
    feed.post_whisper(whisper(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        assert await feed.news.receive() == batch(1, 1)
        assert await feed.news.receive() == Subscribed(RoomId(1))
        await trio.testing.wait_all_tasks_blocked()
        feed.post_whisper(whisper(1))
        assert await feed.news.receive() == whisper(1)
        feed.news.close()
        feed.post_whisper(whisper(1))
        nursery.cancel_scope.cancel()
