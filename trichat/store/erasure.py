"""A person is erased. Synchronous functions of a connection, each one transaction, all of which may run again.

Nothing tells which events are somebody's: all are looked at, in the order of their key, so many in a transaction.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from trichat.core.accounts import ERASED, Account
from trichat.core.events import Event
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import is_account
from trichat.store.administration import end_everything, lock_account, note
from trichat.store.cluster import note_change
from trichat.store.connection import Connection
from trichat.store.erased import trace_of
from trichat.store.writing import durably

#: Events, or entries of the audit, that one transaction looks at.
PORTION: Final = 5_000

Place = tuple[int, int]  # an event's: its room's id and its seq
START: Final[Place] = (0, 0)
_END: Final[Place] = (2**63 - 1, 2**63 - 1)


class Found(Struct, frozen=True):
    """An event by or about somebody, or that mentions them; `room` is None when the room was deleted."""

    room_id: RoomId
    room: RoomName | None
    event: Event


_END_OF_PORTION: Final = """
    SELECT room_id, seq FROM trichat.events WHERE (room_id, seq) > (%s, %s) ORDER BY room_id, seq OFFSET %s LIMIT 1
"""
_THEIRS: Final = """
    SELECT e.room_id, r.name, e.seq, e.kind, e.user_id, e.user_name, floor(extract(epoch FROM e.ts) * 1000)::bigint,
        e.cid, e.body::text, coalesce(e.rev, 0), e.target, e.thread
    FROM trichat.events e LEFT JOIN trichat.rooms r ON r.id = e.room_id
    WHERE (e.room_id, e.seq) > (%(room_after)s, %(after)s) AND (e.room_id, e.seq) <= (%(room_to)s, %(to)s)
        AND (
            e.user_id = %(user_id)s
            OR CASE
                WHEN e.kind = 'member' THEN e.body->>'user_id' = %(user_id)s
                WHEN e.kind IN ('message', 'edited') THEN strpos(e.body::text, %(trace)s) > 0
                ELSE false
            END
        )
    ORDER BY e.room_id, e.seq
"""


def find_events(
    connection: Connection, user_id: UserId, after: Place, portion: int
) -> tuple[list[Found], Place | None]:
    """Those by or about them, or that mention them, among the next `portion` events of all; where to go on, or None
    at the end."""
    row = connection.execute(_END_OF_PORTION, (*after, portion - 1)).fetchone()
    end: Place | None = None if row is None else (row[0], row[1])
    return find_between(connection, user_id, after, end), end


def find_between(connection: Connection, user_id: UserId, after: Place, end: Place | None) -> list[Found]:
    """Those after `after`, up to and with `end`; None: up to the end of all."""
    to = end or _END
    places = {"room_after": after[0], "after": after[1], "room_to": to[0], "to": to[1]}
    rows = connection.execute(_THEIRS, {"user_id": user_id, "trace": trace_of(user_id).decode(), **places})
    return [
        Found(room_id, room, Event(seq, kind, author, name, ts, cid, body.encode(), rev, target, thread))
        for room_id, room, seq, kind, author, name, ts, cid, body, rev, target, thread in rows
    ]


# who resolved a report or made a code before version 4 is often known by name alone: by a name of theirs that is nobody
# else's now
_NAMES: Final = """
    SELECT name FROM (
        SELECT name FROM trichat.users WHERE id = %(user_id)s
        UNION SELECT name FROM trichat.names WHERE user_id = %(user_id)s
        UNION SELECT name FROM trichat.standings WHERE user_id = %(user_id)s
        UNION SELECT actor FROM trichat.audit WHERE actor_id = %(user_id)s
        UNION SELECT target FROM trichat.audit WHERE target_id = %(user_id)s
    ) had
    WHERE NOT EXISTS (SELECT FROM trichat.names h WHERE h.name = had.name AND h.user_id <> %(user_id)s)
