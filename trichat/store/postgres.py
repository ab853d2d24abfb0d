"""The store on PostgreSQL: each method of the port is one call of a synchronous function in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Final

import trio

from trichat.chat.conversation_ports import Between, CompactPage
from trichat.chat.figures import Figures
from trichat.chat.ports import (
    DeviceChange,
    EventPage,
    Look,
    MessagePage,
    NodeRecord,
    PresenceChange,
    Store,
    StoreUnavailable,
)
from trichat.core.chance import Chance
from trichat.core.events import Draft, Event, ListedRoom, Outcome, Person, RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId, RoomName, UserId
from trichat.store import cluster, history, log, people, retention, rooms, schema, tidying
from trichat.store.pool import ConnectionPool, Connector
from trichat.store.postgres_accounts import PostgresAccounts
from trichat.store.postgres_acts import PostgresActs
from trichat.store.postgres_administration import PostgresAdministration
from trichat.store.postgres_attendance import PostgresAttendance
from trichat.store.postgres_governance import PostgresGovernance
from trichat.store.postgres_markers import PostgresMarkers
from trichat.store.postgres_search import PostgresSearching
from trichat.store.postgres_threads import PostgresThreads
from trichat.store.watchdog import Watchdog

_SECRET_BYTES: Final = 32


class PostgresStore:
    """Implements `Store`. Commits and all else have connections of their own: reads never hold a commit up."""

    def __init__(self, commits: ConnectionPool, queries: ConnectionPool, limits: Limits, chance: Chance) -> None:
        self._commits = commits
        self._queries = queries
        self._limits = limits
        self._chance = chance
        self._patience_ms = round(limits.store_call_s * 1000)
        self._retained = RoomId(0)  # up to which room it was looked for what is kept no more
        self.accounts = PostgresAccounts(queries, limits, chance)
        self.governance = PostgresGovernance(queries, limits, chance)
        self.administration = PostgresAdministration(queries, limits, chance)
        self.acts = PostgresActs(queries, limits)
        self.threads = PostgresThreads(queries, limits)
        self.markers = PostgresMarkers(queries, limits)
        self.searching = PostgresSearching(queries, limits)
        self.attendance = PostgresAttendance(queries, limits)

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        if not drafts:
            return []
        return await self._commits.call(log.append_events, drafts, self._patience_ms)

    async def open_rooms(self, names: Sequence[RoomName], *, create: bool) -> dict[RoomName, RoomRecord]:
        if not create:
            return await self._queries.call(rooms.find_rooms, names)
        return await self._queries.call(rooms.open_rooms, {name: self._chance.epoch() for name in names})

    async def look(self, rooms: Sequence[RoomId], me: Incarnation) -> Look:
        return await self._queries.call(cluster.look, rooms, me, gone_s=self._limits.node_gone_s)

    async def read_events(self, room_id: RoomId, *, after: int, limit: int, max_bytes: int) -> EventPage:
        return await self._queries.call(log.read_events, room_id, after=after, limit=limit, max_bytes=max_bytes)

    async def read_tails(
        self, positions: Mapping[RoomId, int], *, limit: int, max_bytes: int
    ) -> dict[RoomId, list[Event]]:
        return await self._queries.call(log.read_tails, positions, limit=limit, max_bytes=max_bytes)

    async def read_messages(
        self,
        room_id: RoomId,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        max_bytes: int,
        viewer: UserId | None = None,
        thread: int | None = None,
    ) -> MessagePage:
        return await self._queries.call(
            history.read_messages, room_id, before=before, after=after, limit=limit, max_bytes=max_bytes,
            viewer=viewer, thread=thread,
        )  # fmt: skip

    async def read_compact(
        self, room_id: RoomId, *, since: int, limit: int, max_bytes: int, viewer: UserId | None = None
    ) -> CompactPage:
        looked_at = self._limits.compact_events
        return await self._queries.call(
            history.read_compact, room_id, since=since, limit=limit, max_bytes=max_bytes, viewer=viewer,
            looked_at=looked_at,
        )  # fmt: skip

    async def between(self, room_id: RoomId, first: int, last: int, viewer: UserId) -> Between:
        return await self._queries.call(history.between, room_id, first, last, viewer)

    async def list_rooms(self, *, after: str, limit: int) -> list[ListedRoom]:
        return await self._queries.call(rooms.list_rooms, after=after, limit=limit, gone_s=self._limits.node_gone_s)

    async def list_members(self, room_id: RoomId, *, after: str, limit: int) -> list[Person]:
        return await self._queries.call(
            cluster.list_members, room_id, after=after, limit=limit, gone_s=self._limits.node_gone_s
        )

    async def claim_name(self, user_id: UserId, name: str) -> bool:
        return await self._queries.call(people.claim_name, user_id, name, kept_s=self._limits.name_kept_s)

    async def name_of(self, user_id: UserId) -> str | None:
        return await self._queries.call(people.name_of, user_id)

    async def touch_names(self, user_ids: Sequence[UserId]) -> None:
        await self._queries.call(people.touch_names, user_ids, kept_s=self._limits.name_kept_s)

    async def signing_secrets(self) -> dict[int, bytes]:
        return await self._queries.call(people.signing_secrets, self._chance.bytes(_SECRET_BYTES))

    async def record_node(self, record: NodeRecord, changes: Sequence[PresenceChange | DeviceChange]) -> bool:
        return await self._queries.call(cluster.record_node, record, changes, gone_s=self._limits.node_gone_s)

    async def forget_node(self, me: Incarnation) -> None:
        await self._queries.call(cluster.forget_node, me)

    async def tidy(self) -> None:
        await self._queries.call(
            tidying.tidy,
            revoked_kept_s=self._limits.revoked_kept_s,
            outgoing_kept_s=self._limits.outgoing_kept_s,
        )
        await self._remove_expired()

    async def _remove_expired(self) -> None:
        """What rooms keep no more, of the next rooms in turn, for `retention_s` at most."""
        days, until = self._limits.kept_days, trio.current_time() + self._limits.retention_s
        expired = await self._queries.call(retention.find_expired, self._retained, days=days)
        self._retained = expired.after
        for room_id in expired.rooms:
            more = True
            while more:
                more = await self._queries.call(
                    retention.remove_expired, room_id, days=days, patience_ms=self._patience_ms
                )
                if trio.current_time() >= until:
                    break
            if trio.current_time() >= until:
                self._retained = RoomId(room_id - 1 if more else room_id)  # the next time it goes on here
                break
        if expired.rooms:
            await self._queries.call(cluster.note_change)

    async def ping(self) -> None:
        await self._queries.call(cluster.ping)


@asynccontextmanager
async def open_postgres_store(
    database_url: str,
    limits: Limits,
    *,
    chance: Chance,
    lanes: int = 2,
    pooler: bool = False,
    unsafe: bool = False,
    application_name: str = "trichat",
    figures: Figures | None = None,
) -> AsyncIterator[Store]:
    """The store in the database of `database_url` (libpq's URL with all its options), made ready for use.

    `lanes` commits may be under way at the same time. `pooler` is for PgBouncer in transaction mode: nothing is
    prepared or set in a session. `unsafe` accepts a server without fsync. An empty database gets the schema.
    Raises StoreUnusable when it cannot be used as it is, StoreUnavailable when it is not there within
    `limits.store_open_s`. At the end of the block no call may be in progress.
    """
    connector = Connector(database_url, limits, application_name=application_name, pooler=pooler)
    watchdog = Watchdog()
    seconds = (figures or Figures()).store_s
    with (
        watchdog.on_duty(),
        closing(ConnectionPool(connector, watchdog, size=1, call_s=limits.store_open_s)) as opening,
        closing(
            ConnectionPool(connector, watchdog, size=lanes, call_s=limits.store_call_s, seconds=seconds["commits"])
        ) as commits,
        closing(
            ConnectionPool(
                connector, watchdog, size=limits.store_readers, call_s=limits.store_call_s, seconds=seconds["queries"]
            )
        ) as queries,
    ):
        await _make_ready(opening, limits, unsafe=unsafe)
        opening.close()
        yield PostgresStore(commits, queries, limits, chance)


async def _make_ready(pool: ConnectionPool, limits: Limits, *, unsafe: bool) -> None:
    give_up_at = trio.current_time() + limits.store_open_s
    while True:
        try:
            await pool.call(schema.check_server, unsafe=unsafe)
            await pool.call(schema.apply_schema)
        except StoreUnavailable as error:
            if trio.current_time() >= give_up_at:
                raise StoreUnavailable(f"cannot connect within {limits.store_open_s:g} s: {error}") from error
            await trio.sleep(limits.store_rest_s)
        else:
            return
