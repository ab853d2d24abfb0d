"""What outlives a connection: who we are, the rooms, the events not taken yet, the commands not answered yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from trichat.client.backoff import Delays
from trichat.client.errors import EventsUnread, Refused
from trichat.client.identity import Identity
from trichat.client.inbox import Inbox
from trichat.client.options import ClientOptions
from trichat.client.requests import Requests, retry_after_s
from trichat.client.rooms import Rooms
from trichat.client.window import Window
from trichat.core.chance import Chance

Frame = Mapping[str, Any]


class ClientState:
    """The parts that connections come and go around."""

    def __init__(self, identity: Identity, options: ClientOptions, chance: Chance) -> None:
        self.identity = identity
        self.options = options
        self.chance = chance
        self.requests = Requests(Window(options.window))
        self.inbox = Inbox(options, self._fail_unread)
        self.rooms = Rooms(options, self.inbox)
        self.welcome: Frame = {}  # the last one
        self.connections = 0  # how many were identified
        self.connected = False  # a connection stands, and all rooms are resumed

    def patience(self) -> Delays:
        """Delays between attempts of one command."""
        return Delays(0.1, 5.0, self.chance)

    async def ask(self, fields: Frame, *, repeatable: bool, internal: bool = False) -> Frame:
        """The reply to a command, after as many attempts as temporary errors and lost connections want.

        Raises Refused for a final error, ConnectionLost when it may not be repeated, and the client's ending.
        """
        if internal:
            return await self._ask(fields, repeatable=repeatable, internal=True)
        with self.inbox.asking():
            return await self._ask(fields, repeatable=repeatable, internal=False)

    async def _ask(self, fields: Frame, *, repeatable: bool, internal: bool) -> Frame:
        delays = self.patience()
        while True:
            reply = await self.requests.add(fields, repeatable=repeatable, internal=internal).wait()
            if reply.get("type") != "error":
                return reply
            if not may_retry(reply, repeatable=repeatable):
                raise refused(reply)
            await trio.sleep(max(delays.next(), retry_after_s(reply)))

    def _fail_unread(self) -> None:
        self.requests.fail_calls(EventsUnread("too many events lie before the reply; take them from client.events()"))


def may_retry(error: Frame, *, repeatable: bool) -> bool:
    """Whether a command that got `error` is to be given again. `rate_limited` never took effect, others may have."""
    return bool(error.get("temporary")) and (repeatable or error.get("code") == "rate_limited")


def refused(error: Frame) -> Refused:
    return Refused(str(error.get("code")), str(error.get("message", "")), error.get("field"), error)
