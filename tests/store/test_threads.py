"""The store's contract: where a message may stand, whom a name means, and who follows which thread up to where."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.store.governed import ANN, BOB, CAT, GUS, actor, joined, made, refused, says
from trichat.chat.ports import Store
from trichat.core.acts import Remove
from trichat.core.changes import Ban, Invite, Kick
from trichat.core.conversation import Marker, Thread
from trichat.core.events import Committed, Draft, Person, RoomRecord
from trichat.core.standing import RoomRules


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room that ann owns and bob is a member of: its head is 3."""
    room = await made(store)
    await joined(store, room, BOB)
    return room


def replies(person: Person, room: RoomRecord, root: int, text: str = "re") -> Draft:
    return structs.replace(says(person, room, text), thread=root)


async def said(store: Store, *drafts: Draft) -> list[int]:
    outcomes = await store.append(drafts)
    return [outcome.seq for outcome in outcomes if isinstance(outcome, Committed)]


async def delete(store: Store, room: RoomRecord, seq: int) -> None:
    await store.acts.act(room.id, actor(ANN), seq, Remove(), cid=None, address="")


async def check(
    store: Store, room: RoomRecord, person: Person = BOB, *, to: int | None = None, thread: int | None = None,
    cid: str | None = None,
) -> None:  # fmt: skip
    await store.threads.check_places(room.id, actor(person), reply_to=to, thread=thread, cid=cid)


async def listed(
    store: Store, room: RoomRecord, person: Person, *, every: bool = False, before: int | None = None, limit: int = 50
) -> list[Thread]:
    return await store.threads.threads(room.id, actor(person), every=every, before=before, limit=limit)


async def unread(store: Store, room: RoomRecord, person: Person, root: int) -> int:
    """What the thread has for who follows it."""
    return next(thread.read.unread for thread in await listed(store, room, person) if thread.root.seq == root)


# places


async def test_a_message_replies_to_any_that_its_author_sees(store: Store, room: RoomRecord) -> None:
    root, reply = await said(store, says(ANN, room), replies(BOB, room, 4))
    for person in (BOB, GUS):
        await check(store, room, person, to=root)
        await check(store, room, person, to=reply)
        await check(store, room, person, thread=root)
        await check(store, room, person, to=root, thread=root)
        await check(store, room, person, to=reply, thread=root)


@pytest.mark.parametrize("nothing", [0, 1, 5, 2**53 - 1], ids=["zero", "no message", "the future", "far beyond"])
async def test_what_is_no_message_is_not_replied_to(store: Store, room: RoomRecord, nothing: int) -> None:
    await said(store, says(ANN, room))
    with refused("bad_field", "reply_to"):
        await check(store, room, to=nothing)
    with refused("bad_field", "thread"):
        await check(store, room, thread=nothing)


async def test_a_message_of_another_room_is_not_replied_to(store: Store, room: RoomRecord) -> None:
    other = await made(store, "other")
    _, seq = await said(store, says(ANN, other), says(ANN, other))
    with refused("bad_field", "reply_to"):
        await check(store, room, to=seq)


async def test_what_was_deleted_is_not_replied_to_and_its_thread_goes_no_further(
    store: Store, room: RoomRecord
) -> None:
    (root,) = await said(store, says(BOB, room))
    await delete(store, room, root)
    with refused("bad_field", "reply_to", "deleted"):
        await check(store, room, to=root)
    with refused("bad_field", "thread", "deleted"):
        await check(store, room, thread=root)


async def test_a_thread_hangs_on_no_reply_and_the_refusal_says_on_what(store: Store, room: RoomRecord) -> None:
    _, reply = await said(store, says(ANN, room), replies(BOB, room, 4))
    with refused("bad_field", "thread", "4"):
        await check(store, room, thread=reply)


async def test_in_a_thread_one_replies_to_what_is_in_it(store: Store, room: RoomRecord) -> None:
    root, other, reply = await said(store, says(ANN, room), says(ANN, room), replies(BOB, room, 5))
    for elsewhere in (other, reply):
        with refused("bad_field", "reply_to"):
            await check(store, room, to=elsewhere, thread=root)


