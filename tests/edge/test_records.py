"""What the log says of connections and requests: who is meant, how it ended, and nothing of what was said."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from structlog.contextvars import bind_contextvars, clear_contextvars

from tests.chat.guests import open_chat
from tests.nodes import make_twins, open_twin_node
from tests.wire import WireClient
from trichat.logs import JsonFormatter, TextFormatter


class Records(logging.Handler):
    """Every record as JSON has it, rendered at the moment and in the context in which it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(self.format(record)))

    def of(self, message: str) -> list[dict[str, Any]]:
        return [record for record in self.all if record["message"] == message]


@pytest.fixture
def records() -> Iterator[Records]:
    """All that trichat logs, from debug on."""
    handler, log = Records(), logging.getLogger("trichat")
    level = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)
    log.setLevel(level)


async def test_a_connection_that_ends_is_one_record_with_its_id_and_why(
    records: Records, autojump_clock: trio.abc.Clock
) -> None:
    async with open_chat() as chat:
        ann, bob = await chat.guest_in("hall"), await chat.guest_in("hall")
        await ann.say("hall", "gossip")
        await trio.sleep(2)
        await ann.drop()
        await bob.drop()
        await trio.sleep(1)
    first, second = records.of("connection ended")
    assert first["connection"] != second["connection"]
    assert (first["code"], first["reason"], first["level"], first["unacked"]) == (1006, "connection lost", "debug", 0)
    assert 2 <= first["seconds"] < 3
    assert first["user_id"].startswith("g_")
    assert [record for record in records.all if "gossip" in str(record) or "hall" in str(record)] == []


async def test_what_is_logged_for_a_connection_carries_its_id(records: Records, autojump_clock: trio.abc.Clock) -> None:
    async with open_twin_node(make_twins()) as node:
        client = await WireClient(await node.connect()).shake_hands()
        await client.receive_until("welcome")
        await client.stream.send_all(b"\xff\xff\xff\xff")
        await client.receive_until("goodbye")
    violation = next(record for record in records.all if record["message"].startswith("protocol violation"))
    (ended,) = records.of("connection ended")
    assert violation["connection"] == ended["connection"]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_what_the_caller_says_comes_before_what_the_context_says(formatter: logging.Formatter) -> None:
    made = logging.makeLogRecord({"msg": "hello", "name": "trichat.x", "levelname": "INFO", "connection": "mine"})
    bind_contextvars(connection="c1", request="r1")
    try:
        line = formatter.format(made)
    finally:
        clear_contextvars()
    assert "c1" not in line
    assert "mine" in line
    assert "r1" in line
