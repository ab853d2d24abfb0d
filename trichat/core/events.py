"""What a room's log is made of: drafts go in, numbered events come out."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from msgspec import Struct

from trichat.core.names import Epoch, RoomId, RoomName, UserId
from trichat.core.standing import RoomRules

#: The kinds of events, each with the members of its body. All share one numbering, one envelope and `cid`.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "message": ("text", "reply_to", "thread", "mentions"),
    "edited": ("target", "text"),
    "deleted": ("target",),
    "reacted": ("target", "emoji"),
    "unreacted": ("target", "emoji"),
    "pinned": ("target",),
    "unpinned": ("target",),
    "member": ("user", "user_id", "change", "role", "from_role", "until", "reason"),
    "room": ("changes",),
}


class Draft(Struct, frozen=True):
    """An event that has no number yet.

    `body` is what is particular to its kind: a compact JSON object of at least one member, as bytes.
    """

    room_id: RoomId
    room: RoomName
    kind: str
    user_id: UserId
    user: str
    cid: str | None
    body: bytes
    target: int | None = None

    def digest(self) -> int:
        """A signed 64-bit fingerprint of the content; a repeated `cid` must come with the same one."""
        content = b"\0".join((self.kind.encode(), str(self.target or 0).encode(), self.body))
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


class Event(Struct, frozen=True):
    """One entry of a room's log. `ts` is PostgreSQL's time of the commit, in milliseconds since 1970."""

    seq: int
    kind: str
    user_id: UserId
    user: str
    ts: int
    cid: str | None
    body: bytes
    rev: int = 0  # `seq` of the last change of a message, 0 when there was none


class Committed(Struct, frozen=True):
    """The draft is stored as `seq`, at `ts` (milliseconds since 1970)."""

    seq: int
    ts: int


class Repeated(Struct, frozen=True):
    """The same author's same `cid` was stored before, as `seq`; nothing was stored now."""

    seq: int


class CidReused(Struct, frozen=True):
    """The `cid` was stored before with other content, as `seq`; nothing was stored now."""

    seq: int


class RoomGone(Struct, frozen=True):
    """There is no such room any more; nothing was stored."""


Denial = Literal["archived", "banned", "muted", "role", "not_member", "slow"]


class Denied(Struct, frozen=True):
    """The author may not send there at that moment of the room's order; nothing was stored."""

    why: Denial


Outcome = Committed | Repeated | CidReused | RoomGone | Denied


class RoomRecord(Struct, frozen=True):
    """What the store knows of a room. `head` is the `seq` of its last event, 0 when it has none.

    `rules` are as of `head`. `guests_restrained`: some guest was banned or muted here, perhaps long ago.
    """

    id: RoomId
    name: RoomName
    epoch: Epoch
    head: int
    rules: RoomRules = RoomRules()
    guests_restrained: bool = False


class RoomHead(Struct, frozen=True):
    """A look at a room: its head, and how many are connected to it at other nodes."""

    head: int
    epoch: Epoch
    members_elsewhere: int


class ListedRoom(Struct, frozen=True):
    """One line of the list of rooms."""

    room: RoomName
    members: int
    seq: int


class Person(Struct, frozen=True):
    """Somebody connected: the name at this time, and the stable identifier."""

    user: str
    user_id: UserId
