"""Lines from standard input, without a thread that would have to be waited for."""

from __future__ import annotations

import os
import stat
from typing import Final

import trio

_CHUNK: Final = 65_536  # bytes of one read
#: Bytes of one line; a longer one is taken as several lines, each of which the server would refuse.
MAX_LINE: Final = 1_048_576


class Lines:
    """The lines of a file descriptor: a terminal, a pipe, a socket, or a file. Does not close it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self._ended = False

    async def next(self) -> str | None:
        """The next line without its end, a last one without an end too; None when there is no more."""
        while not self._ended:
            line, end, rest = self._rest.partition(b"\n")
            if end or len(line) >= MAX_LINE:
                self._rest = rest
                return _text(line)
            chunk = await self._receive()
            self._ended = not chunk
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return _text(line) if line or self._rest else None

    async def _receive(self) -> bytes:
        try:
            if _is_pollable(self._fd):
                await trio.lowlevel.wait_readable(self._fd)
            else:
                await trio.lowlevel.checkpoint()  # files and /dev/null answer at once
            return os.read(self._fd, _CHUNK)
        except OSError:  # closed before we began, or a terminal that went away
            return b""


def _is_pollable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
