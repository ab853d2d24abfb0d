"""The store's contract: lists of people, reports, the audit. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

import pytest

from tests.store.conftest import LIMITS, Stage
from tests.store.governed import ANN, BOB, CAT, DAN, GIL, GUS, ROOT, actor, joined, made, refused, says
from trichat.chat.people_ports import NewLogin
from trichat.chat.ports import Store
from trichat.core.changes import Archive, Ban, Edit, Enter, Invite, Kick, Mute, Quit, SetRole, Unban
from trichat.core.events import RoomRecord
from trichat.core.names import RoomId, UserId
from trichat.core.standing import FOREVER, Role, RoomRules


async def test_the_roster_has_the_members_by_name_with_their_roles(store: Store) -> None:
    room = await made(store)
    await joined(store, room, CAT)
    await joined(store, room, BOB, Role.MODERATOR)
    await store.governance.change(room.id, actor(ANN), Mute(FOREVER), target=CAT)
    await store.governance.change(room.id, actor(ANN), Mute(FOREVER), target=DAN)
    await store.governance.change(room.id, actor(ANN), Ban(), target=GUS)
    members = await store.governance.roster(room.id, actor(DAN), after="", limit=9)
    assert [(m.user, m.user_id, m.role, m.since, m.muted_until) for m in members] == [
        ("ann", "u_ann", Role.OWNER, 2, 0),
        ("bob", "u_bob", Role.MODERATOR, 4, 0),
        ("cat", "u_cat", Role.MEMBER, 3, FOREVER),
    ]
    page = await store.governance.roster(room.id, actor(DAN), after="ann", limit=1)
    assert [member.user for member in page] == ["bob"]


async def test_lists_show_accounts_by_their_present_names(store: Store) -> None:
    await store.accounts.register(UserId("u_bob"), "bob", "", NewLogin(id="k_1", token_hash=b"1"))
    room = await made(store)
    await joined(store, room, BOB)
    await store.accounts.rename(UserId("u_bob"), "zoe")
    assert [m.user for m in await store.governance.roster(room.id, actor(ANN), after="b", limit=9)] == ["zoe"]
    await store.governance.change(room.id, actor(ANN), Ban(), target=BOB)
    assert [one.user for one in await store.governance.restrained(room.id, actor(ANN), after="", limit=9)] == ["zoe"]


async def test_who_may_see_a_roster(store: Store) -> None:
    public, private = await made(store), await made(store, "~x", kind="private")
    await store.governance.change(public.id, actor(ANN), Ban(), target=BOB)
    await store.governance.change(private.id, actor(ANN), Invite(), target=BOB)
    for person, room, code in (
        (GUS, public, "forbidden"),
        (BOB, public, "forbidden"),
        (BOB, private, "forbidden"),
        (CAT, private, "no_such_room"),
        (ROOT, private, "no_such_room"),
    ):
        with refused(code, "room"):
            await store.governance.roster(room.id, actor(person), after="", limit=9)
    for person, room in ((CAT, public), (ROOT, public), (ANN, private)):
        assert len(await store.governance.roster(room.id, actor(person), after="", limit=9)) == 1
    with refused("no_such_room", "room"):
        await store.governance.roster(RoomId(2**62), actor(ANN), after="", limit=9)


async def test_the_restrained_are_those_of_now_by_name(stage: Stage) -> None:
    room, governance = await made(stage.store), stage.store.governance
    access = await governance.access(room.name, ANN.user_id)
    assert access is not None
    until = access.now + 100_000
    await governance.change(room.id, actor(ANN), Mute(until, "loud"), target=GUS)
    await governance.change(room.id, actor(ANN), Ban(until + 100_000, "spam"), target=BOB)
    await governance.change(room.id, actor(ANN), Ban(), target=CAT)
    await governance.change(room.id, actor(ANN), Unban(), target=CAT)
    found = await governance.restrained(room.id, actor(ANN), after="", limit=9)
    assert [(one.user, one.user_id, one.banned_until, one.muted_until, one.reason) for one in found] == [
        ("bob", "u_bob", until + 100_000, 0, "spam"),
        ("gus", "g_gus", 0, until, "loud"),
    ]
    assert [one.user for one in await governance.restrained(room.id, actor(ANN), after="bob", limit=9)] == ["gus"]
    assert [one.user for one in await governance.restrained(room.id, actor(ANN), after="", limit=1)] == ["bob"]
    stage.let_pass(101)
    assert [one.user for one in await governance.restrained(room.id, actor(ANN), after="", limit=9)] == ["bob"]
    with refused("forbidden", "room"):
        await governance.restrained(room.id, actor(CAT), after="", limit=9)


# reports


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room of ann's with bob as moderator, in which gus has said message 5."""
    room = await made(store)
    await joined(store, room, BOB, Role.MODERATOR)
    await store.append([says(GUS, room, "spam")])
    assert (await store.open_rooms([room.name], create=False))[room.name].head == 5
    return room


