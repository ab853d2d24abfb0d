"""Which names a text mentions: `@ann`, and `@room` for everybody. Whom a name means is the store's to say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from trichat.core.names import name_key

#: Words that mean the room: reserved names, which nobody can have.
_ROOM_WORDS: Final = frozenset({"room", "all", "here", "everyone"})
#: Characters of a name, at most: as many as it may have bytes.
_NAME_CHARS: Final = 64
#: Signs that are part of a word when a letter or digit follows.
_INNER_SIGNS: Final = "._-"

# not in an address (ann@site.org, @ann@site.org), not in a path (site.org/@ann), not where a backslash says so; it
# begins with the @, for which the search leaps (0.2 us in place of 0.9)
_MENTION: Final = re.compile(r"@(?<![\w@./+\\]@)([^\s@#:/,`]++)(?!@)")
_TICKS: Final = re.compile("`+")


#: Of a text that may mention anybody, something; else None. A short look, for the hot path.
find_mention: Final = _MENTION.search


def means_room(name: str) -> bool:
    """Whether the name of a mention means everybody in the room."""
    return name_key(name) in _ROOM_WORDS


def names_in(text: str, most: int) -> list[tuple[str, ...]]:
    """The mentions of a text in their order, each once, at most `most`: what comes after is text.

    Each is what the name may be, the longest first: a name may end in a full stop or hold an apostrophe, and so may
    the sentence ("@ann." and "@ann's"). In code spans and after a backslash nothing is mentioned. Takes a time that
    grows with the text's length alone, whatever is in it. Never raises.
    """
    found: dict[tuple[str, ...], None] = {}
    for written in _written(text):
        if names := _readings(written):
            found[names] = None
        if len(found) >= most:
            break
    return list(found)


def _written(text: str) -> Iterator[str]:
    """What stands behind each @ that may begin a mention, up to a blank or a sign that no account's name has."""
    spans = _code_spans(text)
    begin, end = next(spans, (len(text), len(text)))
    for match in _MENTION.finditer(text):
        while match.start() >= end and begin < len(text):
            begin, end = next(spans, (len(text), len(text)))
        if match.start() < begin:
            yield match[1][: _NAME_CHARS + 1]


def _readings(written: str) -> tuple[str, ...]:
    """All of it; without the signs at its end; its first word. What is too long for a name is none."""
    readings = (written, _unsigned(written), _first_word(written))
    return tuple(dict.fromkeys(name for name in readings if 0 < len(name) <= _NAME_CHARS))


def _unsigned(written: str) -> str:
    end = len(written)
    while end and _is_sign(written[end - 1]):
        end -= 1
    return written[:end]


def _first_word(written: str) -> str:
    for place, sign in enumerate(written):
        if _is_sign(sign) and sign not in _INNER_SIGNS:
            return written[:place].rstrip(_INNER_SIGNS)
    return written.rstrip(_INNER_SIGNS)


def _is_sign(character: str) -> bool:
    """Punctuation, a symbol, or what is not to be seen."""
    return unicodedata.category(character)[0] in "PSC"


def _code_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where code is, as Markdown says: from a run of backticks to the next run of as many; without one, it is text."""
    runs = [match.span() for match in _TICKS.finditer(text)]
    of_length: dict[int, list[int]] = {}  # the runs of each length, the first one last
    for run in reversed(range(len(runs))):
        begin, end = runs[run]
        of_length.setdefault(end - begin, []).append(run)
    at = 0
    while at < len(runs):
        begin, end = runs[at]
        begin += _escaped(text, begin)
        closers = of_length.get(end - begin, [])
        while closers and closers[-1] <= at:
            closers.pop()
        if begin < end and closers:
            yield begin, runs[closers[-1]][1]
            at = closers[-1]
        at += 1


def _escaped(text: str, place: int) -> bool:
    """Whether an odd number of backslashes stands before `place`."""
    before = place
    while before and text[before - 1] == "\\":
        before -= 1
    return (place - before) % 2 == 1
