"""What a room keeps no more goes, and the numbers of what stays do not change. On both stores, and by SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random

import psycopg
import pytest
from msgspec import structs

from tests.people import make_account
from tests.store.conftest import LIMITS, Stage, age, open_room, said
from tests.store.conversing import Talk, body, seqs, talk_in
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.events import Committed, RoomRecord
from trichat.core.governance import Edit
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Actor, RoomRules
from trichat.store import MemoryStore, open_postgres_store

DAY_S = 86_400.0
ANN = UserId("g_ann")


async def kept_for(store: Store, days: int, name: str = "lobby") -> Talk:
    """A room that keeps what was said for so many days."""
    owner = await _owner(store)
    access = await store.governance.create(RoomName(name), RoomRules(retention_days=days), owner, address="")
    return Talk(store, access.record)


async def _owner(store: Store) -> Actor:
    if await store.accounts.find_person("owner") is None:
        await make_account(store, "owner")
    owner = await store.accounts.find_person("owner")
    assert owner is not None
    return Actor(owner.user_id, owner.user)


async def record(talk: Talk) -> RoomRecord:
    return (await talk.store.open_rooms([talk.room.name], create=False))[talk.room.name]


async def log_of(talk: Talk, after: int = 0) -> tuple[list[int], int]:
    """The `seq`s of what is kept after `after`, and where the page says that the log begins."""
    page = await talk.store.read_events(talk.room.id, after=after, limit=10_000, max_bytes=10**9)
    return seqs(page.events), page.first


async def test_what_is_older_than_a_room_keeps_goes_and_the_numbers_stay(stage: Stage) -> None:
    talk = await kept_for(stage.store, 7)
    old = [await talk.say(f"old {n}") for n in range(3)]
    stage.let_pass(5 * DAY_S)
    young = [await talk.say(f"young {n}") for n in range(3)]
    stage.let_pass(3 * DAY_S)
    await talk.store.tidy()
    assert seqs((await talk.history())[0]) == young
    assert await log_of(talk) == (young, young[0])
    assert await log_of(talk, young[0] - 1) == (young, 1)
    assert (await record(talk)).first == young[0]
    assert await talk.say("goes on") == young[-1] + 1
    between = await talk.store.between(talk.room.id, 1, young[-1], ANN)
    assert (between.messages, between.first) == (3, young[0])
    assert (await talk.store.between(talk.room.id, old[0], old[-1], ANN)).messages == 0
    (message, *_), _ = await talk.history()
    assert message.no == 4
    assert await talk.store.read_tails({talk.room.id: 0}, limit=2, max_bytes=10**6) == {
        talk.room.id: (await talk.store.read_events(talk.room.id, after=0, limit=2, max_bytes=10**6)).events
    }


async def test_a_room_may_keep_nothing_any_more_and_go_on(stage: Stage) -> None:
    talk = await kept_for(stage.store, 1)
    last = [await talk.say(f"old {n}") for n in range(3)][-1]
    stage.let_pass(2 * DAY_S)
    await talk.store.tidy()
    assert await talk.history() == ([], False)
    assert await log_of(talk) == ([], last + 1)
    assert await log_of(talk, last) == ([], 1)
    found = await record(talk)
    assert (found.head, found.first) == (last, last + 1)
    page = await talk.store.read_compact(talk.room.id, since=0, limit=10, max_bytes=10**6)
    assert (page.entries, page.to, page.more) == ([], last, False)
    await talk.store.tidy()
    seq = await talk.say("new")
    assert seq == last + 1
    assert seqs((await talk.history())[0]) == [seq]
    assert seqs((await talk.history(after=0))[0]) == [seq]
    assert (await talk.store.between(talk.room.id, 1, seq, ANN)).messages == 1


async def test_rooms_that_say_nothing_keep_everything(stage: Stage) -> None:
    talk = await talk_in(stage.store)
    spoken = [await talk.say(f"old {n}") for n in range(3)]
    stage.let_pass(10_000 * DAY_S)
    await talk.store.tidy()
    assert await log_of(talk) == (spoken, 1)


async def test_what_hung_on_what_went_goes_too(stage: Stage) -> None:
    talk = await kept_for(stage.store, 7)
    root, edited = await talk.say("root @room", to_all=True), await talk.say("first")
    reply = await talk.say("reply", thread=root)
    await talk.edit(edited, "second")
    await talk.react(edited, "👍")
    stage.let_pass(5 * DAY_S)
    late = await talk.say("late reply", thread=root)
    reaction = await talk.react(root, "🎉", by="bob")
    stage.let_pass(3 * DAY_S)
    await talk.store.tidy()
    assert await log_of(talk) == ([late, reaction], late)
    assert seqs((await talk.history(thread=root))[0]) == [late]
    assert (await talk.store.between(talk.room.id, 1, reaction, ANN)).mentions == 0
    page = await talk.store.read_compact(talk.room.id, since=reply, limit=10, max_bytes=10**6, viewer=ANN)
    assert seqs(page.entries) == [late]
    assert body(page.entries[0])["text"] == "late reply"


async def test_a_cid_is_forgotten_with_its_event_and_not_before(stage: Stage) -> None:
    talk = await kept_for(stage.store, 7)
    (first,) = await talk.store.append([said(talk.room, "once", cid="c1")])
    stage.let_pass(8 * DAY_S)
    assert isinstance(first, Committed)
    (repeated,) = await talk.store.append([said(talk.room, "once", cid="c1")])
    assert not isinstance(repeated, Committed)
    await talk.store.tidy()
    (anew,) = await talk.store.append([said(talk.room, "once", cid="c1")])
    assert isinstance(anew, Committed)
    assert anew.seq == first.seq + 1


async def test_a_change_of_what_a_room_keeps_holds_from_the_next_time_on(stage: Stage) -> None:
    talk = await kept_for(stage.store, 30)
    await talk.say("old")
    stage.let_pass(8 * DAY_S)
    await talk.store.tidy()
    assert (await log_of(talk))[1] == 1
    changed = await talk.store.governance.change(talk.room.id, await _owner(talk.store), Edit(retention_days=7))
    await talk.store.tidy()
    assert await log_of(talk) == ([changed.seq], changed.seq)


# what the server says for all


@pytest.fixture(params=["memory", "embedded"])
async def strict(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A store of a server that keeps things for 30 days."""
    limits = structs.replace(LIMITS, kept_days=30)
    if request.param == "memory":
        time = [1000.0]

        def pass_time(seconds: float) -> None:
            time[0] += seconds

        yield Stage(MemoryStore(limits, chance=Chance(Random(1)), clock=lambda: time[0]), pass_time)
        return
    url = request.getfixturevalue("url")
    async with open_postgres_store(url, limits, chance=Chance()) as store:
        yield Stage(store, lambda seconds: age(url, seconds))


