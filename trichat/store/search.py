"""Searching. Synchronous functions of a connection; what is refused raises Refusal.

What is found stands in the order of time (`core.query.Place`). It comes from three places, all in one snapshot: what is
not in the index yet is looked through as it is; then the newest entries of the index, by their order, where words that
are frequent fill a page at once; and for rare words the inverted index, which knows no order, but has few of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import errors

from trichat.core.conversation import Found
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.names import RoomId, RoomName
from trichat.core.query import Place, Query
from trichat.core.standing import Actor
from trichat.store.connection import Connection
from trichat.store.found import Showing, shown
from trichat.store.room_lock import reading
from trichat.store.search_scopes import Scope, scopes_of
from trichat.store.tsquery import Wanted, wanted_by

#: Rooms up to which the inverted index is asked for them too: it looks for each of them wherever a word is.
_ROOMS_IN_INDEX: Final = 32


class Asked(Struct, frozen=True):
    """Who searches, where (None: in the rooms that they are a member of), what for, and which page."""

    viewer: Actor
    rooms: Sequence[RoomName] | None
    query: Query
    before: Place
    limit: int


def search(connection: Connection, asked: Asked, limits: Limits) -> list[Found]:
    """Messages that fit, newest first; see the port."""
    until = time.monotonic() + limits.search_s
    try:
        with reading(connection):
            _limit_time(connection, until)
            scopes = scopes_of(connection, asked.viewer, asked.rooms, most=limits.search_rooms)
            if sum(scope.tail for scope in scopes) > limits.search_tail:
                raise _behind()
            wanted = wanted_by(connection, asked.query, {scope.record.rules.language for scope in scopes})
            scopes = [scope for scope in scopes if scope.record.rules.language in wanted]
            looking = _Search(connection, asked, limits, scopes=scopes, wanted=wanted, until=until)
            places = looking.find() if scopes else []
            return shown(connection, places, scopes, Showing(asked.viewer.user_id, wanted, limits.snippet_chars))
    except errors.QueryCanceled:
        raise _too_slow() from None


def _behind() -> Refusal:
    said = "much was said that is not in the index of searches yet; ask again in a moment, or for one room"
    return Refusal("unavailable", said, retry_after_ms=1000)


def _too_slow() -> Refusal:
    said = "too much fits for the time that a search may take; narrow it down by in:, after: or rarer words"
    return Refusal("limit_reached", said, field="text")


_LIMIT_TIME: Final = """
    SELECT set_config('statement_timeout', %s, true), set_config('enable_seqscan', 'off', true),
        set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
"""


def _limit_time(connection: Connection, until: float) -> None:
    """What comes next ends by `until`, which is before the call is given up, and its connection with it."""
    connection.execute(_LIMIT_TIME, (str(max(1, round((until - time.monotonic()) * 1000))),))


class _Search:
    """One search under way: in these rooms, for this in each of their languages."""

    def __init__(
        self, connection: Connection, asked: Asked, limits: Limits, *, scopes: list[Scope], wanted: dict[str, Wanted],
        until: float,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._asked = asked
        self._limits = limits
        self._scopes = scopes
        self._wanted = wanted
        self._until = until

    def find(self) -> list[Place]:
        """The first `limit` places, newest first."""
        day = self._asked.query.before
        start = self._asked.before if day is None else min(self._asked.before, Place(day, 0, 0))
        limit = self._asked.limit
        found: list[Place] = []
        if any(scope.tail for scope in self._scopes):
            found += [Place(*row) for row in self._rows(_TAIL, start, limit)]
        scanned = self._rows(_NEWEST_OF_ONE if len(self._scopes) == 1 else _NEWEST, start, limit)
        newest = [Place(*place) for *place, fits, _ in scanned if fits]
        found += newest
        if scanned and scanned[-1][4] and len(newest) < limit:  # it stopped before the end of the index
            found += [Place(*row) for row in self._rows(_INVERTED, Place(*scanned[-1][:3]), limit - len(newest))]
        return sorted(found, reverse=True)[:limit]

    def _rows(self, statement: str, before: Place, limit: int) -> list[tuple[Any, ...]]:
        _limit_time(self._connection, self._until)
        return self._connection.execute(statement, self._params(before, limit)).fetchall()

    def _params(self, before: Place, limit: int) -> dict[str, Any]:
        languages = list(self._wanted)
        return {
            "rooms": [scope.record.id for scope in self._scopes],
            "firsts": [scope.first for scope in self._scopes],
            "indexed": [scope.indexed for scope in self._scopes],
            "languages": [languages.index(scope.record.rules.language) + 1 for scope in self._scopes],
            "configs": languages,
            "queries": [wanted.all for wanted in self._wanted.values()],
            "any": " | ".join(f"({wanted.all})" for wanted in self._wanted.values()),
            "inverted": self._inverted(),
            "after": max(self._asked.query.after or 0, 0),
            "ts": before.ts, "room_id": before.room_id, "seq": before.seq,
            "limit": limit, "scan": self._limits.search_scan, "one_room": self._scopes[0].record.id,
        }  # fmt: skip

    def _inverted(self) -> str:
        """The question to the inverted index."""
        if len(self._wanted) == 1 and len(self._scopes) > _ROOMS_IN_INDEX:
            return next(iter(self._wanted.values())).all
        return " | ".join(
            f"(({_any_of(s.record.id for s in self._scopes if s.record.rules.language == language)}) & ({wanted.all}))"
            for language, wanted in self._wanted.items()
        )


def _any_of(room_ids: Iterable[RoomId]) -> str:
    return " | ".join(f"'#{room_id}'" for room_id in room_ids)


_MS: Final = "floor(extract(epoch FROM {}) * 1000)::bigint"
_TIME: Final = "timestamptz 'epoch' + {} * interval '1 millisecond'"
_SCOPES: Final = """
    scopes AS MATERIALIZED (
        SELECT * FROM unnest(%(rooms)s::bigint[], %(firsts)s::bigint[], %(indexed)s::bigint[], %(languages)s::int[])
            AS scope (room_id, first, indexed, language)
    )
