"""How soon people at one node hear another's when news are lost on the way: over the twins, on a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.nodes import Node, Twins, make_twins, open_twin_node
from trichat.client import Client, RoomEvent, StatusChanged, open_client
from trichat.core.limits import Limits

#: A minute between the slow looks: whatever is heard sooner was told, or looked for because of a fault.
LIMITS = Limits(heads_slow_s=60.0)


@asynccontextmanager
async def open_two(twins: Twins) -> AsyncIterator[tuple[Node, Client, Client]]:
    """Bob's node, and ann and bob at a node each, in the same room, when both have looked around."""
    async with (
        open_twin_node(twins) as first,
        open_twin_node(twins, name="n2") as second,
        open_client("ws://n1/ws", connect=first.connect) as ann,
        open_client("ws://n2/ws", connect=second.connect) as bob,
    ):
        await ann.join("lobby")
        await bob.join("lobby")
        await trio.sleep(1)
        yield second, ann, bob


async def hears(client: Client, text: str) -> None:
    async for event in client.events():
        if isinstance(event, RoomEvent) and event.text == text:
            return


async def hears_that_fanout_is(client: Client, fanout: str) -> None:
    async for event in client.events():
        if event == StatusChanged(fanout):
            return


async def test_what_was_lost_with_a_link_is_heard_as_soon_as_the_link_is_back(autojump_clock: MockClock) -> None:
    """Nobody missed a beat, nothing later shows the hole, and the next look is a minute away."""
    twins = make_twins(LIMITS)
    async with open_two(twins) as (second, ann, bob):
        twins.bus.lose_next(1)
        await bob.send("lobby", "lost")
        twins.bus.cut(second.hub.incarnation)
        twins.bus.heal(second.hub.incarnation)
        with trio.fail_after(0.3):
            await hears(ann, "lost")


async def test_what_was_said_while_the_link_was_away_is_heard_too(autojump_clock: MockClock) -> None:
    twins = make_twins(LIMITS)
    async with open_two(twins) as (second, ann, bob):
        twins.bus.cut(second.hub.incarnation)
        await bob.send("lobby", "unpublished")
        twins.bus.heal(second.hub.incarnation)
        with trio.fail_after(0.3):
            await hears(ann, "unpublished")


async def test_what_could_not_be_read_is_heard_as_soon_as_the_store_is_back(autojump_clock: MockClock) -> None:
    """The look that would have shown it has failed, and is not put off until the next that is due."""
    twins = make_twins(LIMITS)
    async with open_two(twins) as (second, ann, bob):
        twins.bus.lose_next(1)
        await bob.send("lobby", "lost")
        twins.store.down = True
        twins.bus.cut(second.hub.incarnation)
        twins.bus.heal(second.hub.incarnation)
        await trio.sleep(5)
        twins.store.down = False
        with trio.fail_after(0.5):
            await hears(ann, "lost")


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25])
async def test_a_node_that_is_cut_off_is_missed_before_people_are(autojump_clock: MockClock, after_s: float) -> None:
    """At whatever moment between two beats: 0.6 s without a beat, a glance at the clock, a look at the heads."""
    twins = make_twins(LIMITS)
    async with open_two(twins) as (second, ann, bob):
        await trio.sleep(after_s)
        twins.bus.cut(second.hub.incarnation)
        await bob.send("lobby", "cut off")
        with trio.fail_after(LIMITS.beat_missing_s + 0.15):
            await hears(ann, "cut off")
        twins.bus.heal(second.hub.incarnation)
        with trio.fail_after(5):
            await hears_that_fanout_is(ann, "ok")


@pytest.mark.parametrize("stalled_s", [0.7, 1.5, 3.0])
async def test_a_node_that_had_no_time_to_listen_misses_nobody(autojump_clock: MockClock, stalled_s: float) -> None:
    """The beats that came meanwhile wait to be heard: a busy machine is no fault of Redis's."""
    twins = make_twins(LIMITS)
    async with open_two(twins) as (_, ann, _bob):
        for _ in range(10):
            autojump_clock.jump(stalled_s)  # the clock goes on, and nobody gets a turn
            await trio.sleep(0.3)
        with trio.move_on_after(1) as quiet:
            await hears_that_fanout_is(ann, "degraded")
        assert quiet.cancelled_caught
