"""What is known of people: profiles, who somebody is, whom they block. Synchronous functions of a connection."""

from __future__ import annotations

from typing import Any, Final

from trichat.core.account_names import skeleton
from trichat.core.accounts import ProfileFields, PublicProfile
from trichat.core.events import Person
from trichat.core.names import UserId, given_name, name_key
from trichat.core.standing import is_account
from trichat.store.connection import Connection
from trichat.store.people import name_of
from trichat.store.writing import durably

_PROFILE: Final = "SELECT display_name, about, avatar, locale, time_zone FROM trichat.users WHERE id = %s"
_SET_PROFILE: Final = """
    UPDATE trichat.users SET display_name = %s, about = %s, avatar = %s, locale = %s, time_zone = %s WHERE id = %s
"""


def profile(connection: Connection, user_id: UserId) -> ProfileFields | None:
    """What the account says of itself; None when there is none."""
    row = connection.execute(_PROFILE, (user_id,)).fetchone()
    return None if row is None else _fields(*row)


def _fields(display_name: str, about: str, avatar: str, locale: str, time_zone: str) -> ProfileFields:
    return ProfileFields(display_name=display_name, about=about, avatar=avatar, locale=locale, time_zone=time_zone)


def set_profile(connection: Connection, user_id: UserId, fields: ProfileFields) -> None:
    """Replace what the account says of itself."""
    row = (fields.display_name, fields.about, fields.avatar, fields.locale, fields.time_zone, user_id)
    connection.execute(_SET_PROFILE, row)


# An identifier goes before a name that is spelled like one: nobody can put on another's. An account's name of before
# is reserved for it, and says nothing of who it is.
_FIND: Final = """
    SELECT id, name FROM (
        SELECT id, name, 1 AS place FROM trichat.users WHERE id = %(user)s
        UNION ALL
        SELECT user_id, name, 2 FROM trichat.names
        WHERE name_key = %(key)s AND free_at >= now() AND (left(user_id, 2) <> 'u_' OR free_at = 'infinity')
    ) found
    ORDER BY place
"""


def find_person(connection: Connection, user: str) -> Person | None:
    """Who has this identifier or, spelled exactly so, this present name; see the port."""
    if user.startswith("g_"):
        guest = UserId(user)
        return Person(name_of(connection, guest) or given_name(guest), guest)
    for user_id, name in connection.execute(_FIND, {"user": user, "key": skeleton(user)}):
        if user_id == user or name_key(name) == name_key(user):
            return Person(name, user_id)
    return None


_WHOIS: Final = """
    SELECT name, id, kind, floor(extract(epoch FROM created_at) * 1000)::bigint, display_name, about, avatar
    FROM trichat.users WHERE id = %s AND active
"""


def whois(connection: Connection, user: str) -> PublicProfile | None:
    """What everybody may know of an active account."""
    person = find_person(connection, user)
    if person is None or not is_account(person.user_id):
        return None
    row: Any = connection.execute(_WHOIS, (person.user_id,)).fetchone()
    if row is None:
        return None
    name, user_id, kind, created, display_name, about, avatar = row
    said = ProfileFields(display_name=display_name, about=about, avatar=avatar)
    return PublicProfile(user=name, user_id=user_id, kind=kind, created=created, profile=said)


# under the lock of the blocking account: two at once would both be the last that may be
_LOCK: Final = "SELECT FROM trichat.users WHERE id = %s FOR NO KEY UPDATE"
_BLOCK: Final = """
    INSERT INTO trichat.blocks (user_id, blocked_id)
    SELECT %(user_id)s, %(other)s
    WHERE (SELECT count(*) FROM trichat.blocks WHERE user_id = %(user_id)s AND blocked_id <> %(other)s) < %(most)s
    ON CONFLICT (user_id, blocked_id) DO UPDATE SET user_id = excluded.user_id
"""
_UNBLOCK: Final = "DELETE FROM trichat.blocks WHERE user_id = %s AND blocked_id = %s"


def block(connection: Connection, user_id: UserId, other: UserId, *, most: int) -> bool:
    """Note the block; False when there are `most` of others."""
    with durably(connection):
        connection.execute(_LOCK, (user_id,))
        return connection.execute(_BLOCK, {"user_id": user_id, "other": other, "most": most}).rowcount == 1


def unblock(connection: Connection, user_id: UserId, other: UserId) -> bool:
    """Take the block back; False when there was none."""
    return connection.execute(_UNBLOCK, (user_id, other)).rowcount == 1


_BLOCKED: Final = """
    SELECT b.blocked_id, coalesce(u.name, n.name)
    FROM trichat.blocks b
    LEFT JOIN trichat.users u ON u.id = b.blocked_id
    LEFT JOIN LATERAL (
        SELECT name FROM trichat.names WHERE user_id = b.blocked_id AND free_at >= now() ORDER BY free_at DESC LIMIT 1
    ) n ON u.id IS NULL
    WHERE b.user_id = %s
"""
_BLOCKS_BETWEEN: Final = """
    SELECT EXISTS (
        SELECT FROM trichat.blocks
        WHERE user_id = %(one)s AND blocked_id = %(other)s OR user_id = %(other)s AND blocked_id = %(one)s
    )
"""


def blocked(connection: Connection, user_id: UserId) -> list[Person]:
    """Whom the account has blocked, by their present names."""
    rows = connection.execute(_BLOCKED, (user_id,))
    people = [Person(name or given_name(other), other) for other, name in rows]
    return sorted(people, key=lambda person: (person.user, person.user_id))


def blocks_between(connection: Connection, one: UserId, other: UserId) -> bool:
    """Whether either has blocked the other."""
    ((found,),) = connection.execute(_BLOCKS_BETWEEN, {"one": one, "other": other})
    return bool(found)
