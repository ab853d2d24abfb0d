"""Guests and nodes for tests of the chat: everything in memory, so that the clock may jump."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from tests.links import Link
from tests.nodes import LOOSE, Node, Twins, make_twins, open_twin_node
from tests.wire import Closed, WireClient
from trichat.bridge.memory import MemoryBus
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.store.memory import MemoryStore

#: Virtual seconds for anything that a test waits for.
_PATIENCE_S: Final = 30.0


class Guest:
    """A connected client that reads all the time; `frames` is all that it was told, in order."""

    def __init__(self, wire: WireClient) -> None:
        self.wire = wire
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None  # the close code
        self._asked = 0
        self._changed = trio.Event()

    async def run(self) -> None:
        """Read until the connection ends."""
        while self.closed is None:
            try:
                self.frames.append(await self.wire.receive())
            except Closed as closed:
                self.closed = closed.code
            except trio.ClosedResourceError:
                self.closed = 1006  # by `drop`
            except trio.TooSlowError:
                continue  # nothing is said for a while: no frame is begun
            self._tell()

    async def until(self, condition: Callable[[], bool], within_s: float = _PATIENCE_S) -> None:
        """Wait for what depends on `frames` or `closed`."""
        with trio.fail_after(within_s):
            while not condition():
                await self._changed.wait()

    async def tell(self, command: str, **fields: Any) -> str:
        """Give a command and do not wait; its id."""
        self._asked += 1
        await self.wire.send_json({"type": command, "id": f"i{self._asked}", **fields})
        return f"i{self._asked}"

    async def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """Give a command and wait for its reply."""
        return await self.reply_to(await self.tell(command, **fields))

    async def reply_to(self, command_id: str) -> dict[str, Any]:
        await self.until(lambda: any(frame.get("id") == command_id for frame in self.frames) or self.closed is not None)
        replies = [frame for frame in self.frames if frame.get("id") == command_id]
        assert replies, f"closed with {self.closed} before the reply"
        return replies[0]

    async def join(self, room: str, **position: Any) -> dict[str, Any]:
        joined = await self.ask("join", room=room, **position)
        assert joined["type"] == "joined", joined
        return joined

    async def say(self, room: str, text: str, **fields: Any) -> int:
        """Say it and wait for the ack: its `seq`."""
        ack = await self.ask("send", room=room, text=text, **fields)
        assert ack["type"] == "ack", ack
        return int(ack["seq"])

    async def hears(self, room: str, text: str, within_s: float = _PATIENCE_S) -> None:
        """Wait until `text` was heard in the room."""
        await self.until(lambda: text in self.texts(room), within_s)

    def events(self, room: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == "message" and frame["room"] == room]

    def seqs(self, room: str) -> list[int]:
        return [event["seq"] for event in self.events(room)]

    def texts(self, room: str) -> list[str]:
        return [event["text"] for event in self.events(room)]

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == kind]

    async def drop(self) -> None:
        """The connection is lost, without a word."""
        await trio.aclose_forcefully(self.wire.stream)

    def _tell(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()


class Chat:
    """Twin nodes that share a store and a bus, and the guests of a test."""

    def __init__(self, twins: Twins, nodes: list[Node], nursery: trio.Nursery) -> None:
        self.twins = twins
        self.nodes = nodes
        self._nursery = nursery

    @property
    def node(self) -> Node:
        return self.nodes[0]

    @property
    def store(self) -> MemoryStore:
        return self.twins.store

    @property
    def bus(self) -> MemoryBus:
        return self.twins.bus

    async def guest(self, node: Node | None = None) -> Guest:
        """Somebody who has just connected and is welcomed."""
        guest = Guest(await WireClient(await (node or self.node).connect()).shake_hands())
        self._nursery.start_soon(guest.run)
        await guest.until(lambda: bool(guest.frames))
        return guest

    async def guest_in(self, room: str, node: Node | None = None) -> Guest:
        guest = await self.guest(node)
        await guest.join(room)
        return guest

    async def deaf_guest_in(self, room: str) -> None:
        """Somebody who joins, and then takes nothing more of what is sent to them."""
        client = await self._over(Link(width=4_096))
        await client.send_json({"type": "join", "room": room})
        await client.receive_until("joined")

    async def slow_guest(self, bytes_per_s: float) -> Guest:
        """Somebody at the end of a slow and narrow link."""
        guest = Guest(await self._over(Link(width=4_096, bytes_per_s=bytes_per_s)))
        self._nursery.start_soon(guest.run)
        return guest

    async def _over(self, link: Link) -> WireClient:
        self._nursery.start_soon(self.node.door.serve_stream, link.server, "192.0.2.1")
        return await WireClient(link.client).shake_hands()

    async def guests_in(self, room: str, count: int, node: Node | None = None) -> list[Guest]:
        return [await self.guest_in(room, node) for _ in range(count)]


@asynccontextmanager
async def open_chat(
    limits: Limits = LOOSE, *, nodes: int = 1, store: MemoryStore | None = None, chance: Chance | None = None
) -> AsyncIterator[Chat]:
    """`nodes` twin nodes, well linked, over `store` or a new one."""
    twins = make_twins(limits, chance)
    if store is not None:
        twins.store = store
    async with _open_nodes(twins, nodes) as opened, trio.open_nursery() as nursery:
        yield Chat(twins, opened, nursery)
        nursery.cancel_scope.cancel(reason="the test is over")


@asynccontextmanager
async def _open_nodes(twins: Twins, count: int) -> AsyncIterator[list[Node]]:
    if not count:
        yield []
        return
    async with open_twin_node(twins, name=f"n{count}") as node, _open_nodes(twins, count - 1) as others:
        yield [*others, node]


class CountingStore(MemoryStore):
    """Counts how often its readers are called."""

    def __init__(self, limits: Limits = LOOSE) -> None:
        super().__init__(limits, chance=Chance())
        self.reads = 0

    async def read_events(self, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await super().read_events(*args, **kwargs)

    async def open_rooms(self, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await super().open_rooms(*args, **kwargs)

    async def read_tails(self, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await super().read_tails(*args, **kwargs)
