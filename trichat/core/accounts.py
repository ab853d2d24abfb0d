"""Accounts: what is kept about a person or a bot, and what of it others see."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from trichat.core.events import Person
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import Actor, Role, RoomKind, Scope

AccountKind = Literal["person", "bot", "outside"]  # outside: known by the tokens of another site

#: The name of whoever was erased; no account can be called so.
ERASED: Final = "erased"


class Account(Struct, frozen=True, kw_only=True):
    """Who somebody is."""

    user_id: UserId
    name: str
    kind: AccountKind = "person"
    admin: bool = False  # administers the whole server
    active: bool = True
    hidden: bool = False  # for others never online, as it was when this was read

    @property
    def actor(self) -> Actor:
        return Actor(self.user_id, self.name, self.admin)


class Credentials(Struct, frozen=True):
    """What a login is checked against."""

    account: Account
    password_hash: str | None  # None: this account has no password
    totp_secret: str | None  # None: no second factor
    totp_step: int  # the last time step whose code was used; 0 for none


class ProfileFields(Struct, frozen=True, kw_only=True):
    """What an account says of itself; all but the locale and the time zone is public. Empty: not said."""

    display_name: str = ""
    about: str = ""
    avatar: str = ""
    locale: str = ""
    time_zone: str = ""


class PublicProfile(Struct, frozen=True, kw_only=True):
    """What everybody may know of an account. `created` in milliseconds since 1970."""

    user: str
    user_id: UserId
    kind: AccountKind
    created: int
    profile: ProfileFields


class LoginSession(Struct, frozen=True, kw_only=True):
    """One login of an account, from one device; times in milliseconds since 1970."""

    id: str  # "k_…"
    device: str
    address: str
    created: int
    seen: int


class Key(Struct, frozen=True, kw_only=True):
    """A bot's key: what it may do, and where (`rooms` None: everywhere)."""

    id: str  # "b_…"
    scopes: frozenset[Scope]
    rooms: frozenset[RoomName] | None


class Ended(Struct, frozen=True):
    """A login or key that was ended (`session_id`), or everything of an account (None)."""

    user_id: UserId
    session_id: str | None


class Member(Struct, frozen=True, kw_only=True):
    """One line of a room's roster."""

    user: str
    user_id: UserId
    role: Role
    since: int  # the `seq` of the joining
    muted_until: int = 0


class Restrained(Struct, frozen=True, kw_only=True):
    """Somebody who is banned or muted; times in milliseconds since 1970, 0 for not."""

    user: str
    user_id: UserId
    banned_until: int
    muted_until: int
    reason: str


class InviteCode(Struct, frozen=True, kw_only=True):
    """A code that makes whoever shows it a member of the room; `expires` in milliseconds since 1970."""

    code: str
    made_by: str
    uses_left: int
    expires: int


class Reported(Struct, frozen=True, kw_only=True):
    """A report of a message; times in milliseconds since 1970."""

    number: int
    seq: int
    reporter: str
    reason: str
    at: int
    resolved_by: str | None = None
    note: str = ""


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Who did what to whom, why, when, from where."""

    number: int
    at: int  # milliseconds since 1970
    actor: str
    actor_id: UserId | None  # None: done on the server's own command line
    act: str
    room: RoomName | None = None
    target: str | None = None
    target_id: UserId | None = None
    reason: str = ""
    address: str = ""


class MyRoom(Struct, frozen=True, kw_only=True):
    """A room that somebody is a member of."""

    id: RoomId
    room: RoomName
    kind: RoomKind
    title: str
    role: Role
    seq: int
    peer: Person | None = None  # the other one of a direct room
