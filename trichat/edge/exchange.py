"""One request and its answer: Hypercorn, over a stream that holds the one and gathers the other."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, cast

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from msgspec import Struct

from trichat.core.limits import Limits
from trichat.edge.head import Head
from trichat.edge.line import Line

log = logging.getLogger("trichat.requests")

#: An ASGI message, and an ASGI application.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Any, Receive, Send], Awaitable[None]]

#: Offers and wishes that were for the front door.
_NOT_PASSED_ON: Final = frozenset(
    {"connection", "expect", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"}
)


class Request(Struct, kw_only=True):
    """A whole request that the front door has let through.

    `id` goes into the log and the answer; `last` says whether the answer ends the connection, which may change until
    it begins; `hurry` is set when nobody gains by an answer that comes later: the node drains, or the client is gone.
    """

    head: Head
    body: bytes
    id: str
    address: str
    tls: bool
    last: Callable[[], bool]
    hurry: trio.Event


class Answer(Struct):
    """What goes to the client as it is, and whether another request may follow."""

    raw: bytes
    last: bool


async def answer_by(app: ASGIApp, request: Request, line: Line, limits: Limits) -> Answer | None:
    """The answer of `app`. None when there is none: it has a bug, or took longer than `request_s`; that is logged."""
    exchange = _Exchange(app, request, line, limits)
    state = {"request_id": request.id, "hurry": request.hurry}
    # what Hypercorn wants of a stream is what `_RequestStream` has
    server = TCPServer(exchange.call, _CONFIG, exchange.context, state, cast(Any, exchange.stream))  # type: ignore[arg-type]
    await server.run()
    if not exchange.complete or exchange.stream.overflown:
        return None
    return Answer(bytes(exchange.stream.gathered), exchange.last)


class _Exchange:
    """The app's part: what it is told beside the request, and what is told about its answer."""

    def __init__(self, app: ASGIApp, request: Request, line: Line, limits: Limits) -> None:
        self._app = app
        self._request = request
        self._limits = limits
        self.stream = _RequestStream(request, line, limits.answer_bytes)
        self.context = WorkerContext(None)
        self.complete = False
        self.last = True

    async def call(self, scope: Any, receive: Receive, send: Send, _spawn: object, _soon: object) -> None:
        """The application as Hypercorn calls it. Raises nothing but a cancellation."""
        scope["scheme"] = "https" if self._request.tls else "http"

        async def send_on(message: Message) -> None:
            await send(self._look_at(message))
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self.complete = True

        try:
            with trio.move_on_after(self._limits.request_s) as clock:
                # from then on Hypercorn has seen the whole request, and waits for nothing but the answer
                await self.stream.taken.wait()
                await self.context.terminated.set()
                await self._app(scope, receive, send_on)
        except Exception:
            log.exception("a bug in the answer to a request", extra=self._extra())
            self.complete = False  # Starlette may have given an answer of its own
            return
        if clock.cancelled_caught:
            log.warning("a request took too long", extra=self._extra())
        elif not self.complete or self.stream.overflown:
            log.error("a request was not answered, or by too much", extra=self._extra())

    def _look_at(self, message: Message) -> Message:
        """An answer's head tells the request's id, and that the connection ends when it does."""
        if message["type"] != "http.response.start":
            return message
        self.last = self._request.last()
        headers = [*message.get("headers", ()), (b"x-request-id", self._request.id.encode())]
        if self.last:
            headers.append((b"connection", b"close"))
        return {**message, "headers": headers}

    def _extra(self) -> dict[str, str]:
        # not the path: it may name a hidden room
        return {"request": self._request.id, "method": self._request.head.method}


class _RequestStream(trio.abc.HalfCloseableStream):
    """What Hypercorn takes for a connection: one request comes, and an answer of at most `most` bytes is gathered.

    Nothing here waits for the client: what Hypercorn shields from cancellation is over at once.
    """

    family = socket.AF_INET

    def __init__(self, request: Request, line: Line, most: int) -> None:
        self._unread = _written(request)
        self._request = request
        self._line = line
        self._most = most
        self._open = trio.CancelScope()
        self.socket = self
        self.gathered = bytearray()
        self.overflown = False
        self.taken = trio.Event()

    def getpeername(self) -> tuple[str, int]:
        return self._request.address, 0

    def getsockname(self) -> tuple[str, int]:
        return "localhost", 0

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The request; and then nothing but the end, when the answer is complete."""
        if self._unread:
            unread, self._unread = self._unread, b""
            return unread
        self.taken.set()
        with self._open:
            await self._line.leaves()
            self._request.hurry.set()
            await trio.sleep_forever()
        raise trio.ClosedResourceError

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.overflown = self.overflown or len(self.gathered) + len(data) > self._most
        if not self.overflown:
            self.gathered += data

    async def wait_send_all_might_not_block(self) -> None:
        pass

    async def send_eof(self) -> None:
        pass

    async def aclose(self) -> None:
        self._open.cancel(reason="the answer is complete")


def _written(request: Request) -> bytes:
    """The request as Hypercorn reads it: what was understood here, written anew, so that it is not read otherwise."""
    head = request.head
    lines = [f"{head.method} {head.target} HTTP/1.{head.minor}"]
    lines += [f"{name}: {value}" for name, value in head.headers.items() if name not in _NOT_PASSED_ON]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


def _make_config() -> Config:
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    # a whole request is there at once: these are never waited for
    config.h11_max_incomplete_size = Limits().head_bytes * 2
    return config


_CONFIG: Final = _make_config()
