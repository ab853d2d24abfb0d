"""Rooms for the matrix, of every kind, and somebody who stands to them so: made in the store, before any node looks."""

from __future__ import annotations

from itertools import count
from typing import Final

from msgspec import Struct, field, structs

from tests.chat.matrix_law import RANKED
from tests.chat.matrix_who import Who
from tests.people import make_account
from trichat.chat.ports import Store
from trichat.core.acts import Act, Respond, Rewrite, Stick
from trichat.core.chance import Chance
from trichat.core.changes import Archive, Ban, Change, Edit, Enter, Invite, Kick, Mute, Quit, SetRole, Transfer
from trichat.core.codec import quote
from trichat.core.events import EVERYBODY, Committed, Draft, Person, RoomRecord
from trichat.core.names import RoomName, UserId, direct_room_name, private_room_name
from trichat.core.standing import Actor, Role, RoomRules

#: What stands in every private room, and is said in every room: by the host, a reply to it, what it was before it was
#: edited, what is pinned; and by the subject.
TITLE, TOPIC = "hidden-title", "hidden-topic"
TEXT, REPLY, OLD, PINNED, OWN = "hidden-text", "hidden-reply", "hidden-old", "hidden-pinned", "hidden-own"
#: What is made of it by an edit.
IN_OTHER_WORDS: Final = "in other words"
#: The reaction of the host to their own message, and of the subject to its.
REACTION: Final = "👀"

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


class Stage(Struct, kw_only=True):
    """A room, and what there is in it to ask about; messages by their `seq`."""

    record: RoomRecord  # as it was made
    rules: RoomRules
    owner: Somebody
    host: Somebody  # who made it, and listens at every node: an owner or admin; in a direct room the other of the two
    whom: dict[str, str]  # whom each command is about
    seq: int = 0  # what the host said: edited, reacted to, with a reply, mentioning everybody
    reply: int = 0
    pinned: int = 0  # 0: nothing is
    own: int = 0  # what the subject said: edited, reacted to, with a reply of the host's; 0: nothing
    code: str = "nocode"
    report: int = 0
    given_role: str = "moderator"
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
    if who.guest and rules.kind == "public":
        await _speak(store, stage, subject)
    for step in who.path:
        await _step(store, stage, subject, step)
    await _fill(store, stage)
    stage.code = _chance.label(26)
    await store.governance.make_invite(stage.record.id, cast.host.actor, stage.code, uses=100, for_s=3_600, address="")
    stage.owner = subject if who.role is Role.OWNER else cast.host
    await _close(store, stage)
    return stage


async def _make_room(store: Store, cast: Cast, rules: RoomRules) -> Stage:
    """It is open at first, so that all may have said something; `_close` makes it what `rules` say."""
    name = RoomName(f"room{next(_numbers)}") if rules.kind == "public" else private_room_name(_chance.label(12))
    first = structs.replace(
        rules, archived=False, send=Role.GUEST, guests=rules.kind == "public", title=TITLE, topic=TOPIC
    )
    made = await store.governance.create(name, first, cast.host.actor, address="")
    for one in (cast.member, cast.banned, cast.muted):
        await store.governance.change(made.record.id, one.actor, Enter(by_invite=True))
    await store.governance.change(made.record.id, cast.host.actor, Ban(), target=cast.banned.person)
    await store.governance.change(made.record.id, cast.host.actor, Mute(), target=cast.muted.person)
    about_member = ("kick", "ban", "mute", "role", "role-admin", "transfer", "send-name")
    whom = dict.fromkeys(about_member, cast.member.name)
    whom |= {"unban": cast.banned.name, "unmute": cast.muted.name, "invite": cast.outsider.name}
    whom |= dict.fromkeys(("direct", "search-from"), cast.host.name)
    return Stage(record=made.record, rules=rules, owner=cast.host, host=cast.host, whom=whom)


async def _close(store: Store, stage: Stage) -> None:
    rules, owner = stage.rules, stage.owner.actor
    if rules.kind == "public" and not (rules.guests and rules.send is Role.GUEST):
        await store.governance.change(stage.record.id, owner, Edit(guests=rules.guests, send=rules.send))
    if rules.archived:
        await store.governance.change(stage.record.id, owner, Archive())


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
    whom = dict.fromkeys((*about, "send-name", "search-from"), host.name)
    stage = Stage(record=made.record, rules=made.record.rules, owner=host, host=host, whom=whom)
    if other is subject:
        await _speak(store, stage, subject)
    await _fill(store, stage, mentioned=other.person.user_id)
    await store.governance.change(made.record.id, other.actor, Mute(), target=host.person)
    for step in who.path[1:]:
        await _step(store, stage, subject, step)
    return stage


async def _step(store: Store, stage: Stage, subject: Somebody, step: str) -> None:
    change, own = _STEPS[step]
    actor, target = (subject.actor, None) if own else (stage.host.actor, subject.person)
    await store.governance.change(stage.record.id, actor, change, target=target)
    if step == "enter":
        await _speak(store, stage, subject)


async def _speak(store: Store, stage: Stage, subject: Somebody) -> None:
    """What the subject says, in other words than at first, and reacts to; the host replies in its thread."""
    stage.own = await _say(store, stage, subject, OLD)
    for act in (Rewrite(OWN), Respond(REACTION)):
        await _do(store, stage, subject, stage.own, act)
    await _say(store, stage, stage.host, REPLY, thread=stage.own)


async def _fill(store: Store, stage: Stage, *, mentioned: UserId = EVERYBODY) -> None:
    """What the host says, and all that hangs on it, and a report of it; where somebody may pin, a pinned message."""
    host = stage.host
    stage.seq = await _say(store, stage, host, OLD)
    said = quote([["room", mentioned]])
    for act in (Rewrite(TEXT, mentions=(mentioned,), said_mentions=said), Respond(REACTION)):
        await _do(store, stage, host, stage.seq, act)
    stage.reply = await _say(store, stage, host, REPLY, thread=stage.seq)
    if stage.rules.kind != "direct":
        stage.pinned = await _say(store, stage, host, PINNED)
        await _do(store, stage, host, stage.pinned, Stick())
    stage.report = await store.governance.report(stage.record.id, stage.seq, host.actor, "spam")


async def _say(store: Store, stage: Stage, one: Somebody, text: str, *, thread: int | None = None) -> int:
    room = stage.record
    body = {"text": text} if thread is None else {"text": text, "thread": thread}
    draft = Draft(room.id, room.name, "message", one.person.user_id, one.name, None, quote(body), thread=thread)
    (committed,) = await store.append([draft])
    assert isinstance(committed, Committed), committed
    return committed.seq


async def _do(store: Store, stage: Stage, one: Somebody, seq: int, act: Act) -> None:
    acted = await store.acts.act(stage.record.id, one.actor, seq, act, cid=None, address="")
    assert acted.event is not None
