"""What a search asks for: from a line that somebody typed to a Query, or `bad_field` that says what to type.

`blue "red car" hel* -green from:ann in:dev before:2026-11-24 after:2026-01-01 has:link`: all of it must hold, but for
several `from:`, of which one must. Days are those of UTC: `before:` a day begins, `after:` it has ended.
"""

from __future__ import annotations

import re
from calendar import timegm
from contextlib import suppress
from datetime import date
from typing import Final, Literal, get_args

from msgspec import Struct

from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.names import RoomName, UserId, parse_room_name

Has = Literal["link", "mention", "reply", "edit"]
HAS: Final[dict[str, Has]] = {has: has for has in get_args(Has)}

_DAY_MS: Final = 86_400_000
_FILTERS: Final = ("from", "in", "before", "after", "has")
#: A filter's value, a phrase, or what stands between blanks; with a - before it, it must not be there.
_TERM: Final = re.compile(
    r'(?P<minus>-?)(?:(?P<filter>[A-Za-z]+):"?(?P<value>[^\s"]*)"?|"(?P<phrase>[^"]*)"?|(?P<word>\S+))'
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KEY: Final = re.compile(r"([0-9]{1,15})\.([0-9]{1,18})\.([0-9]{1,18})")
#: Letters that a prefix needs at least: with one it would be half of all words.
_PREFIX_LETTERS: Final = 2
_EXAMPLE: Final = 'say a word, a "phrase" or from:ann'


class Query(Struct, frozen=True, kw_only=True):
    """What a message must be to be found. Words are as they were typed: each store folds them as it does its texts."""

    phrases: tuple[str, ...] = ()  # words are phrases of one
    prefixes: tuple[str, ...] = ()  # beginnings of words
    excluded: tuple[str, ...] = ()  # phrases that must not be there
    names: tuple[str, ...] = ()  # of people, one of whom must have said it
    authors: tuple[UserId, ...] = ()  # whom `names` mean: put in by who can look that up
    room: RoomName | None = None
    before: int | None = None  # milliseconds since 1970; it was said earlier
    after: int | None = None  # milliseconds since 1970; it was said then or later
    has: tuple[Has, ...] = ()

    @property
    def terms(self) -> int:
        return len(self.phrases) + len(self.prefixes) + len(self.excluded) + len(self.names) + len(self.has)


class Place(Struct, frozen=True, order=True):
    """Where a found message stands in the order of all, which is that of time: `ts` in milliseconds since 1970."""

    ts: int
    room_id: int
    seq: int

    @property
    def key(self) -> str:
        return f"{self.ts}.{self.room_id}.{self.seq}"


#: After every message: where the newest are found.
THE_END: Final = Place(10**15 - 1, 0, 0)


def parse_place(key: str) -> Place:
    """The place that a client has said to go on before; the end when it said none. Raises `bad_field`."""
    if not key:
        return THE_END
    found = _KEY.fullmatch(key)
    if found is None:
        raise Refusal("bad_field", "before is the key of a found message, as the page before said it", field="before")
    ts, room_id, seq = map(int, found.groups())
    return Place(ts, room_id, seq)


def parse_query(text: str, limits: Limits) -> Query:
    """What `text` asks for. Raises Refusal: `too_long`, or `bad_field` that says what to type."""
    if len(text) > limits.query_bytes or len(text.encode(errors="surrogatepass")) > limits.query_bytes:
        raise Refusal("too_long", f"a search has at most {limits.query_bytes} bytes; take fewer words", field="text")
    gathered = _Gathered(limits)
    for term in _TERM.finditer(text):
        gathered.take(term)
    return gathered.query()


class _Gathered:
    """What has been read so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._phrases: list[str] = []
        self._prefixes: list[str] = []
        self._excluded: list[str] = []
        self._names: list[str] = []
        self._has: list[Has] = []
        self._room: RoomName | None = None
        self._before: int | None = None
        self._after: int | None = None
        self._wildcards = False  # that stand for any word at all

    def take(self, term: re.Match[str]) -> None:
        name = (term["filter"] or "").lower()  # the keyboards of telephones begin a line with a capital letter
        if name in _FILTERS:
            if term["minus"]:
                raise _refused(f"a - goes before words and phrases alone; leave {term[0]} out")
            return self._filter(name, term["value"])
        said = term["phrase"]
        if said is None:
            return self._word(term["word"] or term[0][len(term["minus"]) :], minus=bool(term["minus"]))
        return self._phrase(said, minus=bool(term["minus"]))

    def query(self) -> Query:
        query = Query(
            phrases=tuple(self._phrases), prefixes=tuple(self._prefixes), excluded=tuple(self._excluded),
            names=tuple(self._names), room=self._room, before=self._before, after=self._after, has=tuple(self._has),
        )  # fmt: skip
        if query.terms > self._limits.query_terms:
            raise _refused(f"a search has at most {self._limits.query_terms} words and filters; leave some out")
        if query.terms > len(self._excluded):
            return query
        if self._wildcards:
            raise _refused(f"a * alone stands for everything; put {_PREFIX_LETTERS} letters before it, as in hel*")
        if self._excluded:
            raise _refused(f"there are only words that must not be there; {_EXAMPLE} as well")
        if (self._room, self._before, self._after) != (None, None, None):
            raise _refused(f"in:, before: and after: say where to search; {_EXAMPLE} as well")
        raise _refused(f"there is nothing to search for; {_EXAMPLE}")

    def _filter(self, name: str, value: str) -> None:
        if not value:
            raise _refused(f"{name}: needs something right behind it; {_MEANT[name]}")
        match name:
            case "from":
                self._names.append(value.removeprefix("@"))
            case "in":
                self._in(value)
            case "has":
                self._has.append(_has(value))
            case "before":
                day = _day(name, value)
                self._before = day if self._before is None else min(self._before, day)
            case _:
                day = _day(name, value) + _DAY_MS
                self._after = day if self._after is None else max(self._after, day)

    def _in(self, value: str) -> None:
        room = parse_room_name(value, self._limits.name_bytes, "text")
        if self._room not in (None, room):
            raise _refused("in: names one room; to search all of yours leave it out")
        self._room = room

    def _word(self, said: str, *, minus: bool) -> None:
        word = said.rstrip("*")
        letters = sum(map(str.isalnum, word))
        if not letters or "*" not in said:
            self._wildcards |= "*" in said
            return self._phrase(word, minus=minus)
        if minus:
            raise _refused(f"a word with * cannot be excluded; leave -{said} out")
        if "*" in word or letters < _PREFIX_LETTERS:
            raise _refused(f"a * stands at the end of a word of {_PREFIX_LETTERS} letters or more, as in hel*")
        self._prefixes.append(word)
        return None

    def _phrase(self, said: str, *, minus: bool) -> None:
        if any(map(str.isalnum, said)):  # else it has no word: nothing is kept of it in an index
            (self._excluded if minus else self._phrases).append(said)


_MEANT: Final = {
    "from": "from:ann is what ann said",
    "in": "in:lobby is what was said there",
    "before": "before:2026-11-24 is what was said before that day",
    "after": "after:2026-11-24 is what was said after that day",
    "has": f"has: is followed by {', '.join(HAS)}",
}


def _has(value: str) -> Has:
    if value not in HAS:
        raise _refused(f"has: is followed by one of {', '.join(HAS)}")
    return HAS[value]


def _day(name: str, value: str) -> int:
    """The beginning of that day, in milliseconds since 1970."""
    if _DATE.fullmatch(value):
        with suppress(ValueError):  # no day has that number
            return timegm(date.fromisoformat(value).timetuple()) * 1000
    raise _refused(f"{name}: is followed by a day, such as 2026-11-24")


def _refused(message: str) -> Refusal:
    return Refusal("bad_field", message, field="text")
