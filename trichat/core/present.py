"""The present state of a message, as the body of its event says it in a page of history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from trichat.core.codec import format_ts, quote
from trichat.core.events import Event


class ReactionCount(Struct, frozen=True, omit_defaults=True):
    """How many have put this emoji to a message, and whether who looks is one of them."""

    emoji: str
    count: int
    mine: bool = False


def present(
    event: Event,
    *,
    edited: int | None = None,
    pinned: bool = False,
    replies: int = 0,
    last_reply: int = 0,
    reactions: Sequence[ReactionCount] = (),
) -> Event:
    """`event`, whose body holds the message's present text, with what else is true of it now.

    `edited` is when its text was last changed, in milliseconds since 1970; `reactions` are in the order of their
    emoji (code points); `replies` and `last_reply` (a `seq`, also of a deleted reply) are those of its thread.
    """
    more: dict[str, Any] = {}
    if edited is not None:
        more["edited"] = format_ts(edited)
    if pinned:
        more["pinned"] = True
    if reactions:
        more["reactions"] = reactions
    if last_reply:
        more |= {"replies": replies, "last_reply": last_reply}
    if not more:
        return event
    return structs.replace(event, body=event.body[:-1] + b"," + quote(more)[1:])


_decode_counts = msgspec.json.Decoder(list[tuple[str, int, bool]]).decode


def decode_counts(counted: str | None) -> list[ReactionCount]:
    """Counts as PostgreSQL gathers them: a JSON array of [emoji, count, mine]."""
    return [] if counted is None else [ReactionCount(*one) for one in _decode_counts(counted)]


#: The body of a message that was deleted, in the log too; `tombstone` makes the one of a reply.
TOMBSTONE = b'{"deleted":true}'


def tombstone(thread: int | None) -> bytes:
    """The body of a deleted message. It still says of which thread it was: who replays the log counts the replies."""
    return TOMBSTONE if thread is None else b'{"deleted":true,"thread":%d}' % thread
