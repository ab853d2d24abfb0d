"""A node that is alone publishes nothing, and is heard from the moment that another one comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from tests.chat.guests import Guest
from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.wire import WireClient
from trichat.bridge.memory import MemoryBus
from trichat.chat.ports import Batch, Beat
from trichat.core.names import Incarnation


class CountingBus(MemoryBus):
    """Counts the batches that are published."""

    batches = 0

    def carry(self, speaker: Incarnation, news: Batch | Beat) -> None:
        self.batches += isinstance(news, Batch)
        super().carry(speaker, news)


@asynccontextmanager
async def guest_in_the_lobby(node: Node) -> AsyncIterator[Guest]:
    guest = Guest(await WireClient(await node.connect()).shake_hands())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.run)
        await guest.join("lobby")
        yield guest
        nursery.cancel_scope.cancel()


async def test_who_is_alone_publishes_nothing_until_another_node_is_there(autojump_clock: MockClock) -> None:
    twins = make_twins()
    twins.bus = bus = CountingBus()
    async with open_twin_node(twins, name="n1") as first, guest_in_the_lobby(first) as ann:
        await trio.sleep(5.0)
        assert first.hub.relay.alone
        for number in range(10):
            await ann.say("lobby", f"{number}")
        assert bus.batches == 0
        async with open_twin_node(twins, name="n2") as second, guest_in_the_lobby(second) as bea:
            # at once: what was said while it came is found by its look at the head
            for number in range(10, 20):
                await ann.say("lobby", f"{number}")
                await bea.hears("lobby", f"{number}", within_s=1.0)
                await bea.say("lobby", f"{number}!")
                await ann.hears("lobby", f"{number}!", within_s=1.0)
            assert not first.hub.relay.alone
            assert bus.batches >= 20
        await trio.sleep(
            2 * LOOSE.node_gone_s + LOOSE.heads_slow_s + 1
        )  # its record stays for a while, as after a SIGKILL
        published = bus.batches
        assert first.hub.relay.alone
        await ann.say("lobby", "alone again")
        assert bus.batches == published


async def test_a_node_that_is_cut_off_is_not_taken_for_gone(autojump_clock: MockClock) -> None:
    twins = make_twins()
    async with open_twin_node(twins, name="n1") as first, open_twin_node(twins, name="n2") as second:
        await trio.sleep(5.0)
        twins.bus.cut(second.hub.incarnation)
        await trio.sleep(60.0)
        assert not first.hub.relay.alone
        assert not second.hub.relay.alone
