"""The transcripts of the documents: found in Markdown, and held against what a server says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parents[2]

_LINE: Final = re.compile(r"(?P<who>[a-z]*)(?P<way>[<>]) (?P<text>.*)")
#: Stands for whatever differs each time: alone for any value, in a string for any part of it.
_ANYTHING: Final = "…"


class Step(Struct, frozen=True):
    """What one client says, and what it hears before anybody says the next thing."""

    who: str
    says: str | None
    hears: tuple[str, ...]


class Transcript(Struct, frozen=True):
    """One fenced block of a document; `line` is where it begins."""

    document: str
    line: int
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def transcripts(document: str, fence: str) -> list[Transcript]:
    """The blocks of `document` (a path in the repository) that are fenced as `fence`, in order."""
    found: list[Transcript] = []
    block: list[str] | None = None
    begin = 0
    for number, line in enumerate((ROOT / document).read_text("utf-8").splitlines(), 1):
        if block is None and line == f"```{fence}":
            block, begin = [], number
        elif block is not None and line == "```":
            found.append(Transcript(document, begin, tuple(_steps(block))))
            block = None
        elif block is not None:
            block.append(line)
    return found


def _steps(lines: list[str]) -> Iterator[Step]:
    who: str = ""
    says: str | None = None
    hears: list[str] = []
    for line in lines:
        parts = _LINE.fullmatch(line)
        assert parts is not None, f"not a line of a transcript: {line}"
        if parts["way"] == ">" or parts["who"] != who:
            if says is not None or hears:
                yield Step(who, says, tuple(hears))
            who, says, hears = parts["who"], None, []
        if parts["way"] == ">":
            says = parts["text"]
        else:
            hears.append(parts["text"])
    yield Step(who, says, tuple(hears))


def match_all(expected: tuple[str, ...], heard: list[dict[str, Any]]) -> None:
    """Each frame that was heard is one that was expected, in any order. Raises AssertionError."""
    left = list(heard)
    for line in expected:
        for message in left:
            if matches(json.loads(line), message):
                left.remove(message)
                break
        else:
            raise AssertionError(f"expected {line}\nheard {[json.dumps(message) for message in left]}")
    assert not left, f"not expected: {left}"


def matches(pattern: Any, value: Any) -> bool:
    """Whether `value` is what `pattern` says, member by member, nothing more and nothing less."""
    if pattern == _ANYTHING:
        return True
    if isinstance(pattern, dict):
        same = isinstance(value, dict) and list(pattern) == list(value)
        return same and all(matches(pattern[name], value[name]) for name in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and len(pattern) == len(value) and all(map(matches, pattern, value))
    if isinstance(pattern, str) and _ANYTHING in pattern:
        regex = ".+".join(re.escape(part) for part in pattern.split(_ANYTHING))
        return isinstance(value, str) and re.fullmatch(regex, value, re.DOTALL) is not None
    return type(pattern) is type(value) and bool(pattern == value)
