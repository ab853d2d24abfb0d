"""The store's contract: the operator's queue of reports. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

import pytest

from tests.store.governed import ANN, BOB, actor, made, says
from tests.store.people import OPERATOR
from trichat.chat.ports import Store
from trichat.core.events import RoomRecord
from trichat.core.names import RoomName


@pytest.fixture
async def rooms(store: Store) -> list[RoomRecord]:
    """A public, a private and a direct room of ann's, in each of which she has said message 3."""
    direct = await store.governance.open_direct(RoomName("@x"), actor(ANN), BOB)
    found = [await made(store), await made(store, "~x", kind="private"), direct.record]
    await store.append([says(ANN, room) for room in found])
    return found


async def _reported(store: Store, rooms: list[RoomRecord]) -> list[int]:
    """The numbers of the reports that ann makes of her own message in each room."""
    return [await store.governance.report(room.id, 3, actor(ANN), f"in {room.name}") for room in rooms]


async def _open(store: Store) -> list[int]:
    return [report.number for _, report in await store.administration.reports(resolved=False, after=0, limit=9)]


async def test_reports_of_rooms_of_every_kind_are_listed_by_number(store: Store, rooms: list[RoomRecord]) -> None:
    numbers = await _reported(store, rooms)
    found = await store.administration.reports(resolved=False, after=0, limit=9)
    assert [(room, r.number, r.seq, r.reporter, r.reason, r.resolved_by, r.note) for room, r in found] == [
        ("lobby", numbers[0], 3, "ann", "in lobby", None, ""),
        ("~x", numbers[1], 3, "ann", "in ~x", None, ""),
        ("@x", numbers[2], 3, "ann", "in @x", None, ""),
    ]
    (of_the_room,) = await store.governance.reports(rooms[0].id, actor(ANN), resolved=False, after=0, limit=9)
    assert found[0][1] == of_the_room


async def test_they_come_in_pages(store: Store, rooms: list[RoomRecord]) -> None:
    numbers = await _reported(store, rooms)
    page = await store.administration.reports(resolved=False, after=0, limit=2)
    assert [report.number for _, report in page] == numbers[:2]
    page = await store.administration.reports(resolved=False, after=numbers[1], limit=2)
    assert [report.number for _, report in page] == numbers[2:]


async def test_a_report_of_a_direct_room_is_resolved_once(store: Store, rooms: list[RoomRecord]) -> None:
    first, second, direct = await _reported(store, rooms)
    assert await store.administration.resolve(direct, "talked to", operator=OPERATOR)
    assert not await store.administration.resolve(direct, "again", operator=OPERATOR)
    assert await _open(store) == [first, second]
    found = await store.administration.reports(resolved=True, after=0, limit=9)
    assert [(r.number, r.resolved_by, r.note) for _, r in found] == [
        (first, None, ""), (second, None, ""), (direct, "server", "talked to"),
    ]  # fmt: skip
    entry = (await store.administration.audit(before=None, limit=1))[0]
    assert (entry.actor, entry.actor_id, entry.act, entry.room) == (OPERATOR, None, "resolve", "@x")
    assert (entry.target, entry.target_id, entry.reason, entry.address) == (None, None, "talked to", "")


async def test_the_rooms_own_people_see_what_the_operator_resolved(store: Store, rooms: list[RoomRecord]) -> None:
    lobby, (number, *_) = rooms[0], await _reported(store, rooms)
    assert await store.administration.resolve(number, "seen", operator=OPERATOR)
    assert await store.governance.reports(lobby.id, actor(ANN), resolved=False, after=0, limit=9) == []
    (report,) = await store.governance.reports(lobby.id, actor(ANN), resolved=True, after=0, limit=9)
    assert (report.resolved_by, report.note) == ("server", "seen")
    assert not await store.governance.resolve(lobby.id, actor(ANN), number, "", address="")
    entry, *_ = await store.governance.audit(lobby.id, actor(ANN), before=None, limit=9)
    assert (entry.act, entry.actor, entry.reason) == ("resolve", OPERATOR, "seen")


async def test_what_a_moderator_resolved_is_not_resolved_again(store: Store, rooms: list[RoomRecord]) -> None:
    number, *_ = await _reported(store, rooms)
    assert await store.governance.resolve(rooms[0].id, actor(ANN), number, "mine", address="")
    before = await store.administration.audit(before=None, limit=99)
    assert not await store.administration.resolve(number, "theirs", operator=OPERATOR)
    assert await store.administration.audit(before=None, limit=99) == before
    ((_, report), *_) = await store.administration.reports(resolved=True, after=0, limit=9)
    assert (report.resolved_by, report.note) == ("ann", "mine")


async def test_reports_of_rooms_that_are_gone_are_neither_listed_nor_resolved(
    store: Store, rooms: list[RoomRecord]
) -> None:
    numbers = await _reported(store, rooms)
    assert await store.administration.delete_room(RoomName("@x"), operator=OPERATOR)
    await store.governance.delete(rooms[1].id, actor(ANN), address="")
    assert await _open(store) == numbers[:1]
    for number in numbers[1:]:
        assert not await store.administration.resolve(number, "", operator=OPERATOR)
    found = await store.administration.reports(resolved=True, after=0, limit=9)
    assert [room for room, _ in found] == ["lobby"]


async def test_where_nothing_was_reported_nothing_is_resolved(store: Store, rooms: list[RoomRecord]) -> None:
    before = await store.administration.audit(before=None, limit=99)
    assert await _open(store) == []
    assert not await store.administration.resolve(1, "", operator=OPERATOR)
    assert await store.administration.audit(before=None, limit=99) == before
