"""Replies, threads, and whom a message mentions. Synchronous functions of a connection; raise Refusal.

A thread's root comes before its replies: who may see it may see all of them, and while it is kept all are. So what is
unread is two subtractions, as in `store/unread.py`: of the counts of replies, and of those deleted since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from trichat.chat.people_ports import Access
from trichat.core.account_names import skeleton
from trichat.core.conversation import Marker, Moved, Thread
from trichat.core.errors import Refusal
from trichat.core.events import Event, Person
from trichat.core.names import RoomId, UserId, name_key
from trichat.core.places import Place, check_root, judge_places
from trichat.core.standing import Actor
from trichat.store.acts_reading import demand_reading
from trichat.store.connection import Connection
from trichat.store.markers import beyond, demand_member
from trichat.store.messages import messages_at
from trichat.store.room_lock import NOW_MS, reading
from trichat.store.writing import durably

# places

_PLACES: Final = """
    SELECT seq, thread, deleted FROM trichat.events
    WHERE room_id = %s AND seq = ANY (%s) AND seq >= %s AND kind = 'message'
"""
_SAID: Final = "SELECT FROM trichat.events WHERE room_id = %s AND user_id = %s AND cid = %s"


def check_places(
    connection: Connection, room_id: RoomId, viewer: Actor, *, reply_to: int | None, thread: int | None, cid: str | None
) -> None:
    """Refuses a message that may not stand there, unless it was said before under this `cid`."""
    try:
        with reading(connection):
            access = demand_reading(connection, room_id, viewer)
            seqs = [seq for seq in (reply_to, thread) if seq is not None]
            judge_places(_places(connection, access, seqs), reply_to=reply_to, thread=thread)
    except Refusal:
        if cid is None or connection.execute(_SAID, (room_id, viewer.user_id, cid)).fetchone() is None:
            raise


def _places(connection: Connection, access: Access, seqs: Collection[int]) -> dict[int, Place]:
    rows = connection.execute(_PLACES, (access.record.id, list(seqs), first_seen(access)))
    return {seq: Place(thread, deleted) for seq, thread, deleted in rows}


def first_seen(access: Access) -> int:
    """The first `seq` that whoever stands so may see, of those that are kept."""
    return max(access.standing.first_readable(access.record.rules), access.record.first)


# mentions

_MENTIONED: Final = f"""
    SELECT names.name_key, names.name, names.user_id
    FROM trichat.names
    JOIN trichat.rooms ON rooms.id = %(room_id)s
    LEFT JOIN trichat.standings ON standings.room_id = rooms.id AND standings.user_id = names.user_id
    WHERE names.name_key = ANY (%(keys)s) AND names.free_at >= now() AND CASE
        WHEN starts_with(names.user_id, 'u_') THEN names.free_at = 'infinity' AND standings.role IS NOT NULL
        ELSE rooms.kind = 'public' AND rooms.guests AND coalesce(standings.banned_until, 0) <= {NOW_MS}
    END
"""  # noqa: S608 (our own constants)


def mentioned(connection: Connection, room_id: RoomId, names: Sequence[str]) -> list[Person]:
    """Whom these names, spelled exactly so, mean in the room; see the port."""
    keys = {name: skeleton(name) for name in names}
    rows = connection.execute(_MENTIONED, {"room_id": room_id, "keys": list(set(keys.values()))})
    held = {key: Person(name, UserId(user_id)) for key, name, user_id in rows}
    return people_of(names, keys, held)


def people_of(names: Iterable[str], keys: Mapping[str, str], held: Mapping[str, Person]) -> list[Person]:
    """Who goes by these names, each once: `keys` are the names' skeletons, `held` says who has which."""
    found: dict[UserId, Person] = {}
    for name in names:
        person = held.get(keys[name])
        if person is not None and name_key(person.user) == name_key(name):
            found[person.user_id] = person
    return list(found.values())


# threads

#: Of a thread `t`, and of how somebody follows it.
_STATE: Final = """
    t.root, t.last_no - (
        SELECT count(*) FROM trichat.events d WHERE d.room_id = t.room_id AND d.deleted AND d.thread = t.root
    ), t.last_seq, coalesce(f.following, false), coalesce(f.read_seq, 0), CASE WHEN f.read_seq IS NULL THEN 0 ELSE
        t.last_no - f.read_no - (
            SELECT count(*) FROM trichat.events d
            WHERE d.room_id = t.room_id AND d.deleted AND d.thread = t.root AND d.seq > f.read_seq
        )
    END
"""


def _states(page: str) -> str:
    # each is looked up, once the page is found: a join could be planned as a scan
    return f"""
        SELECT {_STATE}
        FROM ({page}) t
        LEFT JOIN LATERAL (
            SELECT following, read_seq, read_no FROM trichat.follows
            WHERE room_id = t.room_id AND root = t.root AND user_id = %(user_id)s LIMIT 1
        ) f ON true
        ORDER BY t.last_seq DESC
    """  # noqa: S608 (our own constants)


