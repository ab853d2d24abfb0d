"""What is traced says so to the others, right before it; a node that knows no traces passes over that."""

from __future__ import annotations

import msgspec
from msgspec import structs

from tests.bridge.buses import Bus, Ear, batch, hear_room
from trichat.chat.ports import Batch, Whisper


class Publishing:
    """A span that tells whether it has ended."""

    context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def __init__(self) -> None:
        self.ended = False

    def end(self, *, seq: int | None = None, outcome: str | None = None) -> None:
        self.ended = True


async def test_a_batch_that_is_traced_comes_behind_its_trace_and_without_it(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear, publishing = Ear(bob), Publishing()
        await hear_room(bob, ear, 7)
        ann.publish(structs.replace(batch(7, 1), trace=publishing))
        assert await ear.until(Batch) == batch(7, 1)
        (said,) = ear.all_of(Whisper)
    assert msgspec.json.decode(said.said) == {"w": "trace", "first": 1, "context": publishing.context}
    assert publishing.ended


async def test_a_batch_that_is_not_traced_comes_alone(bus: Bus) -> None:
    async with bus.open_bridge(1) as ann, bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 7)
        ann.publish(batch(7, 1))
        await ear.until(Batch)
        assert not ear.all_of(Whisper)
