"""The servers that other tests use (tests/servers.py) do what they say."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.embedded.holders import LIVELY_S, REPOSITORY, processes_of, within
from tests.servers import PostgresServer, ValkeyServer
from trichat.embedded import finish


def test_fresh_database_is_empty_and_another_each_time(postgres: PostgresServer, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    assert postgres.url(postgres.create_database()) != database_url


def test_postgresql_killed_and_started_again_keeps_what_was_committed(own_postgres: PostgresServer) -> None:
    own_postgres.execute("CREATE TABLE kept AS SELECT 1 AS n")
    own_postgres.kill()
    assert own_postgres.server.pids() == []
    with pytest.raises(psycopg.OperationalError):
        own_postgres.execute("SELECT 1")
    own_postgres.restart()
    assert own_postgres.execute("TABLE kept") == [(1,)]


def test_paused_postgresql_is_silent_until_resumed(own_postgres: PostgresServer) -> None:
    own_postgres.pause()
    assert not finish(own_postgres.server.answering())
    own_postgres.resume()
    assert own_postgres.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize("how", ["terminate_backend", "kill_backend"])
def test_one_backend_ends_and_the_server_goes_on(own_postgres: PostgresServer, how: str) -> None:
    name = own_postgres.create_database()
    with psycopg.connect(own_postgres.tcp_url(name)) as victim:
        (pid,) = own_postgres.backends(name)
        getattr(own_postgres, how)(pid)
        with pytest.raises(psycopg.OperationalError):
            victim.execute("SELECT 1")
    within(LIVELY_S, lambda: finish(own_postgres.server.answering()))
    assert own_postgres.backends(name) == []


def test_valkey_killed_paused_and_restarted(own_valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(own_valkey.url, socket_timeout=0.2) as client:
        client.set("news", "old")
        own_valkey.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        own_valkey.resume()
        own_valkey.kill()
        own_valkey.restart()
        assert client.get("news") is None
        assert client.ping()


def test_servers_die_with_a_test_run_that_is_killed() -> None:
    code = """
import time
from tests.servers import PostgresServer, ValkeyServer
with PostgresServer() as postgres, ValkeyServer() as valkey:
    print(postgres.directory, valkey.directory, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=REPOSITORY) as run:
        assert run.stdout is not None
        directories = [Path(name) for name in run.stdout.readline().decode().split()]
        assert all(map(processes_of, directories))
        run.send_signal(signal.SIGKILL)
    within(LIVELY_S, lambda: not any(map(processes_of, directories)))
    for directory in directories:
        shutil.rmtree(directory)
