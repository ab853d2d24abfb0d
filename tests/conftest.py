"""Servers that tests share. A test that kills or pauses one takes an `own_…`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.edge.secure import SecureNode, open_secure_node
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


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whoever issues certificates for this test."""
    return Authority(tmp_path)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[SecureNode]:
    """A node over the twins, whose port speaks TLS."""
    async with open_secure_node(authority) as secure:
        yield secure
