"""What a client's bytes say: RFC 6455 frames, decoded without I/O.

trio-websocket does the handshake; after it the frames are read here, because that costs 2 µs a message
where the library's reader task, its channel and wsproto's objects cost 20 (docs/decisions/0003), and
because bytes, fragments and control frames have to be counted before they are buffered.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from trichat.core.closing import INVALID_UTF8, PROTOCOL_ERROR, TOO_BIG, CloseReason
from trichat.core.limits import Limits

_CONTINUATION: Final = 0x0
_TEXT: Final = 0x1
_BINARY: Final = 0x2
_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA


class Ping(Struct, frozen=True):
    payload: bytes


class Pong(Struct, frozen=True):
    payload: bytes


class Binary(Struct, frozen=True):
    """A binary message, whose content is of no interest: the protocol has none."""


class Closing(Struct, frozen=True):
    """The client's close frame; `code` is 1005 when it named none."""

    code: int


class Violation(Struct, frozen=True):
    """The client broke the protocol: what follows its bytes cannot be understood."""

    reason: CloseReason
    why: str


Incoming = bytes | Ping | Pong | Binary | Closing | Violation


class _Broken(Exception):
    def __init__(self, reason: CloseReason, why: str) -> None:
        super().__init__(why)
        self.violation = Violation(reason, why)


class FrameReader:
    """Decodes the client's side of one connection.

    `feed` gives what is complete, in order: a text message as its bytes (valid UTF-8), anything else as one
    of the types above. After a Violation or Closing nothing more is decoded. Between calls at most one
    message is buffered: `limits.frame` bytes and its header.
    """

    __slots__ = ("_buffer", "_ended", "_fragments", "_limits", "_need", "_opcode", "_parts", "_size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer: bytearray | None = None  # the start of a frame whose rest has not come
        self._need = 0  # how long it must be before a look is worth it
        self._parts: list[bytes] | None = None  # of a fragmented message
        self._opcode = _TEXT  # of that message
        self._size = 0  # its bytes so far
        self._fragments = 0
        self._ended = False

    def feed(self, data: bytes) -> list[Incoming]:
        """Decode `data`, which is what the socket gave."""
        if self._ended:
            return []
        if self._buffer is not None:
            self._buffer += data
            if len(self._buffer) < self._need:
                return []
            data = bytes(self._buffer)
            self._buffer = None
        found: list[Incoming] = []
        try:
            self._decode(data, found)
        except _Broken as broken:
            self._ended = True
            found.append(broken.violation)
        return found

    def _decode(self, data: bytes, found: list[Incoming]) -> None:
        at, end = 0, len(data)
        while not self._ended:
            start = at + 6  # of the payload, behind two bytes of header and four of mask
            if start > end:
                break
            head, length = data[at], data[at + 1] & 0x7F
            if not data[at + 1] & 0x80:
                raise _Broken(PROTOCOL_ERROR, "a client's frames are masked")
            if length > 125:
                wide = 2 if length == 126 else 8
                start += wide
                if start > end:
                    break
                length = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
                if length < (126 if wide == 2 else 65_536):
                    raise _Broken(PROTOCOL_ERROR, "a length that is not written as short as it can be")
            self._check(head, length)
            if start + length > end:
                self._keep(data, at, start + length - at)
                return
            payload = unmask(data[start : start + length], data[start - 4 : start])
            at = start + length
            if head == 0x80 | _TEXT:
                found.append(_valid_text(payload))
            else:
                self._take(head, payload, found)
        if at < end and not self._ended:
            self._check_start(data, at, end)
            self._keep(data, at, 0)

    def _keep(self, data: bytes, at: int, need: int) -> None:
        self._buffer = bytearray(data[at:])
        self._need = need

    def _check_start(self, data: bytes, at: int, end: int) -> None:
        """Two bytes of a header tell most faults: an unmasked frame may be too short for a whole masked header."""
        if end - at >= 2:
            if not data[at + 1] & 0x80:
                raise _Broken(PROTOCOL_ERROR, "a client's frames are masked")
            self._check(data[at], data[at + 1] & 0x7F)

    def _check(self, head: int, length: int) -> None:
        opcode = head & 0x0F
        if head & 0x70 or opcode not in (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise _Broken(PROTOCOL_ERROR, "a reserved bit or opcode")
        if opcode >= _CLOSE and (length > 125 or not head & 0x80):
            raise _Broken(PROTOCOL_ERROR, "a control frame that is fragmented or over 125 bytes")
        if (opcode == _CONTINUATION) != (self._parts is not None) and opcode < _CLOSE:
            raise _Broken(PROTOCOL_ERROR, "a fragment out of place")
        if opcode < _CLOSE and self._size + length > self._limits.frame:
            raise _Broken(TOO_BIG, f"a message is at most {self._limits.frame} bytes")

    def _take(self, head: int, payload: bytes, found: list[Incoming]) -> None:
        opcode = head & 0x0F
        if opcode == _PING:
            found.append(Ping(payload))
        elif opcode == _PONG:
            found.append(Pong(payload))
        elif opcode == _CLOSE:
            self._ended = True
            found.append(Closing(_close_code(payload)))
        else:
            self._take_fragment(opcode, payload)
            if head & 0x80:
                found.append(self._whole())

    def _take_fragment(self, opcode: int, payload: bytes) -> None:
        if self._parts is None:
            self._parts, self._opcode = [], opcode
        self._parts.append(payload)
        self._size += len(payload)
        self._fragments += 1
        if self._fragments > self._limits.fragments:
            raise _Broken(TOO_BIG, f"a message has at most {self._limits.fragments} fragments")

    def _whole(self) -> Incoming:
        assert self._parts is not None
        message = b"".join(self._parts)
        self._parts, self._size, self._fragments = None, 0, 0
        return Binary() if self._opcode == _BINARY else _valid_text(message)


def unmask(payload: bytes, mask: bytes) -> bytes:
    """`payload` with the four bytes of `mask` taken off (or put on), as two long integers: 0.5 µs for 100 bytes."""
    length = len(payload)
    key = int.from_bytes((mask * (length // 4 + 1))[:length], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(length, "little")


def _valid_text(message: bytes) -> bytes:
    if not message.isascii():
        try:
            message.decode()
        except UnicodeDecodeError:
            raise _Broken(INVALID_UTF8, "text is UTF-8") from None
    return message


def _close_code(payload: bytes) -> int:
    if not payload:
        return 1005
    code = int.from_bytes(payload[:2], "big")
    known = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    if len(payload) == 1 or not (known or 3000 <= code < 5000):
        raise _Broken(PROTOCOL_ERROR, "a close frame without a proper code")
    _valid_text(payload[2:])
    return code
