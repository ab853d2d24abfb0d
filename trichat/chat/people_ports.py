"""What the chat needs of the store for people and for the government of rooms.

Like `chat.ports.Store`: every method may raise StoreUnavailable, a begun call finishes, and PostgreSQL and the twin in
memory pass the same contract suite. Rules are not decided here: `core.governance.judge` is called by both, under the
room's lock. All times are milliseconds since 1970 by the store's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from trichat.core.accounts import (
    Account,
    AuditEntry,
    Credentials,
    Ended,
    InviteCode,
    Key,
    LoginSession,
    Member,
    MyRoom,
    ProfileFields,
    PublicProfile,
    Reported,
    Restrained,
)
from trichat.core.conversation import Marker
from trichat.core.events import Person, RoomRecord
from trichat.core.governance import Change, Changed
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import Actor, RoomRules, Standing


class NewLogin(Struct, frozen=True, kw_only=True):
    """A login that is to be kept: the SHA-256 of its token, and from where it comes."""

    id: str
    token_hash: bytes
    device: str = ""
    address: str = ""


class Access(Struct, frozen=True):
    """A room and how somebody stands to it, read in one statement: as of `record.head`, at `now`.

    `marker`: of a member, how far they have read the room, where that was asked for.
    """

    record: RoomRecord
    standing: Standing
    now: int
    marker: Marker | None = None


class Accounts(Protocol):
    """Accounts, their logins and keys. Names are compared by `core.account_names.skeleton`, guests' names too."""

    async def register(self, user_id: UserId, name: str, password_hash: str, login: NewLogin) -> bool:
        """Make a person's account and its first login, in one transaction; False when the name (or one that looks like
        it) is held by somebody, a guest too."""
        ...

    async def credentials(self, name: str) -> Credentials | None:
        """What a login as `name` is checked against; None when nobody has exactly this name (by `name_key`)."""
        ...

    async def credentials_of(self, user_id: UserId) -> Credentials | None: ...

    async def log_in(self, user_id: UserId, login: NewLogin) -> None:
        """Keep a login; the account's longest unused one ends when it has more than `limits.account_sessions`."""
        ...

    async def find_login(self, token_hash: bytes, address: str) -> tuple[Account, str] | None:
        """Whose login this is, if it lasts and the account is active, and its id; its use is recorded, which extends
        it by `limits.session_s` (written at most once in `session_touch_s`)."""
        ...

    async def touch_logins(self, login_ids: Sequence[str]) -> None:
        """These logins are in use: each lasts `limits.session_s` from now; those that have ended stay ended.

        They count as used `session_touch_s` ago at least: `find_login` goes on recording from where they are used.
        """
        ...

    async def find_key(self, key_hash: bytes, address: str) -> tuple[Account, Key] | None:
        """Which bot's key this is, if it was not revoked and the bot is active."""
        ...

    async def outside(self, user_id: UserId, issuer: str, subject: str, name: str, display_name: str) -> Account | None:
        """The account of an outside identity, made with `user_id` when there is none; `name` gets a number behind it
        (ann-2, ann-3 …) when it is held. None when the account was deactivated."""
        ...

    async def is_active(self, user_id: UserId) -> bool:
        """Whether the account exists and is active."""
        ...

    async def logins(self, user_id: UserId) -> list[LoginSession]:
        """The logins that last, newest first."""
        ...

    async def end_login(self, user_id: UserId, session_id: str) -> bool:
        """End one login; False when this account has none of this id."""
        ...

    async def end_logins(self, user_id: UserId, keep: str | None) -> int:
        """End all logins but `keep`; how many ended."""
        ...

    async def ended_since(self, seconds: float) -> list[Ended]:
        """What was ended in the last `seconds` (by commit at latest a statement's time ago): logins, keys, accounts.

        None of it is in force again: another login or key has another id, and of an account that is active again
        nothing is told.
        """
        ...

    async def set_password(self, user_id: UserId, password_hash: str, keep: str | None) -> None:
        """Replace the password, end all logins but `keep`, forget any recovery code: one transaction."""
        ...

    async def refresh_hash(self, user_id: UserId, old: str, new: str) -> None:
        """Replace the hash of the same password by a stronger one, unless the password was changed meanwhile."""
        ...

    async def recover(self, code_hash: bytes, password_hash: str, login: NewLogin) -> Account | None:
        """Use a recovery code: set the password, drop the second factor, end all logins, and keep this new one.
        None when there is no such code (any more)."""
        ...

    async def set_totp(self, user_id: UserId, secret: str | None) -> None:
        """Set (or with None remove) the second factor."""
        ...

    async def use_totp_step(self, user_id: UserId, step: int) -> bool:
        """Mark a time step as used; False when it or a later one was used: the same code counts once, on all nodes."""
        ...

    async def rename(self, user_id: UserId, name: str) -> bool:
        """Take a free name; the old one stays reserved for its holder for `limits.old_name_kept_s`. False: held."""
        ...

    async def profile(self, user_id: UserId) -> ProfileFields | None: ...

    async def set_profile(self, user_id: UserId, fields: ProfileFields) -> None: ...

    async def whois(self, user: str) -> PublicProfile | None:
        """The public profile of an active account, by present name (by `name_key`) or by `u_…` id."""
        ...

    async def find_person(self, user: str) -> Person | None:
        """An account or a guest who holds a name, by present name or id. Of ids of guests the id alone is known:
        `g_…` is answered with the name that the guest holds, else with the given one."""
        ...

    async def block(self, user_id: UserId, other: UserId, *, most: int) -> bool:
        """Note that `other` may not write to `user_id` in direct rooms; False when `most` are blocked already."""
        ...

    async def unblock(self, user_id: UserId, other: UserId) -> bool: ...

    async def blocked(self, user_id: UserId) -> list[Person]:
        """Whom this account has blocked, by name."""
        ...

    async def blocks_between(self, one: UserId, other: UserId) -> bool:
        """Whether either of the two has blocked the other."""
        ...


