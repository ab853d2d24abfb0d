"""The API as an ASGI application: from a path and a method to the operation, and whether a page may ask for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from urllib.parse import quote as percent_encoded

import trio
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from trichat.chat.hub import Hub
from trichat.chat.not_taken import store_away
from trichat.chat.ports import StoreUnavailable
from trichat.core.errors import Refusal
from trichat.core.origins import page_may_connect
from trichat.web.api.acts import perform
from trichat.web.api.answering import refused
from trichat.web.api.asking import ClientGone, TooSlow, bearer, read_fields
from trichat.web.api.call import Call, run_call
from trichat.web.api.operations import OPERATIONS, PREFIX, Operation
from trichat.web.api.polling import LongPolls

#: What a page of an allowed origin may send and read beside what every page may.
_ASKED_HEADERS: Final = "authorization, content-type, idempotency-key"
_SHOWN_HEADERS: Final = "location, retry-after"
#: Seconds for which a browser may keep what it was told of that.
_PREFLIGHT_S: Final = "600"


class Resource(Struct, frozen=True):
    """A path, in segments, `{…}` for any; and what can be done there."""

    path: str  # as the metrics and the log name it
    segments: tuple[bytes, ...]
    operations: Mapping[str, Operation]

    @property
    def allow(self) -> str:
        head = ["HEAD"] if "GET" in self.operations else []
        return ", ".join(sorted([*self.operations, *head, "OPTIONS"]))

    def match(self, path: Sequence[bytes]) -> list[bytes] | None:
        """What stands for the variable segments, if this is the path."""
        if len(path) != len(self.segments):
            return None
        pairs = list(zip(self.segments, path, strict=True))
        if any(not written if name.startswith(b"{") else name != written for name, written in pairs):
            return None
        return [written for name, written in pairs if name.startswith(b"{")]


def _resources() -> list[Resource]:
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Resource(PREFIX + path, tuple(path.encode().split(b"/")[1:]), methods) for path, methods in by_path.items()]


class Api:
    """What is under `/api/v1`. Pages of `allowed_origins`, and of our own, may ask; by a token alone, never a cookie,
    so that no page can ask in the name of who looks at it."""

    def __init__(self, hub: Hub, allowed_origins: Collection[str]) -> None:
        self._polls = LongPolls(hub.limits, hub.figures)
        self._hub = hub
        self._allowed_origins = allowed_origins
        self._resources = _resources()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request)
        if response is None:
            return  # the client is gone
        response.headers.update(self._for_pages(request))
        if request.method == "HEAD":
            length = response.headers["content-length"]
            response.body = b""
            response.headers["content-length"] = length
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response | None:
        path = _path_of(request)
        for resource in self._resources:
            if (in_path := resource.match(path)) is not None:
                request.scope["route"] = resource
                return await self._choose(request, resource, in_path)
        return refused(Refusal("unknown_type", "there is nothing here; /api says what there is"))

    async def _choose(self, request: Request, resource: Resource, in_path: list[bytes]) -> Response | None:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": resource.allow})
        method = "GET" if request.method == "HEAD" else request.method
        operation = resource.operations.get(method)
        if operation is None:
            said = f"{request.method[:16]} is nothing that can be done here; {resource.allow} are"
            return refused(Refusal("unknown_type", said), 405, {"allow": resource.allow})
        try:
            fields = await read_fields(request, operation, in_path, self._hub.limits)
            token = None if operation.anonymous else bearer(request)
        except Refusal as refusal:
            return refused(refusal)
        except TooSlow:
            return refused(Refusal("bad_frame", "the body did not come in time"), 408)
        except ClientGone:
            return None
        return await self._perform(request, operation, fields, token)

    async def _perform(
        self, request: Request, operation: Operation, fields: dict[str, object], token: str | None
    ) -> Response:
        answers: list[Response] = []

        async def work(call: Call) -> None:
            if not fields.get("wait_s"):
                answers.append(await self._answer(call, operation, fields, token))
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_look_for_the_end, request, call)
                answers.append(await self._answer(call, operation, fields, token))
                nursery.cancel_scope.cancel(reason="answered")

        await run_call(self._hub, request.client.host if request.client else "", work)
        return answers[0]

    async def _answer(self, call: Call, operation: Operation, fields: dict[str, object], token: str | None) -> Response:
        try:
            return await perform(call, operation, fields, token, self._polls)
        except Refusal as refusal:
            return refused(refusal)
        except StoreUnavailable:
            return refused(store_away())

    def _for_pages(self, request: Request) -> dict[str, str]:
        """What lets a browser show the answer to a page of another origin, if that may connect."""
        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        tls = request.url.scheme == "https"
        if origin is None or not page_may_connect(origin, host, self._allowed_origins, tls=tls):
            return {"vary": "origin"}
        headers = {
            "vary": "origin", "access-control-allow-origin": origin, "access-control-expose-headers": _SHOWN_HEADERS,
        }  # fmt: skip
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            headers["access-control-allow-methods"] = "GET, POST, PUT, PATCH, DELETE"
            headers["access-control-allow-headers"] = _ASKED_HEADERS
            headers["access-control-max-age"] = _PREFLIGHT_S
        return headers


def _path_of(request: Request) -> list[bytes]:
    """The segments of the path below PREFIX, still percent-encoded: a room's name may have a slash."""
    raw: bytes = request.scope.get("raw_path") or percent_encoded(request.scope["path"]).encode()
    return raw.partition(b"?")[0].removeprefix(PREFIX.encode()).split(b"/")[1:]


async def _look_for_the_end(request: Request, call: Call) -> None:
    """Have `call` hurry when the client is gone, or the server says so (by an event in the scope's state)."""
    async with trio.open_nursery() as nursery:

        async def look() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            call.hurry()

        nursery.start_soon(look)
        said = request.scope.get("state", {}).get("hurry")
        if isinstance(said, trio.Event):
            await said.wait()
            call.hurry()
