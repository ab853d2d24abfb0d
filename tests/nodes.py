"""Nodes for tests: in this process over the real services, in this process over the twins, or as real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import trio
import trio.testing
from msgspec import Struct

from tests.servers import free_port
from tests.vault.hashers import CHEAP
from tests.vaults import TwinVault
from trichat.bridge.memory import MemoryBus
from trichat.bridge.redis import open_redis_bridge
from trichat.chat.figures import Figures
from trichat.chat.hub import Hub
from trichat.chat.ports import Bridge, Store
from trichat.chat.tracing import Tracer
from trichat.chat.vault_port import Vault
from trichat.core.chance import Chance
from trichat.core.limits import LIFTED, Limits
from trichat.core.tokens import Signer
from trichat.edge.front_door import FrontDoor
from trichat.edge.listeners import listen
from trichat.settings import Settings
from trichat.store.memory import MemoryStore
from trichat.store.postgres import open_postgres_store
from trichat.vault import open_vault
from trichat.web import open_to_web

#: The limits of a node that no test should run into by chance.
LOOSE = Limits(connections_per_address=LIFTED, commands_per_s=LIFTED, command_burst=LIFTED)
#: Seconds in which a process must be ready, and gone: ten times the typical.
READY_S = 30.0


class Node:
    """A node in this process: its hub, its front door, and how to reach it."""

    def __init__(self, hub: Hub, door: FrontDoor, port: int | None) -> None:
        self.hub = hub
        self.door = door
        self.port = port
        self._nursery: trio.Nursery | None = None

    @property
    def url(self) -> str:
        assert self.port is not None
        return f"ws://127.0.0.1:{self.port}/ws"

    async def connect(self) -> trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]:
        """A client's end of an in-memory connection to the node's front door."""
        assert self._nursery is not None
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.door.serve_stream, theirs, "192.0.2.1")
        await trio.lowlevel.checkpoint()
        return ours


@asynccontextmanager
async def open_node_over(
    store: Store,
    bridge: Bridge,
    vault: Vault,
    *,
    name: str,
    chance: Chance,
    incarnation: int,
    limits: Limits,
    listening: bool,
    wall_clock: Callable[[], float] = time.time,
    figures: Figures | None = None,
    tracer: Tracer | None = None,
) -> AsyncIterator[Node]:
    """A node over these ports; `listening` at a free port of 127.0.0.1, else only by `connect`."""
    hub = Hub(
        store,
        bridge,
        limits,
        node=name,
        incarnation=incarnation,  # type: ignore[arg-type]  # a NewType
        chance=chance,
        signer=Signer(await store.signing_secrets()),
        vault=vault,
        wall_clock=wall_clock,
        figures=figures,
        tracer=tracer,
    )

    async def ready() -> dict[str, str]:
        return {"postgresql": "ok", "draining": "no"}

    door = FrontDoor(hub, open_to_web(hub, ready, with_metrics=True))
    listeners: Sequence[socket.socket] = listen("127.0.0.1", 0) if listening else []
    node = Node(hub, door, listeners[0].getsockname()[1] if listening else None)
    async with trio.open_nursery() as services:
        await services.start(hub.run)
        async with trio.open_nursery() as connections:
            node._nursery = connections
            await connections.start(door.run, listeners)
            yield node
            await trio.testing.wait_all_tasks_blocked()  # errors of the last moment show up before the cancellation
            connections.cancel_scope.cancel(reason="the test is over")
        services.cancel_scope.cancel(reason="the test is over")


@asynccontextmanager
async def open_node(
    database_url: str,
    redis_url: str,
    *,
    name: str = "n1",
    limits: Limits = LOOSE,
    prefix: str = "trichat",
    tracer: Tracer | None = None,
) -> AsyncIterator[Node]:
    """A node in this process, on a real port, over real PostgreSQL and Redis."""
    chance, figures = Chance(), Figures()
    incarnation = chance.incarnation()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_postgres_store(database_url, limits, chance=chance, figures=figures)
        )
        bridge = await stack.enter_async_context(
            open_redis_bridge(redis_url, limits, incarnation=incarnation, node=name, prefix=prefix, figures=figures)
        )
        vault = await stack.enter_async_context(open_vault(Settings(), limits, CHEAP, figures=figures))
        yield await stack.enter_async_context(
            open_node_over(
                store,
                bridge,
                vault,
                name=name,
                chance=chance,
                incarnation=incarnation,
                limits=limits,
                listening=True,
                figures=figures,
                tracer=tracer,
            )
        )


class Twins(Struct):
    """What twin nodes share: the store, the bus, the vault, and where randomness comes from."""

    store: MemoryStore
    bus: MemoryBus
    vault: TwinVault
    chance: Chance
    limits: Limits


def make_twins(limits: Limits = LOOSE, chance: Chance | None = None) -> Twins:
    chance = chance or Chance()
    return Twins(MemoryStore(limits, chance=chance), MemoryBus(), TwinVault(), chance, limits)


@asynccontextmanager
async def open_twin_node(twins: Twins, *, name: str = "n1", listening: bool = False) -> AsyncIterator[Node]:
    """A node in this process over the in-memory twins: nothing but Trio, so that the clock may jump."""
    incarnation = twins.chance.incarnation()
    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(
            twins.bus.open_bridge(incarnation=incarnation, node=name, limits=twins.limits)
        )
        yield await stack.enter_async_context(
            open_node_over(
                twins.store,
                bridge,
                twins.vault,
                name=name,
                chance=twins.chance,
                incarnation=incarnation,
                limits=twins.limits,
                listening=listening,
                wall_clock=lambda: twins.store.now / 1000,
            )
        )


class NodeProcess:
    """`trichat serve` as a process of its own, which can be killed.

    Its standard error goes to `log`, a file beside `directory`; standard output too. `code`: the folder that holds
    the code of another version.
    """

    def __init__(self, directory: Path, *flags: str, port: int | None = None, code: Path | None = None) -> None:
        self.port = port or free_port()
        self.log = directory / f"node-{self.port}.log"
        command = [sys.executable, "-m", "trichat", "serve", "--port", str(self.port), "--no-rate-limit", *flags]
        env = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({} if code is None else {"PYTHONPATH": str(code)})
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=code
            )

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Wait until /readyz says so. Raises AssertionError with the log when it does not in READY_S."""
        with trio.move_on_after(READY_S):
            while self._process.poll() is None:
                if (await self.readyz()).get("status") == "ok":
                    return
                await trio.sleep(0.05)
        raise AssertionError(f"the node is not ready:\n{self.log.read_text()}")

    async def readyz(self) -> dict[str, str]:
        """What /readyz says; empty when nothing answers."""
        answer = b""
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            async with stream:
                await stream.send_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                async for chunk in stream:
                    answer += chunk
        except (OSError, trio.BrokenResourceError):
            return {}
        body = answer.partition(b"\r\n\r\n")[2]
        return msgspec.json.decode(body, type=dict[str, str]) if body else {}

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    async def stopped(self, within_s: float = READY_S) -> int:
        """SIGTERM, and the exit code. Raises trio.TooSlowError when it does not stop in time."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return await self.ended(within_s)

    async def ended(self, within_s: float = READY_S) -> int:
        """The exit code, when it stops by itself or was told to. Raises trio.TooSlowError when not in time."""
        with trio.fail_after(within_s):
            return await trio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()


@asynccontextmanager
async def running_node(directory: Path, *flags: str, port: int | None = None) -> AsyncIterator[NodeProcess]:
    """A node process that is ready; killed at the end if it still runs."""
    node = NodeProcess(directory, *flags, port=port)
    try:
        await node.ready()
        yield node
    finally:
        node.close()
