"""PostgreSQL: what two nodes do to one message at a time has one order; and of what is deleted nothing is left."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import cycle

import psycopg
import pytest
import trio

from tests.store.acting import bodies, did, log, message, said
from tests.store.conftest import LIMITS
from tests.store.governed import ANN, BOB, actor, joined, made, says
from trichat.chat.ports import Store
from trichat.core.acts import Act, Acted, Remove, Respond, Rewrite, Stick
from trichat.core.chance import Chance
from trichat.core.errors import Refusal
from trichat.core.events import Person, RoomRecord
from trichat.core.names import UserId
from trichat.core.standing import Role
from trichat.store import open_postgres_store

#: Calls at a time, over two nodes with `limits.store_readers` connections each.
AT_ONCE = 20


@pytest.fixture
async def nodes(url: str) -> AsyncIterator[list[Store]]:
    """Two nodes' stores over one database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_postgres_store(url, LIMITS, chance=Chance())) for _ in range(2)]


async def all_at_once(
    nodes: list[Store], room: RoomRecord, seq: int, asked: list[tuple[Person, Act, str | None]]
) -> list[Acted | str]:
    """What comes of each: of who is refused, the code."""
    came: dict[int, Acted | str] = {}

    async def attempt(number: int, store: Store, person: Person, act: Act, cid: str | None) -> None:
        try:
            came[number] = await did(store, room, person, seq, act, cid=cid)
        except Refusal as refusal:
            came[number] = refusal.code

    async with trio.open_nursery() as nursery:
        for number, (store, one) in enumerate(zip(cycle(nodes), asked, strict=False)):
            nursery.start_soon(attempt, number, store, *one)
    return [came[number] for number in range(len(asked))]


