"""Clients of HTTP at the level of bytes, and applications for them to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import trio
from msgspec import Struct

from tests.edge.callers import calling
from tests.nodes import Node
from trichat.edge.exchange import Receive, Send

#: Seconds for an answer: longer than any limit of the server's that a test waits for.
_PATIENCE_S: Final = 15.0


class Answer(Struct):
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return msgspec.json.decode(self.body)


class Asker:
    """A client that keeps its connection. An answer without a length, or in chunks, is an AssertionError."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = b""

    async def ask(self, target: str = "/healthz", **more: Any) -> Answer:
        await self.send(request(target, **more))
        return await self.answer(head_only=more.get("method") == "HEAD")

    async def send(self, raw: bytes) -> None:
        with trio.fail_after(_PATIENCE_S):
            await self.stream.send_all(raw)

    async def answer(self, *, head_only: bool = False) -> Answer:
        head = await self._take_until(b"\r\n\r\n")
        first, *lines = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(first.split(" ")[1])
        body = b"" if head_only or status < 200 else await self._take(int(headers["content-length"]))
        return Answer(status, headers, body)

    async def closed(self) -> bool:
        """Whether the server has closed, and said nothing more before."""
        with trio.fail_after(_PATIENCE_S):
            try:
                return not self._buffer and not await self.stream.receive_some()
            except trio.BrokenResourceError:
                return True

    async def _take_until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            await self._fill()
        return await self._take(self._buffer.index(end) + len(end))

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._fill()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    async def _fill(self) -> None:
        with trio.fail_after(_PATIENCE_S):
            more = await self.stream.receive_some()
        assert more, f"the server has closed after {self._buffer!r}"
        self._buffer += more


def request(
    target: str = "/healthz", *, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    length = {"Content-Length": str(len(body))} if body else {}
    lines = "".join(
        f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **length, **(headers or {})}.items()
    )
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


@asynccontextmanager
async def asking(node: Node, local_address: str = "127.0.0.1") -> AsyncIterator[Asker]:
    """A client of the node; reset at the end if it is still open."""
    async with calling(node, local_address) as stream:
        yield Asker(stream)


async def whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def respond(send: Send, body: bytes, status: int = 200) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Receive, send: Send) -> None:
    """Says what came through the front door."""
    said = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        "request_id": scope["state"]["request_id"],
        "body": (await whole_body(receive)).decode("latin-1"),
    }
    await respond(send, msgspec.json.encode(said))
