"""The store's contract: the inbox, and the messages that mention somebody, over all rooms."""

from __future__ import annotations

import pytest

from tests.people import make_account
from tests.store.conftest import Stage, open_room
from tests.store.governed import ANN, BOB, CAT, actor, joined, made, refused, says
from tests.store.marked import inbox, last_of, marker, mentioning, mentions, places, reads, said
from trichat.chat.ports import Store
from trichat.core.acts import Remove
from trichat.core.changes import Quit
from trichat.core.conversation import InboxRoom, Marker, Told
from trichat.core.events import EVERYBODY, Person, RoomRecord
from trichat.core.names import RoomName
from trichat.core.present import TOMBSTONE
from trichat.core.standing import Role, RoomRules


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room that ann owns and bob is a member of: its head is 3."""
    room = await made(store)
    await joined(store, room, BOB)
    return room


# mentions


async def test_a_message_that_mentions_twice_counts_once(store: Store, room: RoomRecord) -> None:
    await said(
        store,
        mentioning(ANN, room, BOB.user_id),
        mentioning(ANN, room, CAT.user_id),
        mentioning(ANN, room, EVERYBODY),
        mentioning(ANN, room, EVERYBODY, BOB.user_id),
    )
    assert await marker(store, room, BOB) == Marker(3, unread=4, mentions=3)
    assert await reads(store, room, BOB, 6) == Marker(6, unread=1, mentions=1)
    assert [(one.message.seq, one.unread) for one in await mentions(store, BOB)] == [(7, True), (6, False), (4, False)]


async def test_a_deleted_message_mentions_nobody(store: Store, room: RoomRecord) -> None:
    await said(store, mentioning(ANN, room, BOB.user_id))
    await store.acts.act(room.id, actor(ANN), 4, Remove(), cid=None, address="")
    assert await marker(store, room, BOB) == Marker(3, unread=0, mentions=0)
    assert await mentions(store, BOB) == []


async def test_mentions_are_listed_over_all_rooms_the_last_first(stage: Stage) -> None:
    store, rooms = stage.store, [await made(stage.store, name) for name in ("a", "b")]
    for one in rooms:
        await joined(store, one, BOB)
    for one in (rooms[0], rooms[1], rooms[0]):
        await said(store, mentioning(ANN, one, BOB.user_id), mentioning(ANN, one, EVERYBODY), says(ANN, one))
        stage.let_pass(1)
    everything = [("a", 8), ("a", 7), ("b", 5), ("b", 4), ("a", 5), ("a", 4)]
    assert places(await mentions(store, BOB)) == everything
    for limit in (1, 2, 4, 5):
        listed: list[tuple[str, int]] = []
        key = ""
        while page := await mentions(store, BOB, before=key, limit=limit):
            listed += places(page)
            key = page[-1].key
        assert listed == everything


async def test_mentions_of_the_same_moment_are_paged_without_a_loss(store: Store) -> None:
    rooms = [await made(store, name) for name in ("a", "b", "c")]
    for one in rooms:
        await joined(store, one, BOB)
    await said(store, *[mentioning(ANN, one, BOB.user_id) for _ in range(3) for one in rooms])
    whole = await mentions(store, BOB)
    assert len(whole) == 9
    assert [
        one for key in ["", *(one.key for one in whole)] for one in await mentions(store, BOB, before=key, limit=1)
    ] == whole


async def test_only_what_one_may_see_mentions_one(store: Store) -> None:
    room = await made(store, rules=RoomRules(history="joined"))
    other = await made(store, "other")
    await said(store, mentioning(ANN, room, EVERYBODY), mentioning(ANN, other, EVERYBODY))
    await joined(store, room, BOB)
    assert await mentions(store, BOB) == []
    await said(store, mentioning(ANN, room, EVERYBODY))
    assert places(await mentions(store, BOB)) == [("lobby", 5)]
    assert places(await mentions(store, CAT)) == []
    await store.governance.change(room.id, actor(BOB), Quit())
    assert await mentions(store, BOB) == []


@pytest.mark.parametrize("key", ["x", "1-2", "1-2-3-4", "-1-2-3", "٣-1-1", "9" * 17 + "-1-1", "1-1-1\n"])
async def test_what_is_no_key_is_said_to_be_none(store: Store, room: RoomRecord, key: str) -> None:
    with refused("bad_field", "before"):
        await mentions(store, BOB, before=key)


async def test_the_largest_key_is_the_end(store: Store, room: RoomRecord) -> None:
    await said(store, mentioning(ANN, room, BOB.user_id))
    key = "-".join(("9" * 16, "9" * 18, "9" * 18))
    assert places(await mentions(store, BOB, before=key)) == [("lobby", 4)]


# inbox


async def test_the_inbox_tells_of_each_room_what_is_new(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room, "one"), mentioning(ANN, room, BOB.user_id, text="two"))
    (listed,) = await inbox(store, BOB)
    assert listed == InboxRoom(
        id=room.id, room=room.name, kind="public", title="", epoch=room.epoch, head=5, role=Role.MEMBER,
        read=Marker(3, unread=2, mentions=1), told=Told(), last=listed.last,
    )  # fmt: skip
    assert listed.last is not None
    assert (listed.last.seq, listed.last.user) == (5, "ann")
    assert b'"two"' in listed.last.body


async def test_the_inbox_is_paged_by_name(store: Store) -> None:
    for name in ("c", "ä", "a", "b"):
        await joined(store, await made(store, name), BOB)
    await made(store, "not-bobs")
    assert [one.room for one in await inbox(store, BOB)] == ["a", "b", "c", "ä"]
    assert [one.room for one in await inbox(store, BOB, limit=2)] == ["a", "b"]
    assert [one.room for one in await inbox(store, BOB, after="b", limit=2)] == ["c", "ä"]
    assert await inbox(store, BOB, after="ä") == []


async def test_the_inbox_shows_a_tombstone_of_a_last_message_that_was_deleted(store: Store, room: RoomRecord) -> None:
    await said(store, says(ANN, room))
    assert last_of(await inbox(store, BOB)) is not None
    await store.acts.act(room.id, actor(ANN), 4, Remove(), cid=None, address="")
    last = last_of(await inbox(store, BOB))
    assert last is not None
    assert (last.seq, last.rev, last.body) == (4, 5, TOMBSTONE)


async def test_the_inbox_does_not_show_what_was_said_before_one_came(store: Store) -> None:
    room = await made(store, rules=RoomRules(history="joined"))
    await said(store, says(ANN, room))
    await joined(store, room, BOB)
    assert last_of(await inbox(store, BOB)) is None
    assert last_of(await inbox(store, ANN)) is not None
    await said(store, says(ANN, room))
    assert last_of(await inbox(store, BOB)) is not None


async def test_a_direct_room_is_in_the_inbox_of_both(store: Store) -> None:
    direct = (await store.governance.open_direct(RoomName("@ann-bob"), actor(ANN), BOB)).record
    await said(store, says(ANN, direct))
    (of_ann,), (of_bob,) = await inbox(store, ANN), await inbox(store, BOB)
    assert (of_ann.kind, of_ann.read) == ("direct", Marker(3, unread=0))
    assert (of_bob.kind, of_bob.read) == ("direct", Marker(2, unread=1))


async def test_a_direct_room_says_with_whom(store: Store) -> None:
    await make_account(store, "ann")
    await make_account(store, "bob")
    ann, bob = [person for name in ("ann", "bob") if (person := await store.accounts.find_person(name)) is not None]
    direct = await store.governance.open_direct(RoomName("@" + "a" * 26), actor(ann), bob)
    room = await open_room(store, "lobby")
    await joined(store, room, ann)
    assert await store.accounts.rename(bob.user_id, "robert")
    expected = {direct.record.name: Person("robert", bob.user_id), room.name: None}
    assert {one.room: one.peer for one in await inbox(store, ann)} == expected
    mine = await store.governance.my_rooms(ann.user_id, after="", limit=10)
    assert {one.room: one.peer for one in mine} == expected
    assert (await inbox(store, bob))[0].peer == ann
