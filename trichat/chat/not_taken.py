"""What a client hears whose message was not taken."""

from __future__ import annotations

from typing import Final

from trichat.core.errors import Refusal
from trichat.core.events import CidReused, Denial, Denied, RoomGone

_DENIALS: Final[dict[Denial, str]] = {
    "archived": "the room is archived: it can be read, not written",
    "banned": "you are banned from this room",
    "muted": "you are muted in this room: you can read, not send",
    "role": "your role in this room may not send",
    "not_member": "you are no member of this room any more; join it again",
}


def store_away() -> Refusal:
    """PostgreSQL is away: whether it was stored is not known."""
    said = "the store does not answer; repeat it in a moment (a send with the same cid counts once)"
    return Refusal("unavailable", said, retry_after_ms=500)


def not_taken(outcome: CidReused | RoomGone | Denied, slow_s: int) -> Refusal:
    """The store did not take it; `slow_s` is the room's slow mode."""
    match outcome:
        case CidReused(seq=seq):
            said = f"this cid was used for seq {seq} with other content; take a new cid"
            return Refusal("cid_reused", said, field="cid")
        case RoomGone():
            return Refusal("no_such_room", "the room is gone; join it again")
        case Denied(why="slow"):
            said = f"slow mode: one message in {slow_s} s"
            return Refusal("rate_limited", said, field="room", retry_after_ms=slow_s * 1000)
        case Denied(why=why):
            return Refusal("forbidden", _DENIALS[why], field="room")
