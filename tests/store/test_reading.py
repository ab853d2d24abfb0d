"""The store's contract: pages of the log. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence

from tests.people import make_account
from tests.store.conftest import open_room, said
from tests.store.conversing import talk_in
from trichat.chat.conversation_ports import Between
from trichat.chat.ports import Store
from trichat.core.changes import Enter
from trichat.core.events import Event, RoomRecord
from trichat.core.names import RoomId, UserId
from trichat.core.standing import Actor

BODY_BYTES = len('{"text":"12345678"}')

ANN = UserId("g_ann")


async def _room_with(store: Store, kinds: str, name: str = "lobby") -> RoomRecord:
    """A room whose events are messages (m) and others (o), each with a body of BODY_BYTES."""
    room = await open_room(store, name)
    await store.append([said(room, "12345678", kind="message" if kind == "m" else "member") for kind in kinds])
    return room


def _seqs(events: Sequence[Event]) -> list[int]:
    return [event.seq for event in events]


async def test_events_come_after_a_position_up_to_a_limit(store: Store) -> None:
    room = await _room_with(store, "mommm")
    page = await store.read_events(room.id, after=1, limit=2, max_bytes=10_000)
    assert (_seqs(page.events), page.more) == ([2, 3], True)
    page = await store.read_events(room.id, after=3, limit=2, max_bytes=10_000)
    assert (_seqs(page.events), page.more) == ([4, 5], False)
    page = await store.read_events(room.id, after=5, limit=2, max_bytes=10_000)
    assert (page.events, page.more) == ([], False)


async def test_a_page_of_events_ends_with_its_bytes_but_has_one(store: Store) -> None:
    room = await _room_with(store, "mmm")
    page = await store.read_events(room.id, after=0, limit=10, max_bytes=2 * BODY_BYTES)
    assert (_seqs(page.events), page.more) == ([1, 2], True)
    page = await store.read_events(room.id, after=0, limit=10, max_bytes=2 * BODY_BYTES - 1)
    assert (_seqs(page.events), page.more) == ([1], True)
    page = await store.read_events(room.id, after=0, limit=10, max_bytes=1)
    assert (_seqs(page.events), page.more) == ([1], True)
    page = await store.read_events(room.id, after=2, limit=10, max_bytes=1)
    assert (_seqs(page.events), page.more) == ([3], False)


async def test_a_page_counts_bytes_and_not_characters(store: Store) -> None:
    room = await open_room(store)
    await store.append([said(room, "üüüü"), said(room, "üüüü")])
    page = await store.read_events(room.id, after=0, limit=10, max_bytes=2 * len('{"text":"üüüü"}'.encode()) - 1)
    assert _seqs(page.events) == [1]


async def test_a_room_that_does_not_exist_has_no_events(store: Store) -> None:
    page = await store.read_events(RoomId(999), after=0, limit=10, max_bytes=10)
    assert (page.events, page.more) == ([], False)


async def test_the_latest_messages_come_oldest_first(store: Store) -> None:
    room = await _room_with(store, "mommo")
    page = await store.read_messages(room.id, before=None, after=None, limit=2, max_bytes=10_000)
    assert (_seqs(page.messages), page.more) == ([3, 4], True)
    page = await store.read_messages(room.id, before=None, after=None, limit=3, max_bytes=10_000)
    assert (_seqs(page.messages), page.more) == ([1, 3, 4], False)


async def test_messages_before_and_after_a_place(store: Store) -> None:
    room = await _room_with(store, "mommomm")
    page = await store.read_messages(room.id, before=6, after=None, limit=2, max_bytes=10_000)
    assert (_seqs(page.messages), page.more) == ([3, 4], True)
    page = await store.read_messages(room.id, before=None, after=1, limit=3, max_bytes=10_000)
    assert (_seqs(page.messages), page.more) == ([3, 4, 6], True)
    page = await store.read_messages(room.id, before=None, after=4, limit=3, max_bytes=10_000)
    assert (_seqs(page.messages), page.more) == ([6, 7], False)
    page = await store.read_messages(room.id, before=1, after=None, limit=3, max_bytes=10_000)
    assert (page.messages, page.more) == ([], False)


async def test_bytes_leave_out_what_lies_farthest_from_the_place(store: Store) -> None:
    room = await _room_with(store, "mmmm")
    page = await store.read_messages(room.id, before=None, after=None, limit=10, max_bytes=2 * BODY_BYTES)
    assert (_seqs(page.messages), page.more) == ([3, 4], True)
    page = await store.read_messages(room.id, before=None, after=0, limit=10, max_bytes=2 * BODY_BYTES)
    assert (_seqs(page.messages), page.more) == ([1, 2], True)
    page = await store.read_messages(room.id, before=4, after=None, limit=10, max_bytes=0)
    assert (_seqs(page.messages), page.more) == ([3], True)


async def test_a_message_that_was_never_changed_has_no_revision(store: Store) -> None:
    room = await _room_with(store, "m")
    page = await store.read_messages(room.id, before=None, after=None, limit=1, max_bytes=10_000)
    assert page.messages[0].rev == 0


async def test_messages_of_a_range_are_counted(store: Store) -> None:
    room = await _room_with(store, "mommo")
    assert (await store.between(room.id, 1, 5, ANN)).messages == 3
    assert (await store.between(room.id, 2, 3, ANN)).messages == 1
    assert (await store.between(room.id, 6, 9, ANN)).messages == 0
    assert await store.between(RoomId(999), 1, 9, ANN) == Between(0, 0, 0)


async def test_of_a_range_the_deleted_are_counted_and_the_replies_are_not(store: Store) -> None:
    talk = await talk_in(store)
    root, gone = await talk.say("root"), await talk.say("gone")
    await talk.say("reply", thread=root)
    last = await talk.delete(gone)
    assert (await store.between(talk.room.id, 1, last, ANN)).messages == 2
    assert (await store.between(talk.room.id, gone, last, ANN)).messages == 1
    assert (await store.between(talk.room.id, gone + 1, last, ANN)).messages == 0


async def test_of_a_range_those_that_mention_me_or_all_are_counted(store: Store) -> None:
    talk = await talk_in(store)
    first = await talk.say("nobody")
    second = await talk.say("@room", to_all=True)
    third = await talk.say("@room", to_all=True)
    assert (await store.between(talk.room.id, first, third, ANN)).mentions == 2
    assert (await store.between(talk.room.id, third, third, ANN)).mentions == 1
    assert (await store.between(talk.room.id, first, second - 1, ANN)).mentions == 0
    await talk.delete(second)
    assert (await store.between(talk.room.id, first, third, ANN)).mentions == 1


async def test_the_first_unread_is_after_the_marker_and_not_deleted(store: Store) -> None:
    talk = await talk_in(store)
    await make_account(store, "bob")
    bob = await store.accounts.find_person("bob")
    assert bob is not None
    me = Actor(bob.user_id, bob.user)
    joined = (await store.governance.change(talk.room.id, me, Enter())).seq
    spoken = [await talk.say(text) for text in "abcdef"]
    head = spoken[-1]

    async def first_unread(first: int = 1, last: int = head) -> int:
        return (await store.between(talk.room.id, first, last, me.user_id)).first_unread

    assert await first_unread() == spoken[0]
    assert await first_unread(spoken[2]) == spoken[2]
    assert await first_unread(1, joined) == 0
    await store.markers.read(talk.room.id, me, spoken[1])
    assert await first_unread() == spoken[2]
    assert await first_unread(last=spoken[1]) == 0
    for seq in spoken[2:5]:
        await talk.delete(seq)
    assert await first_unread() == spoken[5]
    assert await first_unread(last=spoken[4]) == 0
    await store.markers.read(talk.room.id, me, head)
    assert await first_unread() == 0
    assert (await store.between(talk.room.id, 1, head, ANN)).first_unread == 0  # no member


async def test_tails_are_read_for_each_room_from_its_position(store: Store) -> None:
    a, b, c = [await _room_with(store, "mmm", name) for name in ("a", "b", "c")]
    tails = await store.read_tails({b.id: 1, a.id: 0, c.id: 3}, limit=2, max_bytes=10_000)
    assert {room: _seqs(events) for room, events in tails.items()} == {b.id: [2, 3], a.id: [1, 2], c.id: []}


async def test_tails_end_with_their_bytes_and_leave_out_the_rooms_not_reached(store: Store) -> None:
    a, b, c = [await _room_with(store, "mmm", name) for name in ("a", "b", "c")]
    positions = {a.id: 3, b.id: 0, c.id: 0}
    tails = await store.read_tails(positions, limit=10, max_bytes=4 * BODY_BYTES)
    assert {room: _seqs(events) for room, events in tails.items()} == {a.id: [], b.id: [1, 2, 3], c.id: [1]}
    tails = await store.read_tails(positions, limit=10, max_bytes=3 * BODY_BYTES)
    assert {room: _seqs(events) for room, events in tails.items()} == {a.id: [], b.id: [1, 2, 3]}
    tails = await store.read_tails(positions, limit=10, max_bytes=1)
    assert {room: _seqs(events) for room, events in tails.items()} == {a.id: [], b.id: [1]}


async def test_tails_of_many_rooms_and_of_none(store: Store) -> None:
    rooms = [await _room_with(store, "m", f"room{n}") for n in range(12)]
    positions = {room.id: 0 for room in rooms} | {RoomId(999): 0}
    # so high a limit that PostgreSQL is asked for few rooms at a time
    tails = await store.read_tails(positions, limit=1000, max_bytes=11 * BODY_BYTES)
    assert {room: _seqs(events) for room, events in tails.items()} == {room.id: [1] for room in rooms[:11]}
    tails = await store.read_tails(positions, limit=1000, max_bytes=10_000)
    assert len(tails) == 13
    assert await store.read_tails({}, limit=10, max_bytes=10) == {}