async def test_a_report_is_open_until_it_is_resolved(store: Store, room: RoomRecord) -> None:
    number = await store.governance.report(room.id, 5, actor(CAT), "spam")
    (report,) = await store.governance.reports(room.id, actor(BOB), resolved=False, after=0, limit=9)
    assert (report.number, report.seq, report.reporter, report.reason) == (number, 5, "cat", "spam")
    assert (report.resolved_by, report.note) == (None, "")
    assert await store.governance.resolve(room.id, actor(BOB), number, "kicked", address="192.0.2.3")
    assert not await store.governance.resolve(room.id, actor(ANN), number, "again", address="")
    assert await store.governance.reports(room.id, actor(BOB), resolved=False, after=0, limit=9) == []
    (closed,) = await store.governance.reports(room.id, actor(BOB), resolved=True, after=0, limit=9)
    assert (closed.resolved_by, closed.note) == ("bob", "kicked")
    entry = (await store.governance.audit(room.id, actor(ANN), before=None, limit=1))[0]
    assert (entry.act, entry.actor, entry.reason, entry.address) == ("resolve", "bob", "kicked", "192.0.2.3")


async def test_the_same_report_again_is_the_first_one(store: Store, room: RoomRecord) -> None:
    first = await store.governance.report(room.id, 5, actor(CAT), "spam")
    assert await store.governance.report(room.id, 5, actor(CAT), "really") == first
    assert await store.governance.report(room.id, 5, actor(GIL), "spam") != first


async def test_reports_come_in_pages_by_number(store: Store, room: RoomRecord) -> None:
    numbers = [await store.governance.report(room.id, 5, actor(one), "") for one in (ANN, BOB, CAT, GIL)]
    assert numbers == sorted(numbers)
    page = await store.governance.reports(room.id, actor(ANN), resolved=True, after=numbers[0], limit=2)
    assert [report.number for report in page] == numbers[1:3]


async def test_a_report_belongs_to_its_room(store: Store, room: RoomRecord) -> None:
    other = await made(store, "other")
    number = await store.governance.report(room.id, 5, actor(CAT), "")
    assert not await store.governance.resolve(other.id, actor(ANN), number, "", address="")
    assert await store.governance.reports(other.id, actor(ANN), resolved=True, after=0, limit=9) == []


async def test_only_messages_that_one_may_see_can_be_reported(store: Store) -> None:
    room = await made(store, rules=RoomRules(history="joined"))
    await store.append([says(GUS, room, "spam")])
    await joined(store, room, CAT)
    for person, seq in ((CAT, 3), (CAT, 4), (CAT, 0), (CAT, 99), (DAN, 3), (GUS, 2)):
        with refused("bad_field", "seq"):
            await store.governance.report(room.id, seq, actor(person), "")
    await store.governance.report(room.id, 3, actor(ANN), "")
    await store.governance.report(room.id, 3, actor(GIL), "")  # who heard it while they listened


