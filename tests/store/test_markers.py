"""The store's contract: how far people have read, what that leaves, and what they want to be told."""

from __future__ import annotations

import pytest
import trio

from tests.store.conftest import Stage
from tests.store.governed import ANN, BOB, CAT, GUS, ROOT, actor, joined, made, refused, says
from tests.store.marked import inbox, last_of, marker, mentioning, mentions, places, reads, said
from trichat.chat.ports import Store
from trichat.core.acts import Remove, Rewrite
from trichat.core.changes import Ban, Kick, Mute, Quit, SetRole
from trichat.core.conversation import Level, Marker, Told
from trichat.core.events import RoomRecord
from trichat.core.names import RoomId, RoomName
from trichat.core.standing import Role, RoomRules

DAY_S = 86_400.0


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room that ann owns and bob is a member of: its head is 3."""
    room = await made(store)
    await joined(store, room, BOB)
    return room


# markers


async def test_who_becomes_a_member_has_nothing_unread(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room), says(ANN, room))
    await joined(store, room, CAT)
    assert await marker(store, room, CAT) == Marker(6, unread=0)
    assert await marker(store, room, ANN) == Marker(5, unread=0)


async def test_who_makes_a_room_has_nothing_unread(store: Store) -> None:
    created = await store.governance.create(RoomName("lobby"), RoomRules(), actor(ANN), address="")
    assert await marker(store, created.record, ANN) == Marker(2, unread=0)


async def test_what_others_say_is_unread_until_it_is_read(store: Store, room: RoomRecord) -> None:
    await said(store, *[says(ANN, room) for _ in range(5)])
    assert await marker(store, room, BOB) == Marker(3, unread=5)
    assert await reads(store, room, BOB, 6) == Marker(6, unread=2)
    assert await marker(store, room, BOB) == Marker(6, unread=2)


async def test_who_says_something_has_read_what_came_before(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room), says(BOB, room))
    assert await marker(store, room, BOB) == Marker(5, unread=0)
    assert await marker(store, room, ANN) == Marker(4, unread=1)


async def test_events_that_are_no_messages_are_not_unread(store: Store, room: RoomRecord) -> None:
    await joined(store, room, CAT)
    await said(store, says(ANN, room))
    assert await marker(store, room, BOB) == Marker(3, unread=1)
    assert await reads(store, room, BOB, 4) == Marker(4, unread=1)


async def test_a_marker_never_moves_back(store: Store, room: RoomRecord) -> None:
    await said(store, *[says(ANN, room) for _ in range(3)])
    assert (await store.markers.read(room.id, actor(BOB), 5)).moved
    for seq in (4, 0, 5):
        again = await store.markers.read(room.id, actor(BOB), seq)
        assert not again.moved
        assert again.marker == Marker(5, unread=1)


async def test_nobody_reads_beyond_the_head(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room))
    with refused("bad_field", "seq", "the head is 4"):
        await store.markers.read(room.id, actor(BOB), 5)
    assert await reads(store, room, BOB, 4) == Marker(4, unread=0)


async def test_what_two_devices_read_at_once_is_the_farther_one(store: Store, room: RoomRecord) -> None:
    await said(store, *[says(ANN, room) for _ in range(40)])
    seen: list[tuple[int, Marker]] = []

    async def device(seq: int) -> None:
        seen.append((seq, await reads(store, room, BOB, seq)))

    async with trio.open_nursery() as nursery:
        for seq in range(4, 44):
            nursery.start_soon(device, seq)
    assert all(found.seq >= seq and found.unread == 43 - found.seq for seq, found in seen)
    assert await marker(store, room, BOB) == Marker(43, unread=0)


async def test_who_leaves_and_comes_back_begins_anew(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room))
    await store.governance.change(room.id, actor(BOB), Quit())
    assert await marker(store, room, BOB) is None
    await said(store, says(ANN, room))
    await joined(store, room, BOB)
    await said(store, says(ANN, room))
    assert await marker(store, room, BOB) == Marker(7, unread=1)


async def test_who_comes_back_begins_anew_also_where_something_of_them_was_kept(store: Store, room: RoomRecord) -> None:
    await store.governance.change(room.id, actor(ANN), Mute(), target=BOB)
    await said(store, says(ANN, room))
    await store.governance.change(room.id, actor(BOB), Quit())
    assert await marker(store, room, BOB) is None
    await joined(store, room, BOB)
    assert await marker(store, room, BOB) == Marker(7, unread=0)


async def test_another_role_is_no_new_membership(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room))
    await store.governance.change(room.id, actor(ANN), SetRole(Role.MODERATOR), target=BOB)
    assert await marker(store, room, BOB) == Marker(3, unread=1)


async def test_what_was_deleted_is_not_unread_and_what_was_edited_is(store: Store, room: RoomRecord) -> None:
    await said(store, *[says(ANN, room, f"{n}") for n in range(4)])
    await reads(store, room, BOB, 5)
    for seq in (4, 6):  # one that was read, one that was not
        await store.acts.act(room.id, actor(ANN), seq, Remove(), cid=None, address="")
    await store.acts.act(room.id, actor(ANN), 7, Rewrite("other words"), cid=None, address="")
    assert await marker(store, room, BOB) == Marker(5, unread=1)
    assert await reads(store, room, BOB, 6) == Marker(6, unread=1)
    assert await reads(store, room, BOB, 7) == Marker(7, unread=0)


async def test_what_is_kept_no_more_is_not_unread(stage: Stage) -> None:
    store, room = stage.store, await made(stage.store, rules=RoomRules(retention_days=7))
    await joined(store, room, BOB)
    old = await said(store, *[mentioning(ANN, room, BOB.user_id) for _ in range(3)])
    await store.acts.act(room.id, actor(ANN), old[1], Remove(), cid=None, address="")
    stage.let_pass(5 * DAY_S)
    young = await said(store, says(ANN, room), mentioning(ANN, room, BOB.user_id))
    await store.acts.act(room.id, actor(ANN), young[0], Remove(), cid=None, address="")
    assert await marker(store, room, BOB) == Marker(3, unread=3, mentions=3)
    stage.let_pass(3 * DAY_S)
    await store.tidy()
    assert await marker(store, room, BOB) == Marker(3, unread=1, mentions=1)
    assert places(await mentions(store, BOB)) == [("lobby", young[1])]
    assert await reads(store, room, BOB, old[0]) == Marker(old[0], unread=1, mentions=1)
    assert await reads(store, room, BOB, young[1]) == Marker(young[1], unread=0, mentions=0)
    stage.let_pass(7 * DAY_S)
    await store.tidy()
    assert await marker(store, room, BOB) == Marker(young[1], unread=0, mentions=0)
    assert last_of(await inbox(store, BOB)) is None


async def test_markers_are_for_members_alone(store: Store, room: RoomRecord) -> None:
    hidden = await made(store, "~x", kind="private")
    for person in (CAT, GUS, ROOT):
        with refused("forbidden", "room", "join it first"):
            await store.markers.read(room.id, actor(person), 1)
        with refused("forbidden"):
            await store.markers.seen(room.id, actor(person), most=100)
        with refused("forbidden"):
            await store.markers.notify(room.id, actor(person), "none", None)
        for refusing in (hidden.id, RoomId(2**40)):
            with refused("no_such_room"):
                await store.markers.read(refusing, actor(person), 1)
        assert await marker(store, room, person) is None
        assert await inbox(store, person) == []
    assert await marker(store, room, BOB) == Marker(3, unread=0)


@pytest.mark.parametrize("change", [Kick(), Ban()])
async def test_who_was_removed_reads_no_more(store: Store, room: RoomRecord, change: Kick | Ban) -> None:
    await store.governance.change(room.id, actor(ANN), change, target=BOB)
    with refused("forbidden"):
        await store.markers.read(room.id, actor(BOB), 3)
    assert await inbox(store, BOB) == []


# what is to be told, and who has read


async def test_what_one_wants_to_be_told_is_kept(stage: Stage) -> None:
    store, room = stage.store, await made(stage.store)
    assert await tell(store, room) == Told("all", 0)
    access = await store.governance.access(room.name, ANN.user_id, marked=True)
    assert access is not None
    until = access.now + 100_000
    assert await tell(store, room, "mentions") == Told("mentions", 0)
    assert await tell(store, room, quiet_until=until) == Told("mentions", until)
    assert await tell(store, room) == Told("mentions", until)
    assert (await inbox(store, ANN))[0].told == Told("mentions", until)
    assert await tell(store, room, quiet_until=0) == Told("mentions", 0)
    assert await tell(store, room, quiet_until=access.now - 1) == Told("mentions", 0)
    assert (await inbox(store, ANN))[0].told == Told("mentions", 0)


async def tell(store: Store, room: RoomRecord, level: Level | None = None, quiet_until: int | None = None) -> Told:
    return await store.markers.notify(room.id, actor(ANN), level, quiet_until)


async def test_members_see_who_has_read_how_far(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room))
    await store.governance.change(room.id, actor(ANN), Ban(), target=GUS)
    await joined(store, room, CAT)
    people = await store.markers.seen(room.id, actor(CAT), most=3)
    assert [(one.user, one.seq) for one in people] == [("ann", 4), ("bob", 3), ("cat", 6)]
    with refused("limit_reached", "room"):
        await store.markers.seen(room.id, actor(CAT), most=2)
