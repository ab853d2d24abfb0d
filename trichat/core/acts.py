"""What can be done to a message that was said, what is known when it is judged, and what comes of it.

Pure, as `core.governance` is for rooms: the stores load what `judge_act` needs under the lock of the room's row, and
write what it says in the same transaction.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from msgspec import Struct

from trichat.core.codec import quote
from trichat.core.events import Event
from trichat.core.names import UserId


class Rewrite(Struct, frozen=True):
    """Give one's own message another text. `mentions` are whom it mentions, EVERYBODY for the room."""

    text: str
    mentions: tuple[UserId, ...] = ()
    said_mentions: bytes = b""  # the same as the event's body says it: a JSON array, or nothing


class Remove(Struct, frozen=True):
    """Take a message back; a tombstone stays. `own`, `others`: whose messages the asker's key is for."""

    reason: str = ""
    own: bool = True
    others: bool = True


class Respond(Struct, frozen=True):
    """Put one's reaction to a message, or (`on` false) take it back."""

    emoji: str
    on: bool = True


class Stick(Struct, frozen=True):
    """Pin a message, or (`on` false) unpin it."""

    on: bool = True


Act = Rewrite | Remove | Respond | Stick

ActKind = Literal["edited", "deleted", "reacted", "unreacted", "pinned", "unpinned"]
#: Their kinds of events.
ACT_KINDS: Final[tuple[ActKind, ...]] = ("edited", "deleted", "reacted", "unreacted", "pinned", "unpinned")


def act_fingerprint(act: Act, seq: int) -> int:
    """A signed 64-bit fingerprint of what was asked for; who repeats a `cid` must ask for the same.

    What the server adds may be another thing by then, and does not count: whom a text mentions, what a key is for.
    """
    asked: object = act
    if isinstance(act, Rewrite):
        asked = [act.text]
    elif isinstance(act, Remove):
        asked = [act.reason]
    content = quote([type(act).__name__, seq, asked])
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


class Message(Struct, frozen=True):
    """What is to be known of the message that an act is about, under the room's lock.

    `ts` in milliseconds since 1970. `mine`: the actor has put this reaction; `emojis` and `reactions` count those that
    the message has (different ones, all); `pins` counts the room's, `edits` the message's old texts. What an act does
    not need may be left out.
    """

    seq: int
    user_id: UserId
    ts: int
    text: str
    user: str = ""  # the author's name at that time
    thread: int | None = None  # the message that its thread hangs on
    deleted: bool = False
    pinned: bool = False
    mine: bool = False
    emojis: int = 0
    has_emoji: bool = False
    reactions: int = 0
    pins: int = 0
    edits: int = 0


def reaction_key(emoji: str, user_id: str) -> str:
    """The place of a reaction in the list of a message's."""
    return f"{emoji}/{user_id}"


def parse_reaction_key(key: str) -> tuple[str, str]:
    """The emoji and the person of a key, neither of which holds a slash; of the beginning both are empty."""
    emoji, _, user_id = key.partition("/")
    return emoji, user_id


class ActVerdict(Struct, frozen=True):
    """What a permitted act writes: an event of this kind and body. None where all is so already."""

    kind: ActKind
    body: bytes
    audited: bool = False  # a moderator took back what another said


class Acted(Struct, frozen=True):
    """What an act came to: the event that it wrote; `repeated` when a `cid` had written it before.

    `event` is None when nothing was to be changed; `seq` is then the room's head.
    """

    event: Event | None
    seq: int
    repeated: bool
