"""The twin beyond the contract: it lives on a simulated clock, and loses what it is told to."""

from __future__ import annotations

import trio
import trio.testing

from tests.bridge.buses import LIMITS, Ear, batch, hear_room
from trichat.bridge.memory import MemoryBus
from trichat.chat.ports import Batch, Beat, Cut, Linked
from trichat.core.names import Incarnation

ANN, BOB = Incarnation(1), Incarnation(2)


async def test_an_hour_of_beats_takes_no_time(autojump_clock: trio.testing.MockClock) -> None:
    bus = MemoryBus()
    async with bus.open_bridge(incarnation=ANN, node="n1", limits=LIMITS) as ann:
        beats = 0
        with trio.move_on_after(3_600):
            async for news in ann.news:
                beats += isinstance(news, Beat)
        assert abs(beats - 3_600 / LIMITS.beat_s) <= 1


async def test_lost_batches_are_lost_in_silence(autojump_clock: trio.testing.MockClock) -> None:
    bus = MemoryBus()
    async with (
        bus.open_bridge(incarnation=ANN, node="n1", limits=LIMITS) as ann,
        bus.open_bridge(incarnation=BOB, node="n2", limits=LIMITS) as bob,
    ):
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        bus.lose_next(2)
        for first in (1, 2, 3):
            ann.publish(batch(1, first))
        assert await ear.until(Batch) == batch(1, 3)


async def test_a_node_that_is_cut_twice_hears_of_it_once(autojump_clock: trio.testing.MockClock) -> None:
    bus = MemoryBus()
    async with bus.open_bridge(incarnation=ANN, node="n1", limits=LIMITS) as ann:
        ear = Ear(ann)
        bus.cut(ANN)
        bus.stop()
        bus.heal(ANN)
        await trio.sleep(1.0)
        bus.start()
        await ear.until(Linked)
        await ear.until(Linked)
        assert len(ear.all_of(Cut)) == 1
