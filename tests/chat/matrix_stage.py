"""Rooms for the matrix, of every kind, and somebody who stands to them so: made in the store, before any node looks."""

from __future__ import annotations

from itertools import count
from typing import Final

from msgspec import Struct, field, structs

from tests.chat.matrix_law import RANKED, Who
from tests.people import make_account
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.changes import Archive, Ban, Change, Enter, Invite, Kick, Mute, Quit, SetRole, Transfer
from trichat.core.codec import quote
from trichat.core.errors import Refusal
from trichat.core.events import Committed, Draft, Person, RoomRecord
from trichat.core.names import RoomName, direct_room_name, private_room_name
from trichat.core.standing import Actor, Role, RoomRules, Standing

#: What stands in every private room, and is said in every room.
TITLE, TOPIC, TEXT = "hidden-title", "hidden-topic", "hidden-text"

#: The steps of `Who.path`: the change, and whether it is their own act or the host's.
_STEPS: Final[dict[str, tuple[Change, bool]]] = {
    "enter": (Enter(by_invite=True), True),
    "quit": (Quit(), True),
    "invite": (Invite(), False),
    "kick": (Kick(), False),
    "ban": (Ban(), False),
    "mute": (Mute(), False),
    "moderator": (SetRole(Role.MODERATOR), False),
    "admin": (SetRole(Role.ADMIN), False),
    "owner": (Transfer(), False),
}

_numbers: Final = count(1)
_chance: Final = Chance()


class Somebody(Struct, frozen=True):
    """An account of the play, and what it logs in with."""

    person: Person
    token: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(self.person.user_id, self.person.user)

    @property
    def name(self) -> str:
        return self.person.user


class Cast(Struct):
    """Whom commands are about: a plain member, one who is banned, one who is muted, one who may be invited."""

    host: Somebody
    member: Somebody
    banned: Somebody
    muted: Somebody
    outsider: Somebody

    def everybody(self) -> list[Person]:
        return [one.person for one in (self.host, self.member, self.banned, self.muted, self.outsider)]


class Picture(Struct, frozen=True):
    """All of a room that a command can change: to be compared."""

    head: int
    rules: RoomRules
    standings: tuple[Standing, ...]
    acts: int  # the number of the last act in the room's audit
    reports: int
    codes: int


class Stage(Struct, kw_only=True):
    """A room, and what there is in it to ask about."""

    record: RoomRecord  # as it was made
    rules: RoomRules
    owner: Somebody
    host: Somebody  # who made it, and listens at every node: an owner or admin; in a direct room the other of the two
    whom: dict[str, str]  # whom each command is about
    seq: int  # of a message
    code: str = "nocode"
    report: int = 0
    given_role: str = "moderator"
    picture: Picture | None = None  # how the room was at the last look
    subject_at: set[int] = field(default_factory=set)  # the nodes at which the subject listens

    @property
    def name(self) -> RoomName:
        return self.record.name


async def somebody(store: Store, name: str, *, admin: bool = False) -> Somebody:
    """A new account of this name."""
    token = await make_account(store, name, admin=admin)
    person = await store.accounts.find_person(name)
    assert person is not None
    return Somebody(person, token)


async def make_cast(store: Store, mark: str = "") -> Cast:
    """New accounts, whose names end with `mark`."""
    names = ("hostess", "plainone", "keptout", "silenced", "candidate")
    return Cast(*[await somebody(store, name + mark) for name in names])


async def set_stage(
    store: Store, cast: Cast, subject: Somebody, who: Who, rules: RoomRules, *, rank: Role = Role.MEMBER
) -> Stage:
    """A new room of this kind, to which the subject stands as `who` says; those whom it acts on have this `rank`."""
    if rules.kind == "direct":
        return await _set_direct(store, cast, subject, who)
    stage = await _make_room(store, cast, rules)
    await _promote(store, cast, stage, rank)
    for step in who.path:
        await _step(store, stage, subject, step)
    await _fill(store, stage)
    stage.code = _chance.label(26)
    await store.governance.make_invite(stage.record.id, cast.host.actor, stage.code, uses=100, for_s=3_600, address="")
    stage.owner = subject if who.role is Role.OWNER else cast.host
    if rules.archived:
        await store.governance.change(stage.record.id, stage.owner.actor, Archive())
    return stage


