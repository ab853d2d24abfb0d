"""Buses and servers for the bridge's tests."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.bridge.buses import Bus, RedisBus, TwinBus
from tests.bridge.valkey import ValkeyServer, open_server, server_binaries

BINARIES = server_binaries()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of a short name: the path of a Unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="trichat-") as name:
        yield Path(name)


@pytest.fixture(params=["memory", *BINARIES])
async def bus(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Bus]:
    """The twin, the newest Valkey, and the oldest Redis where it is installed."""
    if request.param == "memory":
        yield TwinBus()
        return
    async with open_server(BINARIES[request.param], folder) as server:
        yield RedisBus(server)


@pytest.fixture(params=list(BINARIES))
async def server(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[ValkeyServer]:
    async with open_server(BINARIES[request.param], folder) as started:
        yield started


@pytest.fixture
def redis_bus(server: ValkeyServer) -> RedisBus:
    return RedisBus(server)
