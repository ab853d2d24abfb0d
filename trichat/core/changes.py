"""What changes a room: the changes that people can ask for, what is known when one is judged, and what comes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType, structs

from trichat.core.codec import quote
from trichat.core.events import Event
from trichat.core.names import UserId
from trichat.core.standing import FOREVER, NOBODY, HistoryRule, Role, RoomRules, Standing


class Enter(Struct, frozen=True):
    """Become a member (an account's first join). `by_invite`: an invite's code was shown, and used up."""

    by_invite: bool = False


class Quit(Struct, frozen=True):
    """Be a member no more, by one's own will."""


class Invite(Struct, frozen=True):
    """Let the target in where they could not come alone."""


class Kick(Struct, frozen=True):
    """End the target's membership and listening; they may come back as the room's kind allows."""

    reason: str = ""


class Ban(Struct, frozen=True):
    """Kick, and keep out until `until` (milliseconds since 1970)."""

    until: int = FOREVER
    reason: str = ""


class Unban(Struct, frozen=True):
    """Let the target come again."""


class Mute(Struct, frozen=True):
    """Let the target read but not send until `until` (milliseconds since 1970)."""

    until: int = FOREVER
    reason: str = ""


class Unmute(Struct, frozen=True):
    """Let the target send again."""


class SetRole(Struct, frozen=True):
    """Make the target a member, moderator or admin."""

    role: Role


class Transfer(Struct, frozen=True):
    """Make the target the owner, and the actor an admin."""


class Edit(Struct, frozen=True, kw_only=True):
    """Change the room's rules; what is UNSET stays."""

    title: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    member_limit: int | UnsetType = UNSET
    slow_s: int | UnsetType = UNSET
    send: Role | UnsetType = UNSET
    history: HistoryRule | UnsetType = UNSET
    guests: bool | UnsetType = UNSET
    language: str | UnsetType = UNSET
    retention_days: int | UnsetType = UNSET


class Archive(Struct, frozen=True):
    """Close the room for writing, or open it again."""

    archived: bool = True


#: What is about another person; the other changes are about oneself or the room.
AboutSomebody = Invite | Kick | Ban | Unban | Mute | Unmute | SetRole | Transfer
Change = Enter | Quit | Edit | Archive | AboutSomebody

#: The same, for `isinstance`.
ABOUT_SOMEBODY: Final = (Invite, Kick, Ban, Unban, Mute, Unmute, SetRole, Transfer)


def fingerprint(change: Change, target: UserId | None) -> int:
    """A signed 64-bit fingerprint of what was asked for; who repeats a `cid` must ask for the same.

    It is not made of the event: whoever repeats "ban for an hour" means another end of it by then, and perhaps may
    not even ban any more. So the end does not count.
    """
    asked = structs.replace(change, until=0) if isinstance(change, Ban | Mute) else change
    content = quote([type(change).__name__, target, asked])
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


class RoomState(Struct, frozen=True):
    """What is to be known of a room under its lock: `members` and `owners` count accounts with a role."""

    rules: RoomRules
    head: int
    members: int
    owners: int


class Target(Struct, frozen=True):
    """Whom a change is about."""

    user_id: UserId
    user: str
    standing: Standing


class Verdict(Struct, frozen=True, kw_only=True):
    """What a permitted change does. With no `kind` nothing is to be written: all is so already."""

    kind: Literal["member", "room"] | None = None
    body: bytes = b""  # the event's body: compact JSON
    standings: Mapping[UserId, Standing] = {}
    rules: RoomRules | None = None
    act: str = ""  # how the audit calls it; empty: not audited
    reason: str = ""


class Changed(Struct, frozen=True):
    """What a change came to: the event that it wrote; `repeated` when a `cid` had written it before.

    `event` is None when nothing was to be changed. `standing` is how the actor stands afterwards.
    """

    event: Event | None
    seq: int  # of the event, or the head when there is none
    repeated: bool
    standing: Standing = NOBODY
