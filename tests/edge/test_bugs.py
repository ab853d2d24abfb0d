"""One failure stays one failure: a bug that one client runs into ends that connection, and is logged once."""

from __future__ import annotations

import logging

import pytest

from tests.nodes import LOOSE, make_twins, open_twin_node
from tests.wire import open_wire
from trichat.core.chance import Chance
from trichat.core.events import ListedRoom
from trichat.store.memory import MemoryStore


class BuggyStore(MemoryStore):
    """Its list of rooms has a bug."""

    async def list_rooms(self, *, after: str, limit: int) -> list[ListedRoom]:
        raise ZeroDivisionError("a bug")


async def test_a_bug_ends_the_connection_that_met_it_with_1011_and_nobody_else_notices(
    caplog: pytest.LogCaptureFixture,
) -> None:
    twins = make_twins()
    twins.store = BuggyStore(LOOSE, chance=Chance())
    async with open_twin_node(twins, listening=True) as node:
        assert node.port is not None
        async with open_wire(node.port) as unlucky, open_wire(node.port) as other:
            await unlucky.send_json({"type": "join", "room": "lobby"})
            await unlucky.receive_until("joined")
            await unlucky.send_json({"type": "rooms"})
            assert (await unlucky.receive_until("goodbye"))["code"] == 1011
            assert await unlucky.expect_close() == 1011
            await other.send_json({"type": "join", "room": "lobby"})
            assert (await other.receive_until("joined"))["members"] == 1
            await other.send_json({"type": "send", "room": "lobby", "text": "hi"})
            assert (await other.receive_until("message"))["text"] == "hi"
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == ["trichat.connection"]
    assert "ZeroDivisionError" in caplog.text