async def test_who_may_report(store: Store) -> None:
    public, private = await made(store), await made(store, "~x", kind="private")
    closed = await made(store, "closed", rules=RoomRules(guests=False))
    for room in (public, private, closed):
        await store.append([says(ANN, room)])
    await store.governance.change(public.id, actor(ANN), Ban(), target=GIL)
    await store.governance.change(private.id, actor(ANN), Invite(), target=BOB)
    for person, room, code in (
        (GIL, public, "forbidden"),
        (GUS, closed, "forbidden"),
        (BOB, private, "forbidden"),
        (CAT, private, "no_such_room"),
    ):
        with refused(code, "room"):
            await store.governance.report(room.id, 3, actor(person), "")


async def test_somebody_has_a_limited_number_of_open_reports_in_a_room(store: Store, room: RoomRecord) -> None:
    await store.append([says(GUS, room) for _ in range(LIMITS.open_reports)])
    first, *_ = [await store.governance.report(room.id, 5 + n, actor(CAT), "") for n in range(LIMITS.open_reports)]
    with refused("limit_reached", "room"):
        await store.governance.report(room.id, 5 + LIMITS.open_reports, actor(CAT), "")
    assert await store.governance.report(room.id, 5, actor(CAT), "") == first
    await store.governance.resolve(room.id, actor(ANN), first, "", address="")
    await store.governance.report(room.id, 5 + LIMITS.open_reports, actor(CAT), "")


async def test_moderators_read_reports_and_nobody_else(store: Store, room: RoomRecord) -> None:
    await joined(store, room, CAT)
    for person in (CAT, DAN, GUS):
        with refused("forbidden", "room"):
            await store.governance.reports(room.id, actor(person), resolved=False, after=0, limit=9)
        with refused("forbidden", "room"):
            await store.governance.resolve(room.id, actor(person), 1, "", address="")


# the audit


async def test_the_audit_says_who_did_what_to_whom_why_when_and_from_where(store: Store) -> None:
    room = await made(store)
    before = await store.governance.access(room.name, ANN.user_id)
    await store.governance.change(room.id, actor(ROOT), Ban(reason="spam"), target=GUS, address="192.0.2.9")
    latest, first = await store.governance.audit(room.id, actor(ANN), before=None, limit=9)
    assert before is not None
    assert before.now - 1 <= latest.at < before.now + 60_000
    assert (latest.actor, latest.actor_id, latest.act, latest.room) == ("root", "u_root", "ban", "lobby")
    assert (latest.target, latest.target_id, latest.reason, latest.address) == ("gus", "g_gus", "spam", "192.0.2.9")
    assert (first.act, first.target, first.target_id, first.address) == ("create", None, None, "192.0.2.1")
    assert [entry.number for entry in (latest, first)] == sorted([latest.number, first.number], reverse=True)


async def test_moderation_is_audited_and_coming_and_going_is_not(store: Store) -> None:
    room = await made(store)
    await store.governance.change(room.id, actor(BOB), Enter())
    for change in (SetRole(Role.ADMIN), SetRole(Role.ADMIN), Mute(), Kick(), Invite()):
        await store.governance.change(room.id, actor(ANN), change, target=BOB)
    await store.governance.change(room.id, actor(BOB), Enter())
    await store.governance.change(room.id, actor(BOB), Quit())
    await store.governance.change(room.id, actor(ANN), Edit(topic="x"))
    await store.governance.change(room.id, actor(ANN), Archive())
    await store.governance.change(room.id, actor(ANN), Archive(archived=False))
    entries = await store.governance.audit(room.id, actor(ANN), before=None, limit=99)
    acts = ["unarchive", "archive", "edit", "invite", "kick", "mute", "role", "create"]
    assert [entry.act for entry in entries] == acts
    older = await store.governance.audit(room.id, actor(ANN), before=entries[2].number, limit=2)
    assert [entry.act for entry in older] == ["invite", "kick"]


async def test_owners_read_the_audit_of_their_room_and_nobody_else(store: Store) -> None:
    room, other = await made(store), await made(store, "other")
    await joined(store, room, BOB, Role.ADMIN)
    with refused("forbidden", "room"):
        await store.governance.audit(room.id, actor(BOB), before=None, limit=9)
    assert len(await store.governance.audit(other.id, actor(ROOT), before=None, limit=9)) == 1
