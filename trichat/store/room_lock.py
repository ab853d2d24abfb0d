"""What is loaded and written under the lock of a room's row. Synchronous functions of a connection.

Whoever numbers an event or changes how people stand to a room holds this lock, `trichat.append` too: so all of it has
one order. Statements after the lock see what was committed before it was had (READ COMMITTED).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Struct, structs

from trichat.core.events import Event, RoomRecord
from trichat.core.judging import no_such_room
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import NOBODY, Actor, Role, RoomRules, Standing
from trichat.store.connection import Connection
from trichat.store.rooms import RECORD, read_record
from trichat.store.writing import durably


class From(Struct, frozen=True):
    """Who acts, and from which address, as the audit says it."""

    actor: Actor
    address: str


class LockedRoom(Struct, frozen=True):
    """A room whose row is locked, and the time, in milliseconds since 1970, at which the lock was had."""

    record: RoomRecord
    now: int

    @property
    def id(self) -> RoomId:
        return self.record.id

    @property
    def rules(self) -> RoomRules:
        return self.record.rules

    def record_at(self, head: int) -> RoomRecord:
        """The record when events up to `head` have been added."""
        return structs.replace(self.record, head=head)


#: Milliseconds since 1970.
NOW_MS: Final = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

# `enable_seqscan` as in trichat.append, for sessions that a pooler shares
_SETTINGS: Final = "SELECT set_config('lock_timeout', %s, true), set_config('enable_seqscan', 'off', true)"
_LOCK: Final = f"SELECT {RECORD} FROM trichat.rooms WHERE id = %s FOR UPDATE"  # noqa: S608 (our own constants)


@contextmanager
def governing(connection: Connection, patience_ms: int) -> Iterator[None]:
    """A transaction that is on disk when it is over. `patience_ms` is for each lock; then the store is unavailable."""
    with durably(connection):
        connection.execute(_SETTINGS, (str(patience_ms),))
        yield


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """A transaction of one snapshot: what somebody may read and what they get are of the same moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def lock_room(connection: Connection, room_id: RoomId) -> LockedRoom:
    """The room, locked until the transaction ends. Raises `no_such_room`."""
    row = connection.execute(_LOCK, (room_id,)).fetchone()
    if row is None:
        raise no_such_room()
    return LockedRoom(read_record(row), clock(connection))


def clock(connection: Connection) -> int:
    """The time in milliseconds since 1970. A statement of its own: one that waits for a lock knows the time before."""
    ((now,),) = connection.execute(f"SELECT {NOW_MS}".encode())
    return int(now)


#: The columns of a Standing; `read_standing` makes one of them.
STANDING: Final = "role, since, invited, muted_until, banned_until, reason"

_STANDINGS: Final = f"""
    SELECT user_id, {STANDING} FROM trichat.standings WHERE room_id = %s AND user_id = ANY (%s)
"""  # noqa: S608 (our own constants)


def read_standing(row: Sequence[Any]) -> Standing:
    """The standing of the columns STANDING."""
    role, since, invited, muted_until, banned_until, reason = row
    return Standing(
        role=None if role is None else Role(role), since=since, invited=invited, muted_until=muted_until,
        banned_until=banned_until, reason=reason,
    )  # fmt: skip


def standings_of(connection: Connection, room_id: RoomId, user_ids: Sequence[UserId]) -> dict[UserId, Standing]:
    """How each of these stands to the room."""
    found = {row[0]: read_standing(row[1:]) for row in connection.execute(_STANDINGS, (room_id, list(user_ids)))}
    return {user_id: found.get(user_id, NOBODY) for user_id in user_ids}


def standing_of(connection: Connection, room_id: RoomId, user_id: UserId) -> Standing:
    return standings_of(connection, room_id, [user_id])[user_id]


