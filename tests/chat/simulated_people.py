"""The people of a simulated world: they talk, lose their connections, and check all that they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from tests.links import Link
from tests.nodes import Node
from tests.wire import Closed, WireClient

if TYPE_CHECKING:
    from tests.chat.simulation import Slot, World

ROOMS: Final = ("one", "two", "three")
#: Virtual seconds in which everybody has heard everything once all is well.
CALM_S: Final = 90.0
#: What people do, and how often: out of about a hundred times.
HABITS: Final = {"say": 60, "wait": 30, "leave": 3, "join": 6, "page": 3, "deaf": 1, "cut": 2, "bye": 1}


class Person:
    """Connects, resumes, talks, loses the connection, and comes back at another node; believes nothing."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.token = ""
        self.epochs: dict[str, str] = {}
        self.positions: dict[str, int] = {}
        self.seen: dict[str, dict[int, str]] = {room: {} for room in ROOMS}
        self.owed: dict[str, tuple[str, str]] = {}  # room and text of what is not acknowledged, by cid
        self._words = 0
        self._asked = 0
        self._open: dict[str, tuple[str, str]] = {}  # command and room of what is not answered, by id
        self._since: dict[str, int] = {}  # from where the rooms that were asked for are to come
        self._here: set[str] = set()  # rooms that this connection listens to
        self._reading = trio.Event()
        self._client: WireClient | None = None

    async def run(self) -> None:
        while not self.world.over:
            await self._live(self._talk)
            await trio.sleep(self.world.rng.uniform(0.0, 0.5))
        with trio.fail_after(CALM_S):
            while True:
                with trio.CancelScope() as ended:
                    await self._live(self._finish, ended)
                if ended.cancelled_caught:
                    return
                await trio.sleep(0.5)

    async def _live(self, act: Any, *args: Any) -> None:
        """One connection, until it ends by itself or `act` ends it."""
        slot = self.world.a_node()
        if slot is None or slot.node is None:
            return
        link = Link(self.world.rng.choice((300, 4_096, 65_536)))
        self._open, self._since, self._here = {}, {}, set()
        self._reading.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve, slot, slot.node, link)
            try:
                self._client = await WireClient(link.client).shake_hands()
                nursery.start_soon(self._read, self._client, nursery.cancel_scope)
                await act(*args)
            except (trio.BrokenResourceError, Closed):
                pass
            link.cut()
            nursery.cancel_scope.cancel(reason="the connection is over")

    async def _serve(self, slot: Slot, node: Node, link: Link) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._die_with, slot.died, nursery.cancel_scope)
            await node.door.serve_stream(link.server, "192.0.2.1")
            nursery.cancel_scope.cancel(reason="served")
        link.cut()

    async def _die_with(self, died: trio.Event, scope: trio.CancelScope) -> None:
        await died.wait()
        scope.cancel(reason="the node is killed")

    # what it does

    async def _talk(self) -> None:
        rng = self.world.rng
        await self._begin()
        while not self.world.over:
            match rng.choices(list(HABITS), list(HABITS.values()))[0]:
                case "say" if self._here:
                    await self._say(rng.choice(sorted(self._here)))
                case "leave" if self._here:
                    room = rng.choice(sorted(self._here))
                    self._here.discard(room)
                    await self._ask("leave", room)
                case "join":
                    await self._join(rng.choice(ROOMS))
                case "page":
                    await self._ask("history", rng.choice(ROOMS))
                case "deaf":
                    self._reading = trio.Event()
                    await trio.sleep(rng.uniform(0.0, 2.0))
                    self._reading.set()
                case "cut":
                    return
                case "bye":
                    assert self._client is not None
                    await self._client.send_frame(0x8, (1000).to_bytes(2, "big"))
                    await trio.sleep_forever()  # the reader ends it
                case _:
                    await trio.sleep(rng.expovariate(10.0))

    async def _finish(self, ended: trio.CancelScope) -> None:
        """All is fine now: say again what is owed, hear the rest, and end the world's part of this person."""
        await self._begin()
        told = False
        while True:
            for cid, (room, text) in list(self.owed.items()):
                if room in self._here:
                    await self._ask("send", room, text=text, cid=cid)
            for room in ROOMS:
                await self._join(room)
            await trio.sleep(1.0)
            if not self.owed and not told:
                told = True
                self.world.quiet += 1
            heads = {room: len(self.world.store.log_of(room)) for room in ROOMS}
            if self.world.quiet >= len(self.world.people) and self.positions == heads and len(self._here) == len(ROOMS):
                ended.cancel(reason="this person has heard everything")
            await trio.sleep(0.0)

    async def _begin(self) -> None:
        if self.token:
            await self._ask("auth", "", token=self.token)
        rooms = {room: {"since": seq, "epoch": self.epochs[room]} for room, seq in self.positions.items()}
        self._since = dict(self.positions)
        if rooms and self.world.rng.random() < 0.8:
            await self._ask("resume", "", rooms=rooms)
            await trio.sleep(0.2)
        else:
            await self._join(self.world.rng.choice(ROOMS))
        for cid, (room, text) in list(self.owed.items()):
            if room in self._here:
                await self._ask("send", room, text=text, cid=cid)

    async def _join(self, room: str) -> None:
        if room in self._here or ("join", room) in self._open.values():
            return
        position: dict[str, Any] = {}
        if room in self.positions:
            position = {"since": self.positions[room], "epoch": self.epochs[room]}
            self._since[room] = self.positions[room]  # more may come until the room is left
        await self._ask("join", room, **position)

    async def _say(self, room: str) -> None:
        self._words += 1
        cid, text = f"c{self._words}", f"{self.number} says {self._words}"
        self.owed[cid] = (room, text)
        await self._ask("send", room, text=text, cid=cid)

    async def _ask(self, command: str, room: str, **fields: Any) -> None:
        assert self._client is not None
        self._asked += 1
        command_id = f"i{self._asked}"
        self._open[command_id] = (command, room)
        named = {"room": room} if room else {}
        await self._client.send_json({"type": command, "id": command_id, **named, **fields})

    # what it is told

    async def _read(self, client: WireClient, connection: trio.CancelScope) -> None:
        while True:
            try:
                await self._reading.wait()
                self._take(await client.receive())
            except trio.TooSlowError:
                continue  # nothing is said for a while
            except Closed as closed:
                return self._closed(closed.code, connection)

    def _closed(self, code: int, connection: trio.CancelScope) -> None:
        self.world.note(f"{self.number} closed {code}")
        assert code in (1000, 1006, 4101), code
        connection.cancel(reason="the connection ended")

    def _take(self, frame: dict[str, Any]) -> None:
        kind, room = frame["type"], frame.get("room", "")
        self.world.note(f"{self.number} {kind} {room} {frame.get('seq', '')} {frame.get('code', '')}")
        command = self._open.pop(frame["id"], ("", ""))[0] if "id" in frame else "push"
        assert command, "a second reply"
        match kind:
            case "welcome":
                self.token = self.token or frame["token"]
            case "joined":
                self._joined(room, frame, again=command == "join" and room in self._here)
            case "message":
                assert room in self._here or ("leave", room) in self._open.values(), "an event of a room not joined"
                assert frame["seq"] == self.positions[room] + 1, "a hole or a repeat"
                self.positions[room] = frame["seq"]
                assert self.seen[room].setdefault(frame["seq"], frame["text"]) == frame["text"]
            case "gap":
                assert frame["from"] == self.positions[room] + 1
                self.positions[room] = frame["to"]
            case "ack":
                event = self.world.store.log_of(room)[frame["seq"] - 1]
                assert event.cid == frame["cid"], "acknowledged, but not stored"
                self.owed.pop(frame["cid"], None)
            case "error":
                assert frame["code"] in ("unavailable", "bad_state", "no_such_room", "not_joined"), frame
            case _:
                assert kind in ("left", "resumed", "history", "ok", "status", "warning", "goodbye"), frame

    def _joined(self, room: str, frame: dict[str, Any], *, again: bool) -> None:
        assert again or room not in self._here
        self._here.add(room)
        assert self.epochs.setdefault(room, frame["epoch"]) == frame["epoch"]
        if not again:
            self.positions[room] = self._since.get(room, frame["seq"])
            assert frame["seq"] >= self.positions[room]
