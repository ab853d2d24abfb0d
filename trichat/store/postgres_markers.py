"""`Markers` on PostgreSQL: each method is one call of a synchronous function in a thread."""

from __future__ import annotations

from trichat.core.limits import Limits
from trichat.store.pool import ConnectionPool


class PostgresMarkers:
    """Implements `Markers`."""

    def __init__(self, queries: ConnectionPool, limits: Limits) -> None:
        self._queries = queries
        self._limits = limits
        self._patience_ms = round(limits.store_call_s * 1000)
