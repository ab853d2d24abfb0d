"""What `trichat admin` needs of the store.

The same promises as in `chat.people_ports`: StoreUnavailable, one contract suite for PostgreSQL and the twin in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from msgspec import Struct

from trichat.core.accounts import (
    Account,
    AuditEntry,
    Key,
    MyRoom,
    Reported,
)
from trichat.core.doctor import Part
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Scope


class ExportPart(Struct, frozen=True):
    """Some rows of one section of what is kept about a person: JSON-able, times as the protocol writes them."""

    section: str
    rows: list[dict[str, object]]


class Administration(Protocol):
    """What `trichat admin` does; every act leaves an AuditEntry without an actor's id, by `operator` (a name).

    Refuses `no_such_user` where there is no such account, and `bad_state` where it is of another kind.
    """

    async def find(self, user: str) -> Account | None:
        """The account of this present name (by `name_key`) or `u_…` id, inactive ones too; erased ones by id alone."""
        ...

    async def add_person(self, user_id: UserId, name: str, password_hash: str | None, *, operator: str) -> bool:
        """False when the name (or one that looks like it) is held by somebody. Without a password: see `set_recovery`.

        Reserved names are the operator's to give."""
        ...

    async def add_bot(self, user_id: UserId, name: str, *, operator: str) -> bool: ...

    async def set_password(self, user_id: UserId, password_hash: str, *, operator: str) -> None:
        """Replace a person's password, end all logins, forget any recovery code."""
        ...

    async def set_recovery(self, user_id: UserId, code_hash: bytes, *, operator: str) -> None:
        """A code that `Accounts.recover` takes once within `limits.recovery_s`; a person's."""
        ...

    async def set_active(self, user_id: UserId, active: bool, *, operator: str) -> None:
        """Deactivating ends all logins and keys."""
        ...

    async def set_admin(self, user_id: UserId, admin: bool, *, operator: str) -> None:
        """Whether they administer the server, from their next login on. Who no longer does is logged out. No bots."""
        ...

    async def end_logins(self, user_id: UserId, session_id: str | None, *, operator: str) -> int:
        """End one login, or with None all; how many ended."""
        ...

    async def users(self, *, after: str, limit: int) -> list[Account]:
        """Accounts by name after `after`, inactive ones too, erased ones not."""
        ...

    async def rooms(self, *, after: str, limit: int) -> list[MyRoom]:
        """All rooms by name after `after`, of every kind; `role` is the server's (OWNER)."""
        ...

    async def delete_room(self, name: RoomName, *, operator: str) -> bool:
        """As `Governance.delete`, for a room of any kind; False when there is none of this name."""
        ...

    async def add_key(
        self,
        key_id: str,
        user_id: UserId,
        key_hash: bytes,
        scopes: Sequence[Scope],
        rooms: Sequence[RoomName] | None,
        *,
        operator: str,
    ) -> None:
        """A bot's key. Refuses an account that is no bot, or not active."""
        ...

    async def keys(self, user_id: UserId) -> list[Key]:
        """The bot's keys, oldest first."""
        ...

    async def rotate_key(self, key_id: str, new_id: str, new_hash: bytes, *, operator: str) -> bool:
        """The key's secret is another one from now on; connections made with the old one end.

        Its id is another one too: that the old one ended can be heard for a while, and is not to end new connections.
        """
        ...

    async def end_key(self, key_id: str, *, operator: str) -> bool: ...

    async def audit(self, *, before: int | None, limit: int) -> list[AuditEntry]:
        """All that was done anywhere, newest first, before the entry `before`."""
        ...

    async def reports(self, *, resolved: bool, after: int, limit: int) -> list[tuple[RoomName, Reported]]:
        """Open reports (with `resolved` all) of rooms of every kind, by number after `after`, each with its room.

        Numbers are of all rooms together. Rooms that are gone have none.
        """
        ...

    async def resolve(self, number: int, note: str, *, operator: str) -> bool:
        """Close an open report of any room, as resolved by `server`; False when there is none of this number."""
        ...

    def export(self, user_id: UserId, *, operator: str) -> AsyncGenerator[ExportPart, None]:
        """All that is kept about a person or guest, section by section in parts of bounded size, but no secrets.

        Each section of `store.personal_rows.SECTIONS` comes, in this order, though it be empty.
        """
        ...

    async def erase(self, user_id: UserId, *, operator: str) -> None:
        """Forget a person or guest: name, profile, logins and the texts of their messages go, everywhere; the events
        stay with their `seq`, from `erased`, and a message says `"deleted":true` in place of its text.

        In portions: after a failure in the midst it is begun again. Until it has ended the account goes by its name.
        What connections that are still open write meanwhile may be missed: deactivate an account some seconds before.
        """
        ...

    def examine(self, room: RoomName) -> AsyncGenerator[Part, None]:
        """All that `core.doctor.Diagnosis` compares of a room, in its order, all of one moment; nothing of no room.

        Whoever stops in the midst closes the generator: until then a snapshot of the database is held.
        """
        ...

    async def add_secret(self, secret: bytes, *, operator: str) -> int:
        """A new signing secret for guests' tokens (its number): it signs from now on, the older ones still count."""
        ...

    async def drop_secret(self, number: int, *, operator: str) -> bool:
        """Tokens that this secret signed count no more. False: there is none of this number, or it is the newest."""
        ...
