"""What `trichat chat` shows: messages on standard output, everything else on standard error."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TextIO

_ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # invisible, but letters and emoji are made with them
_OWN, _OTHERS, _FAINT, _PLAIN = "\x1b[32m", "\x1b[36m", "\x1b[2m", "\x1b[0m"


def visible(text: str) -> str:
    """`text` with all that could steer a terminal (controls, line ends, bidi marks) written as an escape."""
    if text.isprintable():
        return text
    return "".join(_shown(c) for c in text)


def wants_color(stream: TextIO, *, refused: bool) -> bool:
    """Colours go to terminals only, and not where `--no-color` or NO_COLOR says no."""
    return stream.isatty() and not refused and not os.environ.get("NO_COLOR")


class Screen:
    """Two streams of lines. Nothing that came from the server reaches them unescaped."""

    def __init__(self, out: TextIO, err: TextIO, *, color: bool) -> None:
        self._out = out
        self._err = err
        self._color = color
        self.broken = False
        self.on_broken: Callable[[], None] = lambda: None  # nobody reads our output any more

    def message(self, frame: Mapping[str, Any], text: str, *, own: bool) -> None:
        """A message, of the log or of a page, as one line; `text` is what it says, in words."""
        user = self._painted(str(frame.get("from", "?")), _OWN if own else _OTHERS)
        self._print(self._out, f"{_clock(str(frame.get('ts', '')))} {user}: {visible(text)}")

    def happening(self, ts: str, text: str) -> None:
        """Another event of the log, in words."""
        self._print(self._out, f"{_clock(ts)} {self._painted(f'— {text}', _FAINT)}")

    def notice(self, text: str) -> None:
        """What is no message: about the connection, or an error."""
        self._print(self._err, self._painted(f"-- {text}", _FAINT))

    def error(self, text: str) -> None:
        """The last words before the exit code 1."""
        self._print(self._err, f"trichat: {visible(text)}")

    def _painted(self, text: str, color: str) -> str:
        return f"{color}{visible(text)}{_PLAIN}" if self._color else visible(text)

    def _print(self, stream: TextIO, line: str) -> None:
        try:
            print(line, file=stream, flush=True)
        except BrokenPipeError:
            self.broken = True
            self.on_broken()


def _shown(c: str) -> str:
    if unicodedata.category(c) in _ESCAPED and c not in _JOINERS:
        return c.encode("unicode_escape").decode()
    return c


def _clock(ts: str) -> str:
    """Hours and minutes in the zone of the one who reads."""
    try:
        return f"{datetime.fromisoformat(ts).astimezone():%H:%M}"
    except (ValueError, OverflowError):
        return "--:--"
