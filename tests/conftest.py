"""Servers that tests share. A test that kills or pauses one takes an `own_…`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import PostgresServer, ValkeyServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One Valkey for the whole run."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A new, empty database of the shared PostgreSQL."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> str:
    """The shared Valkey; keep apart from others by a prefix of your own."""
    return valkey.url


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for this test alone."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey for this test alone."""
    with ValkeyServer() as server:
        yield server
