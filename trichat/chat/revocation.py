"""What connections of accounts rest on (a login, a key, the account itself): when it ends anywhere, so do they.

What was ended stands in the store. A node looks there when another one says so by the bridge, with every look at the
heads, and every `ended_look_s` in any case: then what the command line ends, which says nothing, is noticed in time,
and a bridge that is away costs nothing but that time. A node where no account is connected does not look at all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio

from trichat.chat.ports import CLUSTER, Batch, StoreUnavailable
from trichat.core.closing import REVOKED
from trichat.core.names import UserId

if TYPE_CHECKING:
    from trichat.chat.hub import Hub
    from trichat.chat.session import Session

#: Seconds by which each look reaches back before the last one: longer than any statement takes to commit, and than
#: anybody who was found in the store takes to enter here.
_MARGIN_S: Final = 30.0
_NEWS: Final = Batch(CLUSTER, 1, 0, b"")


class Revocation:
    """The sessions of accounts at this node, by account."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sessions: dict[UserId, dict[Session, None]] = {}
        self._looked_at = 0.0  # when the last look that succeeded began
        self._wanted = trio.Event()
        self.looks = 0  # that the store has answered

    def sessions_of(self, user_id: UserId) -> list[Session]:
        """The account's sessions at this node."""
        return list(self._sessions.get(user_id, ()))

    def enter(self, session: Session, looks: int) -> None:
        """`session` is an account's from now on, as the store said when there had been `looks` looks.

        Had one been answered since, it has perhaps told of the end of just this: then there is another one at once.
        """
        assert session.user_id is not None
        if session.ended is not None:
            return  # and nobody would take it out again
        if not self._sessions:
            self._looked_at = trio.current_time()
            self._wanted.set()  # looks begin
        self._sessions.setdefault(session.user_id, {})[session] = None
        if looks != self.looks:
            self._wanted.set()

    def leave(self, session: Session) -> None:
        """`session` is this account's no more, or is gone."""
        if session.user_id is not None and session.user_id in self._sessions:
            others = self._sessions[session.user_id]
            others.pop(session, None)
            if not others:
                del self._sessions[session.user_id]

    def ended_here(self, user_id: UserId, login_id: str | None = None, *, keep: str | None = None) -> None:
        """This node has ended a login of the account, or all but `keep`: close what rests on it, here and elsewhere."""
        for session in self.sessions_of(user_id):
            if session.login_id is not None and session.login_id != keep and login_id in (None, session.login_id):
                session.close(REVOKED)
        self._hub.announce(_NEWS)

    def look_soon(self) -> None:
        """Something was ended, perhaps."""
        self._wanted.set()

    async def run(self) -> None:
        """Look when it is wanted, and now and then. Lives until cancelled."""
        while True:
            with trio.move_on_after(self._hub.limits.ended_look_s if self._sessions else math.inf):
                await self._wanted.wait()
            self._wanted = trio.Event()
            if self._sessions:
                try:
                    await self._look()
                except StoreUnavailable:
                    await trio.sleep(self._hub.limits.heads_fast_s)  # the next look reaches back to the last good one

    async def _look(self) -> None:
        began = trio.current_time()
        ended = await self._hub.store.accounts.ended_since(began - self._looked_at + _MARGIN_S)
        self.looks += 1
        for one in ended:
            for session in self.sessions_of(one.user_id):
                if one.session_id in (None, session.login_id):
                    session.close(REVOKED)
        self._looked_at = began
