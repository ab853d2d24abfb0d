"""Why connections end: the close codes of the protocol, and whether to come back."""

from __future__ import annotations

from enum import Enum
from typing import Final

from msgspec import Struct


class Reconnect(Enum):
    """What a close code asks of the client."""

    DIFFERENTLY = "differently"  # not the same way: the same would happen again
    BACK_OFF = "back off"
    NOW = "now"  # or after `resume_after_ms`


class CloseReason(Struct, frozen=True):
    """One way in which a connection ends; compared by value, never by its text."""

    code: int
    text: str
    reconnect: Reconnect


NORMAL: Final = CloseReason(1000, "bye", Reconnect.DIFFERENTLY)
LOGGED_OUT: Final = CloseReason(1000, "logged out", Reconnect.DIFFERENTLY)  # as the client asked
GONE: Final = CloseReason(1006, "connection lost", Reconnect.NOW)  # never on the wire
PROTOCOL_ERROR: Final = CloseReason(1002, "protocol error", Reconnect.DIFFERENTLY)
INVALID_UTF8: Final = CloseReason(1007, "invalid UTF-8", Reconnect.DIFFERENTLY)
TOO_BIG: Final = CloseReason(1009, "frame over the limit", Reconnect.DIFFERENTLY)
INTERNAL_ERROR: Final = CloseReason(1011, "our fault", Reconnect.BACK_OFF)
BAD_FRAMES: Final = CloseReason(4000, "too many bad frames", Reconnect.DIFFERENTLY)
REFUSED_CREDENTIALS: Final = CloseReason(4001, "credentials refused too often", Reconnect.DIFFERENTLY)
BANNED: Final = CloseReason(4003, "banned", Reconnect.DIFFERENTLY)
NOT_IDENTIFIED: Final = CloseReason(4008, "not identified in time", Reconnect.DIFFERENTLY)
REVOKED: Final = CloseReason(4009, "session revoked", Reconnect.DIFFERENTLY)
SLOW: Final = CloseReason(4101, "slow: the outbox was full", Reconnect.BACK_OFF)
RATE_LIMIT_IGNORED: Final = CloseReason(4102, "rate limit ignored", Reconnect.BACK_OFF)
OVER_CAPACITY: Final = CloseReason(4103, "over capacity", Reconnect.BACK_OFF)
NO_PONG: Final = CloseReason(4104, "no answer to pings", Reconnect.BACK_OFF)
DRAINING: Final = CloseReason(4200, "draining", Reconnect.NOW)
STATE_LOST: Final = CloseReason(4202, "state lost, resume", Reconnect.NOW)

#: Every ending, by its code.
CLOSE_REASONS: Final[dict[int, CloseReason]] = {
    reason.code: reason
    for reason in (
        NORMAL, GONE, PROTOCOL_ERROR, INVALID_UTF8, TOO_BIG, INTERNAL_ERROR, BAD_FRAMES, REFUSED_CREDENTIALS, BANNED,
        NOT_IDENTIFIED, REVOKED, SLOW, RATE_LIMIT_IGNORED, OVER_CAPACITY, NO_PONG, DRAINING, STATE_LOST,
    )
}  # fmt: skip


def reconnect_of(code: int) -> Reconnect:
    """What `code` asks of a client; unknown codes by their band: 40xx differently, 41xx back off, else now."""
    if code in CLOSE_REASONS:
        return CLOSE_REASONS[code].reconnect
    if 4000 <= code < 4100:
        return Reconnect.DIFFERENTLY
    return Reconnect.BACK_OFF if 4100 <= code < 4200 else Reconnect.NOW
