"""Who may change what in a room: the rules, one by one, and what holds of all of them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.properties import steady
from trichat.core.changes import (
    ABOUT_SOMEBODY,
    Archive,
    Ban,
    Change,
    Edit,
    Enter,
    Invite,
    Kick,
    Mute,
    Quit,
    RoomState,
    SetRole,
    Target,
    Transfer,
    Unban,
    Unmute,
    Verdict,
    fingerprint,
)
from trichat.core.errors import Refusal
from trichat.core.governance import judge, made_body, permit
from trichat.core.names import UserId
from trichat.core.standing import FOREVER, NOBODY, PERMISSIONS, Actor, Permission, Role, RoomRules, Standing

NOW = 1_800_000_000_000
ANN, BOB = Actor(UserId("u_ann"), "ann"), Actor(UserId("u_bob"), "bob")
ROOT, GUS = Actor(UserId("u_root"), "root", admin=True), Actor(UserId("g_gus"), "gus")
PUBLIC, PRIVATE, DIRECT = (
    RoomRules(), RoomRules(kind="private", guests=False), RoomRules(kind="direct", guests=False),
)  # fmt: skip
ROLES = [Role.MEMBER, Role.MODERATOR, Role.ADMIN, Role.OWNER]


def room(rules: RoomRules = PUBLIC, *, head: int = 9, members: int = 5, owners: int = 1) -> RoomState:
    return RoomState(rules, head, members, owners)


def standing(role: Role | None, **fields: Any) -> Standing:
    return Standing(role=role, since=2 if role else 0, **fields)


def tried(
    change: Change,
    mine: Standing,
    theirs: Standing = NOBODY,
    *,
    rules: RoomRules = PUBLIC,
    by: Actor = ANN,
    to: Actor = BOB,
    owners: int = 1,
) -> Verdict | str:
    """The verdict, or the code of the refusal."""
    target = Target(to.user_id, to.user, theirs) if isinstance(change, ABOUT_SOMEBODY) else None
    try:
        return judge(room(rules, owners=owners), by, mine, change, target, now=NOW)
    except Refusal as refusal:
        return refusal.code


def new_standing(verdict: Verdict | str, who: Actor = BOB) -> Standing:
    assert isinstance(verdict, Verdict)
    return verdict.standings[who.user_id]


@pytest.mark.parametrize(("change", "least"), [
    (Invite(), "invite"), (Kick(), "kick"), (Ban(), "ban"), (Unban(), "ban"), (Mute(), "mute"), (Unmute(), "mute"),
    (SetRole(Role.MEMBER), "role"), (Transfer(), "transfer"), (Edit(title="x"), "edit"), (Archive(), "archive"),
])  # fmt: skip
def test_an_act_takes_the_role_of_the_table(change: Change, least: Permission) -> None:
    theirs = standing(Role.MEMBER) if isinstance(change, SetRole | Transfer | Kick) else NOBODY
    for role in (None, *ROLES):
        allowed = (role or Role.GUEST) >= PERMISSIONS[least]
        assert isinstance(tried(change, standing(role), theirs), Verdict) == allowed
        assert allowed or tried(change, standing(role), theirs) == "forbidden"


@pytest.mark.parametrize("change", [Kick(), Ban(), Mute(), Unmute(), SetRole(Role.MEMBER)])
def test_nobody_acts_on_who_is_not_below_them(change: Change) -> None:
    for mine, theirs in itertools.product(ROLES, ROLES):
        if mine <= theirs:
            assert tried(change, standing(mine), standing(theirs)) == "forbidden"


def test_a_role_is_given_by_who_has_a_higher_one() -> None:
    for mine, given_role in itertools.product(ROLES, ROLES):
        verdict = tried(SetRole(given_role), standing(mine), standing(Role.MEMBER))
        allowed = mine > given_role and mine >= Role.ADMIN and given_role is not Role.OWNER
        assert isinstance(verdict, Verdict) == allowed


def test_who_administers_the_server_is_an_owner_in_public_rooms_and_nobody_in_others() -> None:
    assert isinstance(tried(Ban(), NOBODY, standing(Role.ADMIN), by=ROOT), Verdict)
    assert tried(Ban(), NOBODY, standing(Role.OWNER), by=ROOT) == "forbidden"
    assert isinstance(tried(Unban(), standing(None, banned_until=FOREVER), by=ROOT), Verdict)
    for rules in (PRIVATE, DIRECT):
        assert tried(Ban(), NOBODY, standing(Role.MEMBER), by=ROOT, rules=rules) == "no_such_room"


def test_who_is_muted_has_no_power_until_it_ends() -> None:
    muted = standing(Role.ADMIN, muted_until=NOW + 1)
    assert tried(Kick(), muted, standing(Role.MEMBER)) == "forbidden"
    assert isinstance(tried(Kick(), structs.replace(muted, muted_until=NOW), standing(Role.MEMBER)), Verdict)


def test_oneself_is_nobody_to_act_on() -> None:
    mine = standing(Role.OWNER)
    for change in (Kick(), Ban(), Mute(), Unmute(), SetRole(Role.MEMBER), Transfer()):
        assert tried(change, mine, mine, to=ANN) == "bad_field"


@pytest.mark.parametrize("rules", [PRIVATE, DIRECT])
def test_what_is_hidden_does_not_exist_whatever_is_tried(rules: RoomRules) -> None:
    changes: list[Change] = [Enter(), Quit(), Edit(guests=True), Archive(), Kick(), Ban(0), SetRole(Role.OWNER)]
    for change in changes:
        assert tried(change, standing(None, banned_until=FOREVER), rules=rules) == "no_such_room"


def test_coming_in() -> None:
    assert new_standing(tried(Enter(), NOBODY), ANN) == Standing(role=Role.MEMBER, since=10)
    assert tried(Enter(), standing(Role.MEMBER)) == Verdict()
    assert tried(Enter(), NOBODY, by=GUS) == "forbidden"
    assert tried(Enter(), standing(None, banned_until=NOW + 1)) == "forbidden"
    assert tried(Enter(), NOBODY, rules=RoomRules(member_limit=5)) == "limit_reached"
    assert isinstance(tried(Enter(), NOBODY, rules=RoomRules(member_limit=6)), Verdict)
    invited = standing(None, invited=True)
    assert new_standing(tried(Enter(), invited, rules=PRIVATE), ANN) == Standing(role=Role.MEMBER, since=10)
    assert isinstance(tried(Enter(by_invite=True), NOBODY, rules=PRIVATE), Verdict)
    assert tried(Enter(by_invite=True), standing(None, banned_until=FOREVER), rules=PRIVATE) == "forbidden"


def test_a_mute_and_its_reason_outlive_a_ban_that_is_over() -> None:
    both = standing(None, banned_until=NOW, muted_until=FOREVER, reason="loud")
    came = new_standing(tried(Enter(), both), ANN)
    assert came == Standing(role=Role.MEMBER, since=10, muted_until=FOREVER, reason="loud")
    over = structs.replace(both, muted_until=NOW)
    assert new_standing(tried(Enter(), over), ANN).reason == ""
    unbanned = tried(Unban(), standing(Role.OWNER), structs.replace(both, banned_until=FOREVER))
    assert new_standing(unbanned) == standing(None, muted_until=FOREVER, reason="loud")
    unmuted = tried(Unmute(), standing(Role.OWNER), structs.replace(both, banned_until=FOREVER))
    assert new_standing(unmuted) == standing(None, banned_until=FOREVER, reason="loud")


def test_leaving() -> None:
    assert tried(Quit(), NOBODY) == Verdict()
    assert new_standing(tried(Quit(), standing(Role.MEMBER)), ANN) == NOBODY
    assert tried(Quit(), standing(Role.OWNER)) == "forbidden"
    assert isinstance(tried(Quit(), standing(Role.OWNER), owners=2), Verdict)
    assert new_standing(tried(Quit(), standing(Role.MEMBER), rules=DIRECT), ANN) == Standing(invited=True)


def test_inviting() -> None:
    mine = standing(Role.MODERATOR)
    assert new_standing(tried(Invite(), mine)) == Standing(invited=True)
    assert tried(Invite(), mine, to=GUS) == "bad_field"
    assert tried(Invite(), mine, standing(None, banned_until=NOW + 1)) == "bad_state"
    for already in (standing(Role.OWNER), standing(None, invited=True)):
        assert tried(Invite(), mine, already) == Verdict()


def test_kicking_needs_somebody_who_is_there() -> None:
    mine = standing(Role.MODERATOR)
    assert tried(Kick(), mine) == "bad_state"
    assert new_standing(tried(Kick(), mine, standing(None, invited=True))) == NOBODY
    assert isinstance(tried(Kick(), mine, to=GUS), Verdict)
    for rules in (PRIVATE, RoomRules(guests=False)):
        assert tried(Kick(), mine, to=GUS, rules=rules) == "bad_state"


def test_the_same_ban_or_mute_again_changes_nothing() -> None:
    mine, changes = standing(Role.OWNER), (Ban(NOW + 9, "x"), Mute(NOW + 9, "x"))
    for change in changes:
        once = new_standing(tried(change, mine, standing(Role.MEMBER)))
        assert tried(change, mine, once) == Verdict()
        assert isinstance(tried(structs.replace(change, until=NOW + 10), mine, once), Verdict)
        assert tried(structs.replace(change, until=NOW), mine, once) == "bad_field"


def test_a_transfer_leaves_one_owner_who_is_not_muted() -> None:
    verdict = tried(Transfer(), standing(Role.OWNER), standing(Role.MEMBER, muted_until=FOREVER, reason="x"))
    assert new_standing(verdict) == standing(Role.OWNER)
    assert new_standing(verdict, ANN) == standing(Role.ADMIN)
    assert tried(Transfer(), standing(Role.OWNER), NOBODY) == "bad_state"
    assert tried(Transfer(), standing(Role.OWNER), standing(Role.OWNER)) == Verdict()


def test_rules_that_are_so_already_or_cannot_be() -> None:
    mine = standing(Role.OWNER)
    assert tried(Edit(title=""), mine) == Verdict()
    assert tried(Edit(guests=True, title="x"), mine, rules=PRIVATE) == "bad_field"
    assert tried(Edit(title="x"), standing(Role.MEMBER), rules=DIRECT) == "forbidden"
    assert tried(Archive(archived=False), mine) == Verdict()
    verdict = tried(Edit(title="x", topic="", send=Role.MEMBER), mine)
    assert isinstance(verdict, Verdict)
    assert json.loads(verdict.body) == {"changes": {"title": "x", "send": "member"}}
    assert verdict.rules == RoomRules(title="x", send=Role.MEMBER)


def test_what_the_first_event_says() -> None:
    assert json.loads(made_body(PUBLIC)) == {"changes": {"kind": "public"}}
    said = {"kind": "private", "guests": False, "send": "admin"}
    assert json.loads(made_body(structs.replace(PRIVATE, send=Role.ADMIN))) == {"changes": said}


def test_the_same_request_has_the_same_fingerprint_whenever_it_ends() -> None:
    bob, cat = UserId("u_bob"), UserId("u_cat")
    assert fingerprint(Ban(1), bob) == fingerprint(Ban(2), bob)
    different = [
        fingerprint(change, target)
        for change in (Ban(), Ban(reason="x"), Mute(), Kick(), Kick("x"), SetRole(Role.ADMIN), SetRole(Role.MEMBER))
        for target in (bob, cat)
    ] + [fingerprint(edit, None) for edit in (Edit(title=""), Edit(title="x"), Edit(topic="x"), Archive(), Quit())]
    assert len(set(different)) == len(different)
    assert all(-(2**63) <= one < 2**63 for one in different)


# permissions without an event


def permitted(permission: Permission, mine: Standing, *, rules: RoomRules = PUBLIC, by: Actor = ANN) -> str | None:
    try:
        permit(rules, by, mine, permission, now=NOW)
    except Refusal as refusal:
        return refusal.code
    return None


def test_lists_take_the_role_of_the_table() -> None:
    lists: list[Permission] = ["invite", "ban", "reports", "audit", "delete"]
    for permission, role in itertools.product(lists, (None, *ROLES)):
        allowed = (role or Role.GUEST) >= PERMISSIONS[permission]
        assert permitted(permission, standing(role)) == (None if allowed else "forbidden")
        assert permitted(permission, NOBODY, rules=PRIVATE, by=ROOT) == "no_such_room"


def test_who_sees_rosters_and_who_reports() -> None:
    banned = standing(None, banned_until=FOREVER)
    assert [permitted("roster", one) for one in (NOBODY, banned)] == [None, "forbidden"]
    assert permitted("roster", NOBODY, by=GUS) == "forbidden"
    assert permitted("roster", standing(None, invited=True), rules=PRIVATE) == "forbidden"
    assert [permitted("report", one, by=GUS) for one in (NOBODY, banned)] == [None, "forbidden"]
    assert permitted("report", NOBODY, by=GUS, rules=RoomRules(guests=False)) == "forbidden"
    assert permitted("report", standing(None, invited=True), rules=PRIVATE) == "forbidden"
    assert permitted("report", standing(Role.MEMBER), rules=PRIVATE) is None


def test_who_is_banned_reads_nothing_and_who_is_invited_reads_what_they_are_invited_to() -> None:
    banned, invited = standing(None, banned_until=FOREVER), standing(None, invited=True)
    assert [permitted("read", banned, by=one) for one in (ANN, ROOT, GUS)] == ["forbidden"] * 3
    assert [permitted("read", one, rules=PRIVATE) for one in (invited, standing(Role.MEMBER))] == [None, None]
    assert [permitted("read", one) for one in (NOBODY, standing(Role.MEMBER))] == [None, None]
    assert permitted("read", NOBODY, by=GUS, rules=RoomRules(guests=False)) == "forbidden"


# what holds of every change

times = st.sampled_from([0, NOW - 1, NOW, NOW + 1, FOREVER])
reasons = st.sampled_from(["", "spam", 'quoted "x" \u001b[31m\r\n'])
standings = st.builds(
    Standing,
    role=st.sampled_from([None, *ROLES]),
    since=st.integers(0, 9),
    invited=st.booleans(),
    muted_until=times,
    banned_until=times,
    reason=reasons,
)
rules = st.builds(
    RoomRules,
    kind=st.sampled_from(["public", "private", "direct"]),
    member_limit=st.sampled_from([0, 3, 6]),
    send=st.sampled_from([Role.GUEST, *ROLES]),
    guests=st.booleans(),
    archived=st.booleans(),
)
changes = st.one_of(
    st.builds(Enter, by_invite=st.booleans()),
    st.builds(Ban, until=times, reason=reasons),
    st.builds(Mute, until=times, reason=reasons),
    st.builds(Kick, reason=reasons),
    st.builds(SetRole, role=st.sampled_from(Role)),
    st.sampled_from([Quit(), Invite(), Unban(), Unmute(), Transfer(), Archive(), Archive(archived=False)]),
    st.builds(Edit, title=reasons, guests=st.booleans(), send=st.sampled_from([Role.GUEST, *ROLES])),
)
actors = st.sampled_from([ANN, ROOT, GUS])
targets = st.sampled_from([ANN, BOB, GUS])


class Played:
    """One judgement: who stood how before, and what came of it."""

    def __init__(
        self, rules: RoomRules, *, by: Actor, to: Actor, mine: Standing, theirs: Standing, change: Change
    ) -> None:
        self.before = {to.user_id: theirs, by.user_id: mine}
        self.by, self.to, self.change = by, to, change
        self.room = room(rules, owners=1 if mine.role is Role.OWNER else 2)
        self.target = Target(to.user_id, to.user, self.before[to.user_id])
        self.verdict: Verdict | None = None
        try:
            target = self.target if isinstance(change, ABOUT_SOMEBODY) else None
            self.verdict = judge(self.room, by, mine, change, target, now=NOW)
        except Refusal:
            pass

    @property
    def after(self) -> dict[UserId, Standing]:
        assert self.verdict is not None
        return self.before | dict(self.verdict.standings)

    @property
    def power(self) -> Role:
        if self.by.admin and self.room.rules.kind == "public":
            return Role.OWNER
        return self.before[self.by.user_id].role_at(NOW)


plays = st.builds(Played, rules, by=actors, to=targets, mine=standings, theirs=standings, change=changes).filter(
    lambda play: play.verdict
)


@steady
@given(plays)
def test_nothing_is_changed_but_by_the_verdict(play: Played) -> None:
    mine, theirs = (play.before[one.user_id] for one in (play.by, play.to))
    again = Played(play.room.rules, by=play.by, to=play.to, mine=mine, theirs=theirs, change=play.change)
    assert again.before == play.before
    assert again.verdict == play.verdict


@steady
@given(plays)
def test_the_last_owner_never_vanishes(play: Played) -> None:
    owners = [s.role for s in play.before.values()].count(Role.OWNER)
    left = [s.role for s in play.after.values()].count(Role.OWNER)
    assert left >= owners or (isinstance(play.change, Quit) and play.room.owners > 1)


@steady
@given(plays)
def test_nobody_loses_anything_to_who_is_not_above_them(play: Played) -> None:
    before, after = play.before[play.to.user_id], play.after[play.to.user_id]
    if play.by == play.to or before == after or play.room.rules.kind == "direct":
        return
    worse = (after.role or 0) < (before.role or 0) or after.muted_until > before.muted_until
    worse = worse or after.banned_until > before.banned_until or before.invited > after.invited
    assert not worse or (before.role or Role.GUEST) < play.power


@steady
@given(plays)
def test_nobody_raises_themselves_or_others_to_their_own_height(play: Played) -> None:
    for user_id, after in play.after.items():
        if (after.role or 0) > (play.before[user_id].role or 0) and not isinstance(play.change, Enter | Transfer):
            assert user_id != play.by.user_id
            assert after.role is not None
            assert after.role < play.power


@steady
@given(plays)
def test_the_banned_are_no_members_and_guests_never_are(play: Played) -> None:
    assert play.verdict is not None
    for user_id, after in play.verdict.standings.items():
        if user_id == play.to.user_id and isinstance(play.change, Ban):
            assert after.banned_at(NOW)
            assert (after.role, after.invited, after.since) == (None, False, 0)
        if user_id.startswith("g_") and play.before[user_id].role is None:
            assert after.role is None


@steady
@given(plays)
def test_an_event_is_one_json_object_of_its_kind_and_audited_unless_it_is_ones_own(play: Played) -> None:
    verdict = play.verdict
    assert verdict is not None
    if verdict.kind is None:
        assert verdict == Verdict()
        return
    body = json.loads(verdict.body)
    assert b"\n" not in verdict.body
    assert b"\x1b" not in verdict.body
    if verdict.kind == "room":
        assert set(body) == {"changes"}
        assert verdict.rules != play.room.rules
    else:
        assert {"user", "user_id", "change"} <= set(body) <= {"user", "user_id", "change", "role", "until", "reason"}
        assert body["user_id"] in verdict.standings
    assert bool(verdict.act) != isinstance(play.change, Enter | Quit)
