"""A PostgreSQL of which one backend crashes: it throws everybody out, with a notice where others send an error."""

from __future__ import annotations

import time

import psycopg
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict

from tests.servers import PostgresServer
from trichat.store.connection import Connection, Statement, connect


def _connect(server: PostgresServer, *, prepares: bool = True) -> Connection:
    return connect([conninfo_to_dict(server.url())], time.monotonic() + 5, prepares=prepares)


@pytest.mark.parametrize("prepares", [True, False])
async def test_a_connection_whose_last_words_are_unread_counts_as_lost(
    own_postgres: PostgresServer, prepares: bool
) -> None:
    """libpq calls it sound, and gives an error without a code: a lost connection, not a bug of ours."""
    victim, witness = _connect(own_postgres), _connect(own_postgres, prepares=prepares)
    question = Statement(b"one", b"SELECT 1")
    witness.run(question, [])
    own_postgres.kill_backend(victim.info.backend_pid)
    with trio.fail_after(10):
        await trio.lowlevel.wait_readable(witness.fileno())
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        witness.run(question, [])
    victim.close()
    witness.close()
