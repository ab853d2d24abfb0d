"""`Governance` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.store.pool import ConnectionPool


class PostgresGovernance:
    """Implements `Governance`."""

    def __init__(self, queries: ConnectionPool, limits: Limits, chance: Chance) -> None:
        self._queries = queries
        self._limits = limits
        self._chance = chance
