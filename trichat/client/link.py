"""The life of a client over all its connections: one after the other, until it ends for good."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import trio

from trichat.client.address import Address
from trichat.client.backoff import Backoff, Ending
from trichat.client.connection import Connection
from trichat.client.dial import run_connection
from trichat.client.errors import ClientError, Ended, Unreachable
from trichat.client.events import Disconnected
from trichat.client.session import Session
from trichat.client.state import ClientState
from trichat.client.wire import Connect

log = logging.getLogger("trichat.client")


class Link:
    """Keeps a connection to one of the nodes. Whatever ends it is raised from all requests and from the inbox."""

    def __init__(self, nodes: Sequence[tuple[Address, Connect]], state: ClientState) -> None:
        self._nodes = nodes
        self._state = state
        self._scope = trio.CancelScope()
        self._backoff = Backoff(state.chance, state.options.settled_s)
        self.opened = trio.Event()  # it was ready for commands once, or it has ended
        self.ending: ClientError | None = None

    async def run(self) -> None:
        """Live until the client ends; each connection goes to the next node. Ends by itself, without raising."""
        attempt = 0
        with self._scope:
            while True:
                address, connect = self._nodes[attempt % len(self._nodes)]
                attempt += 1
                delay = await self._live_once(address, connect, first_round=attempt < len(self._nodes))
                await trio.sleep(delay)

    async def wait_opened(self) -> None:
        """Returns when the client is ready for the first time. Raises its ending if it ends before."""
        await self.opened.wait()
        if self.ending is not None:
            raise self.ending

    def end(self, ending: ClientError) -> None:
        """The client is over; the first ending counts."""
        if self.ending is not None:
            return
        self.ending = ending
        self._state.requests.end(ending)
        self._state.inbox.end(ending)
        self.opened.set()
        self._scope.cancel(reason=str(ending))

    async def _live_once(self, address: Address, connect: Connect, *, first_round: bool) -> float:
        """One connection, or an attempt at it; returns the seconds until the next."""
        sessions: list[Session] = []

        async def live(connection: Connection) -> None:
            sessions.append(Session(connection, self._state, address.url))
            await sessions[0].run(self.opened)

        ending = await run_connection(address, connect, self._state.options, live)
        log.debug("the connection to %s ended: %d %s", address.url, ending.code, ending.reason)
        session = sessions[0] if sessions else None
        if session is not None and session.failure is not None:
            self.end(session.failure)
        return self._after(ending, session, address, first_round=first_round)

    def _after(self, ending: Ending, session: Session | None, address: Address, *, first_round: bool) -> float:
        announced_at = session.announced_at if session is not None else None
        lived = 0.0 if announced_at is None else trio.current_time() - announced_at
        delay = self._backoff.after(ending, lived)
        if not self.opened.is_set() and not self._state.options.patient:
            if first_round:
                return 0.0
            self.end(Unreachable(address.url, ending.reason))
        elif delay is None:
            self.end(Ended(ending.code, ending.reason))
        delay = delay or 0.0
        if announced_at is not None and self.ending is None:
            self._state.inbox.put(Disconnected(ending.code, ending.reason, delay))
        return delay
