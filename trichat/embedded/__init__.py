"""The PostgreSQL and the Valkey that come as wheels: for `trichat serve` without flags, and for the tests.

`open_embedded` keeps both in a data directory, shares them between the processes that are given the same
one, and leaves nothing running behind the last of them. `PostgresServer` and `ValkeyServer` are one server
each, without Trio.
"""

from trichat.embedded.errors import EmbeddedUnusable
from trichat.embedded.home import Account, Home, open_home
from trichat.embedded.postgres import PostgresServer, holds_database
from trichat.embedded.programs import find_postgres, find_valkey
from trichat.embedded.server import Server, finish
from trichat.embedded.services import EmbeddedServices, open_embedded, open_where_not_given
from trichat.embedded.valkey import ValkeyServer

__all__ = [
    "Account",
    "EmbeddedServices",
    "EmbeddedUnusable",
    "Home",
    "PostgresServer",
    "Server",
    "ValkeyServer",
    "find_postgres",
    "find_valkey",
    "finish",
    "holds_database",
    "open_embedded",
    "open_home",
    "open_where_not_given",
]
