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
    "edited": ("target", "text", "mentions"),
    "deleted": ("target", "thread", "reason"),
    "reacted": ("target", "emoji"),
    "unreacted": ("target", "emoji"),
    "pinned": ("target",),
    "unpinned": ("target",),
    "member": ("user", "user_id", "change", "role", "from_role", "until", "reason"),
    "room": ("changes",),
}


class Draft(Struct, frozen=True):
    """A message that has no number yet.

    `body` is what is particular to its kind: a compact JSON object of at least one member, as bytes. `said` is the same
    as its author said it, where the server has added something; a repeated `cid` must come with the same.
    """

    room_id: RoomId
    room: RoomName
    kind: str
    user_id: UserId
    user: str
    cid: str | None
    body: bytes
    said: bytes | None = None
    thread: int | None = None  # `seq` of the message that it is a reply to, in that one's thread
    mentions: tuple[UserId, ...] = ()  # whom it mentions; EVERYBODY: the room

    @property
    def special(self) -> bool:
        """Whether storing it takes more than numbering it: a thread, mentions, a direct room."""
        return self.thread is not None or bool(self.mentions) or self.room.startswith("@")

    def digest(self) -> int:
        """A signed 64-bit fingerprint of the content; a repeated `cid` must come with the same one."""
        content = b"\0".join((self.kind.encode(), b"0", self.said or self.body))
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
    target: int | None = None  # `seq` of the message that the event is about
    thread: int | None = None
    no: int = 0  # messages in no thread, up to and with this event; 0 where it was not asked for


#: Of a mention, and of an outgoing event: the room, that is every member.
EVERYBODY: Final = UserId("*")


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
    first: int = 1  # what came before this `seq` is kept no more


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
