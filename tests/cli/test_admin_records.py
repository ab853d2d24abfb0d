"""`trichat admin audit`, `export` and `erase`, on a real PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.cli.operators import Operator, on_store
from tests.store.governed import ANN, BOB, made, says
from tests.store.people import register
from trichat.chat.ports import NodeRecord, Store
from trichat.core.accounts import Account
from trichat.core.events import Person
from trichat.core.names import Incarnation, RoomName, UserId
from trichat.store.personal_rows import SECTIONS

GUEST = Person("gus", UserId("g_" + "a" * 26))
TEXT = "words \x1b[31m of ann é"


@pytest.fixture(autouse=True)
def lobby(op: Operator) -> None:
    """Ann and a guest have spoken in the lobby."""

    async def make(store: Store) -> None:
        await register(store, ANN.user_id)
        room = await made(store)
        mine = says(ANN, room)
        body = json.dumps({"text": TEXT}).encode()
        await store.append([type(mine)(room.id, room.name, "message", ANN.user_id, "ann", None, body)])
        await store.append([says(GUEST, room, "hello")])
        await store.claim_name(GUEST.user_id, "gus")

    on_store(op, make)


async def _said(store: Store) -> list[tuple[str, str]]:
    (room,) = (await store.open_rooms([RoomName("lobby")], create=False)).values()
    page = await store.read_messages(room.id, before=None, after=None, limit=10, max_bytes=1_000_000)
    return [(message.user, message.body.decode()) for message in page.messages]


async def _find_ann(store: Store) -> Account | None:
    return await store.administration.find(ANN.user_id)


def test_the_audit_is_shown_from_the_newest_on(op: Operator) -> None:
    for off in ((), ("--off",), ()):
        op.does("users", "admin", "ann", *off)
    ran = op.does("audit", "--limit", "2")
    assert ran.lines[0] == ["number", "at", "actor", "act", "room", "target", "reason", "address"]
    assert [line[3:5] for line in ran.lines[1:]] == [["admin", "ann"], ["unadmin", "ann"]]
    entries = op.reads("audit")
    assert [entry["act"] for entry in entries] == ["admin", "unadmin", "admin", "create"]
    assert {entry["actor_id"] for entry in entries} == {None, ANN.user_id}


def test_the_audit_of_one_room_is_shown(op: Operator) -> None:
    op.does("users", "admin", "ann")
    op.does("rooms", "archive", "lobby")
    assert [entry["act"] for entry in op.reads("audit", "--room", "Lobby")] == ["archive", "create"]
    ran = op.run("audit", "--room", "none")
    assert (ran.code, ran.out, ran.err) == (0, "", "nothing was done yet\n")


@pytest.mark.parametrize("user", ["ann", "ANN", ANN.user_id])
def test_all_about_somebody_is_exported_as_one_json_object(op: Operator, user: str) -> None:
    ran = op.does("export", user)
    assert ran.out.isascii()
    whole = json.loads(ran.out)
    assert list(whole) == ["user_id", *SECTIONS]
    assert whole["user_id"] == ANN.user_id
    assert whole["account"][0]["name"] == "ann"
    assert [event["text"] for event in whole["events"] if event["type"] == "message"] == [TEXT]
    assert op.acts()[-1] == "export"


def test_a_guest_is_exported_by_the_id(op: Operator) -> None:
    whole = json.loads(op.does("export", GUEST.user_id).out)
    assert [event["text"] for event in whole["events"]] == ["hello"]
    assert op.fails("export", "gus") == "there is no account gus"


def test_an_erasure_asks_first(op: Operator) -> None:
    ran = op.run("erase", "ann", inp="no\n")
    assert (ran.code, ran.out) == (1, "")
    question, answer = ran.err.split(": ", 1)
    assert question == "ann and all that they said is forgotten for ever. Type ann to go on"
    assert answer == "trichat: not confirmed: nothing was done\n"
    assert op.run("erase", "ann", inp="").code == 1
    assert on_store(op, _find_ann) == Account(user_id=ANN.user_id, name="ann")
    assert op.run("erase", "ann", inp="ann\n").out == f"ann is erased ({ANN.user_id})\n"
    assert on_store(op, _said)[0] == ("erased", '{"deleted":true}')


def test_with_yes_it_does_not_ask(op: Operator) -> None:
    assert op.reads("erase", "ann", "--yes") == {"id": ANN.user_id}
    assert on_store(op, _find_ann) == Account(user_id=ANN.user_id, name="erased", active=False)
    assert op.fails("erase", "ann", "--yes") == "there is no account ann"
    assert op.run("users", "list").err.startswith("nobody yet")
    assert op.reads("erase", ANN.user_id, "--yes") == {"id": ANN.user_id}  # as after one that broke off
    assert "words" not in op.does("export", ANN.user_id).out


def test_a_guest_is_erased_by_the_id(op: Operator) -> None:
    op.does("erase", GUEST.user_id, "--yes")
    assert on_store(op, _said)[1] == ("erased", '{"deleted":true}')


def test_while_servers_run_an_erasure_waits_until_the_connections_have_ended(op: Operator) -> None:
    async def record_node(store: Store) -> None:
        await register(store, BOB.user_id)
        await store.record_node(NodeRecord(Incarnation(1), "n1", degraded=False), [])

    on_store(op, record_node)
    op.does("erase", "bob", "--yes")
    at = {entry["act"]: datetime.fromisoformat(entry["at"]) for entry in op.reads("audit")}
    assert at["erase"] - at["deactivate"] >= timedelta(seconds=5)
