"""The transcripts of the documents: found in Markdown, and held against what a server says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyotp
from msgspec import Struct

from trichat.vault.totp import STEP_S

ROOT: Final = Path(__file__).resolve().parents[2]
#: The documents of the protocol.
PROTOCOL: Final = (
    "docs/protocol.md", "docs/protocol-accounts.md", "docs/protocol-rooms.md", "docs/protocol-conversation.md",
)  # fmt: skip
#: In the place of who says a line: it is typed on the server's command line.
SHELL: Final = "$"

_LINE: Final = re.compile(r"(?P<who>[a-z]*)(?P<way>[<>]) (?P<text>.*)|\$ (?P<command>.*)")
#: Stands for whatever differs each time: alone for any value, in a string for any part of it, as a line for any lines.
_ANYTHING: Final = "…"
_GOODBYE: Final = '"type":"goodbye"'
#: The same at the end of an object: more members.
_MORE: Final = ",…}"
#: Stands for what differs each time and is said again later: «token». What an authenticator shows: «code of secret».
_NAMED: Final = re.compile(r"«(?P<code>code of )?(?P<name>\w+)»")


class Names(dict[str, str]):
    """What the names in a document stand for; `fill` says it again."""

    def __init__(self) -> None:
        super().__init__()
        self._codes_used = 0

    def fill(self, line: str) -> str:
        return _NAMED.sub(self._value, line)

    def _value(self, found: re.Match[str]) -> str:
        value = self[found["name"]]
        if not found["code"]:
            return value
        # a code counts once: the next one is of the next 30 seconds, which the server takes too
        self._codes_used += 1
        return pyotp.TOTP(value).generate_otp(int(time.time()) // STEP_S + self._codes_used - 1)


class Step(Struct, frozen=True):
    """What one client (or the operator) says, and what it hears before anybody says the next thing."""

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
        if parts is None:
            assert who == SHELL, f"not a line of a transcript: {line}"
            hears.append(line)
            continue
        speaker = SHELL if parts["command"] else parts["who"]
        ended = bool(hears) and _GOODBYE in hears[-1]  # what follows is heard on another connection
        begins = parts["way"] != "<" or speaker != who or ended
        if begins:
            if says is not None or hears:
                yield Step(who, says, tuple(hears))
            who, says, hears = speaker, None, []
        if parts["way"] == "<":
            hears.append(parts["text"])
        else:
            says = parts["command"] or parts["text"]
    yield Step(who, says, tuple(hears))


def match_all(expected: tuple[str, ...], heard: list[dict[str, Any]], names: Names | None = None) -> None:
    """Each frame that was heard is one that was expected, in any order. Raises AssertionError.

    What has a name is looked up in `names`, and what has a new one is put there.
    """
    left = list(heard)
    names = Names() if names is None else names
    for line in expected:
        for message in left:
            found = dict(names)
            if matches(_decode(line), message, found):
                names.update(found)
                left.remove(message)
                break
        else:
            raise AssertionError(f"expected {line}\nheard {[json.dumps(message) for message in left]}")
    assert not left, f"not expected: {left}"


def match_output(expected: tuple[str, ...], printed: list[str], names: Names) -> None:
    """The lines that were printed are as expected, but for the width of blanks. Raises AssertionError."""
    pattern = "\n".join(_plain(line) for line in expected)
    found = dict(names)
    said = "\n".join(_plain(line) for line in printed)
    assert _fits(pattern, said, found), f"expected\n{pattern}\nprinted\n{said}"
    names.update(found)


def _plain(line: str) -> str:
    return re.sub(" +", " ", line).rstrip()


def _decode(line: str) -> Any:
    return json.loads(line.replace(_MORE, f',"{_ANYTHING}":"{_ANYTHING}"}}'))


def matches(pattern: Any, value: Any, names: dict[str, str] | None = None) -> bool:
    """Whether `value` is what `pattern` says, member by member, nothing more and nothing less.

    `names` has what names stand for so far; new ones are added, also when all of it does not match in the end.
    """
    names = {} if names is None else names
    if pattern == _ANYTHING:
        return True
    if isinstance(pattern, dict):
        return isinstance(value, dict) and _matches_members(pattern, value, names)
    if isinstance(pattern, list):
        same = isinstance(value, list) and len(pattern) == len(value)
        return same and all(matches(one, other, names) for one, other in zip(pattern, value, strict=True))
    if isinstance(pattern, str):
        return isinstance(value, str) and _fits(pattern, value, names)
    return type(pattern) is type(value) and bool(pattern == value)


def _matches_members(pattern: dict[str, Any], value: dict[str, Any], names: dict[str, str]) -> bool:
    shown = [name for name in pattern if name != _ANYTHING]
    written = list(value)[: len(shown)] if _ANYTHING in pattern else list(value)
    return shown == written and all(matches(pattern[name], value[name], names) for name in shown)


def _fits(pattern: str, text: str, names: dict[str, str]) -> bool:
    regex = ""
    new: set[str] = set()
    for part in re.split("(…|«[^»]*»)", pattern):
        named = _NAMED.fullmatch(part)
        if part == _ANYTHING:
            regex += ".+"
        elif named is None:
            regex += re.escape(part)
        elif named["name"] in names:
            regex += re.escape(names[named["name"]])
        elif named["name"] in new:
            regex += f"(?P={named['name']})"
        else:
            new.add(named["name"])
            regex += f"(?P<{named['name']}>.+)"
    found = re.fullmatch(regex, text, re.DOTALL)
    if found is None:
        return False
    names.update(found.groupdict())
    return True
