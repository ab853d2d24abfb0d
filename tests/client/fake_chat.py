"""A small honest chat behind the fake server's wire, whose connections break at the worst moments."""

from __future__ import annotations

import random
from typing import Any

import trio

from tests.client.fake_server import Frame, Peer


class FakeChat:
    """One room per name, in memory, with the protocol's laws; `trouble` is the chance of a fault at each step."""

    def __init__(self, chance: random.Random, *, trouble: float, replay: int) -> None:
        self._chance = chance
        self._trouble = trouble
        self._replay = replay  # events; more are a gap
        self.logs: dict[str, list[Frame]] = {}
        self._tokens = 0
        self._news = trio.Event()
        self.cuts = 0

    async def serve(self, peer: Peer) -> None:
        """A script for FakeServer."""
        self._tokens += 1
        who = f"t{self._tokens}"
        await peer.welcome(user="guest-new", token=who)
        heard: dict[str, int] = {}  # the last seq that this connection got, by room
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._broadcast, peer, heard)
            while True:
                command = await peer.hear()
                who = str(command.get("token", who))
                await self._obey(peer, who, command, heard)
                await self._maybe_cut(peer)

    async def _obey(self, peer: Peer, who: str, command: Frame, heard: dict[str, int]) -> None:
        match command["type"]:
            case "auth":
                await peer.reply(command, "ok", for_="auth", user=who, user_id=who)
            case "ping":
                await peer.reply_ping(command)
            case "join":
                await self._join(peer, command["room"], command.get("since"), heard, id=command["id"])
            case "resume":
                for room, position in command["rooms"].items():
                    await self._join(peer, room, position["since"], heard)
                await peer.reply(command, "resumed", rooms=len(command["rooms"]))
            case "send":
                await self._send(peer, who, command)
            case "events":
                rest = self.logs[command["room"]][command["since"] :]
                page = rest[: min(command["limit"], 3)]
                await peer.reply(command, "events", room=command["room"], events=page, more=len(rest) > 3)
            case _:
                await peer.refuse(command, "unknown_type")

    async def _join(self, peer: Peer, room: str, since: int | None, heard: dict[str, int], **reply: Any) -> None:
        log = self.logs.setdefault(room, [])
        at = len(log) if since is None else since
        await peer.say("joined", **reply, room=room, epoch="k1", seq=len(log), members=1)
        while at < len(log):
            missing = len(log) - at
            if missing > self._replay:
                left_out = missing - self._replay
                await peer.say("gap", room=room, from_=at + 1, to=at + left_out, messages=left_out)
                at += left_out
            await self._push(peer, log[at])
            at += 1
            await self._maybe_cut(peer)
        heard[room] = at  # no await since the last look at the log

    async def _send(self, peer: Peer, who: str, command: Frame) -> None:
        room, cid = command["room"], command["cid"]
        if self._is_unlucky():
            return await peer.refuse(command, "unavailable", temporary=True)
        log = self.logs.setdefault(room, [])
        earlier = next((one["seq"] for one in log if (one["from_id"], one["cid"]) == (who, cid)), None)
        if earlier is not None:
            return await peer.reply(command, "ack", room=room, seq=earlier, cid=cid, dup=True)
        seq = len(log) + 1
        envelope = {"type": "message", "room": room, "seq": seq, "from": who, "from_id": who, "ts": ""}
        log.append({**envelope, "cid": cid, "text": command["text"]})
        self._news.set()
        self._news = trio.Event()
        if self._is_unlucky():
            await self._cut(peer)  # committed, but the ack is lost
        await peer.reply(command, "ack", room=room, seq=seq, cid=cid)
        return None

    async def _broadcast(self, peer: Peer, heard: dict[str, int]) -> None:
        while True:
            news = self._news
            for room in list(heard):
                while heard[room] < len(self.logs[room]):
                    heard[room] += 1
                    await self._push(peer, self.logs[room][heard[room] - 1])
                    await self._maybe_cut(peer)
            if news is self._news:
                await news.wait()

    async def _push(self, peer: Peer, event: Frame) -> None:
        fields = {("kind" if name == "type" else name): value for name, value in event.items()}
        await peer.say(**{("from_" if name == "from" else name): value for name, value in fields.items()})

    async def _maybe_cut(self, peer: Peer) -> None:
        if self._is_unlucky():
            await self._cut(peer)

    async def _cut(self, peer: Peer) -> None:
        self.cuts += 1
        await peer.cut()

    def _is_unlucky(self) -> bool:
        return self._chance.random() < self._trouble
