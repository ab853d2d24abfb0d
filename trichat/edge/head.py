"""The head of a request, checked as bytes before any library sees it: nothing odd gets further."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from trichat.core.origins import answers_to, page_may_connect

#: The path of the WebSocket endpoint.
WS_PATH: Final = "/ws"
#: What load balancers ask for, by whatever name they know us.
PROBE_PATHS: Final = frozenset({"/healthz", "/readyz"})

_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])")
# blanks around the value are stripped afterwards: a pattern for them backtracks for hours over a head full of blanks
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([ -~\t]*)")
_LENGTH: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


class Head(Struct, frozen=True):
    """A well-formed request head: header names in lower case, each at most once. HTTP/1.`minor`."""

    method: str
    target: str
    headers: Mapping[str, str]
    minor: int = 1

    @property
    def path(self) -> str:
        """The target without its query, as it was sent: percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket; other protocols (`h2c`) are offers that a server may ignore."""
        return "websocket" in self.headers.get("upgrade", "").lower()

    @property
    def is_last(self) -> bool:
        """Whether the client wants the connection closed after the answer."""
        return self.minor == 0 or "close" in _tokens(self, "connection")

    @property
    def is_probe(self) -> bool:
        """Whether it only asks how we are."""
        return self.path in PROBE_PATHS and not self.is_upgrade


class HeadRefused(Exception):
    """The head is answered with `status` and `said`, and the connection is closed."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(status, said)
        self.status = status
        self.said = said


def parse_head(raw: bytes) -> Head:
    """The head in `raw`, which ends with the empty line. Raises HeadRefused (400, 405)."""
    if not raw.isascii():
        raise HeadRefused(400, "a request head is ASCII")
    request_line, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    parts = _REQUEST_LINE.fullmatch(request_line)
    if parts is None:
        raise HeadRefused(400, "that is no HTTP/1.1 request; try websocat ws://HOST:PORT/ws")
    if parts[1] == b"CONNECT":
        # h11 stops reading behind it, and waits for an answer after which other bytes than HTTP's would come
        raise HeadRefused(405, "this is no proxy; CONNECT means nothing here")
    headers = _parse_headers(lines)
    host = headers.get("host", "")
    if not _HOST.fullmatch(host) or not _is_idna(host):
        raise HeadRefused(400, "a request has one Host header, such as Host: localhost:8080")
    if parts[3] == b"0" and "upgrade" in headers:
        raise HeadRefused(400, "an upgrade is asked for in HTTP/1.1")
    return Head(parts[1].decode(), parts[2].decode(), headers, int(parts[3]))


def _parse_headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        parts = _HEADER.fullmatch(line)
        if parts is None:
            raise HeadRefused(400, "a header line is malformed")
        name, value = parts[1].decode().lower(), parts[2].decode().strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name in ("host", "content-length", "origin") or name.startswith("sec-websocket"):
            raise HeadRefused(400, f"{name} stands there twice")
        else:
            headers[name] += ", " + value
    return headers


def check_host(head: Head, allowed_hosts: Collection[str] | None) -> None:
    """Whether we are whom `head` speaks to; None: whoever that is. Raises HeadRefused."""
    host = head.headers["host"]
    if not head.is_probe and not answers_to(host, allowed_hosts):
        raise HeadRefused(421, f"this server does not answer to {host}; let it with --allowed-host")


def check_upgrade(head: Head, allowed_origins: Collection[str], *, tls: bool = False) -> None:
    """Whether `head` may become a WebSocket; `tls`: the client came by https. Raises HeadRefused."""
    if head.path != WS_PATH:
        raise HeadRefused(404, f"the WebSocket endpoint is {WS_PATH}")
    if head.method != "GET":
        raise HeadRefused(405, "an upgrade is a GET")
    if head.headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in _tokens(head, "connection"):
        raise HeadRefused(400, "a WebSocket wants Upgrade: websocket and Connection: Upgrade")
    if head.headers.get("sec-websocket-version") != "13":
        raise HeadRefused(426, "a WebSocket wants Sec-WebSocket-Version: 13")
    if not _is_key(head.headers.get("sec-websocket-key", "")):
        raise HeadRefused(400, "a WebSocket wants a Sec-WebSocket-Key: 16 bytes in base64")
    check_no_body(head)
    _check_origin(head, allowed_origins, tls=tls)


def check_no_body(head: Head) -> None:
    """Nothing here takes a body. Raises HeadRefused."""
    if head.headers.get("content-length", "0") != "0" or "transfer-encoding" in head.headers:
        raise HeadRefused(413, "this request takes no body")


def body_length(head: Head, most: int) -> int:
    """Bytes of the body that follows `head`. Raises HeadRefused: more than `most`, or a length that is not said."""
    length = head.headers.get("content-length")
    if "transfer-encoding" in head.headers:
        if length is not None or head.minor == 0:
            raise HeadRefused(400, "a body has one length, or is chunked, not both")
        raise HeadRefused(411, "say a body's length by Content-Length; it does not come in chunks here")
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise HeadRefused(400, "a Content-Length is a number")
    if int(length) > most:
        raise HeadRefused(413, f"a body is at most {most} bytes")
    return int(length)


def _check_origin(head: Head, allowed: Collection[str], *, tls: bool) -> None:
    """Browsers name the page's origin: only our own and those of `--allow-origin` may connect."""
    origin = head.headers.get("origin")
    if origin is not None and not page_may_connect(origin, head.headers["host"], allowed, tls=tls):
        raise HeadRefused(403, "this page may not connect; allow it with --allow-origin")


def _tokens(head: Head, name: str) -> set[str]:
    return {token.strip().lower() for token in head.headers.get(name, "").split(",")}


def _is_idna(host: str) -> bool:
    """Whether wsproto, which decodes the host as IDNA, can read it: a malformed `xn--` label ended whole servers."""
    try:
        host.encode().decode("idna")
    except UnicodeError:
        return False
    return True


def _is_key(key: str) -> bool:
    try:
        return len(key) == 24 and len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False