async def test_the_server_says_for_all_rooms_that_say_nothing_themselves(strict: Stage) -> None:
    plain = await talk_in(strict.store, "plain")
    short, long = await kept_for(strict.store, 7, "short"), await kept_for(strict.store, 365, "long")
    for talk in (plain, short, long):
        await talk.say("old")
    strict.let_pass(8 * DAY_S)
    await strict.store.tidy()
    assert [len((await talk.history())[0]) for talk in (plain, short, long)] == [1, 0, 1]
    strict.let_pass(30 * DAY_S)
    await strict.store.tidy()
    assert [len((await talk.history())[0]) for talk in (plain, short, long)] == [0, 0, 1]


# portions


@pytest.fixture
async def postgres(url: str) -> AsyncIterator[Store]:
    async with open_postgres_store(
        url, structs.replace(LIMITS, kept_days=30, retention_s=60.0), chance=Chance()
    ) as store:
        yield store


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def fill(url: str, room: RoomRecord, events: int, young: int) -> None:
    """Old messages, each with a reaction, and young ones after them."""
    ask(
        url,
        "INSERT INTO trichat.events (room_id, seq, kind, user_id, user_name, ts, body, no, rev)"
        f" SELECT {room.id}, n, 'message', 'g_ann', 'ann',"
        f" now() - CASE WHEN n <= {events - young} THEN interval '31 days' ELSE interval '1 day' END,"
        f""" '{{"text":"x"}}', n, n FROM generate_series(1, {events}) n""",
    )
    ask(
        url,
        "INSERT INTO trichat.reactions (room_id, seq, emoji, user_id, name)"
        f" SELECT {room.id}, n, 'x', 'g_ann', 'ann' FROM generate_series(1, {events}) n",
    )
    ask(url, f"UPDATE trichat.rooms SET last_seq = {events}, last_no = {events} WHERE id = {room.id}")


async def test_much_goes_in_portions_and_nothing_is_left_of_it(url: str, postgres: Store) -> None:
    rooms = [await open_room(postgres, name) for name in ("a", "b", "c")]
    for room, events in zip(rooms, (7_300, 60, 1_000), strict=True):
        fill(url, room, events, young=50)
    await postgres.tidy()
    kept = ask(url, "SELECT room_id, count(*), min(seq), max(seq) FROM trichat.events GROUP BY 1 ORDER BY 1")
    assert kept == [(rooms[0].id, 50, 7_251, 7_300), (rooms[1].id, 50, 11, 60), (rooms[2].id, 50, 951, 1_000)]
    assert ask(url, "SELECT room_id, min(seq) FROM trichat.reactions GROUP BY 1 ORDER BY 1") == [
        (rooms[0].id, 7_251), (rooms[1].id, 11), (rooms[2].id, 951)
    ]  # fmt: skip
    assert ask(url, "SELECT first_seq, first_no, last_seq, last_no FROM trichat.rooms ORDER BY id LIMIT 1") == [
        (7_251, 7_250, 7_300, 7_300)
    ]