"""
# A day before which it must be is in the place: the order is that of time.
_SPAN: Final = f"""
    (m.ts, m.room_id, m.seq) < ({_TIME.format("%(ts)s::bigint")}, %(room_id)s::bigint, %(seq)s::bigint)
    AND m.ts >= {_TIME.format("%(after)s::bigint")}
"""
_NEWEST_FIRST: Final = "m.ts DESC, m.room_id DESC, m.seq DESC"
_PLACE: Final = f"{_MS.format('m.ts')}, m.room_id, m.seq"

_TAIL: Final = f"""
    WITH {_SCOPES}
    SELECT {_PLACE}
    FROM scopes CROSS JOIN LATERAL (
        SELECT e, e.room_id, e.seq, e.ts FROM trichat.events e
        WHERE e.room_id = scopes.room_id AND e.seq > scopes.indexed AND e.seq >= scopes.first
            AND e.kind = 'message' AND NOT e.deleted
    ) m
    WHERE {_SPAN} AND trichat.search_vector((%(configs)s::text[])[scopes.language], m.e)
        @@ (%(queries)s::tsquery[])[scopes.language]
    ORDER BY {_NEWEST_FIRST} LIMIT %(limit)s
"""  # noqa: S608 (our own constants)


def _newest(of_room: str, order: str) -> str:
    # what fits, and in its place the entry at which the scan has stopped, if it has
    return f"""
        WITH {_SCOPES}
        SELECT {_PLACE}, m.fits, m.row = %(scan)s
        FROM (
            SELECT m.*, coalesce(
                m.seq BETWEEN scopes.first AND scopes.indexed AND m.vector @@ (%(queries)s::tsquery[])[scopes.language],
                false
            ) AS fits
            FROM (
                SELECT m.*, row_number() OVER (ORDER BY {order}) AS row
                FROM trichat.search m WHERE {of_room} {_SPAN}
                ORDER BY {order} LIMIT %(scan)s
            ) m LEFT JOIN scopes USING (room_id)
            WHERE m.vector @@ %(any)s::tsquery OR m.row = %(scan)s  -- before the rooms are looked at
        ) m
        WHERE m.fits OR m.row = %(scan)s
        ORDER BY {_NEWEST_FIRST} LIMIT %(limit)s
    """  # noqa: S608 (our own constants)


_NEWEST_OF_ONE: Final = _newest(
    f"m.room_id = %(one_room)s AND m.ts <= {_TIME.format('%(ts)s::bigint')} AND", "m.ts DESC, m.seq DESC"
)
_NEWEST: Final = _newest("", _NEWEST_FIRST)

# apart, so that the order of time tempts nobody to walk through all of it
_INVERTED: Final = f"""
    WITH {_SCOPES}, fitting AS MATERIALIZED (
        SELECT room_id, seq, ts FROM trichat.search WHERE vector @@ %(inverted)s::tsquery
    )
    SELECT {_PLACE}
    FROM fitting m JOIN scopes USING (room_id)
    WHERE m.seq BETWEEN scopes.first AND scopes.indexed AND {_SPAN}
    ORDER BY {_NEWEST_FIRST} LIMIT %(limit)s
"""  # noqa: S608 (our own constants)
