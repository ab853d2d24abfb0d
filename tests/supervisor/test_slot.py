"""A slot: what dies is started again, what is replaced is not missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.supervisor.workers import LIMITS, Place
from trichat.supervisor.slot import WorkersUnusable


@asynccontextmanager
async def kept() -> AsyncIterator[Place]:
    """A slot with a node that serves, and that is kept."""
    place = Place()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.slot.open)
        await wait_all_tasks_blocked()
        place.started[0].serve()
        await wait_all_tasks_blocked()
        nursery.start_soon(place.slot.keep)
        await wait_all_tasks_blocked()
        yield place
        nursery.cancel_scope.cancel(reason="the test is over")


async def test_opening_returns_the_greeting_once_the_node_serves(autojump_clock: MockClock) -> None:
    place = Place()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_serve, place, 0)
        assert await place.slot.open() == "hello from 1"
    assert place.slot.serves


async def test_a_node_that_does_not_come_up_at_the_start_is_an_error_at_once(
    autojump_clock: MockClock,
) -> None:
    place = Place()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end, place, 0)
        with pytest.raises(WorkersUnusable, match=r"n-1 ended with 1"):
            await place.slot.open()
    assert len(place.started) == 1


async def test_a_node_that_does_not_serve_in_time_is_killed(autojump_clock: MockClock) -> None:
    place = Place()
    with pytest.raises(WorkersUnusable):
        await place.slot.open()
    assert place.started[0].killed
    assert trio.current_time() - place.started[0].started_at == pytest.approx(LIMITS.worker_start_s)


async def test_what_dies_is_started_again_at_once_on_new_sockets(autojump_clock: MockClock) -> None:
    async with kept() as place:
        place.started[0].end(-9)
        died_at = trio.current_time()
        await wait_all_tasks_blocked()
        _, again = place.started
        assert again.started_at == died_at
        assert place.renewed == 1


async def test_each_death_in_a_row_waits_longer_and_the_fifth_ends_all(autojump_clock: MockClock) -> None:
    place = Place()
    pauses = []
    with pytest.RaisesGroup(pytest.RaisesExc(WorkersUnusable, match=r"died 5 times in a row")):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, place, 0)
            await place.slot.open()
            nursery.start_soon(place.slot.keep)
            for number in range(LIMITS.worker_deaths):
                place.started[number].serve()
                await wait_all_tasks_blocked()
                place.started[number].end(1)
                died_at = trio.current_time()
                await trio.sleep(LIMITS.worker_retry_most_s + 1)
                pauses.append(place.started[number + 1].started_at - died_at)
    assert pauses == [0, 1, 2, 3]


async def test_who_has_served_for_a_while_did_not_die_at_once(autojump_clock: MockClock) -> None:
    async with kept() as place:
        for number in range(3 * LIMITS.worker_deaths):
            place.started[number].serve()
            await trio.sleep(LIMITS.worker_settled_s + 1)
            place.started[number].end(1)
            await wait_all_tasks_blocked()
        assert len(place.started) == 3 * LIMITS.worker_deaths + 1


async def test_the_successor_serves_before_the_predecessor_is_told_to_stop(
    autojump_clock: MockClock,
) -> None:
    async with kept() as place, trio.open_nursery() as nursery:
        nursery.start_soon(place.slot.replace)
        await wait_all_tasks_blocked()
        old, new = place.started
        told = [old.told]
        new.serve()
        await wait_all_tasks_blocked()
        told.append(old.told)
        assert told == [0, 1]
        assert new.lives
        assert place.slot.serves
    assert len(place.started) == 2, "whoever was replaced is not started again"
    assert not place.renewed, "both serve the same sockets"


async def test_a_successor_that_does_not_serve_leaves_the_predecessor_in_its_place(
    autojump_clock: MockClock,
) -> None:
    async with kept() as place:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_end, place, 1)
            assert not await place.slot.replace()
        old, _ = place.started
        assert old.lives
        assert not old.told
        # and it is still kept
        old.end(1)
        await wait_all_tasks_blocked()
        assert len(place.started) == 3


async def test_a_predecessor_that_dies_meanwhile_is_followed_by_the_successor_alone(
    autojump_clock: MockClock,
) -> None:
    async with kept() as place, trio.open_nursery() as nursery:
        nursery.start_soon(place.slot.replace)
        await wait_all_tasks_blocked()
        old, new = place.started
        old.end(-9)
        await trio.sleep(1)
        new.serve()
        await trio.sleep(1)
        assert len(place.started) == 2
        assert place.slot.serves


async def test_a_predecessor_that_does_not_stop_is_killed(autojump_clock: MockClock) -> None:
    async with kept() as place:
        place.deaf = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, place, 1)
            assert await place.slot.replace()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_serve, place, 2)
            assert await place.slot.replace()
        assert trio.current_time() - began == pytest.approx(LIMITS.drain_s + LIMITS.worker_farewell_s)
        assert [worker.killed for worker in place.started] == [False, True, False]


async def _serve(place: Place, number: int) -> None:
    await wait_all_tasks_blocked()
    place.started[number].serve()


async def _end(place: Place, number: int) -> None:
    await wait_all_tasks_blocked()
    place.started[number].end(1)