async def test_edits_and_a_deletion_at_once_leave_a_tombstone_and_no_text(nodes: list[Store], url: str) -> None:
    room = await made(nodes[0])
    await joined(nodes[0], room, BOB)
    for round_ in range(5):
        seq = await said(nodes[0], room, BOB, f"secret first {round_}")
        asked: list[tuple[Person, Act, str | None]] = [(BOB, Rewrite(f"secret {n}"), None) for n in range(AT_ONCE)]
        asked[AT_ONCE // 2] = (ANN, Remove(), None)
        came = await all_at_once(nodes, room, seq, asked)
        assert isinstance(came[AT_ONCE // 2], Acted)
        assert {one for one in came if isinstance(one, str)} <= {"bad_state"}
        for store in nodes:
            assert (await message(store, room, seq)).keys() == {"deleted", "rev"}
    assert "secret" not in everything(url)
    await log(nodes[1], room)


async def test_edits_at_once_leave_one_text_which_is_the_last_ones(nodes: list[Store]) -> None:
    room = await made(nodes[0])
    seq = await said(nodes[0], room, ANN, "first")
    await all_at_once(nodes, room, seq, [(ANN, Rewrite(f"text {n}"), None) for n in range(AT_ONCE)])
    edits = await bodies(nodes[1], room, "edited")
    assert [edit for edit in edits if "text" in edit] == edits[-1:]
    assert (await message(nodes[0], room, seq))["text"] == edits[-1]["text"]
    old = await nodes[0].acts.revisions(room.id, actor(ANN), seq)
    assert len({one.text for one in old} | {edits[-1]["text"]}) == len(old) + 1 == len(edits) + 1 == AT_ONCE + 1


async def test_a_cid_that_is_said_to_both_nodes_at_once_counts_once(nodes: list[Store]) -> None:
    room = await made(nodes[0])
    seq = await said(nodes[0], room, ANN)
    came = await all_at_once(nodes, room, seq, [(ANN, Respond("👍"), "c1")] * AT_ONCE)
    assert [isinstance(one, Acted) and one.seq for one in came] == [seq + 1] * AT_ONCE
    assert sum(isinstance(one, Acted) and not one.repeated for one in came) == 1
    assert len(await log(nodes[1], room)) == seq + 1


async def test_reactions_and_pins_at_once_end_at_their_limits(nodes: list[Store]) -> None:
    room = await made(nodes[0])
    crowd = [Person(f"p{n}", UserId(f"g_p{n}")) for n in range(AT_ONCE)]
    seq = await said(nodes[0], room, ANN)
    for number in range(LIMITS.emojis - 1):
        await did(nodes[0], room, ANN, seq, Respond(f":e{number}:"))
    came = await all_at_once(nodes, room, seq, [(one, Respond(f":{one.user}:"), None) for one in crowd])
    assert came.count("limit_reached") == AT_ONCE - 1
    assert len(await nodes[0].acts.reactions(room.id, actor(ANN), seq, after="", limit=999)) == LIMITS.emojis


async def test_of_a_deleted_message_no_word_is_left_in_any_table(nodes: list[Store], url: str) -> None:
    store = nodes[0]
    room = await made(store)
    await joined(store, room, BOB, Role.MODERATOR)
    seq = await said(store, room, BOB, "secret", cid="m1")
    for text in ("secret again", "secret @ann"):
        await did(store, room, BOB, seq, Rewrite(text, (ANN.user_id,), b'[{"user":"secretly","user_id":"u_ann"}]'))
    await did(store, room, ANN, seq, Respond("👍"))
    await did(store, room, BOB, seq, Stick())
    while await store.searching.index():
        pass
    assert "secret" in everything(url)
    await did(store, room, ANN, seq, Remove())
    left = everything(url)
    assert "secret" not in left
    assert "👍" in left  # in the event that says so: the log's numbers stay
    assert await store.append([says(BOB, room, "secret", cid="m1")]) != []
    assert "secret" not in everything(url)


async def test_more_reactions_than_are_allowed_end_at_the_limit_in_bounded_time(nodes: list[Store]) -> None:
    """A refusal reads one message's reactions, whose number is limited; ten times the typical is allowed."""
    room = await made(nodes[0])
    seq = await said(nodes[0], room, ANN)
    codes: list[str] = []

    async def react(store: Store, share: range) -> None:
        for number in share:
            person = Person(f"p{number}", UserId(f"g_p{number}"))
            try:
                await did(store, room, person, seq, Respond(f":e{number % LIMITS.emojis}:"))
            except Refusal as refusal:
                codes.append(refusal.code)

    tried = 2 * LIMITS.reactions
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(react, nodes[number % 2], range(number, tried, 8))
    assert codes == ["limit_reached"] * (tried - LIMITS.reactions)
    began = trio.current_time()
    with pytest.raises(Refusal):
        await did(nodes[0], room, BOB, seq, Respond(":more:"))
    assert trio.current_time() - began < 0.5


async def test_what_is_done_to_a_message_is_found_by_indexes(nodes: list[Store], url: str) -> None:
    """After many reactions an edit still finds the one before it by one entry of an index of edits alone."""
    store = nodes[0]
    room = await made(store)
    seq = await said(store, room, ANN)
    await did(store, room, ANN, seq, Rewrite("one"))
    for number in range(100):
        await did(store, room, ANN, seq, Respond("👍", on=number % 2 == 0))
    plan = _plan(url, room.id, seq)
    assert "events_edited" in plan
    assert "Seq Scan" not in plan


def _plan(url: str, room_id: int, seq: int) -> str:
    with psycopg.connect(url) as connection:
        connection.execute("SET enable_seqscan = off")
        rows = connection.execute(
            "EXPLAIN SELECT seq FROM trichat.events WHERE room_id = %s AND target = %s AND kind = 'edited' AND seq < %s"
            " ORDER BY seq DESC LIMIT 1",
            (room_id, seq, 2**62),
        )
        return "\n".join(row[0] for row in rows)


def everything(url: str) -> str:
    """All rows of all tables, as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'trichat' ORDER BY 1"
        ).fetchall()
        assert len(tables) > 15
        rows = [connection.execute(f"SELECT t::text FROM trichat.{name} t".encode()).fetchall() for (name,) in tables]
    return json.dumps(rows, ensure_ascii=False)
