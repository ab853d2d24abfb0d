"""The store's contract: rooms that are made and governed. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

import json

import pytest

from tests.store.conftest import LIMITS, Stage, open_room, said
from tests.store.governed import ANN, BOB, CAT, GUS, ROOT, actor, joined, made, refused, roles, says
from trichat.chat.ports import Store
from trichat.core.changes import (
    Archive,
    Ban,
    Change,
    Edit,
    Enter,
    Invite,
    Kick,
    Mute,
    Quit,
    SetRole,
    Transfer,
    Unban,
    Unmute,
)
from trichat.core.events import CidReused, Committed, Event, Person, RoomRecord
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import FOREVER, NOBODY, Role, RoomRules, Standing


async def events(store: Store, room: RoomRecord) -> list[Event]:
    """The whole log, whose numbers are gapless."""
    page = await store.read_events(room.id, after=0, limit=1000, max_bytes=1_000_000)
    assert [event.seq for event in page.events] == list(range(1, len(page.events) + 1))
    return page.events


def body(event: Event | None) -> dict[str, object]:
    assert event is not None
    parsed: dict[str, object] = json.loads(event.body)
    return parsed


async def test_a_made_room_has_its_rules_its_owner_and_two_events(store: Store) -> None:
    rules = RoomRules(kind="private", guests=False, title="Secrets", slow_s=5, send=Role.MODERATOR)
    made_as = await store.governance.create(RoomName("~x"), rules, actor(ANN), address="192.0.2.1")
    assert made_as.record.rules == rules
    assert made_as.record.head == 2
    assert made_as.standing == Standing(role=Role.OWNER, since=2)
    found = await store.governance.access(RoomName("~x"), ANN.user_id)
    assert found is not None
    assert (found.record, found.standing) == (made_as.record, made_as.standing)
    assert abs(found.now - made_as.now) < 60_000
    first, second = await events(store, made_as.record)
    assert (first.kind, first.user, first.user_id) == ("room", "ann", "u_ann")
    assert body(first) == {
        "changes": {"kind": "private", "guests": False, "title": "Secrets", "slow_s": 5, "send": "moderator"}
    }
    assert second.kind == "member"
    assert body(second) == {"user": "ann", "user_id": "u_ann", "change": "joined", "role": "owner"}
    assert first.ts == second.ts == made_as.now


async def test_a_public_room_with_nothing_special_says_its_kind(store: Store) -> None:
    room = await made(store)
    assert body((await events(store, room))[0]) == {"changes": {"kind": "public"}}


async def test_a_name_is_made_once(store: Store) -> None:
    await open_room(store, "lobby")
    with refused("name_taken", "room"):
        await store.governance.create(RoomName("lobby"), RoomRules(), actor(ANN), address="")


async def test_somebody_owns_a_limited_number_of_rooms(store: Store) -> None:
    for n in range(LIMITS.owned_rooms):
        room = await made(store, f"room{n}")
    with refused("limit_reached", "room"):
        await made(store, "one-more")
    await store.governance.delete(room.id, actor(ANN), address="")
    await made(store, "one-more")


async def test_access_to_many_rooms_is_that_to_each(store: Store) -> None:
    rooms = await store.open_rooms([RoomName(f"many-{n}") for n in range(3)], create=True)
    await store.governance.change(rooms[RoomName("many-1")].id, actor(ANN), Enter())
    found = await store.governance.access_all([*rooms, RoomName("ghost")], ANN.user_id)
    assert found.keys() == rooms.keys()
    for name in rooms:
        alone = await store.governance.access(name, ANN.user_id)
        assert alone is not None
        assert (found[name].record, found[name].standing) == (alone.record, alone.standing)


async def test_access_is_none_without_a_room_and_nobody_without_a_standing(store: Store) -> None:
    room = await made(store)
    assert await store.governance.access(RoomName("ghost"), ANN.user_id) is None
    assert await store.governance.access_by_id(RoomId(2**62), ANN.user_id) is None
    by_name = await store.governance.access(room.name, BOB.user_id)
    by_id = await store.governance.access_by_id(room.id, BOB.user_id)
    assert by_name is not None
    assert by_id is not None
    assert by_name.standing == by_id.standing == NOBODY
    assert by_name.record == by_id.record == room


async def test_the_first_join_makes_a_member_and_the_next_changes_nothing(store: Store) -> None:
    room = await made(store)
    first = await store.governance.change(room.id, actor(BOB), Enter())
    assert (first.seq, first.repeated, first.standing) == (3, False, Standing(role=Role.MEMBER, since=3))
    assert body(first.event) == {"user": "bob", "user_id": "u_bob", "change": "joined", "role": "member"}
    assert first.event == (await events(store, room))[2]
    again = await store.governance.change(room.id, actor(BOB), Enter())
    assert (again.event, again.seq, again.standing) == (None, 3, first.standing)


async def test_who_comes_first_into_a_room_that_nobody_made_or_used_owns_it(store: Store) -> None:
    fresh, used = await open_room(store, "fresh"), await open_room(store, "used")
    await store.append([said(used, by="gus")])
    assert (await store.governance.change(fresh.id, actor(ANN), Enter())).standing.role is Role.OWNER
    assert (await store.governance.change(fresh.id, actor(BOB), Enter())).standing.role is Role.MEMBER
    assert (await store.governance.change(used.id, actor(ANN), Enter())).standing.role is Role.MEMBER


async def test_guests_become_no_members(store: Store) -> None:
    room = await made(store)
    with refused("forbidden"):
        await store.governance.change(room.id, actor(GUS), Enter())
    assert (await store.governance.change(room.id, actor(GUS), Quit())).event is None


async def test_a_room_has_no_more_members_than_its_limit(store: Store) -> None:
    room = await made(store, rules=RoomRules(member_limit=2))
    await joined(store, room, BOB)
    with refused("limit_reached", "room"):
        await store.governance.change(room.id, actor(CAT), Enter())
    await store.governance.change(room.id, actor(BOB), Quit())
    await joined(store, room, CAT)


async def test_who_leaves_stands_as_nobody(store: Store) -> None:
    room = await made(store)
    await joined(store, room, BOB)
    left = await store.governance.change(room.id, actor(BOB), Quit())
    assert left.standing == NOBODY
    assert body(left.event) == {"user": "bob", "user_id": "u_bob", "change": "left"}
    assert await roles(store, room) == {"ann": Role.OWNER}


async def test_the_last_owner_cannot_leave_but_after_a_transfer(store: Store) -> None:
    room = await made(store)
    await joined(store, room, BOB)
    with refused("forbidden", "room"):
        await store.governance.change(room.id, actor(ANN), Quit())
    given = await store.governance.change(room.id, actor(ANN), Transfer(), target=BOB)
    assert given.standing.role is Role.ADMIN
    assert await roles(store, room) == {"ann": Role.ADMIN, "bob": Role.OWNER}
    await store.governance.change(room.id, actor(ANN), Quit())


async def test_a_private_room_does_not_exist_for_others_and_does_for_the_invited(store: Store) -> None:
    room = await made(store, kind="private")
    changes: list[Change] = [Enter(), Quit(), Edit(title="x"), Archive(), Kick(), Ban(), Mute(), Invite(), Transfer()]
    for change in changes:
        with refused("no_such_room", "room"):
            await store.governance.change(room.id, actor(BOB), change, target=CAT, cid="c")
    await store.governance.change(room.id, actor(ANN), Invite(), target=BOB)
    with refused("forbidden", "room"):
        await store.governance.change(room.id, actor(BOB), Edit(title="x"))
    assert (await joined(store, room, BOB)).role is Role.MEMBER


async def test_who_was_removed_from_a_private_room_hears_that_it_does_not_exist_even_of_what_they_did(
    store: Store,
) -> None:
    room = await made(store, kind="private")
    await store.governance.change(room.id, actor(ANN), Invite(), target=BOB)
    await store.governance.change(room.id, actor(BOB), Enter(), cid="c")
    await store.governance.change(room.id, actor(ANN), Kick(), target=BOB)
    with refused("no_such_room", "room"):
        await store.governance.change(room.id, actor(BOB), Enter(), cid="c")


async def test_a_room_that_is_gone_is_no_room(store: Store) -> None:
    with refused("no_such_room", "room"):
        await store.governance.change(RoomId(2**62), actor(ANN), Enter())


async def test_a_repeated_cid_gives_the_event_of_then_whatever_has_changed_since(stage: Stage) -> None:
    room, governance = await made(stage.store), stage.store.governance
    await joined(stage.store, room, BOB)
    first = await governance.change(room.id, actor(ANN), Transfer(), target=BOB, cid="t")
    again = await governance.change(room.id, actor(ANN), Transfer(), target=BOB, cid="t")
    assert (again.event, again.seq, again.repeated) == (first.event, first.seq, True)
    assert again.standing.role is Role.ADMIN


async def test_a_repeated_ban_counts_as_the_same_though_its_end_is_another(stage: Stage) -> None:
    room, governance = await made(stage.store), stage.store.governance
    now = (await governance.access(room.name, ANN.user_id)).now  # type: ignore[union-attr]
    first = await governance.change(room.id, actor(ANN), Ban(now + 60_000), target=BOB, cid="b")
    again = await governance.change(room.id, actor(ANN), Ban(now + 61_000), target=BOB, cid="b")
    assert (again.seq, again.repeated) == (first.seq, True)
    with refused("cid_reused", "cid"):
        await governance.change(room.id, actor(ANN), Ban(now + 60_000, "spam"), target=BOB, cid="b")
    with refused("cid_reused", "cid"):
        await governance.change(room.id, actor(ANN), Ban(now + 60_000), target=CAT, cid="b")


async def test_messages_and_changes_share_their_cids(store: Store) -> None:
    room = await made(store)
    assert isinstance((await store.append([says(ANN, room, cid="a")]))[0], Committed)
    with refused("cid_reused", "cid"):
        await store.governance.change(room.id, actor(ANN), Edit(title="x"), cid="a")
    edited = await store.governance.change(room.id, actor(ANN), Edit(title="x"), cid="e")
    assert await store.append([says(ANN, room, cid="e")]) == [CidReused(edited.seq)]


async def test_a_cid_belongs_to_its_author_and_room(store: Store) -> None:
    one, other = await made(store, "one"), await made(store, "other")
    await joined(store, one, BOB)
    await store.governance.change(one.id, actor(ANN), SetRole(Role.ADMIN), target=BOB, cid="a")
    assert not (await store.governance.change(one.id, actor(BOB), Edit(title="x"), cid="a")).repeated
    assert not (await store.governance.change(other.id, actor(ANN), Edit(title="x"), cid="a")).repeated


async def test_rules_are_changed_and_said(store: Store) -> None:
    room = await made(store)
    edit = Edit(title="T", topic="ü", member_limit=9, slow_s=3, send=Role.ADMIN, history="joined", guests=False)
    changed = await store.governance.change(room.id, actor(ANN), edit)
    rules = RoomRules(
        title="T", topic="ü", member_limit=9, slow_s=3, send=Role.ADMIN, history="joined", guests=False
    )  # fmt: skip
    record = (await store.open_rooms([room.name], create=False))[room.name]
    assert record.rules == rules
    assert record.head == changed.seq == 3
    assert body(changed.event)["changes"] == {
        "title": "T", "topic": "ü", "member_limit": 9, "slow_s": 3, "send": "admin", "history": "joined",
        "guests": False,
    }  # fmt: skip
    assert (await store.governance.change(room.id, actor(ANN), edit)).event is None
    archived = await store.governance.change(room.id, actor(ANN), Archive())
    assert body(archived.event) == {"changes": {"archived": True}}


async def test_the_first_ban_or_mute_of_a_guest_marks_the_room(store: Store) -> None:
    async def marked() -> bool:
        return (await store.open_rooms([room.name], create=False))[room.name].guests_restrained

    changes: dict[str, Change] = {"one": Ban(), "other": Mute()}
    for name, change in changes.items():
        room = await made(store, name)
        await store.governance.change(room.id, actor(ANN), change, target=BOB)
        await store.governance.change(room.id, actor(ANN), Kick(), target=GUS)
        assert not await marked()
        await store.governance.change(room.id, actor(ANN), change, target=GUS)
        assert await marked()


async def test_a_ban_removes_and_keeps_out_until_it_ends(stage: Stage) -> None:
    room, governance = await made(stage.store), stage.store.governance
    await joined(stage.store, room, BOB)
    until = (await governance.access(room.name, ANN.user_id)).now + 100_000  # type: ignore[union-attr]
    ban = await governance.change(room.id, actor(ANN), Ban(until, "spam"), target=BOB)
    assert body(ban.event)["reason"] == "spam"
    assert str(body(ban.event)["until"]).endswith("Z")
    with refused("forbidden", "room", "spam"):
        await governance.change(room.id, actor(BOB), Enter())
    stage.let_pass(101)
    assert (await joined(stage.store, room, BOB)).role is Role.MEMBER


async def test_an_unbanned_one_may_come_again(store: Store) -> None:
    room = await made(store)
    await store.governance.change(room.id, actor(ANN), Ban(FOREVER), target=BOB)
    assert (await store.governance.change(room.id, actor(ANN), Unban(), target=BOB)).seq == 4
    assert (await store.governance.change(room.id, actor(ANN), Unban(), target=BOB)).event is None
    await joined(store, room, BOB)


async def test_a_mute_outlives_leaving(store: Store) -> None:
    room = await made(store)
    await joined(store, room, BOB)
    await store.governance.change(room.id, actor(ANN), Mute(FOREVER, "loud"), target=BOB)
    await store.governance.change(room.id, actor(BOB), Quit())
    assert (await joined(store, room, BOB)).muted_until == FOREVER
    await store.governance.change(room.id, actor(ANN), Unmute(), target=BOB)
    access = await store.governance.access(room.name, BOB.user_id)
    assert access is not None
    assert access.standing == Standing(role=Role.MEMBER, since=6)


async def test_what_is_refused_leaves_no_trace(store: Store) -> None:
    room = await made(store)
    await joined(store, room, BOB)
    with refused("forbidden", "user"):
        await store.governance.change(room.id, actor(ROOT), Ban(), target=ANN, cid="x")
    with refused("forbidden", "room"):
        await store.governance.change(room.id, actor(BOB), Ban(), target=CAT, cid="x")
    assert len(await events(store, room)) == 3
    assert [entry.act for entry in await store.governance.audit(room.id, actor(ANN), before=None, limit=9)] == [
        "create"
    ]


# deleting, listing


async def test_a_deleted_room_is_gone_at_once_and_its_name_free(store: Store) -> None:
    room = await made(store)
    await store.append([said(room)])
    await store.governance.delete(room.id, actor(ANN), address="")
    assert await store.governance.access(room.name, ANN.user_id) is None
    with refused("no_such_room", "room"):
        await store.governance.change(room.id, actor(ANN), Enter())
    with refused("no_such_room", "room"):
        await store.governance.delete(room.id, actor(ANN), address="")
    assert await store.governance.my_rooms(ANN.user_id, after="", limit=9) == []
    again = await made(store)
    assert again.id != room.id
    assert again.epoch != room.epoch


async def test_only_owners_delete_and_private_rooms_exist_for_nobody_else(store: Store) -> None:
    room, hidden = await made(store), await made(store, "~x", kind="private")
    await joined(store, room, BOB)
    await store.governance.change(room.id, actor(ANN), SetRole(Role.ADMIN), target=BOB)
    with refused("forbidden", "room"):
        await store.governance.delete(room.id, actor(BOB), address="")
    with refused("no_such_room", "room"):
        await store.governance.delete(hidden.id, actor(ROOT), address="")
    await store.governance.delete(room.id, actor(ROOT), address="")


async def test_my_rooms_are_those_that_i_am_a_member_of_by_name(store: Store) -> None:
    for name in ("c", "a", "b"):
        await joined(store, await made(store, name), BOB)
    left = await made(store, "left")
    await joined(store, left, BOB)
    await store.governance.change(left.id, actor(BOB), Quit())
    banned = await made(store, "banned")
    await store.governance.change(banned.id, actor(ANN), Ban(), target=BOB)
    mine = await store.governance.my_rooms(BOB.user_id, after="", limit=9)
    assert [(room.room, room.role, room.seq, room.kind) for room in mine] == [
        ("a", Role.MEMBER, 3, "public"), ("b", Role.MEMBER, 3, "public"), ("c", Role.MEMBER, 3, "public"),
    ]  # fmt: skip
    assert [room.room for room in await store.governance.my_rooms(BOB.user_id, after="a", limit=1)] == ["b"]


# direct rooms


async def test_a_direct_room_is_made_once_with_both_as_members(store: Store) -> None:
    one = await store.governance.open_direct(RoomName("@x"), actor(ANN), BOB)
    assert one.record.rules == RoomRules(kind="direct", guests=False)
    assert one.standing == Standing(role=Role.MEMBER, since=1)
    assert [body(event) for event in await events(store, one.record)] == [
        {"user": "ann", "user_id": "u_ann", "change": "joined", "role": "member"},
        {"user": "bob", "user_id": "u_bob", "change": "joined", "role": "member"},
    ]
    other = await store.governance.open_direct(RoomName("@x"), actor(BOB), ANN)
    assert other.record == one.record
    assert other.standing == Standing(role=Role.MEMBER, since=2)


async def test_who_has_left_a_direct_room_is_a_member_again_when_either_opens_it(store: Store) -> None:
    room = (await store.governance.open_direct(RoomName("@x"), actor(ANN), BOB)).record
    await store.governance.change(room.id, actor(BOB), Quit())
    opened = await store.governance.open_direct(RoomName("@x"), actor(ANN), BOB)
    assert opened.record.head == 4
    await store.governance.change(room.id, actor(BOB), Quit())
    assert (await joined(store, room, BOB)).role is Role.MEMBER


async def test_either_may_mute_the_other_in_a_direct_room_and_do_nothing_else_to_them(store: Store) -> None:
    room = (await store.governance.open_direct(RoomName("@x"), actor(ANN), BOB)).record
    for change in (Invite(), Kick(), Ban(), Transfer(), SetRole(Role.ADMIN)):
        with refused("forbidden", "room"):
            await store.governance.change(room.id, actor(ANN), change, target=BOB)
    with refused("bad_state", "user"):
        await store.governance.change(room.id, actor(ANN), Mute(), target=CAT)
    await store.governance.change(room.id, actor(ANN), Quit())
    assert (await store.governance.change(room.id, actor(ANN), Mute(), target=BOB)).event is not None
    with refused("bad_field", "user"):
        await store.governance.change(room.id, actor(BOB), Unmute(), target=BOB)
    with refused("no_such_room", "room"):
        await store.governance.change(room.id, actor(CAT), Mute(), target=BOB)


async def test_a_direct_room_is_for_two_accounts(store: Store) -> None:
    for one, other, code in ((ANN, ANN, "bad_field"), (ANN, GUS, "bad_field"), (GUS, ANN, "forbidden")):
        with refused(code):
            await store.governance.open_direct(RoomName("@x"), actor(one), other)


@pytest.mark.slow
async def test_somebody_opens_a_limited_number_of_direct_rooms_but_is_in_any_number(store: Store) -> None:
    for n in range(LIMITS.direct_rooms):
        person = Person(f"p{n}", UserId(f"u_p{n}"))
        await store.governance.open_direct(RoomName(f"@{n}"), actor(ANN), person)
    with refused("limit_reached", "user"):
        await store.governance.open_direct(RoomName("@more"), actor(ANN), CAT)
    await store.governance.open_direct(RoomName("@more"), actor(CAT), ANN)
    await store.governance.open_direct(RoomName("@0"), actor(ANN), Person("p0", UserId("u_p0")))
