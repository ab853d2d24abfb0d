"""Connections that rest on a token of another site: when it ends they end too, unless a fresh one comes in time."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING

import trio

from trichat.core.closing import REVOKED
from trichat.core.replies_people import Expiring

if TYPE_CHECKING:
    from trichat.chat.session import Session


class Expiry:
    """Tells these clients `expiring` some time before, and closes them when their token ends. Times are Trio's."""

    def __init__(self, warning_s: float) -> None:
        self._warning_s = warning_s
        self._ends: dict[Session, float] = {}
        # what is to be done next: when, a number (sessions have no order), for whom, as of which end
        self._due: list[tuple[float, int, Session, float]] = []
        self._numbers = count()
        self._changed = trio.Event()

    def set(self, session: Session, ends_at: float) -> None:
        """The token that `session` rests on ends at `ends_at`."""
        if session.ended is None:
            self._ends[session] = ends_at
            self._push(ends_at - self._warning_s, session, ends_at)
            self._push(ends_at, session, ends_at)

    def forget(self, session: Session) -> None:
        """`session` rests on no such token, or is gone."""
        self._ends.pop(session, None)

    async def run(self) -> None:
        """Lives until cancelled."""
        while True:
            self._changed = trio.Event()
            with trio.move_on_at(self._due[0][0] if self._due else math.inf):
                await self._changed.wait()
            now = trio.current_time()
            while self._due and self._due[0][0] <= now:
                _, _, session, ends_at = heapq.heappop(self._due)
                if self._ends.get(session) == ends_at:  # else a fresh token has come, or the session is gone
                    self._act(session, ends_at - now)

    def _act(self, session: Session, left_s: float) -> None:
        if left_s > 0:
            session.reply(Expiring(in_ms=round(left_s * 1000)))
        else:
            self.forget(session)
            session.close(REVOKED)

    def _push(self, due: float, session: Session, ends_at: float) -> None:
        heapq.heappush(self._due, (due, next(self._numbers), session, ends_at))
        self._changed.set()
