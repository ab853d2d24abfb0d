"""The conversation's laws over real nodes, PostgreSQL and Redis: the same machine as over the twins, fewer examples."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chat.conversation_machine import LIMITS, Conversation
from tests.chat.conversation_people import Device
from tests.nodes import Node, open_node
from tests.people import make_account
from tests.properties import steady
from tests.servers import PostgresServer
from trichat.chat.ports import Store

#: Seconds in which everybody has heard everything: ten times the slow look at the heads.
CALM_S = 20.0
NUMBERS = itertools.count()


class RealStage:
    """Two nodes over a new database, in the test's Trio; the machine plays on it from a thread."""

    def __init__(self, nursery: trio.Nursery, postgres: PostgresServer, redis_url: str) -> None:
        self._postgres = postgres
        self._redis_url = redis_url
        self._database = postgres.create_database()
        self._random = random.Random(1)
        self._tokens: dict[str, str] = {}
        self._nodes: list[Node] = []
        self._over, self._closed = trio.Event(), trio.Event()
        trio.from_thread.run(nursery.start, self._run)

    @property
    def store(self) -> Store:
        return self._nodes[0].hub.store

    async def _run(self, *, task_status: trio.TaskStatus[None]) -> None:
        url, prefix = self._postgres.url(self._database), f"conversation-{next(NUMBERS)}"
        async with (
            open_node(url, self._redis_url, limits=LIMITS, prefix=prefix) as one,
            open_node(url, self._redis_url, name="n2", limits=LIMITS, prefix=prefix) as two,
            trio.open_nursery() as self._devices,
        ):
            self._nodes = [one, two]
            task_status.started()
            await self._over.wait()
            self._devices.cancel_scope.cancel(reason="all is said")
        self._closed.set()

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return trio.from_thread.run(function, *args)

    async def open_device(self, name: str, node: int, *, fill_gaps: bool) -> Device:
        """Of an account, which is made when it is not there; `gus` is a guest."""
        if name not in self._tokens and name != "gus":
            self._tokens[name] = await make_account(self.store, name)
        ways = [partial(trio.open_tcp_stream, "127.0.0.1", one.port or 0) for one in self._nodes]
        device = Device(ways, node, fill_gaps=fill_gaps, chance=self._random)
        await self._devices.start(device.run, self._tokens.get(name))
        return device

    def lose_news(self, count: int) -> None:
        """Redis loses nothing on demand; `test_redis_faults.py` has it lose everything."""

    def close(self) -> None:
        trio.from_thread.run_sync(self._over.set)
        trio.from_thread.run(self._closed.wait)
        self._postgres.drop_database(self._database)


@pytest.mark.slow
async def test_every_copy_is_the_history_and_what_is_unread_is_what_a_recount_says(
    postgres: PostgresServer, redis_url: str
) -> None:
    async with trio.open_nursery() as nursery:

        class RealConversation(Conversation):
            calm_s = CALM_S

            def new_stage(self) -> RealStage:
                return RealStage(nursery, postgres, redis_url)

        few = settings(steady, max_examples=4, stateful_step_count=20, suppress_health_check=list(HealthCheck))
        await trio.to_thread.run_sync(partial(run_state_machine_as_test, RealConversation, settings=few))
        nursery.cancel_scope.cancel(reason="all was played")
