"""Bytes of the protocol: WebSocket text frames and events, encoded once and shared by all who get them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NewType

import msgspec

from trichat.core.events import Event
from trichat.core.names import RoomName

#: A whole server-side WebSocket frame, or several of them joined: never a part of one.
Frame = NewType("Frame", bytes)

quote: Final = msgspec.json.Encoder().encode


def text_frame(payload: bytes) -> Frame:
    """`payload` (UTF-8) as one unmasked, final WebSocket text frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        return Frame(bytes((0x81, length)) + payload)
    if length < 65_536:
        return Frame(b"\x81\x7e" + length.to_bytes(2, "big") + payload)
    return Frame(b"\x81\x7f" + length.to_bytes(8, "big") + payload)


def control_frame(opcode: int, payload: bytes = b"") -> Frame:
    """One unmasked control frame: 0x8 close, 0x9 ping, 0xA pong. `payload` has at most 125 bytes."""
    assert len(payload) < 126
    return Frame(bytes((0x80 | opcode, len(payload))) + payload)


def close_frame(code: int, reason: str) -> Frame:
    """A close frame; `reason` is cut at 123 bytes, as RFC 6455, 5.5 wants, on a character's border."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return control_frame(0x8, code.to_bytes(2, "big") + text)


def encode_reply(reply: msgspec.Struct) -> Frame:
    """A reply or push, as one text frame."""
    return text_frame(quote(reply))


def split_frames(joined: bytes) -> list[Frame]:
    """The text frames that `joined` is made of. Raises ValueError when it does not end with a whole one."""
    frames: list[Frame] = []
    at, end = 0, len(joined)
    while at < end:
        if at + 2 > end:
            raise ValueError("half a frame")
        length, start = joined[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(joined[at + 2 : at + 4], "big"), at + 4
        elif length == 127:
            length, start = int.from_bytes(joined[at + 2 : at + 10], "big"), at + 10
        if start + length > end:
            raise ValueError("half a frame")
        frames.append(Frame(joined[at : start + length]))
        at = start + length
    return frames


def payload_of(frame: bytes) -> bytes:
    """What one whole text frame, as `text_frame` makes them, carries."""
    length = frame[1]
    return frame[2 if length < 126 else 4 if length == 126 else 10 :]


def format_ts(ts: int) -> str:
    """Milliseconds since 1970 as the protocol writes a time: 2026-11-24T05:50:00.123Z."""
    return f"{_format_second(ts // 1000)}.{ts % 1000:03d}Z"


@lru_cache(maxsize=256)
def _format_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(maxsize=4096)
def _quoted(text: str) -> bytes:
    return quote(text)


def encode_event(room: RoomName, event: Event, *, with_rev: bool = False) -> bytes:
    """The event as compact JSON: the common envelope, then its body's members.

    `with_rev` adds `rev`, as the messages of a history page have it: the `seq` of the last change.
    """
    cid = b"" if event.cid is None else b',"cid":' + quote(event.cid)
    rev = b',"rev":%d' % (event.rev or event.seq) if with_rev else b""
    return b'{"type":"%b","room":%b,"seq":%d,"from":%b,"from_id":"%b","ts":"%b"%b%b,%b' % (
        event.kind.encode(), _quoted(room), event.seq, _quoted(event.user), event.user_id.encode(),
        format_ts(event.ts).encode(), cid, rev, event.body[1:],
    )  # fmt: skip


def encode_events(room: RoomName, events: Iterable[Event]) -> list[Frame]:
    """Each event as one text frame."""
    return [text_frame(encode_event(room, event)) for event in events]