_EVERY: Final = _states("""
    SELECT room_id, root, last_no, last_seq FROM trichat.threads
    WHERE room_id = %(room_id)s AND root >= %(first)s AND last_seq < %(before)s
    ORDER BY last_seq DESC LIMIT %(limit)s
""")
_FOLLOWED: Final = _states("""
    SELECT t.room_id, t.root, t.last_no, t.last_seq
    FROM trichat.follows
    CROSS JOIN LATERAL (
        SELECT * FROM trichat.threads WHERE room_id = follows.room_id AND root = follows.root LIMIT 1
    ) t
    WHERE follows.user_id = %(user_id)s AND follows.room_id = %(room_id)s AND follows.following
        AND t.root >= %(first)s AND t.last_seq < %(before)s
    ORDER BY t.last_seq DESC LIMIT %(limit)s
""")
# of a message that has no reply yet too
_ONE: Final = _states("""
    SELECT %(room_id)s::bigint AS room_id, %(root)s::bigint AS root, coalesce(max(last_no), 0) AS last_no,
        coalesce(max(last_seq), 0) AS last_seq
    FROM trichat.threads WHERE room_id = %(room_id)s AND root = %(root)s
""")
_END_OF_LOG: Final = 2**63 - 1


def threads(
    connection: Connection, room_id: RoomId, viewer: Actor, *, every: bool, before: int | None, limit: int
) -> list[Thread]:
    """Threads whose root the viewer may see, the last replied to first; see the port."""
    with reading(connection):
        access = demand_reading(connection, room_id, viewer)
        params = {
            "room_id": room_id, "user_id": viewer.user_id, "first": first_seen(access),
            "before": _END_OF_LOG if before is None else before, "limit": limit,
        }  # fmt: skip
        rows = connection.execute(_EVERY if every else _FOLLOWED, params).fetchall()
        return _with_roots(connection, room_id, viewer, rows)


def _with_roots(
    connection: Connection, room_id: RoomId, viewer: Actor, rows: Sequence[tuple[Any, ...]]
) -> list[Thread]:
    roots = messages_at(connection, [(room_id, row[0]) for row in rows], viewer.user_id)
    return [_thread(roots[room_id, row[0]], row) for row in rows if (room_id, row[0]) in roots]


def _thread(root: Event, row: Sequence[Any]) -> Thread:
    _, replies, last_seq, following, read_seq, unread = row
    return Thread(root, replies, last_seq, following, Marker(read_seq, unread))


# Who follows begins where the thread stands: what was said before they wanted to hear of it is not unread.
_FOLLOW: Final = """
    INSERT INTO trichat.follows (room_id, root, user_id, following, read_seq, read_no)
    SELECT %(room_id)s, %(root)s, %(user_id)s, %(following)s,
        coalesce(max(last_seq), %(root)s), coalesce(max(last_no), 0)
    FROM trichat.threads WHERE room_id = %(room_id)s AND root = %(root)s
    ON CONFLICT (room_id, root, user_id) DO UPDATE SET
        following = excluded.following, read_seq = greatest(follows.read_seq, excluded.read_seq),
        read_no = greatest(follows.read_no, excluded.read_no)
    WHERE follows.following <> excluded.following
"""


def follow(connection: Connection, room_id: RoomId, viewer: Actor, root: int, *, following: bool) -> Thread:
    """Follow a thread, or no more; see the port. Who follows it already, or does not, has their marker left alone."""
    with durably(connection):
        _demand_root(connection, room_id, viewer, root)
        params = {"room_id": room_id, "user_id": viewer.user_id, "root": root, "following": following}
        connection.execute(_FOLLOW, params)
        rows = connection.execute(_ONE, params).fetchall()
        return _with_roots(connection, room_id, viewer, rows)[0]


def _demand_root(connection: Connection, room_id: RoomId, viewer: Actor, root: int) -> Access:
    """How a member stands to the room, in which a thread can hang on the message `root`. Raises Refusal."""
    access = demand_reading(connection, room_id, viewer)
    demand_member(access.record.rules, viewer, access.standing, access.now)
    check_root(_places(connection, access, [root]), root)
    return access


# of one's own row alone, as `store/markers.py`; no row comes back where nothing is to be changed
_READ: Final = """
    INSERT INTO trichat.follows (room_id, root, user_id, following, read_seq, read_no)
    SELECT %(room_id)s, %(root)s, %(user_id)s, true, %(seq)s, coalesce((
        SELECT thread_no FROM trichat.events
        WHERE room_id = %(room_id)s AND thread = %(root)s AND seq <= %(seq)s ORDER BY seq DESC LIMIT 1
    ), 0)
    ON CONFLICT (room_id, root, user_id) DO UPDATE SET
        following = true, read_seq = greatest(follows.read_seq, excluded.read_seq),
        read_no = greatest(follows.read_no, excluded.read_no)
    WHERE follows.read_seq < excluded.read_seq OR NOT follows.following
    RETURNING read_seq
"""


def read_thread(connection: Connection, room_id: RoomId, viewer: Actor, root: int, seq: int) -> Moved:
    """Move the marker of a thread forward to `seq`; see the port."""
    with durably(connection):
        access = _demand_root(connection, room_id, viewer, root)
        if seq > access.record.head:
            raise beyond(access.record.head)
        params = {"room_id": room_id, "user_id": viewer.user_id, "root": root, "seq": seq}
        moved = connection.execute(_READ, params).fetchone() is not None
        row = connection.execute(_ONE, params).fetchone()
    assert row is not None
    return Moved(Marker(row[4], row[5]), moved)
