"""All slots together: one after the other where somebody must stay, at once where all go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.supervisor.workers import LIMITS, FakeWorker, Place
from trichat.supervisor.crew import Crew
from trichat.supervisor.slot import WorkersUnusable


class Company:
    """A crew of two places."""

    def __init__(self) -> None:
        self.places = [Place("n-1"), Place("n-2")]
        self.told_when_closed: list[int] | None = None
        self.crew = Crew(LIMITS, close_ports=self._close)

    @property
    def workers(self) -> list[FakeWorker]:
        return [worker for place in self.places for worker in place.started]

    async def run(self) -> None:
        await self.crew.run([place.slot for place in self.places])

    def _close(self) -> None:
        self.told_when_closed = [worker.told for worker in self.workers]


@asynccontextmanager
async def serving(*, deaf: bool = False) -> AsyncIterator[Company]:
    """A company that serves; the block ends when it has ended."""
    company = Company()
    for place in company.places:
        place.deaf = deaf
    async with trio.open_nursery() as nursery:
        nursery.start_soon(company.run)
        await wait_all_tasks_blocked()
        for worker in company.workers:
            worker.serve()
        await wait_all_tasks_blocked()
        yield company


async def test_one_greeting_is_printed_when_all_serve(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    company = Company()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(company.run)
        await wait_all_tasks_blocked()
        company.workers[1].serve()
        await wait_all_tasks_blocked()
        assert not capsys.readouterr().out
        company.workers[0].serve()
        await wait_all_tasks_blocked()
        assert capsys.readouterr().out.count("hello from") == 1
        company.crew.stop()


async def test_told_to_stop_it_closes_its_sockets_and_tells_all_at_once(autojump_clock: MockClock) -> None:
    async with serving(deaf=True) as company:
        company.crew.stop()
        await wait_all_tasks_blocked()
        assert company.told_when_closed == [0, 0]
        assert [worker.told for worker in company.workers] == [1, 1]
        for worker in company.workers:
            worker.end(0)
    assert not company.crew.cut_off
    assert not any(worker.killed for worker in company.workers)


async def test_who_does_not_stop_is_killed_when_the_time_for_all_is_over(
    autojump_clock: MockClock,
) -> None:
    async with serving(deaf=True) as company:
        began = trio.current_time()
        company.crew.stop()
        company.workers[0].end(0)
    assert trio.current_time() - began == pytest.approx(LIMITS.drain_s + LIMITS.worker_farewell_s)
    assert [worker.killed for worker in company.workers] == [False, True]
    assert company.crew.cut_off


async def test_told_twice_it_tells_all_once_more_and_waits_for_a_moment_only(
    autojump_clock: MockClock,
) -> None:
    async with serving(deaf=True) as company:
        company.crew.stop()
        await wait_all_tasks_blocked()
        began = trio.current_time()
        company.crew.stop()
        assert [worker.told for worker in company.workers] == [2, 2]
    assert trio.current_time() - began == pytest.approx(LIMITS.worker_farewell_s)
    assert company.crew.cut_off


async def test_who_ends_with_an_error_when_told_to_stop_was_cut_off(autojump_clock: MockClock) -> None:
    async with serving(deaf=True) as company:
        company.crew.stop()
        await wait_all_tasks_blocked()
        company.workers[0].end(0)
        company.workers[1].end(1)
    assert company.crew.cut_off


async def test_who_does_not_serve_yet_may_end_as_it_likes(autojump_clock: MockClock) -> None:
    company = Company()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(company.run)
        await wait_all_tasks_blocked()
        company.crew.stop()
        await wait_all_tasks_blocked()
    assert not any(worker.lives for worker in company.workers)
    assert not company.crew.cut_off


async def test_all_are_replaced_one_after_the_other(autojump_clock: MockClock) -> None:
    async with serving() as company:
        first, second = company.places
        company.crew.roll()
        await wait_all_tasks_blocked()
        assert (len(first.started), len(second.started)) == (2, 1)
        first.started[1].serve()
        await wait_all_tasks_blocked()
        assert (len(first.started), len(second.started)) == (2, 2)
        second.started[1].serve()
        await wait_all_tasks_blocked()
        assert [worker.lives for worker in company.workers] == [False, True, False, True]
        company.crew.stop()


async def test_told_to_replace_all_while_it_does_it_does_so_once_more(autojump_clock: MockClock) -> None:
    async with serving() as company:
        first, second = company.places
        company.crew.roll()
        await wait_all_tasks_blocked()
        for _ in range(3):
            company.crew.roll()
        for place, number in ((first, 1), (second, 1), (first, 2), (second, 2)):
            place.started[number].serve()
            await wait_all_tasks_blocked()
        assert [len(place.started) for place in company.places] == [3, 3]
        company.crew.stop()


async def test_where_one_cannot_be_replaced_the_others_go_on_too(autojump_clock: MockClock) -> None:
    async with serving() as company:
        first, second = company.places
        company.crew.roll()
        await wait_all_tasks_blocked()
        first.started[1].end(1)
        await wait_all_tasks_blocked()
        assert len(second.started) == 1
        assert first.started[0].lives
        company.crew.stop()


async def test_when_one_cannot_be_kept_all_are_drained(autojump_clock: MockClock) -> None:
    company = Company()
    with pytest.RaisesGroup(WorkersUnusable, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(company.run)
            await wait_all_tasks_blocked()
            company.workers[0].serve()
            company.workers[1].end(1)
    assert company.workers[0].told == 1
    assert not company.workers[0].lives