# who becomes a member has nothing unread: the event that says so is in the log by then, and counted in `last_no`
_KEEP: Final = """
    INSERT INTO trichat.standings (
        room_id, user_id, name, role, since, invited, muted_until, banned_until, reason, read_seq, read_no
    )
    SELECT
        id, %(user_id)s, %(name)s, %(role)s::smallint, %(since)s, %(invited)s, %(muted)s, %(banned)s, %(reason)s,
        %(since)s, CASE WHEN %(since)s > 0 THEN last_no ELSE 0 END
    FROM trichat.rooms WHERE id = %(room_id)s
    ON CONFLICT (room_id, user_id) DO UPDATE SET
        name = excluded.name, role = excluded.role, since = excluded.since, invited = excluded.invited,
        muted_until = excluded.muted_until, banned_until = excluded.banned_until, reason = excluded.reason,
        read_seq = CASE WHEN standings.since = excluded.since THEN standings.read_seq ELSE excluded.read_seq END,
        read_no = CASE WHEN standings.since = excluded.since THEN standings.read_no ELSE excluded.read_no END
"""
_FORGET: Final = "DELETE FROM trichat.standings WHERE room_id = %s AND user_id = %s"


def write_standings(
    connection: Connection, room_id: RoomId, standings: Mapping[UserId, Standing], names: Mapping[UserId, str]
) -> None:
    """Keep how these stand to the room; of who stands as nobody does, nothing is kept."""
    for user_id, standing in standings.items():
        if standing == NOBODY:
            connection.execute(_FORGET, (room_id, user_id))
            continue
        row = {
            "room_id": room_id, "user_id": user_id, "name": names[user_id], "role": standing.role,
            "since": standing.since, "invited": standing.invited, "muted": standing.muted_until,
            "banned": standing.banned_until, "reason": standing.reason,
        }  # fmt: skip
        connection.execute(_KEEP, row)


def new_event(
    seq: int, kind: str, actor: Actor, now: int, body: bytes, *, cid: str | None = None, target: int | None = None
) -> Event:
    return Event(seq, kind, actor.user_id, actor.user, now, cid, body, target=target)


_ADD_EVENT: Final = """
    INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, cid, digest, target, body, no)
    SELECT
        id, %(seq)s, %(kind)s, %(user_id)s, %(user)s, timestamptz 'epoch' + %(ts)s * interval '1 millisecond',
        %(cid)s, %(digest)s, %(target)s, %(body)s::json, last_no
    FROM trichat.rooms WHERE id = %(room_id)s
"""
_MOVE_HEAD: Final = "UPDATE trichat.rooms SET last_seq = %s WHERE id = %s"


def add_event(connection: Connection, room_id: RoomId, event: Event, digest: int | None = None) -> None:
    """Store the room's next event, which is no message, and move its head. `digest` is there where a `cid` is."""
    row = {
        "room_id": room_id, "seq": event.seq, "kind": event.kind, "user_id": event.user_id, "user": event.user,
        "ts": event.ts, "cid": event.cid, "digest": digest, "target": event.target, "body": event.body.decode(),
    }  # fmt: skip
    connection.execute(_ADD_EVENT, row)
    connection.execute(_MOVE_HEAD, (event.seq, room_id))


_RULES: Final = """
    UPDATE trichat.rooms SET
        title = %(title)s, topic = %(topic)s, member_limit = %(member_limit)s, slow_s = %(slow_s)s,
        send_role = %(send)s, least_sender = %(least)s, history = %(history)s, guests = %(guests)s,
        archived = %(archived)s, language = %(language)s, retention_days = %(retention_days)s
    WHERE id = %(id)s
"""


def rule_params(rules: RoomRules) -> dict[str, Any]:
    """The columns of the room's rules, `kind` too."""
    return {
        "kind": rules.kind, "title": rules.title, "topic": rules.topic, "member_limit": rules.member_limit,
        "slow_s": rules.slow_s, "send": rules.send, "least": rules.least_sender, "history": rules.history,
        "guests": rules.guests, "archived": rules.archived, "language": rules.language,
        "retention_days": rules.retention_days,
    }  # fmt: skip


def write_rules(connection: Connection, room_id: RoomId, rules: RoomRules) -> None:
    connection.execute(_RULES, {"id": room_id, **rule_params(rules)})


_AUDIT: Final = """
    INSERT INTO trichat.audit (actor, actor_id, act, room_id, room, target, target_id, reason, address)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def add_audit(
    connection: Connection,
    by: From,
    act: str,
    room_id: RoomId,
    room: RoomName,
    *,
    target: tuple[str, UserId] | None = None,
    reason: str = "",
) -> None:
    """Write down who did what; `target` is whom it was done to, by name and id."""
    name, user_id = target or (None, None)
    row = (by.actor.user, by.actor.user_id, act, room_id, room, name, user_id, reason, by.address)
    connection.execute(_AUDIT, row)
