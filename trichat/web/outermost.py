"""What holds for every answer of the web: headers that keep it from harm, and one place where it is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Unless a route says otherwise. Nothing of an answer is kept, guessed at, framed, or read by other sites.
_HEADERS: Final = {
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
#: A year: browsers that came by TLS once come by nothing else.
_HSTS: Final = {b"strict-transport-security": b"max-age=31536000"}


class Answered(Struct):
    """A request that is over. `route` is its template, empty when there is none; `status` 500 for a bug, 0: cut off."""

    method: str
    route: str
    status: int
    seconds: float


class Outermost:
    """Stands around an application; `seen` is told of every request when it is over."""

    def __init__(self, app: ASGIApp, seen: Callable[[Answered], None] | None = None, *, only_tls: bool = False) -> None:
        self._app = app
        self._seen = seen
        self._headers = _HEADERS | _HSTS if only_tls else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = trio.current_time()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._completed(message.get("headers", ()))}
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception:
            status = 500
            raise
        finally:
            if self._seen is not None:
                route = getattr(scope.get("route"), "path", "")
                self._seen(Answered(scope["method"], route, status, trio.current_time() - began))

    def _completed(self, headers: object) -> list[tuple[bytes, bytes]]:
        """`headers`, and those of ours that are not among them."""
        given = list(headers)  # type: ignore[call-overload]  # ASGI: an iterable of pairs
        names = {name.lower() for name, _ in given}
        return [*given, *((name, value) for name, value in self._headers.items() if name not in names)]
