"""The store's contract: who may not send, decided at the draft's place in the room's order."""

from __future__ import annotations

import pytest

from tests.store.conftest import Stage
from tests.store.governed import ANN, BOB, CAT, GIL, GUS, actor, joined, made, says
from trichat.chat.ports import Store
from trichat.core.changes import Archive, Ban, Change, Edit, Kick, Mute, Quit, SetRole, Transfer, Unban, Unmute
from trichat.core.events import CidReused, Committed, Denied, Draft, Outcome, Person, Repeated, RoomRecord
from trichat.core.standing import Role, RoomRules


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room that ann owns and bob is a member of: its head is 3."""
    room = await made(store)
    await joined(store, room, BOB)
    return room


async def outcomes(store: Store, *drafts: Draft) -> list[int | Outcome]:
    """What becomes of each of a batch; of what is committed the number."""
    return [o.seq if isinstance(o, Committed) else o for o in await store.append(drafts)]


async def by_ann(store: Store, room: RoomRecord, change: Change, target: Person | None = None) -> int:
    return (await store.governance.change(room.id, actor(ANN), change, target=target)).seq


async def test_members_and_guests_send_and_who_is_no_member_does_not(store: Store, room: RoomRecord) -> None:
    drafts = [says(BOB, room), says(CAT, room), says(GUS, room), says(ANN, room)]
    assert await outcomes(store, *drafts) == [4, Denied("not_member"), 5, 6]


async def test_nobody_sends_into_an_archived_room_until_it_is_opened_again(store: Store, room: RoomRecord) -> None:
    await by_ann(store, room, Archive())
    assert await outcomes(store, says(ANN, room), says(CAT, room), says(GUS, room)) == [Denied("archived")] * 3
    await by_ann(store, room, Archive(archived=False))
    assert await outcomes(store, says(ANN, room)) == [6]


@pytest.mark.parametrize("person", [BOB, GUS], ids=["an account", "a guest"])
async def test_the_banned_send_nothing_until_they_are_unbanned(store: Store, room: RoomRecord, person: Person) -> None:
    await by_ann(store, room, Ban(), person)
    assert await outcomes(store, says(person, room), says(GIL, room)) == [Denied("banned"), 5]
    await by_ann(store, room, Unban(), person)
    again = Denied("not_member") if person == BOB else 7
    assert await outcomes(store, says(person, room)) == [again]


@pytest.mark.parametrize("person", [BOB, GUS], ids=["a member", "a guest"])
async def test_the_muted_send_nothing_until_they_are_unmuted(store: Store, room: RoomRecord, person: Person) -> None:
    await by_ann(store, room, Mute(), person)
    assert await outcomes(store, says(person, room), says(ANN, room)) == [Denied("muted"), 5]
    await by_ann(store, room, Unmute(), person)
    assert await outcomes(store, says(person, room)) == [7]


@pytest.mark.parametrize("restraint", [Ban, Mute])
async def test_a_restraint_ends_by_itself(stage: Stage, restraint: type[Ban | Mute]) -> None:
    room = await made(stage.store)
    access = await stage.store.governance.access(room.name, ANN.user_id)
    assert access is not None
    await by_ann(stage.store, room, restraint(until=access.now + 100_000), GUS)
    denied = Denied("banned" if restraint is Ban else "muted")
    assert await outcomes(stage.store, says(GUS, room)) == [denied]
    stage.let_pass(50)
    assert await outcomes(stage.store, says(GUS, room)) == [denied]
    stage.let_pass(51)
    assert await outcomes(stage.store, says(GUS, room)) == [4]


async def test_a_restraint_of_one_guest_is_none_of_another_and_of_no_other_room(store: Store, room: RoomRecord) -> None:
    other = await made(store, "other")
    await by_ann(store, room, Mute(), GUS)
    assert await outcomes(store, says(GUS, other), says(GUS, room), says(GIL, room)) == [3, Denied("muted"), 5]


async def test_only_the_roles_that_the_room_says_send(store: Store, room: RoomRecord) -> None:
    await by_ann(store, room, Edit(send=Role.MODERATOR))
    assert await outcomes(store, says(GUS, room), says(BOB, room), says(ANN, room)) == [
        Denied("role"), Denied("role"), 5,
    ]  # fmt: skip
    await by_ann(store, room, SetRole(Role.MODERATOR), BOB)
    assert await outcomes(store, says(BOB, room)) == [7]


async def test_guests_send_nothing_where_they_may_not_come(store: Store, room: RoomRecord) -> None:
    await by_ann(store, room, Edit(guests=False))
    hidden = await made(store, "~x", kind="private")
    assert await outcomes(store, says(GUS, room), says(BOB, room), says(GUS, hidden), says(ANN, hidden)) == [
        Denied("role"), 5, Denied("role"), 3,
    ]  # fmt: skip


@pytest.mark.parametrize("change", [Kick(), Quit()], ids=["kicked", "left"])
async def test_who_is_no_member_any_more_sends_nothing(store: Store, room: RoomRecord, change: Change) -> None:
    if isinstance(change, Kick):
        await by_ann(store, room, change, BOB)
    else:
        await store.governance.change(room.id, actor(BOB), change)
    assert await outcomes(store, says(BOB, room)) == [Denied("not_member")]


async def test_a_kicked_guest_may_come_back_and_send(store: Store, room: RoomRecord) -> None:
    await by_ann(store, room, Kick(), GUS)
    assert await outcomes(store, says(GUS, room)) == [5]


# repeats


async def test_what_was_sent_before_the_ban_still_has_its_number(store: Store, room: RoomRecord) -> None:
    assert await outcomes(store, says(BOB, room, "hi", cid="a"), says(GUS, room, "hi", cid="a")) == [4, 5]
    await by_ann(store, room, Ban(), BOB)
    await by_ann(store, room, Mute(), GUS)
    await by_ann(store, room, Archive())
    drafts = [says(BOB, room, "hi", cid="a"), says(GUS, room, "hi", cid="a"), says(BOB, room, "ho", cid="a")]
    assert await outcomes(store, *drafts) == [Repeated(4), Repeated(5), CidReused(4)]


async def test_a_denied_cid_is_not_used_and_counts_when_it_may_be_sent(store: Store, room: RoomRecord) -> None:
    await by_ann(store, room, Mute(), BOB)
    drafts = [says(BOB, room, "hi", cid="a"), says(BOB, room, "ho", cid="a")]
    assert await outcomes(store, *drafts) == [Denied("muted")] * 2
    await by_ann(store, room, Unmute(), BOB)
    assert await outcomes(store, *drafts) == [6, CidReused(6)]


# slow mode


@pytest.fixture
async def slow(store: Store) -> RoomRecord:
    """A room in slow mode (100 s) that ann owns and bob is a member of: its head is 3."""
    room = await made(store, "slow", rules=RoomRules(slow_s=100))
    await joined(store, room, BOB)
    return room


async def test_in_slow_mode_the_first_of_a_batch_counts(store: Store, slow: RoomRecord) -> None:
    drafts = [says(BOB, slow, "1"), says(GUS, slow, "1"), says(BOB, slow, "2"), says(GUS, slow, "2")]
    assert await outcomes(store, *drafts) == [4, 5, Denied("slow"), Denied("slow")]
    assert await outcomes(store, says(BOB, slow, "3"), says(GIL, slow)) == [Denied("slow"), 6]


async def test_in_slow_mode_one_may_send_again_after_the_time(stage: Stage) -> None:
    slow = await made(stage.store, rules=RoomRules(slow_s=100))
    assert await outcomes(stage.store, says(GUS, slow)) == [3]
    stage.let_pass(95)
    assert await outcomes(stage.store, says(GUS, slow)) == [Denied("slow")]
    stage.let_pass(6)
    assert await outcomes(stage.store, says(GUS, slow)) == [4]
    assert await outcomes(stage.store, says(GUS, slow)) == [Denied("slow")]


async def test_in_slow_mode_a_repeat_is_no_new_message(store: Store, slow: RoomRecord) -> None:
    drafts = [says(BOB, slow, "1", cid="a"), says(BOB, slow, "1", cid="a"), says(BOB, slow, "2", cid="b")]
    assert await outcomes(store, *drafts) == [4, Repeated(4), Denied("slow")]
    assert await outcomes(store, *drafts) == [Repeated(4), Repeated(4), Denied("slow")]


async def test_in_slow_mode_what_was_denied_does_not_count(store: Store, slow: RoomRecord) -> None:
    await by_ann(store, slow, Mute(), BOB)
    assert await outcomes(store, says(BOB, slow)) == [Denied("muted")]
    await by_ann(store, slow, Unmute(), BOB)
    assert await outcomes(store, says(BOB, slow)) == [6]


async def test_slow_mode_is_for_each_room_alone(store: Store, slow: RoomRecord) -> None:
    other, usual = await made(store, "other", rules=RoomRules(slow_s=100)), await made(store, "usual")
    drafts = [says(GUS, slow), says(GUS, usual), says(GUS, other), says(GUS, usual), says(GUS, slow)]
    assert await outcomes(store, *drafts) == [4, 3, 3, 4, Denied("slow")]


async def test_slow_mode_is_not_for_moderators(store: Store, slow: RoomRecord) -> None:
    await by_ann(store, slow, SetRole(Role.MODERATOR), BOB)
    assert await outcomes(store, says(BOB, slow), says(ANN, slow), says(BOB, slow), says(ANN, slow)) == [5, 6, 7, 8]


async def test_what_was_said_before_slow_mode_or_as_a_moderator_does_not_count(store: Store) -> None:
    room = await made(store)
    await joined(store, room, BOB)
    assert await outcomes(store, says(BOB, room), says(ANN, room)) == [4, 5]
    await by_ann(store, room, Edit(slow_s=100))
    assert await outcomes(store, says(BOB, room), says(ANN, room), says(ANN, room)) == [7, 8, 9]
    await by_ann(store, room, Transfer(), BOB)
    assert await outcomes(store, says(ANN, room), says(BOB, room)) == [11, 12]
    await store.governance.change(room.id, actor(BOB), SetRole(Role.MEMBER), target=ANN)
    assert await outcomes(store, says(ANN, room), says(ANN, room)) == [14, Denied("slow")]


async def test_a_denied_draft_takes_no_number_from_the_others_of_its_batch(store: Store, room: RoomRecord) -> None:
    other = await made(store, "other")
    await by_ann(store, room, Mute(), GUS)
    drafts = [says(GUS, room), says(BOB, room), says(GUS, other), says(GUS, room), says(BOB, room), says(CAT, other)]
    assert await outcomes(store, *drafts) == [Denied("muted"), 5, 3, Denied("muted"), 6, Denied("not_member")]
    for record, head in ((room, 6), (other, 3)):
        assert (await store.open_rooms([record.name], create=False))[record.name].head == head
