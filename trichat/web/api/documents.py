"""What the API says of itself: a page to read at `/api`, and the documents for programs."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trichat.web.api.asyncapi import asyncapi
from trichat.web.api.openapi import openapi
from trichat.web.api.operations import OPERATIONS, PREFIX, Operation

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "max-age=3600",
}
#: What stands in the examples for the variable parts of a path.
_SAMPLES: Final = {"{room}": "lobby", "{seq}": "1", "{emoji}": ":tada:"}


def document_routes() -> list[Route]:
    """`/api`, `/api/openapi.json`, `/api/asyncapi.json`: for anybody, as they tell of nobody."""

    async def page(request: Request) -> Response:
        return Response(_page(), headers=_HEADERS, media_type="text/html")

    return [
        Route("/api", page),
        Route("/api/openapi.json", _served(openapi)),
        Route("/api/asyncapi.json", _served(asyncapi)),
    ]


def _served(document: Callable[[], dict[str, Any]]) -> Callable[[Request], Any]:
    written = cache(lambda: msgspec.json.encode(document()))

    async def serve(request: Request) -> Response:
        return Response(written(), headers=_HEADERS, media_type="application/json")

    return serve


@cache
def _page() -> str:
    rows = "\n".join(
        f"<h2>{html.escape(one.method)} {html.escape(one.path)}</h2>\n<p>{html.escape(one.does)}.</p>\n"
        f"<pre>{html.escape(curl_of(one))}</pre>"
        for one in OPERATIONS
    )
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>trichat: the HTTP API</title>\n'
        '<meta name="viewport" content="width=device-width">\n<h1>The HTTP API</h1>\n'
        f"<p>All of it is under <code>{PREFIX}</code>; for programs it is described by "
        '<a href="/api/openapi.json">openapi.json</a>, and the socket by '
        '<a href="/api/asyncapi.json">asyncapi.json</a>.</p>\n'
        f"{rows}\n</html>\n"
    )


def curl_of(operation: Operation) -> str:
    """A line for a shell, in which TOKEN is set."""
    words = ["curl"]
    if operation.method != "GET":
        words += ["-X", operation.method]
    if not operation.anonymous:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if operation.body and operation.example:
        words.append(f"--json '{json.dumps(operation.example)}'")
    path = operation.path
    for name, sample in _SAMPLES.items():
        path = path.replace(name, sample)
    asked = {name: str(value).lower() if value is True else value for name, value in operation.example.items()}
    query = f"?{urlencode(asked)}" if operation.query and asked else ""
    return " ".join([*words, f"'http://localhost:8080{PREFIX}{path}{query}'"])
