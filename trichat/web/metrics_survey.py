"""One walk through the sessions of a node, for what is not counted as it changes."""

from __future__ import annotations

from typing import Final

import trio

from trichat.chat.hub import Hub
from trichat.chat.session import Session

#: Sessions that are looked at between two checkpoints: well under a millisecond.
_TURN_SESSIONS: Final = 1_000


class Survey:
    """What the sessions of a node come to."""

    __slots__ = ("kinds", "largest_outbox", "listeners", "outbox_bytes", "rooms")

    def __init__(self) -> None:
        self.kinds = {"nobody": 0, "guest": 0, "account": 0, "bot": 0}  # sessions, by whose they are
        self.outbox_bytes = 0  # that wait for all clients together
        self.largest_outbox = 0  # for one of them
        self.rooms = 0
        self.listeners = 0  # that hear what is delivered, over all rooms


async def survey(hub: Hub) -> Survey:
    """Look at every session and every room, and let others have their turns meanwhile."""
    seen = Survey()
    for at, session in enumerate(list(hub.sessions), 1):
        seen.kinds[_kind(session)] += 1
        queued = session.outbox.queued
        seen.outbox_bytes += queued
        seen.largest_outbox = max(seen.largest_outbox, queued)
        if at % _TURN_SESSIONS == 0:
            await trio.lowlevel.checkpoint()
    for at, room in enumerate(hub.rooms(), 1):
        seen.rooms += 1
        seen.listeners += room.audience
        if at % _TURN_SESSIONS == 0:
            await trio.lowlevel.checkpoint()
    return seen


def _kind(session: Session) -> str:
    if session.key is not None:
        return "bot"
    if session.account is not None:
        return "account"
    return "nobody" if session.user_id is None else "guest"
