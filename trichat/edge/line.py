"""The line to one client: what it sends, taken exactly as far as it is wanted, and what it is sent."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final

import trio

from trichat.edge.farewell import close_in_order
from trichat.edge.head import HeadRefused
from trichat.edge.tls import HANDSHAKE_RECORD

#: Bytes of a head that are read at once.
_HEAD_BYTES: Final = 4096
_END: Final = b"\r\n\r\n"
#: Seconds between looks at whether a client that has said something more has left.
_LOOK_S: Final = 1.0
#: States of a TCP connection whose client has closed its side, or reset it: CLOSE, CLOSE_WAIT (Linux, tcp_states.h).
_LEFT: Final = frozenset({7, 8})
#: Close with a reset: SO_LINGER on, 0 seconds.
_RESET: Final = struct.pack("ii", 1, 0)


class Line:
    """A client's connection. What comes through a socket and is not asked for stays in the kernel.

    `sock` is what may be read and written beside the stream, `under` the socket under a stream that hides it. A stream
    without `sock`, such as TLS, gives what it likes: `ahead` is what it gave too much.
    """

    __slots__ = ("_under", "ahead", "sock", "stream")

    def __init__(self, stream: trio.abc.Stream, sock: socket.socket | None, under: socket.socket | None = None) -> None:
        self.stream = stream
        self.sock = sock
        self._under = sock or under
        self.ahead = b""

    async def head(self, most: int) -> bytes:
        """Bytes up to and with the empty line; empty when the client left. Raises HeadRefused: 431 after `most`."""
        raw = b""
        while len(raw) <= most:
            part = await self._part_of_head(raw[-3:])
            if not part:
                return b""
            raw += part
            if raw[0] == HANDSHAKE_RECORD:
                raise HeadRefused(400, "this port does not speak TLS; say http:// or ws://")
            if raw.endswith(_END) and len(raw) <= most:
                return raw
        raise HeadRefused(431, f"a request head is at most {most} bytes")

    async def body(self, length: int) -> bytes | None:
        """The next `length` bytes; None when the client left before it had sent them."""
        body = bytearray()
        while len(body) < length:
            part = await self._some(length - len(body))
            if not part:
                return None
            body += part
        return bytes(body)

    async def begins(self) -> bool:
        """Returns when there is something to read, which is left there (True), or when the client has left (False)."""
        if self.sock is not None:
            return bool(await _receive(self.sock, 1, socket.MSG_PEEK))
        if not self.ahead:
            self.ahead = await self._some(_HEAD_BYTES)
        return bool(self.ahead)

    async def leaves(self) -> None:
        """Returns when the client has closed its side: at once, or, when it says something more before it does (in TLS
        it does, by the word for the end), at the next look at the connection.

        Of TLS only what lies under it is looked at: reading its end there would end the writing as well.
        """
        if self._under is None:
            if await self.begins():
                await trio.sleep_forever()
        elif await _receive(self._under, 1, socket.MSG_PEEK):
            while not _has_left(self._under):  # noqa: ASYNC110  # the kernel has no event for it that trio knows
                await trio.sleep(_LOOK_S)

    async def send(self, data: bytes, within_s: float) -> bool:
        """Whether the client took all of it in time."""
        with trio.move_on_after(within_s):
            try:
                await self.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return False
            return True
        return False

    async def finish(self, within_s: float) -> None:
        """Wait so long for the client to close as well: it has got what it was sent then."""
        if not isinstance(self.stream, trio.SocketStream | trio.SSLStream):
            return
        with trio.move_on_after(within_s), contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await close_in_order(self.stream)

    def reset(self) -> None:
        """Let the closing be a reset: the kernel keeps nothing for whoever did not take the last words."""
        if self._under is not None:
            with contextlib.suppress(OSError):
                self._under.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    async def _part_of_head(self, tail: bytes) -> bytes:
        """Some bytes of a head, up to its end; `tail` is what came before, three bytes of it."""
        if self.sock is not None:
            seen = await _receive(self.sock, _HEAD_BYTES, socket.MSG_PEEK)
            # it is there: waiting for it once more would cost every connection a turn of the loop
            return _take(self.sock, _end_of_head(tail, seen)) or b"" if seen else b""
        seen = await self._some(_HEAD_BYTES)
        end = _end_of_head(tail, seen)
        self.ahead = seen[end:] + self.ahead
        return seen[:end]

    async def _some(self, most: int) -> bytes:
        """At most so many bytes; empty when the client is gone."""
        if self.sock is not None:
            return await _receive(self.sock, most)
        if self.ahead:
            seen, self.ahead = self.ahead[:most], self.ahead[most:]
            return seen
        try:
            return bytes(await self.stream.receive_some(most))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""


async def _receive(sock: socket.socket, most: int, flags: int = 0) -> bytes:
    """At most so many bytes; empty when the client is gone."""
    while True:
        await trio.lowlevel.wait_readable(sock)
        if (data := _take(sock, most, flags)) is not None:
            return data


def _take(sock: socket.socket, most: int, flags: int = 0) -> bytes | None:
    """What is there; empty when the client is gone, None when nothing is there."""
    try:
        return sock.recv(most, flags)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _has_left(sock: socket.socket) -> bool:
    """Whether the client has closed its side, behind what it has said and nobody has read."""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _LEFT
    except OSError:
        return True


def _end_of_head(tail: bytes, seen: bytes) -> int:
    """How many bytes of `seen`, which comes after `tail`, belong to the head."""
    end = (tail + seen).find(_END)
    return len(seen) if end < 0 else end + len(_END) - len(tail)
