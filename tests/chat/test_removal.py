"""A room's own events at their place: who is removed hears that, and nothing after it."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.chat.rooms import LOBBY, Ear, make_room
from trichat.chat.ports import Batch
from trichat.core.codec import Frame, encode_event, payload_of, quote, split_frames, text_frame
from trichat.core.events import Event
from trichat.core.names import UserId

ANN, BOB, GUEST = UserId("u_ann"), UserId("u_bob"), UserId("g_one")


def event(seq: int, kind: str = "message", **body: Any) -> bytes:
    made = Event(seq, kind, ANN, "ann", 1_767_225_600_000, None, quote(body or {"text": f"{seq}"}))
    return text_frame(encode_event(LOBBY.name, made))


def removal(seq: int, who: UserId, change: str = "banned") -> bytes:
    return event(seq, "member", user="x", user_id=who, change=change)


def batch(*events: bytes, first: int = 1) -> Batch:
    return Batch(LOBBY.id, first, len(events), b"".join(events))


def heard(ear: Ear) -> list[int]:
    marks = [payload_of(frame).split(b'"seq":')[1] for joined in ear.heard for frame in split_frames(joined)]
    return [int(mark.split(b",")[0]) for mark in marks]


@pytest.fixture
def ears() -> dict[UserId, Ear]:
    return {who: Ear(user_id=who) for who in (ANN, BOB, GUEST)}


@pytest.mark.parametrize("change", ["left", "kicked", "banned"])
async def test_who_is_removed_hears_that_and_nothing_after_it(
    nursery: trio.Nursery, ears: dict[UserId, Ear], change: str
) -> None:
    room = make_room()
    nursery.start_soon(room.run_broadcaster)
    for ear in ears.values():
        assert room.attach(ear, 0)
    room.take(batch(event(1), removal(2, BOB, change), event(3), event(4)))
    await trio.testing.wait_all_tasks_blocked()
    assert heard(ears[BOB]) == [1, 2]
    assert ears[BOB].removals == [room]
    assert heard(ears[ANN]) == heard(ears[GUEST]) == [1, 2, 3, 4]
    assert room.delivered == 4


async def test_one_removal_after_another_in_one_batch(nursery: trio.Nursery, ears: dict[UserId, Ear]) -> None:
    room = make_room()
    nursery.start_soon(room.run_broadcaster)
    for ear in ears.values():
        assert room.attach(ear, 0)
    closed = event(3, "room", changes={"guests": False})
    room.take(batch(removal(1, ANN), event(2), closed, event(4), removal(5, BOB), event(6)))
    await trio.testing.wait_all_tasks_blocked()
    assert (heard(ears[ANN]), heard(ears[GUEST]), heard(ears[BOB])) == ([1], [1, 2, 3], [1, 2, 3, 4, 5])
    assert not room.rules.open_to_guests


async def test_a_removal_in_a_batch_that_is_cut_counts_once(nursery: trio.Nursery, ears: dict[UserId, Ear]) -> None:
    room = make_room()
    nursery.start_soon(room.run_broadcaster)
    assert room.attach(ears[BOB], 0)
    room.take(batch(event(1), removal(2, BOB)))
    room.take(batch(event(1), removal(2, BOB), event(3)))
    await trio.testing.wait_all_tasks_blocked()
    assert heard(ears[BOB]) == [1, 2]
    assert ears[BOB].removals == [room]


async def test_a_removal_that_a_node_hears_of_late_does_not_remove_who_has_come_in_again(
    nursery: trio.Nursery, ears: dict[UserId, Ear]
) -> None:
    room = make_room()
    nursery.start_soon(room.run_broadcaster)
    ears[BOB].let_in = 3
    assert room.attach(ears[BOB], 0)
    room.take(batch(event(1), removal(2, BOB), event(3), removal(4, BOB), event(5)))
    await trio.testing.wait_all_tasks_blocked()
    assert heard(ears[BOB]) == [1, 2, 3, 4]
    assert ears[BOB].removals == [room]


async def test_who_was_let_in_before_a_removal_is_known_afterwards(nursery: trio.Nursery) -> None:
    room = make_room()
    nursery.start_soon(room.run_broadcaster)
    room.take(batch(event(1), removal(2, BOB), event(3)))
    await trio.testing.wait_all_tasks_blocked()
    assert room.removals.since(BOB, 1)
    assert not room.removals.since(BOB, 2)


async def test_a_muted_guest_closes_the_way_in_without_the_store(nursery: trio.Nursery) -> None:
    room = make_room()
    nursery.start_soon(room.run_broadcaster)
    room.take(batch(removal(1, GUEST, "muted")))
    await trio.testing.wait_all_tasks_blocked()
    assert room.guests_restrained


async def test_nobody_is_let_in_during_the_hand_out_of_their_removal(
    nursery: trio.Nursery,
) -> None:
    room = make_room()
    seen: list[bool] = []

    class Looking(Ear):
        def take(self, frame: Frame) -> int:
            seen.append(room.removals.since(BOB, 1))
            return super().take(frame)

    assert room.attach(Looking(user_id=ANN), 0)
    nursery.start_soon(room.run_broadcaster)
    room.take(batch(event(1), removal(2, BOB), event(3)))
    await trio.testing.wait_all_tasks_blocked()
    assert seen
    assert all(seen)
