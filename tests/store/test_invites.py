"""The store's contract: codes that make whoever shows them a member. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

import pytest

from tests.store.conftest import LIMITS, Stage
from tests.store.governed import ANN, BOB, CAT, DAN, GUS, actor, made, refused, roles
from trichat.chat.ports import Store
from trichat.core.accounts import InviteCode
from trichat.core.changes import Ban, Kick
from trichat.core.events import Person, RoomRecord
from trichat.core.names import RoomId, UserId
from trichat.core.standing import Role, RoomRules

CODE = "abcdefghijklmnopqrstuvwxyz"
DAY_S = 86_400


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A private room that ann owns."""
    return await made(store, kind="private")


async def code_for(store: Store, room: RoomRecord, code: str = CODE, *, uses: int = 1, by: Person = ANN) -> InviteCode:
    return await store.governance.make_invite(room.id, actor(by), code, uses=uses, for_s=DAY_S, address="192.0.2.1")


async def test_a_code_lets_somebody_into_a_private_room_as_often_as_it_says(store: Store, room: RoomRecord) -> None:
    invite = await code_for(store, room, uses=2)
    assert (invite.code, invite.made_by, invite.uses_left) == (CODE, "ann", 2)
    record, changed = await store.governance.accept(CODE, actor(BOB))
    assert (record.id, record.name, record.head) == (room.id, room.name, 3)
    assert (changed.seq, changed.repeated, changed.standing.role) == (3, False, Role.MEMBER)
    await store.governance.accept(CODE, actor(CAT))
    with refused("no_such_room", "room"):
        await store.governance.accept(CODE, actor(DAN))
    assert await roles(store, room) == {"ann": Role.OWNER, "bob": Role.MEMBER, "cat": Role.MEMBER}


async def test_a_member_who_accepts_uses_nothing_so_that_it_can_be_said_again(store: Store, room: RoomRecord) -> None:
    await code_for(store, room, uses=2)
    await store.governance.accept(CODE, actor(BOB))
    record, again = await store.governance.accept(CODE, actor(BOB))
    assert (record.head, again.event, again.seq) == (3, None, 3)
    assert [code.uses_left for code in await store.governance.invites(room.id, actor(ANN))] == [1]
    await store.governance.accept(CODE, actor(CAT))
    assert (await store.governance.accept(CODE, actor(CAT)))[1].event is None


async def test_a_code_that_never_was_is_for_no_room(store: Store, room: RoomRecord) -> None:
    with refused("no_such_room", "room"):
        await store.governance.accept(CODE, actor(BOB))


async def test_a_code_expires(stage: Stage) -> None:
    room = await made(stage.store, kind="private")
    invite = await code_for(stage.store, room)
    access = await stage.store.governance.access(room.name, ANN.user_id)
    assert access is not None
    assert abs(invite.expires - access.now - DAY_S * 1000) < 60_000
    stage.let_pass(DAY_S + 1)
    with refused("no_such_room", "room"):
        await stage.store.governance.accept(CODE, actor(BOB))
    assert await stage.store.governance.invites(room.id, actor(ANN)) == []


async def test_the_code_of_a_deleted_room_is_for_no_room(store: Store, room: RoomRecord) -> None:
    await code_for(store, room)
    await store.governance.delete(room.id, actor(ANN), address="")
    with refused("no_such_room", "room"):
        await store.governance.accept(CODE, actor(BOB))


async def test_whoever_is_refused_does_not_use_the_code_up(store: Store) -> None:
    room = await made(store, rules=RoomRules(kind="private", guests=False, member_limit=2))
    await code_for(store, room, uses=1)
    await store.governance.change(room.id, actor(ANN), Ban(reason="spam"), target=BOB)
    with refused("forbidden", "room", "spam"):
        await store.governance.accept(CODE, actor(BOB))
    with refused("forbidden"):
        await store.governance.accept(CODE, actor(GUS))
    await store.governance.accept(CODE, actor(CAT))
    await code_for(store, room, "second")
    with refused("limit_reached", "room"):
        await store.governance.accept("second", actor(DAN))
    await store.governance.change(room.id, actor(ANN), Kick(), target=CAT)
    await store.governance.accept("second", actor(DAN))


async def test_codes_are_listed_by_their_beginnings_oldest_first(store: Store, room: RoomRecord) -> None:
    made_codes = [await code_for(store, room, code, uses=n) for n, code in enumerate(("zzzzzz1", "aaaaaa2"), 1)]
    listed = await store.governance.invites(room.id, actor(ANN))
    assert [(code.code, code.made_by, code.uses_left) for code in listed] == [
        ("zzzzzz", "ann", 1),
        ("aaaaaa", "ann", 2),
    ]
    assert [code.expires for code in listed] == [code.expires for code in made_codes]


@pytest.mark.parametrize("said", [CODE, CODE[:6]])
async def test_a_code_is_ended_by_itself_or_its_beginning(store: Store, room: RoomRecord, said: str) -> None:
    await code_for(store, room)
    await code_for(store, room, "another")
    assert not await store.governance.drop_invite(room.id, actor(ANN), CODE[:5], address="")
    assert await store.governance.drop_invite(room.id, actor(ANN), said, address="")
    assert not await store.governance.drop_invite(room.id, actor(ANN), said, address="")
    assert [code.code for code in await store.governance.invites(room.id, actor(ANN))] == ["anothe"]
    with refused("no_such_room", "room"):
        await store.governance.accept(CODE, actor(BOB))


async def test_a_code_is_ended_in_its_own_room_alone(store: Store, room: RoomRecord) -> None:
    other = await made(store, "other")
    await code_for(store, room)
    assert not await store.governance.drop_invite(other.id, actor(ANN), CODE, address="")
    await store.governance.accept(CODE, actor(BOB))


async def test_moderators_deal_with_codes_and_nobody_else(store: Store, room: RoomRecord) -> None:
    await code_for(store, room, uses=9)
    await store.governance.accept(CODE, actor(BOB))
    for person, code in ((BOB, "forbidden"), (CAT, "no_such_room"), (GUS, "no_such_room")):
        with refused(code, "room"):
            await code_for(store, room, "mine", by=person)
        with refused(code, "room"):
            await store.governance.invites(room.id, actor(person))
        with refused(code, "room"):
            await store.governance.drop_invite(room.id, actor(person), CODE, address="")
    with refused("no_such_room", "room"):
        await store.governance.invites(RoomId(2**62), actor(ANN))


async def test_a_room_has_a_limited_number_of_codes_that_can_be_used(store: Store, room: RoomRecord) -> None:
    for n in range(LIMITS.invites):
        await code_for(store, room, f"{n:06} and more")
    with refused("limit_reached", "room"):
        await code_for(store, room, "one more")
    await store.governance.accept("000007 and more", actor(Person("eve", UserId("u_eve"))))
    await code_for(store, room, "one more")


async def test_codes_leave_an_audit_without_the_code(store: Store, room: RoomRecord) -> None:
    await code_for(store, room)
    await store.governance.drop_invite(room.id, actor(ANN), CODE, address="192.0.2.2")
    dropped, made_entry, _ = await store.governance.audit(room.id, actor(ANN), before=None, limit=9)
    assert (made_entry.act, made_entry.reason, made_entry.address) == ("make_invite", CODE[:6], "192.0.2.1")
    assert (dropped.act, dropped.reason, dropped.address) == ("drop_invite", CODE[:6], "192.0.2.2")