async def test_what_one_may_not_see_is_as_if_it_were_not_there(store: Store) -> None:
    room = await made(store, rules=RoomRules(history="joined"))
    (before,) = await said(store, says(ANN, room))
    await joined(store, room, BOB)
    (after,) = await said(store, says(ANN, room))
    await check(store, room, BOB, to=after)
    with refused("bad_field", "reply_to", f"there is no message {before}"):
        await check(store, room, BOB, to=before)
    private = await made(store, "~secret", kind="private")
    with refused("no_such_room"):
        await check(store, private, BOB, to=1)


async def test_the_banned_are_told_so(store: Store, room: RoomRecord) -> None:
    (seq,) = await said(store, says(ANN, room))
    await store.governance.change(room.id, actor(ANN), Ban(), target=GUS)
    with refused("forbidden"):
        await check(store, room, GUS, to=seq)


async def test_what_was_said_before_under_this_cid_is_not_refused(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    await said(store, structs.replace(replies(BOB, room, root), cid="a"))
    await delete(store, room, root)
    await check(store, room, thread=root, cid="a")
    with refused("bad_field", "thread"):
        await check(store, room, thread=root, cid="b")
    with refused("bad_field", "thread"):
        await check(store, room, ANN, thread=root, cid="a")


# threads


async def test_a_thread_says_how_many_replies_there_are_and_which_was_the_last(store: Store, room: RoomRecord) -> None:
    root, _, gone, _, last = await said(
        store, says(ANN, room), replies(BOB, room, 4), replies(BOB, room, 4), says(BOB, room), replies(GUS, room, 4)
    )
    await delete(store, room, gone)
    (thread,) = await listed(store, room, GUS, every=True)
    assert (thread.root.seq, thread.replies, thread.last_seq, thread.following) == (root, 2, last, False)
    assert b'"replies":2,"last_reply":8' in thread.root.body
    assert thread.root.rev == 9


async def test_the_last_replied_to_comes_first_page_by_page(store: Store, room: RoomRecord) -> None:
    first, second, third = await said(store, *(says(ANN, room) for _ in range(3)))
    await said(store, *(replies(BOB, room, root) for root in (third, first, second, first)))
    seqs = [thread.root.seq for thread in await listed(store, room, BOB)]
    assert seqs == [first, second, third]
    page = await listed(store, room, BOB, limit=2)
    rest = await listed(store, room, BOB, before=page[-1].last_seq, limit=2)
    assert [thread.root.seq for thread in page + rest] == seqs
    assert [thread.root.seq for thread in await listed(store, room, GUS, every=True)] == seqs
    assert await listed(store, room, GUS) == []


async def test_who_replies_has_read_the_thread_and_whose_message_it_is_has_not(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    await said(store, replies(BOB, room, root), replies(GUS, room, root), replies(BOB, room, root))
    assert await unread(store, room, BOB, root) == 0
    assert await unread(store, room, ANN, root) == 3
    await said(store, replies(GUS, room, root))
    assert await unread(store, room, BOB, root) == 1
    assert await listed(store, room, GUS) == []


async def test_reading_moves_the_marker_forward_alone(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    seqs = await said(store, *(replies(BOB, room, root) for _ in range(4)))
    moved = await store.threads.read_thread(room.id, actor(ANN), root, seqs[1])
    assert (moved.marker, moved.moved) == (Marker(seqs[1], 2), True)
    for earlier in (seqs[1], seqs[0], 1):
        again = await store.threads.read_thread(room.id, actor(ANN), root, earlier)
        assert (again.marker, again.moved) == (Marker(seqs[1], 2), False)
    (other,) = await said(store, says(BOB, room))
    assert (await store.threads.read_thread(room.id, actor(ANN), root, other)).marker == Marker(other, 0)


async def test_deleted_replies_are_not_unread_wherever_they_stand(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    seqs = await said(store, *(replies(BOB, room, root) for _ in range(4)))
    await store.threads.read_thread(room.id, actor(ANN), root, seqs[1])
    await delete(store, room, seqs[0])
    assert await unread(store, room, ANN, root) == 2
    await delete(store, room, seqs[3])
    assert await unread(store, room, ANN, root) == 1
    (thread,) = await listed(store, room, ANN)
    assert thread.replies == 2


async def test_who_reads_a_thread_follows_it(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    (reply,) = await said(store, replies(ANN, room, root))
    assert await listed(store, room, BOB) == []
    moved = await store.threads.read_thread(room.id, actor(BOB), root, reply)
    assert (moved.marker, moved.moved) == (Marker(reply, 0), True)
    await said(store, replies(ANN, room, root))
    assert await unread(store, room, BOB, root) == 1


async def test_a_marker_goes_no_further_than_the_head(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    await store.threads.read_thread(room.id, actor(BOB), root, root)
    with refused("bad_field", "seq"):
        await store.threads.read_thread(room.id, actor(BOB), root, root + 1)


async def test_a_thread_is_followed_from_where_it_stands(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(ANN, room))
    thread = await store.threads.follow(room.id, actor(BOB), root, following=True)
    assert (thread.root.seq, thread.replies, thread.following, thread.read) == (root, 0, True, Marker(root, 0))
    (first, _) = await said(store, replies(ANN, room, root), replies(ANN, room, root))
    assert await unread(store, room, BOB, root) == 2
    await store.threads.read_thread(room.id, actor(BOB), root, first)
    again = await store.threads.follow(room.id, actor(BOB), root, following=True)
    assert again.read == Marker(first, 1)


async def test_who_follows_no_more_hears_of_it_no_more_until_they_do_again(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(BOB, room))
    await said(store, replies(ANN, room, root))
    assert not (await store.threads.follow(room.id, actor(BOB), root, following=False)).following
    mention = structs.replace(replies(ANN, room, root), mentions=(BOB.user_id,))
    await said(store, mention)
    assert await listed(store, room, BOB) == []
    (every,) = await listed(store, room, BOB, every=True)
    assert not every.following
    thread = await store.threads.follow(room.id, actor(BOB), root, following=True)
    assert (thread.following, thread.read.unread) == (True, 0)


async def test_who_never_followed_can_say_that_they_will_not(store: Store, room: RoomRecord) -> None:
    (root,) = await said(store, says(BOB, room))
    await store.threads.follow(room.id, actor(BOB), root, following=False)
    await said(store, replies(ANN, room, root))
    assert await listed(store, room, BOB) == []
    await said(store, replies(BOB, room, root))
    assert await unread(store, room, BOB, root) == 0


async def test_only_members_follow_and_only_messages_that_they_see_and_that_are_no_replies(
    store: Store, room: RoomRecord
) -> None:
    root, reply = await said(store, says(ANN, room), replies(ANN, room, 4))
    for outsider in (CAT, GUS):
        with refused("forbidden"):
            await store.threads.follow(room.id, actor(outsider), root, following=True)
        with refused("forbidden"):
            await store.threads.read_thread(room.id, actor(outsider), root, root)
    for nothing in (0, 1, 6, reply):
        with refused("bad_field", "thread"):
            await store.threads.follow(room.id, actor(BOB), nothing, following=True)
        with refused("bad_field", "thread"):
            await store.threads.read_thread(room.id, actor(BOB), nothing, 1)
    private = await made(store, "~secret", kind="private")
    with refused("no_such_room"):
        await listed(store, private, BOB, every=True)


async def test_threads_that_began_before_one_could_see_are_not_listed(store: Store) -> None:
    room = await made(store, rules=RoomRules(history="joined"))
    (old,) = await said(store, says(ANN, room))
    await said(store, replies(ANN, room, old))
    await joined(store, room, BOB)
    (new,) = await said(store, says(ANN, room))
    await said(store, replies(ANN, room, old), replies(ANN, room, new))
    assert [thread.root.seq for thread in await listed(store, room, BOB, every=True)] == [new]
    assert [thread.root.seq for thread in await listed(store, room, ANN, every=True)] == [new, old]


async def test_who_was_put_out_sees_no_threads_of_a_private_room(store: Store) -> None:
    room = await made(store, "~secret", kind="private")
    await store.governance.change(room.id, actor(ANN), Invite(), target=BOB)
    await joined(store, room, BOB)
    (root,) = await said(store, says(BOB, room))
    await said(store, replies(ANN, room, root))
    assert await unread(store, room, BOB, root) == 1
    await store.governance.change(room.id, actor(ANN), Kick(), target=BOB)
    with refused("no_such_room"):
        await listed(store, room, BOB)
