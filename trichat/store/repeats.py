"""What was asked for before with the same `cid`. A synchronous function of a connection."""

from __future__ import annotations

from typing import Final

from trichat.core.events import Event
from trichat.core.governance import check_visible, cid_reused
from trichat.core.names import UserId
from trichat.core.standing import Standing
from trichat.store.connection import Connection
from trichat.store.log import COLUMNS, read_event
from trichat.store.room_lock import LockedRoom

_BY_CID: Final = f"""
    SELECT digest, {COLUMNS} FROM trichat.events WHERE room_id = %s AND user_id = %s AND cid = %s
"""  # noqa: S608 (our own constants)


def repeated_event(
    connection: Connection,
    room: LockedRoom,
    user_id: UserId,
    standing: Standing,
    *,
    cid: str | None,
    digest: int | None,
) -> Event | None:
    """The event that this person's `cid` wrote in the room before; None when there is none.

    Raises Refusal: `cid_reused` when that was another (by `digest`), `no_such_room` where the room does not exist for
    whoever stands so.
    """
    if cid is None:
        return None
    row = connection.execute(_BY_CID, (room.id, user_id, cid)).fetchone()
    if row is None:
        return None
    check_visible(room.rules, standing)
    event = read_event(row[1:])
    if row[0] != digest:
        raise cid_reused(event.seq)
    return event
