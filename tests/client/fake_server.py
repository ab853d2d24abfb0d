"""A server that does what its scripts say: one script per connection, over in-memory streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

Frame = dict[str, Any]
Script = Callable[["Peer"], Awaitable[None]]

URL = "ws://node1.test/ws"


class Peer:
    """The server's side of one connection, in a script's hands."""

    def __init__(self, websocket: WebSocketConnection, stream: trio.abc.Stream, path: str) -> None:
        self._websocket = websocket
        self._stream = stream
        self.path = path

    @property
    def close_code(self) -> int:
        """With which code the connection was closed."""
        assert self._websocket.closed is not None
        return self._websocket.closed.code

    async def hear(self) -> Frame:
        """The next command, whatever it is."""
        frame: Frame = msgspec.json.decode(await self._websocket.get_message())
        return frame

    async def expect(self, kind: str) -> Frame:
        """The next command, which is of this type."""
        frame = await self.hear()
        assert frame["type"] == kind, frame
        return frame

    async def say(self, kind: str, **fields: Any) -> None:
        """A push; `from_` stands for `from`."""
        named = {name.rstrip("_"): value for name, value in fields.items()}
        await self._websocket.send_message(msgspec.json.encode({"type": kind, **named}).decode())

    async def reply(self, to: Mapping[str, Any], kind: str, **fields: Any) -> None:
        await self.say(kind, id=to["id"], **fields)

    async def answer(self, to: Mapping[str, Any], reply: Frame) -> None:
        """As `reply`, with a whole frame."""
        await self._websocket.send_message(msgspec.json.encode({**reply, "id": to["id"]}).decode())

    async def refuse(self, to: Mapping[str, Any], code: str, *, temporary: bool = False, **fields: Any) -> None:
        await self.reply(to, "error", code=code, message=f"{code} it is", temporary=temporary, **fields)

    async def say_event(self, seq: int, text: str = "", room: str = "lobby") -> None:
        await self.say(**event(seq, text, room))

    async def welcome(self, user: str = "guest-abc", token: str = "t1") -> None:
        await self.say(
            "welcome", v=1, session="s", user=user, user_id="g_1", token=token, node="n1", limits={"text": 4000}
        )

    async def greet(self, name: str | None = None) -> None:
        """Welcome a client that comes for the first time, and give it the name it wants."""
        await self.welcome()
        if name is not None:
            command = await self.expect("hello")
            await self.reply(command, "ok", for_="hello", user=command["name"], user_id="g_1", token="t1")

    async def greet_again(self, user: str = "ann") -> None:
        """Welcome a client that was here before."""
        await self.welcome(user="guest-new", token="t2")
        command = await self.expect("auth")
        assert command["token"] == "t1"
        await self.reply(command, "ok", for_="auth", user=user, user_id="g_1")

    async def let_in(self, kind: str, token: str | None = "u.1", user: str = "ann") -> Frame:
        """Welcome a client that becomes an account by `kind`: login, register, or auth (which gives no token)."""
        await self.welcome(user="guest-new", token="g.1")
        command = await self.expect(kind)
        given = {} if token is None or kind == "auth" else {"token": token}
        await self.reply(command, "ok", for_=kind, user=user, user_id="u_1", **given)
        return {name: value for name, value in command.items() if name not in ("type", "id")}

    async def say_member(self, seq: int, user: str, change: str, *, room: str = "lobby", **more: Any) -> None:
        """A `member` event by ann, about the account `user`."""
        await self.say(**happening(seq, "member", room, user=user, user_id=f"u_{user}", change=change, **more))

    async def let_join(self, head: int = 0, epoch: str = "k1") -> Frame:
        command = await self.expect("join")
        await self.reply(command, "joined", room=command["room"], epoch=epoch, seq=head, members=1)
        return command

    async def let_resume(self, *events: Frame, head: int, epoch: str = "k1", room: str = "lobby") -> Frame:
        """Answer a `resume` of one room: joined, its events, resumed. Returns the position that was asked for."""
        command = await self.expect("resume")
        await self.say("joined", room=room, epoch=epoch, seq=head, members=1)
        for one in events:
            await self.say(**one)
        await self.reply(command, "resumed", rooms=1)
        position: Frame = command["rooms"][room]
        return position

    async def goodbye(self, code: int, reason: str = "because", **fields: Any) -> None:
        """Say goodbye and close."""
        await self.say("goodbye", code=code, reason=reason, **fields)
        await self.close(code, reason)

    async def close(self, code: int, reason: str = "") -> None:
        await self._websocket.aclose(code, reason)

    async def cut(self) -> None:
        """End the connection as a pulled plug does."""
        await trio.aclose_forcefully(self._stream)

    async def stay(self) -> None:
        """Answer pings and nothing else, until the client leaves."""
        while True:
            command = await self.hear()
            if command["type"] == "ping":
                await self.reply_ping(command)

    async def reply_ping(self, command: Mapping[str, Any]) -> None:
        await self.say("pong", **({"id": command["id"]} if "id" in command else {}))


class FakeServer:
    """Give `connect` to `open_client`. The n-th connection is served by the n-th script; further ones are refused."""

    def __init__(self, nursery: trio.Nursery, *scripts: Script, lockstep: bool = False) -> None:
        self._nursery = nursery
        self._scripts = list(scripts)
        self._make_pair = trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
        self.attempts: list[float] = []  # when each connection was tried

    async def connect(self) -> trio.abc.Stream:
        self.attempts.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if not self._scripts:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = self._make_pair()
        self._nursery.start_soon(self._serve, ours, self._scripts.pop(0))
        return theirs

    async def listen(self) -> str:
        """Serve on a TCP port as well; returns the URL."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self._nursery.start_soon(trio.serve_listeners, self._serve_next, listeners)
        return f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/ws"

    async def _serve_next(self, stream: trio.SocketStream) -> None:
        await self._serve(stream, self._scripts.pop(0))

    async def _serve(self, stream: trio.abc.Stream, script: Script) -> None:
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            websocket = await request.accept()
            try:
                await script(Peer(websocket, stream, request.path))
            except* ConnectionClosed:
                pass  # the client has left, or the script has cut the line
            finally:
                nursery.cancel_scope.cancel(reason="the script is over")
        await trio.aclose_forcefully(stream)


def event(seq: int, text: str = "", room: str = "lobby", cid: str | None = None) -> Frame:
    """A message as the server pushes it."""
    frame = {
        "kind": "message",
        "room": room,
        "seq": seq,
        "from_": "ben",
        "from_id": "g_2",
        "ts": "2026-11-24T05:50:00.123Z",
    }
    return frame | {"text": text or f"text {seq}"} | ({"cid": cid} if cid else {})


def happening(seq: int, kind: str, room: str = "lobby", **body: Any) -> Frame:
    """An event by ann that is no message, as the server pushes it."""
    envelope = {"room": room, "seq": seq, "from_": "ann", "from_id": "u_ann", "ts": "2026-11-24T05:50:00.123Z"}
    return {"kind": kind, **envelope, **body}


def listed(*frames: Frame) -> list[Frame]:
    """Events as they stand in a page."""
    return [{("type" if k == "kind" else k.rstrip("_")): v for k, v in frame.items()} for frame in frames]
