"""Plain HTTP answers on the same port: what to type, and whether the node is well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from trichat.edge.head import WS_PATH, Head, HeadRefused, check_no_body

#: Says how each dependency is: "ok", or what is wrong.
Readiness = Callable[[], Awaitable[dict[str, str]]]


def http_response(
    status: int, body: str, content_type: str = "text/plain; charset=utf-8", *, head: bool = False
) -> bytes:
    """A whole HTTP/1.1 response that ends the connection."""
    content = body.encode()
    extra = {405: "Allow: GET, HEAD\r\n", 426: "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n"}.get(status, "")
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{extra}Connection: close\r\n\r\n"
    )
    return lines.encode() + (b"" if head else content)


def refusal_response(refused: HeadRefused) -> bytes:
    return http_response(refused.status, refused.said + "\n")


async def answer(head: Head, readiness: Readiness) -> bytes:
    """The response to a request that is no upgrade. Raises HeadRefused."""
    check_no_body(head)
    if head.method not in ("GET", "HEAD"):
        raise HeadRefused(405, "only GET and HEAD are known here")
    head_only = head.method == "HEAD"
    if head.path == "/":
        return http_response(200, _first_words(head.headers["host"]), head=head_only)
    if head.path == WS_PATH:
        raise HeadRefused(426, f"this is a WebSocket; try: websocat ws://{head.headers['host']}{WS_PATH}")
    if head.path == "/healthz":
        return http_response(200, '{"status":"ok"}\n', "application/json", head=head_only)
    if head.path == "/readyz":
        return await _answer_readyz(readiness, head_only=head_only)
    raise HeadRefused(
        404, f"nothing is here; the chat is at {WS_PATH}, try: websocat ws://{head.headers['host']}{WS_PATH}"
    )


async def _answer_readyz(readiness: Readiness, *, head_only: bool) -> bytes:
    states = await readiness()
    # without Redis the chat goes on, so that alone takes no node out of service
    well = states["postgresql"] == "ok" and states["draining"] == "no"
    body = msgspec.json.encode({"status": "ok" if well else "unavailable", **states}).decode()
    return http_response(200 if well else 503, body + "\n", "application/json", head=head_only)


def _first_words(host: str) -> str:
    return (
        "trichat: a chat over WebSocket.\n\n"
        f"  websocat ws://{host}{WS_PATH}\n\n"
        "and then type, line by line:\n\n"
        '  {"type":"hello","name":"ann"}\n'
        '  {"type":"join","room":"lobby"}\n'
        '  {"type":"send","room":"lobby","text":"hello"}\n'
        '  {"type":"help"}\n'
    )
