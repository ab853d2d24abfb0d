"""The thread for calls: what it gives back, and that what has begun is finished."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from trichat.store.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.end()


async def test_it_returns_what_the_work_returns_and_raises_what_it_raises(worker: Worker) -> None:
    def fail() -> None:
        raise LookupError("not here")

    assert await worker.do(lambda: 42) == 42
    with pytest.raises(LookupError, match="not here"):
        await worker.do(fail)
    assert await worker.do(lambda: 43) == 43


async def test_one_thread_that_is_not_ours_does_all_the_work(worker: Worker) -> None:
    first = await worker.do(threading.get_ident)
    assert first == await worker.do(threading.get_ident)
    assert first != threading.get_ident()


async def test_work_that_has_begun_is_finished_though_its_caller_is_cancelled(worker: Worker) -> None:
    may_end = threading.Event()
    done: list[bool] = []

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                done.append(await worker.do(lambda: may_end.wait(10)))

            nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel(reason="the test says so")
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            assert not done
            may_end.set()

    assert done == [True]


async def test_the_thread_ends_when_told_to() -> None:
    worker = Worker()
    thread = await worker.do(threading.current_thread)
    worker.end()
    thread.join(10)
    assert not thread.is_alive()
