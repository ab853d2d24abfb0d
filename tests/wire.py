"""A WebSocket client at the level of bytes, for tests: sends anything, and trusts nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import trio

from tests.client_bytes import CLOSE, KEY, PING, PONG, TEXT, frame, request_head

#: Seconds for anything that a test waits for: the bound of liveness, about a thousand times the typical.
_PATIENCE_S: Final = 10.0
_ACCEPT: Final = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())


class Closed(Exception):
    """The server closed with `code` and `reason`; 1005: it named no code, 1006: the stream just ended."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Refused(Exception):
    """The handshake was answered with `status`, not with 101; `response` is all that the server sent."""

    def __init__(self, response: bytes) -> None:
        super().__init__(response)
        self.status = int(response.split(b" ")[1]) if response else 0
        self.response = response


class WireClient:
    """One connection. Every wait ends after 10 s; a malformed frame of the server's is an AssertionError."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.answers_pings = True
        self._buffer = bytearray()
        self._closed: Closed | None = None

    async def shake_hands(self, head: bytes | None = None) -> Self:
        """Become a WebSocket. Raises Refused."""
        await self.send_bytes(head or request_head())
        return await self.accepted()

    async def accepted(self) -> Self:
        """The server's answer to a head that was sent. Raises Refused."""
        response = await self._read_response()
        if not response.startswith(b"HTTP/1.1 101 "):
            raise Refused(response)
        assert _ACCEPT in response
        return self

    async def send_bytes(self, raw: bytes) -> None:
        with trio.fail_after(_PATIENCE_S):
            await self.stream.send_all(raw)

    async def send_frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> None:
        await self.send_bytes(frame(opcode, payload, fin=fin, masked=masked))

    async def send_text(self, text: str) -> None:
        await self.send_frame(TEXT, text.encode())

    async def send_json(self, command: Mapping[str, Any]) -> None:
        await self.send_text(json.dumps(command, separators=(",", ":"), ensure_ascii=False))

    async def receive(self) -> dict[str, Any]:
        """The next message. Raises Closed when the server closes; pings are answered on the way."""
        while True:
            opcode, payload = await self.receive_frame()
            if opcode == TEXT:
                message: dict[str, Any] = json.loads(payload)
                return message
            if opcode == PING and self.answers_pings:
                await self.send_frame(PONG, payload)

    async def receive_until(self, kind: str) -> dict[str, Any]:
        """The next message of the type `kind`; what comes before it is dropped. Raises Closed."""
        while (message := await self.receive())["type"] != kind:
            pass
        return message

    async def expect_close(self) -> int:
        """The code of the server's close frame; what comes before it is dropped."""
        try:
            while True:
                await self.receive()
        except Closed as closed:
            return closed.code

    async def receive_frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload. Raises Closed for a close frame and for the end of the stream."""
        if self._closed is not None:
            raise self._closed
        head = await self._take(2)
        assert head[0] & 0x80, "the server fragments nothing"
        assert head[0] & 0x7F in (TEXT, CLOSE, PING, PONG), f"no frame of a server's begins with {head[0]:#x}"
        assert head[1] < 0x80, "a server masks nothing"
        length = head[1]
        if length > 125:
            length = int.from_bytes(await self._take(2 if length == 126 else 8), "big")
        opcode, payload = head[0] & 0x0F, await self._take(length)
        if opcode == CLOSE:
            self._closed = Closed(int.from_bytes(payload[:2], "big") if payload else 1005, payload[2:].decode())
            raise self._closed
        return opcode, payload

    async def close(self, code: int = 1000) -> int:
        """Say goodbye and wait for the server's answer: its close code."""
        await self.send_frame(CLOSE, code.to_bytes(2, "big"))
        return await self.expect_close()

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not await self._fill():
                self._closed = Closed(1006)
                raise self._closed
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def _fill(self) -> bool:
        with trio.fail_after(_PATIENCE_S):
            try:
                data = await self.stream.receive_some()
            except trio.BrokenResourceError:
                return False
        self._buffer += data
        return bool(data)

    async def _read_response(self) -> bytes:
        """The response's head when it is a 101, so that frames behind it stay; else all until the stream ends."""
        while b"\r\n\r\n" not in self._buffer or not self._buffer.startswith(b"HTTP/1.1 101 "):
            if not await self._fill():
                return bytes(self._buffer)
        return await self._take(self._buffer.index(b"\r\n\r\n") + 4)


@asynccontextmanager
async def open_wire(port: int, host: str = "127.0.0.1", *, head: bytes | None = None) -> AsyncIterator[WireClient]:
    """A client that has shaken hands; at the end of the block its connection is dropped without a word."""
    with trio.fail_after(_PATIENCE_S):
        stream = await trio.open_tcp_stream(host, port)
    try:
        yield await WireClient(stream).shake_hands(head)
    finally:
        await trio.aclose_forcefully(stream)
