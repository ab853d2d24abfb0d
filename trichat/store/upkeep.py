"""What is done to a database as a whole: `trichat db`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing

from trichat.chat.ports import StoreUnusable
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.names import RoomId
from trichat.store import epochs, schema, upgrading
from trichat.store.migrations import migrations
from trichat.store.pool import ConnectionPool, Connector
from trichat.store.upgrading import SchemaState
from trichat.store.watchdog import Watchdog

log = logging.getLogger("trichat.store")


class Upkeep:
    """One database, of whatever version. Methods raise StoreUnavailable, and StoreUnusable, which says what to do."""

    def __init__(self, pool: ConnectionPool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits

    async def state(self) -> SchemaState:
        """How the database stands to this trichat."""
        return await self._pool.call(upgrading.read_state, migrations())

    async def make_tables(self) -> None:
        """An empty database gets the schema; on any other the version is checked."""
        await self._pool.call(schema.apply_schema)

    async def upgrade(self) -> AsyncGenerator[str, None]:
        """The titles of the migrations that it lacked, each when it is applied. Nodes may run meanwhile."""
        while True:
            applied = await self._pool.call(upgrading.migrate, migrations(), lock_s=self._limits.upgrade_lock_s)
            if applied is None:
                return
            yield applied.title

    async def renew_epochs(self, chance: Chance, *, operator: str) -> int:
        """All rooms get a new epoch: how many they were. May be repeated after a failure."""
        found = (await self.state()).found
        if found is None:
            raise StoreUnusable("the database has no tables of trichat")
        schema.check_version(found)
        count, after = 0, RoomId(0)
        while True:
            renewed, next_after = await self._pool.call(epochs.renew, after, epochs.PORTION, chance)
            count += renewed
            if next_after is None:
                break
            after = next_after
        await self._pool.call(epochs.finish, operator=operator)
        return count


@asynccontextmanager
async def open_upkeep(
    database_url: str, limits: Limits, *, pooler: bool = False, unsafe: bool = False
) -> AsyncIterator[Upkeep]:
    """The database of `database_url`, whatever its version; its server is checked as by `open_postgres_store`.

    Raises StoreUnusable, or StoreUnavailable when it does not answer within `limits.store_open_s`.
    """
    connector = Connector(database_url, limits, application_name="trichat db", pooler=pooler)
    watchdog = Watchdog()
    with (
        watchdog.on_duty(),
        closing(ConnectionPool(connector, watchdog, size=1, call_s=limits.store_open_s)) as opening,
        closing(ConnectionPool(connector, watchdog, size=1, call_s=limits.upgrade_s)) as pool,
    ):
        await opening.call(schema.check_server, unsafe=unsafe)
        opening.close()
        yield Upkeep(pool, limits)


async def upgrade_by_itself(database_url: str, limits: Limits) -> None:
    """For a database that nobody else administers, the embedded one: apply what it lacks. Raises as `open_upkeep`."""
    async with open_upkeep(database_url, limits) as upkeep:
        if not (await upkeep.state()).pending:
            return  # an empty one gets the schema when it is opened
        async with aclosing(upkeep.upgrade()) as titles:
            async for title in titles:
                log.info("the embedded database was upgraded: %s", title)