async def test_more_reactions_than_a_portion_has_go_with_their_message(url: str, postgres: Store) -> None:
    room = await open_room(postgres, "a")
    fill(url, room, 20, young=10)
    ask(
        url,
        "INSERT INTO trichat.reactions (room_id, seq, emoji, user_id, name)"
        f" SELECT {room.id}, 3, 'x', 'g_' || n, 'n' FROM generate_series(1, 12000) n",
    )
    await postgres.tidy()
    assert ask(url, "SELECT count(*), min(seq) FROM trichat.reactions") == [(10, 11)]


async def test_a_room_whose_last_message_went_has_none(url: str, postgres: Store) -> None:
    rooms = [await open_room(postgres, name) for name in ("a", "b")]
    for room, young in zip(rooms, (0, 10), strict=True):
        fill(url, room, 20, young=young)
        ask(url, f"UPDATE trichat.rooms SET last_message = 20 WHERE id = {room.id}")
    await postgres.tidy()
    assert ask(url, "SELECT last_message FROM trichat.rooms ORDER BY id") == [(0,), (20,)]


async def test_when_the_time_for_it_is_over_the_rest_goes_at_the_next(url: str) -> None:
    limits = structs.replace(LIMITS, kept_days=30, retention_s=0.0)
    async with open_postgres_store(url, limits, chance=Chance()) as store:
        for name in ("a", "b"):
            fill(url, await open_room(store, name), 2_500, young=10)
        first = []
        for _ in range(7):
            await store.tidy()
            first.append(tuple(row[0] for row in ask(url, "SELECT first_seq FROM trichat.rooms ORDER BY id")))
    by_a = [(1_001, 1), (2_001, 1), (2_491, 1)]
    by_b = [(2_491, 1_001), (2_491, 2_001), (2_491, 2_491)]
    assert first == by_a + by_b + [(2_491, 2_491)]


async def test_what_a_crash_left_behind_goes_later(url: str, postgres: Store) -> None:
    room = await open_room(postgres, "a")
    fill(url, room, 20, young=10)
    await postgres.tidy()
    ask(
        url,
        "INSERT INTO trichat.reactions (room_id, seq, emoji, user_id, name)"
        f" VALUES ({room.id}, 3, 'x', 'g_ann', 'ann')",
    )
    await postgres.tidy()
    assert ask(url, "SELECT count(*) FROM trichat.reactions WHERE seq < 11") == [(0,)]


async def test_a_reply_to_a_thread_that_has_just_gone_leaves_none_behind(url: str, postgres: Store) -> None:
    room = await open_room(postgres, "a")
    fill(url, room, 20, young=10)
    talk = Talk(postgres, room)
    await postgres.tidy()
    reply = await talk.say("late", thread=3)
    assert ask(url, "SELECT root, last_seq FROM trichat.threads") == [(3, reply)]
    await postgres.tidy()
    assert ask(url, "SELECT count(*) FROM trichat.threads") == [(0,)]


async def test_nodes_forget_what_they_keep_in_memory_when_something_went(strict: Stage) -> None:
    talk = await talk_in(strict.store)
    await talk.say("old")

    async def changes() -> int:
        return (await strict.store.look([], Chance().incarnation())).changes

    before = await changes()
    await strict.store.tidy()
    assert await changes() == before
    strict.let_pass(31 * DAY_S)
    await strict.store.tidy()
    assert await changes() == before + 1


async def test_many_rooms_are_looked_at_in_turn(url: str, postgres: Store) -> None:
    """A thousand rooms at a time: those beyond are looked at the next time, and then the first ones again."""
    ask(url, "INSERT INTO trichat.rooms (name, epoch) SELECT 'r' || n, 'e' FROM generate_series(1, 1500) n")
    last = await open_room(postgres, "last")
    fill(url, last, 20, young=10)
    await postgres.tidy()
    assert ask(url, f"SELECT first_seq FROM trichat.rooms WHERE id = {last.id}") == [(1,)]
    await postgres.tidy()
    assert ask(url, f"SELECT first_seq FROM trichat.rooms WHERE id = {last.id}") == [(11,)]
    first = await open_room(postgres, "r1")
    fill(url, first, 20, young=10)
    await postgres.tidy()
    assert ask(url, f"SELECT first_seq FROM trichat.rooms WHERE id = {first.id}") == [(11,)]
