"""What the chat needs of the store for the presence of people, beside recording it (`chat.ports.Store.record_node`).

Like `chat.ports.Store`: every method may raise StoreUnavailable, and PostgreSQL and the twin in memory pass the same
contract suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trichat.core.attendance import RoomAttendance
from trichat.core.names import RoomId, UserId


class Attendance(Protocol):
    """Who is online, away and offline, as the records of all live nodes say."""

    async def attendance(self, room_id: RoomId, *, most: int) -> RoomAttendance:
        """Who listens to the room at any live node, and, where it has at most `most` members, the others of these.

        Whoever listens and hides is left out; members who hide are offline and were never seen. When more than `most`
        listen, counts of these alone. The time grows with how many listen, and with nothing else.
        """
        ...

    async def set_hidden(self, user_id: UserId, hidden: bool) -> None:
        """An account hides its presence from now on, or does so no more."""
        ...

    async def hidden_among(self, user_ids: Sequence[UserId]) -> set[UserId]:
        """Those of these accounts that hide."""
        ...
