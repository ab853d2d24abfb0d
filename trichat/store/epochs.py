"""All rooms get a new epoch: after a restore the numbers behind the copy's end are given a second time.

Synchronous functions of a connection, each one transaction, all of which may run again.
"""

from __future__ import annotations

from typing import Final

from trichat.core.chance import Chance
from trichat.core.names import RoomId
from trichat.store.administration import note
from trichat.store.connection import Connection
from trichat.store.writing import durably

#: Rooms that one transaction locks.
PORTION: Final = 1_000
# more than nodes that outlived the restore can have counted since the copy was made: to them it is another count
_FORGET: Final = "UPDATE trichat.meta SET changes = changes + 1000000000"

_NEXT: Final = "SELECT id FROM trichat.rooms WHERE id > %s ORDER BY id LIMIT %s FOR UPDATE"
_RENEW: Final = """
    UPDATE trichat.rooms SET epoch = renewed.epoch
    FROM unnest(%s::bigint[], %s::text[]) AS renewed (id, epoch) WHERE rooms.id = renewed.id
"""


def renew(connection: Connection, after: RoomId, portion: int, chance: Chance) -> tuple[int, RoomId | None]:
    """The next `portion` rooms behind the room `after` get a new epoch: how many they were; where to go on, or None."""
    with durably(connection):
        ids = [RoomId(room_id) for (room_id,) in connection.execute(_NEXT, (after, portion))]
        connection.execute(_RENEW, (ids, [chance.epoch() for _ in ids]))
    return len(ids), ids[-1] if len(ids) == portion else None


def finish(connection: Connection, *, operator: str) -> None:
    """It is noted; nodes forget what they keep in memory (signing secrets too: the copy may have others)."""
    with durably(connection):
        connection.execute(_FORGET)
        note(connection, operator, "new_epoch")
