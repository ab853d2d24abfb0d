"""The conversation's laws over the twins: two nodes in memory, with a clock that jumps."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import trio
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chat.by_hand import run_by_hand
from tests.chat.conversation_machine import LIMITS, Conversation
from tests.chat.conversation_people import Device
from tests.nodes import Node, make_twins, open_twin_node
from tests.people import make_account
from tests.properties import steady
from trichat.core.chance import Chance


class TwinStage:
    """Two twin nodes, moved step by step."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        self._twins = make_twins(LIMITS, Chance(self._random))
        self.store = self._twins.store
        self._tokens: dict[str, str] = {}
        self._nodes: list[Node] = []
        self._stack = ExitStack()
        self._run = self._stack.enter_context(run_by_hand(1, self._open))

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        async with (
            open_twin_node(self._twins) as one,
            open_twin_node(self._twins, name="n2") as two,
            trio.open_nursery() as self._nursery,
        ):
            self._nodes = [one, two]
            yield
            self._nursery.cancel_scope.cancel(reason="all is said")

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return self._run.call(function, *args)

    async def open_device(self, name: str, node: int, *, fill_gaps: bool) -> Device:
        """Of an account, which is made when it is not there; `gus` is a guest."""
        if name not in self._tokens and name != "gus":
            self._tokens[name] = await make_account(self.store, name)
        device = Device([one.connect for one in self._nodes], node, fill_gaps=fill_gaps, chance=self._random)
        await self._nursery.start(device.run, self._tokens.get(name))
        return device

    def lose_news(self, count: int) -> None:
        self._twins.bus.lose_next(count)

    def close(self) -> None:
        self._stack.close()


class TwinConversation(Conversation):
    def new_stage(self) -> TwinStage:
        return TwinStage()


def test_every_copy_is_the_history_and_what_is_unread_is_what_a_recount_says() -> None:
    run_state_machine_as_test(TwinConversation, settings=settings(steady, max_examples=40, stateful_step_count=25))