"""


_RESOLVED: Final = "(resolved_by_id = %(user_id)s OR resolved_by_id IS NULL AND resolved_by = ANY (%(names)s))"
#: Which codes are theirs: `names` are what `names_of` gives.
MADE: Final = "(made_by_id = %(user_id)s OR made_by_id IS NULL AND made_by = ANY (%(names)s))"


def names_of(connection: Connection, user_id: UserId) -> list[str]:
    """The names that they have or had, but for those that others have now."""
    return [str(name) for (name,) in connection.execute(_NAMES, {"user_id": user_id})]


def begin(connection: Connection, user_id: UserId, *, operator: str) -> None:
    """The account is deactivated; what they said of others goes. By its name it can still be found."""
    with durably(connection):
        if is_account(user_id):
            lock_account(connection, user_id)
            connection.execute("UPDATE trichat.users SET active = false, admin = false WHERE id = %s", (user_id,))
        note(connection, operator, "erase", Account(user_id=user_id, name=ERASED))
        connection.execute("DELETE FROM trichat.blocks WHERE %s IN (user_id, blocked_id)", (user_id,))
        connection.execute(
            "UPDATE trichat.reports SET reporter = %s, reason = '' WHERE reporter_id = %s", (ERASED, user_id)
        )
        them = {"erased": ERASED, "user_id": user_id, "names": names_of(connection, user_id)}
        connection.execute(f"UPDATE trichat.reports SET resolved_by = %(erased)s WHERE {_RESOLVED}", them)  # noqa: S608
        connection.execute(f"UPDATE trichat.invites SET made_by = %(erased)s WHERE {MADE}", them)  # noqa: S608
        if is_account(user_id):
            end_everything(connection, user_id)


_ERASE_AUDIT: Final = """
    WITH portion AS (
        SELECT number FROM trichat.audit WHERE number > %(after)s ORDER BY number LIMIT %(portion)s
    ), blanked AS (
        UPDATE trichat.audit SET
            actor = CASE WHEN actor_id = %(user_id)s THEN %(erased)s ELSE actor END,
            address = CASE WHEN actor_id = %(user_id)s THEN '' ELSE address END,
            target = CASE WHEN target_id = %(user_id)s THEN %(erased)s ELSE target END
        FROM portion
        WHERE audit.number = portion.number AND %(user_id)s IN (actor_id, target_id)
    )
    SELECT max(number) FROM portion
"""


def erase_audit(connection: Connection, user_id: UserId, after: int, portion: int) -> int | None:
    """The names (and from where they acted) in the next `portion` entries go; where to go on, or None at the end."""
    with durably(connection):
        connection.execute("SET LOCAL trichat.erasing = 'on'")
        params = {"user_id": user_id, "after": after, "portion": portion, "erased": ERASED}
        ((end,),) = connection.execute(_ERASE_AUDIT, params)
    return None if end is None else int(end)


_BLANK: Final = """
    UPDATE trichat.users SET
        name = %s, password_hash = NULL, totp_secret = NULL, recovery_hash = NULL, recovery_until = NULL,
        display_name = '', about = '', avatar = '', locale = '', time_zone = '', issuer = NULL, subject = NULL,
        hidden = false, last_seen_at = NULL
    WHERE id = %s
"""


# how far they have read stays: it says nothing without a name
_BLANK_STANDINGS: Final = "UPDATE trichat.standings SET name = %s, level = 'all', quiet_until = 0 WHERE user_id = %s"
# what waits for them is of rooms that they are members of
_FORGET_OUTGOING: Final = """
    DELETE FROM trichat.outgoing o USING trichat.standings s
    WHERE s.user_id = %(user_id)s AND o.room_id = s.room_id AND o.user_id = %(user_id)s
"""


def finish(connection: Connection, user_id: UserId) -> None:
    """The profile goes, and what they follow, and their names are free."""
    with durably(connection):
        note_change(connection)  # the texts are gone from the store before the nodes forget them
        connection.execute(_BLANK, (ERASED, user_id))
        connection.execute(_FORGET_OUTGOING, {"user_id": user_id})
        connection.execute("DELETE FROM trichat.follows WHERE user_id = %s", (user_id,))
        connection.execute(_BLANK_STANDINGS, (ERASED, user_id))
        connection.execute("DELETE FROM trichat.pace WHERE user_id = %s", (user_id,))
        connection.execute("DELETE FROM trichat.names WHERE user_id = %s", (user_id,))
