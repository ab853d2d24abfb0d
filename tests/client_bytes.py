"""Bytes as a client sends them: the head of an upgrade, and frames, proper or not."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

KEY: Final = base64.b64encode(b"sixteen bytes ok").decode()
_MASK: Final = b"\x12\x34\x56\x78"


def request_head(path: str = "/ws", headers: Mapping[str, str] | None = None) -> bytes:
    """The head of a proper upgrade; `headers` add to its headers or replace them."""
    all_headers = {
        "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY, **(headers or {}),
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """One frame as a client sends it."""
    length, mask_bit = len(payload), 0x80 if masked else 0
    if length < 126:
        size = bytes((mask_bit | length,))
    elif length < 65_536:
        size = bytes((mask_bit | 126,)) + length.to_bytes(2, "big")
    else:
        size = bytes((mask_bit | 127,)) + length.to_bytes(8, "big")
    head = bytes(((0x80 if fin else 0) | opcode,)) + size
    if not masked:
        return head + payload
    return head + _MASK + bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(_MASK), strict=False))