async def _make_room(store: Store, cast: Cast, rules: RoomRules) -> Stage:
    name = RoomName(f"room{next(_numbers)}") if rules.kind == "public" else private_room_name(_chance.label(12))
    first = structs.replace(rules, archived=False, title=TITLE, topic=TOPIC)
    made = await store.governance.create(name, first, cast.host.actor, address="")
    for one in (cast.member, cast.banned, cast.muted):
        await store.governance.change(made.record.id, one.actor, Enter(by_invite=True))
    await store.governance.change(made.record.id, cast.host.actor, Ban(), target=cast.banned.person)
    await store.governance.change(made.record.id, cast.host.actor, Mute(), target=cast.muted.person)
    whom = dict.fromkeys(("kick", "ban", "mute", "role", "role-admin", "transfer"), cast.member.name)
    whom |= {"unban": cast.banned.name, "unmute": cast.muted.name, "invite": cast.outsider.name}
    return Stage(
        record=made.record, rules=rules, owner=cast.host, host=cast.host, whom={**whom, "direct": cast.host.name}, seq=0
    )


async def _promote(store: Store, cast: Cast, stage: Stage, rank: Role) -> None:
    if rank is Role.OWNER:
        stage.whom.update(dict.fromkeys(RANKED, cast.host.name))
    elif rank is not Role.MEMBER:
        for one in (cast.member, cast.muted):
            await store.governance.change(stage.record.id, cast.host.actor, SetRole(rank), target=one.person)
    stage.given_role = "moderator" if rank is Role.MEMBER else "member"


async def _set_direct(store: Store, cast: Cast, subject: Somebody, who: Who) -> Stage:
    """The direct room of a new host and the subject, or, if it is not theirs, another; the host is muted in it."""
    host = await somebody(store, f"hostess{next(_numbers)}")
    other = subject if who.path else cast.member
    name = direct_room_name(host.person.user_id, other.person.user_id)
    made = await store.governance.open_direct(name, host.actor, other.person)
    about = ("kick", "ban", "unban", "mute", "unmute", "role", "role-admin", "transfer", "invite", "direct")
    whom = dict.fromkeys(about, host.name)
    stage = Stage(record=made.record, rules=made.record.rules, owner=host, host=host, whom=whom, seq=0)
    await _fill(store, stage)
    await store.governance.change(made.record.id, other.actor, Mute(), target=host.person)
    for step in who.path[1:]:
        await _step(store, stage, subject, step)
    return stage


async def _step(store: Store, stage: Stage, subject: Somebody, step: str) -> None:
    change, own = _STEPS[step]
    actor, target = (subject.actor, None) if own else (stage.host.actor, subject.person)
    await store.governance.change(stage.record.id, actor, change, target=target)


async def _fill(store: Store, stage: Stage) -> None:
    """A message, and a report of it."""
    room, host = stage.record, stage.host
    draft = Draft(room.id, room.name, "message", host.person.user_id, host.name, None, quote({"text": TEXT}))
    (committed,) = await store.append([draft])
    assert isinstance(committed, Committed)
    stage.seq = committed.seq
    stage.report = await store.governance.report(room.id, stage.seq, host.actor, "spam")


async def look(store: Store, stage: Stage, people: list[Person]) -> Picture | None:
    """How the room is now, by the store; None when it is gone."""
    seen = [await store.governance.access_by_id(stage.record.id, one.user_id) for one in people]
    found = [access for access in seen if access is not None]
    if not found:
        return None
    acts, reports, codes = await _lists(store, stage) if found[0].record.rules.kind != "direct" else (0, 0, 0)
    return Picture(
        head=found[0].record.head,
        rules=found[0].record.rules,
        standings=tuple(access.standing for access in found),
        acts=acts,
        reports=reports,
        codes=codes,
    )


async def _lists(store: Store, stage: Stage) -> tuple[int, int, int]:
    room, actor, owner = stage.record.id, stage.host.actor, stage.owner.actor
    reports = await store.governance.reports(room, actor, resolved=True, after=0, limit=100)
    codes = await store.governance.invites(room, actor)
    try:
        acts = await store.governance.audit(room, owner, before=None, limit=1)
    except Refusal:
        return 0, len(reports), len(codes)  # the owner is another one now
    return acts[0].number, len(reports), len(codes)
