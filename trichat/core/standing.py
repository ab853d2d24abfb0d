"""How people stand to a room: roles, the room's rules, and the one table of who may do what."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal

from msgspec import Struct

from trichat.core.names import UserId

#: Milliseconds since 1970 of a ban or mute without an end: the last second of the year 9999.
FOREVER: Final = 253_402_300_799_000


class Role(IntEnum):
    """What somebody is in a room; who has more may do all that who has less may."""

    GUEST = 0  # no member: a guest, or an account that has not joined
    MUTED = 1  # a member, or a guest, who may not send for now; never stored as a role
    MEMBER = 2
    MODERATOR = 3
    ADMIN = 4
    OWNER = 5


#: The names of roles, as the protocol writes them.
ROLE_NAMES: Final[dict[Role, str]] = {role: role.name.lower() for role in Role}

RoomKind = Literal["public", "private", "direct"]
HistoryRule = Literal["all", "joined"]

Permission = Literal[
    "read", "send", "react", "report", "roster", "pin", "mention_room", "delete_message", "revisions", "invite", "kick",
    "ban", "mute", "reports", "edit", "role", "audit", "transfer", "archive", "delete",
]  # fmt: skip

#: The least role that each act needs, in every room. What a room's rules say of sending and reading comes on top,
#: and nobody acts on a person whose role is not below their own.
PERMISSIONS: Final[dict[Permission, Role]] = {
    "read": Role.GUEST,
    "send": Role.GUEST,
    "react": Role.GUEST,
    "report": Role.GUEST,
    "roster": Role.MEMBER,
    "pin": Role.MODERATOR,
    "mention_room": Role.MODERATOR,
    "delete_message": Role.MODERATOR,  # of others; one's own anybody
    "revisions": Role.MODERATOR,  # of others' messages; of one's own anybody
    "invite": Role.MODERATOR,
    "kick": Role.MODERATOR,
    "ban": Role.MODERATOR,
    "mute": Role.MODERATOR,
    "reports": Role.MODERATOR,
    "edit": Role.ADMIN,
    "role": Role.ADMIN,
    "audit": Role.OWNER,
    "transfer": Role.OWNER,
    "archive": Role.OWNER,
    "delete": Role.OWNER,
}

Scope = Literal["read", "send", "moderate"]

#: What a bot's key must hold for each act; a key without it gets `forbidden`, whatever the bot's role.
SCOPE_OF: Final[dict[Permission, Scope]] = {
    "read": "read", "roster": "read",
    "send": "send", "react": "send", "report": "send", "mention_room": "send",
    "pin": "moderate", "delete_message": "moderate", "revisions": "moderate",
    "invite": "moderate", "kick": "moderate", "ban": "moderate", "mute": "moderate", "reports": "moderate",
    "edit": "moderate", "role": "moderate", "audit": "moderate", "transfer": "moderate", "archive": "moderate",
    "delete": "moderate",
}  # fmt: skip


class RoomRules(Struct, frozen=True, kw_only=True):
    """What a room is and what holds in it. A room's kind never changes."""

    kind: RoomKind = "public"
    title: str = ""
    topic: str = ""
    member_limit: int = 0  # accounts that may be members; 0: any number
    slow_s: int = 0  # seconds between two messages of one person below moderator; 0: no limit
    send: Role = Role.GUEST  # the least role that may send
    history: HistoryRule = "all"  # or a member sees what came after they joined, a guest what comes while they listen
    guests: bool = True  # whether who is no account may come in (public rooms only)
    archived: bool = False  # may be read, not written
    language: str = "simple"  # of what is said, for searching; `core.room_fields.LANGUAGES`
    retention_days: int = 0  # after which what was said is kept no more; 0: as the server says for all rooms

    @property
    def least_sender(self) -> Role:
        """The least role whose messages are taken: where guests may not come, no role below member sends."""
        return max(self.send, Role.GUEST if self.open_to_guests else Role.MEMBER)

    @property
    def open_to_guests(self) -> bool:
        return self.kind == "public" and self.guests


class Standing(Struct, frozen=True, kw_only=True):
    """How one person stands to one room, as stored; times in milliseconds since 1970, 0 for never."""

    role: Role | None = None  # None: no member
    since: int = 0  # the `seq` of the event that made them a member
    invited: bool = False
    muted_until: int = 0
    banned_until: int = 0
    reason: str = ""  # of the ban or the mute

    def role_at(self, now: int) -> Role:
        """The role that counts at `now`."""
        if now < self.muted_until:
            return Role.MUTED
        return self.role or Role.GUEST

    def banned_at(self, now: int) -> bool:
        return now < self.banned_until

    def may_read(self, rules: RoomRules, now: int, *, account: bool) -> bool:
        """Whether they may listen and see history; an account that is no member joins a public room first."""
        if self.banned_at(now):
            return False
        if self.role is not None:
            return True
        return rules.kind == "public" and (account or rules.guests)

    def first_readable(self, rules: RoomRules) -> int:
        """The first `seq` of the history that they may see; beyond every log when there is none."""
        if rules.history == "all":
            return 1
        return self.since if self.role is not None else FOREVER


NOBODY: Final = Standing()


def is_account(user_id: UserId) -> bool:
    """Whether this identifies an account (a person's, a bot's) and not a guest."""
    return user_id.startswith("u_")


class Actor(Struct, frozen=True):
    """Who acts: the name at this time, the stable identifier, and whether they administer the whole server."""

    user_id: UserId
    user: str
    admin: bool = False

    @property
    def is_account(self) -> bool:
        return is_account(self.user_id)
