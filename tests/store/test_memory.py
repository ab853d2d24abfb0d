"""The twin alone: faults on purpose, virtual time, no threads."""

from __future__ import annotations

from random import Random

import pytest
import trio
import trio.testing

from tests.store.conftest import LIMITS, open_room, said
from trichat.chat.ports import NodeRecord, StoreUnavailable
from trichat.core.chance import Chance
from trichat.core.events import Committed, Repeated
from trichat.core.names import Incarnation
from trichat.store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(LIMITS, chance=Chance(Random(1)))


async def test_while_it_is_down_every_call_fails_and_nothing_is_done(store: MemoryStore) -> None:
    room = await open_room(store)
    store.down = True
    with pytest.raises(StoreUnavailable):
        await store.append([said(room)])
    with pytest.raises(StoreUnavailable):
        await store.ping()
    store.down = False
    assert (await open_room(store)).head == 0


async def test_an_answer_that_was_lost_is_found_by_its_cid(store: MemoryStore) -> None:
    room = await open_room(store)
    store.answers_lost = True
    with pytest.raises(StoreUnavailable):
        await store.append([said(room, "hi", cid="a")])
    store.answers_lost = False
    assert await store.append([said(room, "hi", cid="a")]) == [Repeated(1)]


async def test_time_is_the_clock_of_trio(store: MemoryStore, autojump_clock: trio.testing.MockClock) -> None:
    node = NodeRecord(Incarnation(1), "n1", degraded=False)
    await store.record_node(node, [])
    room = await open_room(store)
    (first,) = await store.append([said(room)])
    await trio.sleep(LIMITS.node_gone_s)
    (second,) = await store.append([said(room)])
    assert isinstance(first, Committed)
    assert isinstance(second, Committed)
    assert second.ts - first.ts == LIMITS.node_gone_s * 1000
    assert not await store.record_node(node, [])


async def test_a_call_that_has_begun_is_finished_and_one_that_has_not_is_not_begun(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    room = await open_room(store)
    store.delay_s = 1
    with trio.move_on_after(0.5):
        assert isinstance((await store.append([said(room)]))[0], Committed)
    with trio.CancelScope() as cancelled:
        cancelled.cancel(reason="before the call")
        await store.append([said(room)])
    assert cancelled.cancelled_caught
    assert (await open_room(store)).head == 1


async def test_the_same_seed_gives_the_same_rooms_and_secrets() -> None:
    one, two = [MemoryStore(LIMITS, chance=Chance(Random(7))) for _ in range(2)]
    assert await open_room(one) == await open_room(two)
    assert await one.signing_secrets() == await two.signing_secrets()
