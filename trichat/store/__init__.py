"""The store: PostgreSQL behind the port `chat.ports.Store`, and its verified twin in memory.

The only place with psycopg. `log`, `rooms`, `people` and `cluster` are synchronous functions of a connection that
know no Trio; `pool` is the one door to threads.
"""

from trichat.store.memory import MemoryStore
from trichat.store.postgres import open_postgres_store
from trichat.store.upkeep import open_upkeep

__all__ = ["MemoryStore", "open_postgres_store", "open_upkeep"]
