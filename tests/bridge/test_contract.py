"""What the chat may rely on, from the twin and from Redis alike."""

from __future__ import annotations

import trio

from tests.bridge.buses import SOON_S, Bus, Ear, batch, hear_room
from trichat.chat.ports import Batch, Beat, Cut, Linked, Missed, Subscribed
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId


async def test_the_others_hear_a_batch_once_and_in_order_and_the_speaker_does_not(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob, bus.open_bridge(3) as cat:
        ears = [Ear(ann), Ear(bob), Ear(cat)]
        for bridge, ear in zip((ann, bob, cat), ears, strict=True):
            await hear_room(bridge, ear, 7)

        said = [batch(7, first, f'{{"seq":{first}}}', "more") for first in range(1, 401, 2)]
        for each in said:
            ann.publish(each)
        bob.publish(batch(7, 1_000))  # no order is promised between speakers

        assert await ears[1].take(Batch, 200) == said
        cats = await ears[2].take(Batch, 201)
        assert [each for each in cats if each.first < 1_000] == said
        assert await ears[0].take(Batch, 1) == [batch(7, 1_000)]
        for ear in ears:
            await ear.until(Beat)  # whatever came twice would have come before it
        assert [len(ear.all_of(Batch)) for ear in ears] == [1, 200, 201]


async def test_a_room_is_heard_from_subscribed_until_unsubscribed(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        ann.publish(batch(2, 1))  # of a room that bob does not hear
        ann.publish(batch(1, 1))
        assert await ear.until(Batch) == batch(1, 1)

        bob.unsubscribe(RoomId(1))
        await hear_room(bob, ear, 3)
        ann.publish(batch(1, 2))
        ann.publish(batch(3, 1))
        assert await ear.until(Batch) == batch(3, 1)


async def test_a_room_that_is_wanted_again_at_once_is_subscribed(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        bob.unsubscribe(RoomId(1))
        await hear_room(bob, ear, 1)
        ann.publish(batch(1, 1))
        assert await ear.until(Batch) == batch(1, 1)


async def test_subscribing_twice_tells_once(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann:
        ear = Ear(ann)
        await hear_room(ann, ear, 1)
        ann.subscribe(RoomId(1))
        await hear_room(ann, ear, 2)
        assert ear.all_of(Subscribed) == [Subscribed(RoomId(1)), Subscribed(RoomId(2))]


async def test_a_thousand_rooms_are_subscribed_in_one_go(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear = Ear(bob)
        for room in range(1, 1_001):
            bob.subscribe(RoomId(room))
        await ear.until_subscribed(*range(1, 1_001))
        for room in range(1, 1_001):
            ann.publish(batch(room, 1))
        assert await ear.take(Batch, 1_000) == [batch(room, 1) for room in range(1, 1_001)]


async def test_beats_of_all_nodes_are_heard_and_ones_own(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        for ear in (Ear(ann), Ear(bob)):
            await ear.until(Beat, lambda beat: beat.incarnation == 1)
            await ear.until(Beat, lambda beat: beat.incarnation == 2)
            assert {(beat.node, beat.leaving) for beat in ear.all_of(Beat)} == {("n1", False)}


async def test_the_last_word_of_a_node_is_leaving_and_comes_after_what_it_published(bus: Bus) -> None:
    async with bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        async with bus.open_bridge(1) as ann:
            ann.publish(batch(1, 1))
        await ear.until(Batch)
        await ear.until(Beat, lambda beat: beat == Beat(Incarnation(1), "n1", leaving=True))
        assert {beat.incarnation for beat in await ear.take(Beat, 3)} == {2}


async def test_the_news_end_when_the_bridge_is_closed(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann:
        pass
    with trio.fail_after(SOON_S):
        last = [news async for news in ann.news][-1]
    assert isinstance(last, Beat)
    ann.publish(batch(1, 1))  # said to nobody, and harmless
    ann.subscribe(RoomId(1))


async def test_linked_is_the_first_news_and_is_there_when_the_bridge_is_open(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann:
        assert isinstance(ann.news.receive_nowait(), Linked)


async def test_a_cut_link_is_told_and_when_it_heals_linked_and_each_room_again(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        await hear_room(bob, ear, 2)
        ear.heard.clear()

        bus.cut(2)
        await ear.until(Cut)
        bob.unsubscribe(RoomId(2))
        bob.subscribe(RoomId(3))
        bus.heal(2)
        await ear.until_subscribed(1, 3)

        told = [news for news in ear.heard if isinstance(news, Cut | Linked | Subscribed)]
        assert [type(news) for news in told] == [Cut, Linked, Subscribed, Subscribed]
        ann.publish(batch(2, 1))
        ann.publish(batch(3, 1))
        assert await ear.until(Batch) == batch(3, 1)


async def test_one_cut_link_leaves_the_others_alone(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob, bus.open_bridge(3) as cat:
        ear, bobs = Ear(cat), Ear(bob)
        await hear_room(cat, ear, 1)
        bus.cut(2)
        await bobs.until(Cut)
        ann.publish(batch(1, 1))
        assert await ear.until(Batch) == batch(1, 1)
        assert not ear.all_of(Cut)


async def test_what_is_published_while_cut_is_missed_and_told_once_per_beat(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann:
        ear = Ear(ann)
        bus.cut(1)
        await ear.until(Cut)
        for first in range(1, 100):
            ann.publish(batch(1, first))
        await ear.until(Missed)
        assert not ear.waiting()
        ann.publish(batch(1, 100))
        began = trio.current_time()
        await ear.until(Missed)
        assert trio.current_time() - began > Limits().beat_s / 2


async def test_a_bus_that_comes_back_empty_links_all_again(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        anns, bobs = Ear(ann), Ear(bob)
        await hear_room(bob, bobs, 1)
        await bus.stop()
        await anns.until(Cut)
        await bobs.until(Cut)
        await bus.start()
        await anns.until(Linked)
        await bobs.until_subscribed(1)
        ann.publish(batch(1, 1))
        assert await bobs.until(Batch) == batch(1, 1)


async def test_a_bus_that_is_away_at_the_start_is_no_error(bus: Bus) -> None:
    await bus.stop()
    async with bus.open_bridge(1) as ann:
        assert isinstance(ann.news.receive_nowait(), Cut)
        ann.subscribe(RoomId(1))
        await bus.start()
        ear = Ear(ann)
        await ear.until(Linked)
        await ear.until_subscribed(1)


async def test_batches_that_nobody_takes_become_one_subscribed_for_their_room(bus: Bus) -> None:
    limits = Limits(news_queue=10)
    async with bus.open_bridge(1) as ann, bus.open_bridge(2, limits) as bob:
        ear, anns = Ear(bob), Ear(ann)
        for room in (1, 2):
            await hear_room(bob, ear, room)
        for first in range(1, 101):
            ann.publish(batch(1, first))
            ann.publish(batch(2, first))
        for _ in range(4):  # the own beats behind the batches: they are with bob by now
            await anns.until(Beat, lambda beat: beat.incarnation == 1)
        await ear.until_subscribed(1, 2)
        assert len(ear.all_of(Batch)) <= 10
        ann.publish(batch(1, 101))
        assert await ear.until(Batch) == batch(1, 101)
