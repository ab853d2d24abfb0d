"""What travels between nodes: the bytes that clients get, behind a small fixed header; and the beats.

A batch is `version (1 byte), incarnation (8), room id (8), first seq (8), count (4)`, big-endian, and then the
joined text frames. A whisper has another version, and `incarnation (8), room id (8)` and what is said: who does not
know it takes it for a later version's, and drops it. Version and incarnation stay at these offsets in every version,
so that an own echo is known without reading the rest. A beat is a JSON object, because people look at it with
`redis-cli SUBSCRIBE`.
"""

from __future__ import annotations

import struct
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from trichat.chat.ports import Batch, Beat, Whisper
from trichat.core.codec import split_frames
from trichat.core.names import Incarnation, RoomId

VERSION: Final = 1
WHISPER_VERSION: Final = 2
_HEADER: Final = struct.Struct(">BQQQI")
_WHISPER_HEADER: Final = struct.Struct(">BQQ")
_TEXT_FRAME: Final = 0x81  # final, text, as `core.codec.text_frame` makes them
_MASKED: Final = 0x80


class BadEnvelope(Exception):
    """A payload that this version does not understand: foreign, broken, or of a newer version. Says which."""


def encode(incarnation: Incarnation, batch: Batch) -> bytes:
    """`batch` as it travels, said by the node `incarnation`."""
    return _HEADER.pack(VERSION, incarnation, batch.room_id, batch.first, batch.count) + batch.joined


def is_from(payload: bytes, incarnation: Incarnation) -> bool:
    """Whether the node `incarnation` said this, by the fixed offsets alone. Never raises."""
    return payload[1:9] == incarnation.to_bytes(8, "big")


def decode(payload: bytes) -> Batch:
    """The batch in `payload`. Raises BadEnvelope unless it is one, whole and of a version that we know."""
    if payload[:1] != bytes((VERSION,)):
        raise BadEnvelope(f"version {payload[0]}, we speak {VERSION}" if payload else "empty")
    if len(payload) < _HEADER.size:
        raise BadEnvelope("shorter than its header")
    _, _, room_id, first, count = _HEADER.unpack_from(payload)
    joined = payload[_HEADER.size :]
    if not first:
        raise BadEnvelope("events are numbered from 1")
    _check_frames(joined, count)
    return Batch(RoomId(room_id), first, count, joined)


def encode_whisper(incarnation: Incarnation, whisper: Whisper) -> bytes:
    """`whisper` as it travels, said by the node `incarnation`."""
    return _WHISPER_HEADER.pack(WHISPER_VERSION, incarnation, whisper.room_id) + whisper.said


def is_whisper(payload: bytes) -> bool:
    """Whether this is to be read by `decode_whisper`. Never raises."""
    return payload[:1] == bytes((WHISPER_VERSION,))


def decode_whisper(payload: bytes) -> Whisper:
    """The whisper in `payload`, for which `is_whisper`. Raises BadEnvelope when it is shorter than its header."""
    if len(payload) < _WHISPER_HEADER.size:
        raise BadEnvelope("a whisper shorter than its header")
    _, _, room_id = _WHISPER_HEADER.unpack_from(payload)
    return Whisper(RoomId(room_id), payload[_WHISPER_HEADER.size :])


def _check_frames(joined: bytes, count: int) -> None:
    try:
        frames = split_frames(joined)
    except ValueError as error:
        raise BadEnvelope(str(error)) from None
    if len(frames) != count:
        raise BadEnvelope(f"{len(frames)} frames where the header says {count}")
    if any(frame[0] != _TEXT_FRAME or frame[1] & _MASKED for frame in frames):
        raise BadEnvelope("a frame that is no unmasked text frame")


class _Said(Struct, frozen=True, omit_defaults=True):
    """The shape of a beat. Unknown members are ignored, so that a later version may add some."""

    v: int
    incarnation: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    node: Annotated[str, Meta(max_length=200)]
    mark: Annotated[int, Meta(ge=0)] = 0
    leaving: bool = False


_encode_said: Final = msgspec.json.Encoder().encode
_decode_said: Final = msgspec.json.Decoder(_Said).decode


def encode_beat(beat: Beat, mark: int = 0) -> bytes:
    """`beat` as it travels. `mark` tells the node's own beats apart when they are heard back."""
    return _encode_said(_Said(VERSION, beat.incarnation, beat.node, mark, beat.leaving))


def decode_beat(payload: bytes) -> tuple[Beat, int]:
    """The beat in `payload`, and its mark. Raises BadEnvelope unless it is one of a version that we know."""
    try:
        said = _decode_said(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEnvelope(f"no beat: {error}") from None
    if said.v != VERSION:
        raise BadEnvelope(f"a beat of version {said.v}, we speak {VERSION}")
    return Beat(Incarnation(said.incarnation), said.node, said.leaving), said.mark
