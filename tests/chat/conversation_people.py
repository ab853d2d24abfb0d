"""People with several devices who converse in one room: each device keeps a copy of it, made of events alone."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import trio
from msgspec import Struct

from trichat.client import (
    Changed,
    Client,
    ClientEvent,
    ClientOptions,
    Ended,
    Refused,
    RoomCopy,
    RoomLeft,
    RoomLost,
    Sent,
    open_client,
)
from trichat.core.chance import Chance
from trichat.core.events import Person
from trichat.core.names import UserId

ROOM: Final = "lobby"

Connect = Callable[[], Awaitable[trio.abc.Stream]]


class Act(Struct, frozen=True):
    """What somebody does that becomes an event: of which kind, with which body, about which message."""

    kind: str
    body: dict[str, Any]

    @property
    def target(self) -> int:
        return int(self.body["target"])


class Device:
    """A client of one person. `node` is where it connects next; a connection can be cut at any moment."""

    def __init__(self, nodes: Sequence[Connect], node: int, *, fill_gaps: bool, chance: random.Random) -> None:
        self.node = node
        self.here = True  # else it cannot connect
        self.joined = False
        self._nodes = nodes
        self._options = ClientOptions(fill_gaps=fill_gaps, patient=True)
        self._chance = chance
        self._stream: trio.abc.Stream | None = None
        self._epoch = ""
        self.client: Client
        self.copy: RoomCopy

    @property
    def person(self) -> Person:
        return Person(str(self.client.user), UserId(str(self.client.user_id)))

    async def run(self, token: str | None, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be connected, and take what comes, until cancelled."""
        chance = Chance(self._chance)
        async with open_client(
            "ws://chat.test", token=token, connect=self._connect, chance=chance, options=self._options
        ) as self.client:
            self.copy = RoomCopy(ROOM, self.client.user_id, since=0)
            task_status.started()
            try:
                async for event in self.client.events():
                    self._take(event)
            except Ended:
                pass

    def _take(self, event: ClientEvent) -> None:
        self.copy.take(event)
        if isinstance(event, RoomLeft | RoomLost):
            self.joined = False

    async def _connect(self) -> trio.abc.Stream:
        if not self.here:
            raise ConnectionRefusedError(111, "Connection refused")
        self._stream = await self._nodes[self.node]()
        return self._stream

    async def join(self) -> None:
        """Hear the room from where the copy is."""
        position = {"since": self.copy.position, "epoch": self._epoch} if self._epoch else {"since": 0}
        self._epoch = (await self.client.join(ROOM, **position)).epoch
        self.joined = True

    async def leave(self) -> None:
        await self.client.leave(ROOM)
        self.joined = False

    async def cut(self, *, node: int | None = None) -> None:
        """The connection is lost; it comes back by itself, at `node` if one is named."""
        self.node = self.node if node is None else node
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)

    async def act(self, act: Act, cid: str) -> Sent | Changed:
        """Do it. Raises Refused."""
        match act.kind:
            case "message":
                body = {name: value for name, value in act.body.items() if name != "mentions"}
                return await self.client.send(ROOM, cid=cid, **body)
            case "edited":
                return await self.client.edit(ROOM, act.target, act.body["text"], cid=cid)
            case "deleted":
                return await self.client.delete(ROOM, act.target, cid=cid)
            case "reacted":
                return await self.client.react(ROOM, act.target, act.body["emoji"], cid=cid)
            case "unreacted":
                return await self.client.unreact(ROOM, act.target, act.body["emoji"], cid=cid)
            case "pinned":
                return await self.client.pin(ROOM, act.target, cid=cid)
            case _:
                return await self.client.unpin(ROOM, act.target, cid=cid)

    async def attempt(self, act: Act, cid: str, *, cut_after: int | None = None, node: int = 0) -> Sent | Changed | str:
        """What it came to, or the code of the refusal; the connection is lost after so many steps of it."""
        async with trio.open_nursery() as nursery:
            if cut_after is not None:
                nursery.start_soon(self._cut_soon, cut_after, node)
            try:
                return await self.act(act, cid)
            except Refused as refusal:
                return refusal.code
            finally:
                nursery.cancel_scope.cancel(reason="it is answered")

    async def _cut_soon(self, steps: int, node: int) -> None:
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        await self.cut(node=node)

    async def history(self, thread: int | None = None) -> list[dict[str, Any]]:
        """All that the server has, page by page."""
        messages: list[dict[str, Any]] = []
        before: int | None = None
        while True:
            page = await self.client.history(ROOM, before=before, thread=thread)
            messages = [dict(message) for message in page.messages] + messages
            if not page.more:
                return messages
            before = messages[0]["seq"]