class Governance(Protocol):
    """Rooms that are made and governed. What is refused raises `core.errors.Refusal`, and nothing is written.

    Every act that `judge` calls audited, and creating, deleting, codes and resolved reports, leave an AuditEntry in
    the same transaction; `address` is where the actor comes from.
    """

    async def access(self, name: RoomName, user_id: UserId, *, marked: bool = False) -> Access | None:
        """The room of this name and how they stand to it. One statement, whether or not there is such a room.

        With `marked` also how far a member has read it, which takes longer the more is unread.
        """
        ...

    async def access_all(self, names: Sequence[RoomName], user_id: UserId) -> dict[RoomName, Access]:
        """The same for many rooms, `marked`, in one statement; those that do not exist are left out."""
        ...

    async def access_by_id(self, room_id: RoomId, user_id: UserId) -> Access | None: ...

    async def create(self, name: RoomName, rules: RoomRules, maker: Actor, *, address: str) -> Access:
        """Make a room that `maker` owns, with its first events: `room` (all that is not the default, and `kind`), then
        `member` (joined, owner). Refuses `name_taken`, and `limit_reached` at `limits.owned_rooms`."""
        ...

    async def open_direct(self, name: RoomName, one: Actor, other: Person) -> Access:
        """The direct room of the two, made when there is none with two `member` events (joined); who has left it is
        a member again (an event). `name` is canonical for them. Returns the access of `one`. Refuses guests and
        oneself, and `limit_reached` when `one` has opened `limits.direct_rooms`."""
        ...

    async def change(
        self,
        room_id: RoomId,
        actor: Actor,
        change: Change,
        *,
        target: Person | None = None,
        cid: str | None = None,
        address: str = "",
    ) -> Changed:
        """Judge and write `change` under the room's lock, in one transaction.

        A `cid` that the actor used in this room before gives the event of then (`repeated`), or `cid_reused` when that
        was of another kind or content (`core.changes.fingerprint`: the end of a ban or mute does not count).
        `no_such_room` when it is gone or does not exist for the actor, before anything else is said of it.
        """
        ...

    async def delete(self, room_id: RoomId, actor: Actor, *, address: str) -> None:
        """Delete the room: at once for everybody; its events go in portions (`tidy`). For owners (`PERMISSIONS`)."""
        ...

    async def my_rooms(self, user_id: UserId, *, after: str, limit: int) -> list[MyRoom]: ...

    async def roster(self, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Member]:
        """Members by name after `after`; refuses as `PERMISSIONS["roster"]` says (public rooms: any account)."""
        ...

    async def restrained(self, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Restrained]:
        """Who is banned or muted now, by name after `after`. Needs the permission `ban`."""
        ...

    async def make_invite(
        self, room_id: RoomId, actor: Actor, code: str, *, uses: int, for_s: int, address: str
    ) -> InviteCode:
        """Keep an invite's code: the store keeps its SHA-256, and its first 6 characters for lists. Needs `invite`;
        `limit_reached` at `limits.invites` codes that can still be used."""
        ...

    async def invites(self, room_id: RoomId, actor: Actor) -> list[InviteCode]:
        """The codes that can be used, by their first 6 characters, oldest first. Needs `invite`."""
        ...

    async def drop_invite(self, room_id: RoomId, actor: Actor, code: str, *, address: str) -> bool:
        """End a code, given whole or by its first 6 characters."""
        ...

    async def accept(self, code: str, actor: Actor) -> tuple[RoomRecord, Changed]:
        """Enter the room of this code and use it up by one; a member who accepts uses nothing, also when it is used up
        by then (so that it can be said again). `no_such_room` for a code that never was, is used up, has expired, or
        whose room is gone; banned people hear that they are."""
        ...

    async def report(self, room_id: RoomId, seq: int, reporter: Actor, reason: str) -> int:
        """Report a message (`bad_field` when there is none); the report's number. The same person's second report of
        the same message is the first one. `limit_reached` at `limits.open_reports`."""
        ...

    async def reports(self, room_id: RoomId, actor: Actor, *, resolved: bool, after: int, limit: int) -> list[Reported]:
        """Open reports (with `resolved` all) after the number `after`. Needs `reports`."""
        ...

    async def resolve(self, room_id: RoomId, actor: Actor, number: int, note: str, *, address: str) -> bool:
        """Close an open report; False when there is none of this number."""
        ...

    async def audit(self, room_id: RoomId, actor: Actor, *, before: int | None, limit: int) -> list[AuditEntry]:
        """The room's audit, newest first, before the entry `before`. Needs `audit`."""
        ...
