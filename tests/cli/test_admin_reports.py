"""`trichat admin reports`, on a real PostgreSQL."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.cli.operators import Operator, on_store
from tests.store.governed import ANN, BOB, actor, joined, made, says
from tests.store.people import register
from trichat.chat.ports import Store
from trichat.core.limits import Limits
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Actor


@pytest.fixture
def numbers(op: Operator) -> list[int]:
    """Ann has reported what bob said to her alone, and then what he said in the lobby: the reports' numbers."""

    async def make(store: Store) -> list[int]:
        await register(store, ANN.user_id)
        await register(store, BOB.user_id)
        direct = (await store.governance.open_direct(RoomName("@x"), actor(ANN), BOB)).record
        lobby = await made(store)
        await joined(store, lobby, BOB)
        await store.append([says(BOB, direct), says(BOB, lobby)])
        return [
            await store.governance.report(direct.id, 3, actor(ANN), "a \x1b[31mthreat"),
            await store.governance.report(lobby.id, 4, actor(ANN), "spam"),
        ]

    return on_store(op, make)


def test_open_reports_are_listed_of_every_kind_of_room(op: Operator, numbers: list[int]) -> None:
    ran = op.does("reports", "list")
    direct, lobby = (str(number) for number in numbers)
    assert ran.lines[0] == ["number", "at", "room", "seq", "author", "text", "reporter", "reason"]
    assert [line[:1] + line[2:] for line in ran.lines[1:]] == [
        [direct, "@x", "3", "bob", "hi", "ann", "a", "\\x1b[31mthreat"],
        [lobby, "lobby", "4", "bob", "hi", "ann", "spam"],
    ]  # fmt: skip
    first, _ = op.reads("reports", "list")
    assert datetime.fromisoformat(first.pop("at")).tzinfo is not None
    assert first == {
        "number": numbers[0], "room": "@x", "seq": 3, "author": "bob", "author_id": BOB.user_id, "text": "hi",
        "reporter": "ann", "reason": "a \x1b[31mthreat", "resolved_by": None, "note": "",
    }  # fmt: skip


def test_a_report_is_resolved_and_then_among_all_alone(op: Operator, numbers: list[int]) -> None:
    direct, lobby = (str(number) for number in numbers)
    ran = op.does("reports", "resolve", direct, "--note", "bob is out")
    assert ran.out == f"the report {direct} is resolved\n"
    assert [report["number"] for report in op.reads("reports", "list")] == [numbers[1]]
    everything = op.does("reports", "list", "--all").lines
    assert everything[0][-2:] == ["resolved_by", "note"]
    assert everything[1][-4:] == ["server", "bob", "is", "out"]
    assert op.reads("reports", "resolve", lobby) == {"number": numbers[1], "note": ""}
    assert op.run("reports", "list").err == "no report is open\n"
    assert [report["note"] for report in op.reads("reports", "list", "--all")] == ["bob is out", ""]
    assert op.acts()[-2:] == ["resolve", "resolve"]


def test_what_is_no_open_report_is_not_resolved(op: Operator, numbers: list[int]) -> None:
    number = str(numbers[0])
    op.does("reports", "resolve", number)
    assert op.fails("reports", "resolve", number) == f"there is no open report {number}"
    assert op.fails("reports", "resolve", "999") == "there is no open report 999"


def test_a_note_is_one_line(op: Operator, numbers: list[int]) -> None:
    why = op.fails("reports", "resolve", str(numbers[0]), "--note", "two\nlines")
    assert why == "the note is one line of plain text; U+000A cannot be in it"
    assert len(op.reads("reports", "list")) == 2


def test_where_nothing_was_reported_that_is_said(op: Operator) -> None:
    assert op.run("reports", "list").err == "no report is open\n"
    assert op.run("reports", "list", "--all").err == "nothing was reported yet\n"
    assert op.reads("reports", "list") == []


def test_more_reports_than_a_page_has_are_all_listed(op: Operator, numbers: list[int]) -> None:
    async def report(store: Store) -> list[int]:
        (lobby,) = (await store.open_rooms([RoomName("lobby")], create=False)).values()
        guests = [Actor(UserId(f"g_{number}"), "gus") for number in range(Limits().list_page)]
        return [await store.governance.report(lobby.id, 4, guest, "") for guest in guests]

    more = on_store(op, report)
    assert [report["number"] for report in op.reads("reports", "list")] == numbers + more
