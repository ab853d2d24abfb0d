"""What the front door says by itself, in plain HTTP: refusals, and that an answer failed."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import msgspec

from trichat.edge.head import Head, HeadRefused

_EXTRA: Final = {
    405: "Allow: GET, HEAD\r\n",
    426: "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n",
    429: "Retry-After: 1\r\n",
    503: "Retry-After: 1\r\n",
}
#: The codes of errors (docs/protocol.md) that come nearest, for programs that use the API.
_CODES: Final = {403: "forbidden", 413: "too_long", 421: "forbidden", 429: "rate_limited", 503: "unavailable"}


def http_response(status: int, body: str, content_type: str = "text/plain; charset=utf-8", extra: str = "") -> bytes:
    """A whole HTTP/1.1 response that ends the connection."""
    content = body.encode()
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
        "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
        f"{extra}{_EXTRA.get(status, '')}Connection: close\r\n\r\n"
    )
    return lines.encode() + content


def refusal_response(refused: HeadRefused, head: Head | None = None) -> bytes:
    """What whoever sent `head`, if that could be read, is told: programs that use the API in the form of its errors."""
    if head is None or not head.path.startswith("/api/"):
        return http_response(refused.status, refused.said + "\n")
    return _error(refused.status, _CODES.get(refused.status, "bad_frame"), refused.said)


def failure_response(request_id: str) -> bytes:
    """A bug, or an answer that took too long; `request_id` finds the reason in the log."""
    message = f"this server failed to answer; its log says why, for request {request_id}"
    return _error(500, "internal", message, f"X-Request-Id: {request_id}\r\n")


def _error(status: int, code: str, message: str, extra: str = "") -> bytes:
    said = {"type": "error", "code": code, "message": message, "temporary": status in (429, 503)}
    return http_response(status, msgspec.json.encode(said).decode() + "\n", "application/json", extra)
