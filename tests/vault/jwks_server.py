"""A small HTTP server on 127.0.0.1 that answers with a key set, or badly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio


class JwksServer:
    """Answers every request with `status` and `body`; with nothing while `silent`, byte by byte while `dripping`."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.status = "200 OK"
        self.headers: tuple[str, ...] = ()
        self.silent = False
        self.dripping = False
        self.asked = 0
        self.url = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):  # who has read enough hangs up
            await self._answer(stream)

    async def _answer(self, stream: trio.SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some()
            self.asked += 1
            if self.silent:
                await trio.sleep_forever()
            lines = [f"HTTP/1.1 {self.status}", f"Content-Length: {len(self.body)}", "Connection: close", *self.headers]
            answer = "\r\n".join([*lines, "", ""]).encode() + self.body
            while self.dripping:
                await stream.send_all(answer[:1])
                answer = answer[1:]
                await trio.sleep(0.05)  # less than anybody's patience between two bytes
            await stream.send_all(answer)


@asynccontextmanager
async def open_jwks_server(body: bytes) -> AsyncIterator[JwksServer]:
    server = JwksServer(body)
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        server.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/keys"
        yield server
        nursery.cancel_scope.cancel()
