"""Searching: what is found, whether it is in the index yet or not, and what nobody finds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
import pytest
import trio
from msgspec import structs

from tests.store.conftest import LIMITS, Stage
from tests.store.governed import ANN, BOB, CAT, GUS, actor, joined, made, refused
from tests.store.postgres import wait_until
from trichat.chat.ports import Store, StoreUnavailable
from trichat.core.acts import Remove, Rewrite
from trichat.core.chance import Chance
from trichat.core.changes import Edit, Enter, Invite, Kick
from trichat.core.codec import quote
from trichat.core.conversation import Found
from trichat.core.events import Committed, Draft, Person, RoomRecord
from trichat.core.names import RoomName
from trichat.core.query import parse_query
from trichat.core.standing import RoomRules
from trichat.store import MemoryStore, open_postgres_store


@pytest.fixture(params=["indexed", "just said"])
def index_first(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "indexed")


class Searcher:
    """Says things, and looks for them: in the index, or before they are in it."""

    def __init__(self, store: Store, *, index_first: bool) -> None:
        self.store = store
        self._index_first = index_first

    async def say(self, room: RoomRecord, *texts: str, by: Person = ANN, **more: object) -> list[int]:
        return [await self._say(room, text, by, more) for text in texts]

    async def _say(self, room: RoomRecord, text: str, by: Person, more: dict[str, object]) -> int:
        body = quote({"text": text, **more})
        (outcome,) = await self.store.append([Draft(room.id, room.name, "message", by.user_id, by.user, None, body)])
        assert isinstance(outcome, Committed)
        return outcome.seq

    async def found(
        self, text: str, *rooms: RoomRecord | RoomName, by: Person = ANN, before: str = "", limit: int = 50,
        authors: Sequence[Person] = (),
    ) -> list[Found]:  # fmt: skip
        if self._index_first:
            await index_all(self.store)
        query = structs.replace(parse_query(text, LIMITS), authors=tuple(author.user_id for author in authors))
        names = [room.name if isinstance(room, RoomRecord) else room for room in rooms]
        return await self.store.searching.search(actor(by), names or None, query, before=before, limit=limit)

    async def texts(self, text: str, *rooms: RoomRecord, by: Person = ANN, authors: Sequence[Person] = ()) -> list[str]:
        return [one.snippet for one in await self.found(text, *rooms, by=by, authors=authors)]

    async def seqs(self, text: str, *rooms: RoomRecord, by: Person = ANN) -> list[int]:
        return [one.message.seq for one in await self.found(text, *rooms, by=by)]


async def index_all(store: Store) -> None:
    """Until nothing is left to be done, in a whole turn through the rooms."""
    with trio.fail_after(20):
        while await store.searching.index():
            pass


@pytest.fixture
def look(store: Store, index_first: bool) -> Searcher:
    return Searcher(store, index_first=index_first)


async def test_words_are_found_newest_first_whatever_their_case(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "The Blue sky", "a green sky", "blue again", "bluebell")
    assert await look.texts("blue", room) == ["blue again", "The Blue sky"]
    assert await look.texts("BLUE sky", room) == ["The Blue sky"]
    assert await look.texts("grey", room) == []


async def test_case_is_none_in_any_alphabet(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "ÄRGER im Büro", "Привет мир", "cafe\u0301")
    assert await look.texts("ärger", room) == ["ÄRGER im Büro"]
    assert await look.texts("ПРИВЕТ", room) == ["Привет мир"]
    assert len(await look.texts("café", room)) == 1


async def test_phrases_beginnings_and_what_must_not_be_there(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "a red car", "a car, red", "a red bus", "“red” caravan")
    assert await look.texts('"red car"', room) == ["a red car"]
    assert await look.texts("car*", room) == ["“red” caravan", "a car, red", "a red car"]
    assert await look.texts('red -"red car" -bus', room) == ["“red” caravan", "a car, red"]


async def test_no_sign_in_a_beginning_means_anything(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "cargo", "the red\\carp")
    for typed in ("car\\*", "car\\\\*", "'car'*", "car:*", "car&*", "(car*", "\\car*"):
        assert await look.texts(typed, room) == ["the red\\carp", "cargo"], typed
    assert await look.texts("red\\ca*", room) == ["the red\\carp"]
    assert await look.texts("red'ca*", room) == ["the red\\carp"]
    assert await look.texts("red\\arp*", room) == []


async def test_by_whom_something_was_said(look: Searcher) -> None:
    room = await made(look.store)
    await joined(look.store, room, BOB)
    await look.say(room, "blue one")
    await look.say(room, "blue two", "green", by=BOB)
    await look.say(room, "blue three", by=GUS)
    assert await look.texts("from:bob blue", room, authors=[BOB]) == ["blue two"]
    assert await look.texts("from:bob", room, authors=[BOB]) == ["green", "blue two"]
    assert await look.texts("from:bob from:gus blue", room, authors=[BOB, GUS]) == ["blue three", "blue two"]


async def test_what_a_message_has(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "see HTTPS://example.org/x", "no link: example")
    await look.say(room, "hi", mentions=[{"user": "bob", "user_id": "u_bob"}])
    await look.say(room, "well", reply_to=3)
    assert await look.texts("has:link", room) == ["see HTTPS://example.org/x"]
    assert await look.texts("has:mention", room) == ["hi"]
    assert await look.texts("has:reply", room) == ["well"]
    assert await look.texts("has:link has:reply", room) == []


async def test_no_text_passes_for_what_the_index_says_of_a_message(look: Searcher) -> None:
    one, other = await made(look.store), await made(look.store, "dev")
    await look.say(one, f"#{other.id} @u_bob :link :mention '#{other.id}'")
    assert await look.texts("has:link", one) == []
    assert await look.texts("from:bob", one, authors=[BOB]) == []
    assert await look.texts("mention", other) == []


async def test_days(look: Searcher, stage: Stage) -> None:
    room = await made(look.store)
    await look.say(room, "blue then")
    await index_all(look.store)
    stage.let_pass(3 * 86_400)
    await look.say(room, "blue now")
    (now, then) = await look.found("blue", room)
    today, that_day = (day_of(one.message.ts) for one in (now, then))
    assert await look.texts(f"blue before:{today}", room) == ["blue then"]
    assert await look.texts(f"blue after:{that_day}", room) == ["blue now"]
    assert await look.texts(f"blue after:{that_day} before:{today}", room) == []
    assert await look.texts(f"blue after:{today}", room) == []


def day_of(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1000, UTC):%Y-%m-%d}"


async def test_across_all_rooms_of_somebody_and_no_others(look: Searcher, stage: Stage) -> None:
    lobby, dev, ops = [await made(look.store, name) for name in ("lobby", "dev", "ops")]
    for room in (lobby, dev):
        await joined(look.store, room, BOB)
    for room in (lobby, dev, ops, lobby):
        await look.say(room, f"blue in {room.name}")
        stage.let_pass(1)  # what is said in different rooms in one millisecond has the order of the rooms
    assert await look.texts("blue", by=BOB) == ["blue in lobby", "blue in dev", "blue in lobby"]
    assert await look.texts("blue", ops, by=BOB) == ["blue in ops"]  # it is public
    assert await look.texts("blue", by=CAT) == []
    assert [one.room for one in await look.found("blue", by=ANN)] == ["lobby", "ops", "dev", "lobby"]


async def test_who_may_not_read_finds_nothing(look: Searcher) -> None:
    hidden = await made(look.store, "~hidden", kind="private")
    closed = await made(look.store, "closed", rules=RoomRules(guests=False))
    await look.say(hidden, "blue")
    with refused("no_such_room", "room"):
        await look.found("blue", hidden, by=BOB)
    with refused("no_such_room", "room"):
        await look.found("blue", RoomName("nowhere"), by=BOB)
    with refused("forbidden", "room"):
        await look.found("blue", closed, by=GUS)
    assert await look.texts("blue", hidden) == ["blue"]


async def test_who_sees_what_came_after_they_joined_finds_that_alone(look: Searcher) -> None:
    room = await made(look.store, rules=RoomRules(history="joined"))
    await look.say(room, "blue before")
    await joined(look.store, room, BOB)
    await look.say(room, "blue after")
    assert await look.texts("blue", room, by=BOB) == ["blue after"]
    assert await look.texts("blue", by=BOB) == ["blue after"]
    assert await look.texts("blue", room, by=GUS) == []
    assert await look.texts("blue", room) == ["blue after", "blue before"]


async def test_who_is_removed_finds_nothing_more(look: Searcher) -> None:
    room = await made(look.store, "~dev", kind="private")
    await look.store.governance.change(room.id, actor(ANN), Invite(), target=BOB)
    await look.say(room, "blue")
    assert await look.texts("blue", by=BOB) == []  # an invited person is no member yet
    await look.store.governance.change(room.id, actor(BOB), Enter())
    assert await look.texts("blue", by=BOB) == ["blue"]
    await look.store.governance.change(room.id, actor(ANN), Kick(""), target=BOB)
    assert await look.texts("blue", by=BOB) == []


async def test_pages_go_through_all_that_was_found(look: Searcher, stage: Stage) -> None:
    rooms = [await made(look.store, name) for name in ("lobby", "dev")]
    for n in range(7):
        await look.say(rooms[n % 2], f"blue {n}")
        stage.let_pass(n % 3)  # some in one millisecond, most likely: of each place there is one message all the same
    seen: list[str] = []
    key = ""
    while page := await look.found("blue", before=key, limit=3):
        seen += [one.snippet for one in page]
        key = page[-1].key
    assert sorted(seen) == [f"blue {n}" for n in range(7)]
    assert seen == [one.snippet for one in await look.found("blue")]
    with refused("bad_field", "before"):
        await look.found("blue", before="yesterday")


async def test_the_places_that_fit_are_marked(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "A Blue\x01 sky, 👍 bluer, blue; ÄBLUE " + "x" * 20)
    (one,) = await look.found("blue sk*", room)
    assert [one.snippet[a:b] for a, b in one.marks] == ["Blue", "sky", "blue"]
    assert one.message.body.startswith(b'{"text":"A Blue')


async def test_of_a_long_text_the_part_around_the_first_place_is_shown(look: Searcher) -> None:
    room = await made(look.store)
    await look.say(room, "word " * 300 + "blue " + "word " * 300)
    (one,) = await look.found("blue", room)
    assert len(one.snippet) <= LIMITS.snippet_chars
    assert [one.snippet[a:b] for a, b in one.marks] == ["blue"]


async def test_an_edited_message_is_found_by_what_it_says_now(look: Searcher) -> None:
    room = await made(look.store)
    (seq,) = await look.say(room, "blue")
    await index_all(look.store)
    await look.store.acts.act(room.id, actor(ANN), seq, Rewrite("green"), cid=None, address="")
    assert await look.seqs("blue", room) == []
    assert await look.seqs("green has:edit", room) == [seq]
    (one,) = await look.found("green", room)
    assert one.message.rev == seq + 1


async def test_a_deleted_message_is_found_no_more(look: Searcher) -> None:
    room = await made(look.store)
    (seq, other) = await look.say(room, "blue", "blue too")
    await index_all(look.store)
    await look.store.acts.act(room.id, actor(ANN), seq, Remove(), cid=None, address="")
    assert await look.seqs("blue", room) == [other]
    (last,) = await look.say(room, "blue at last")
    await look.store.acts.act(room.id, actor(ANN), last, Remove(), cid=None, address="")
    assert await look.texts("from:ann", room, authors=[ANN]) == ["blue too"]


async def test_a_word_that_is_frequent_only_long_ago_is_found_too(url: str) -> None:
    limits = structs.replace(LIMITS, search_scan=10, index_portion=7)
    async with open_postgres_store(url, limits, chance=Chance()) as store:
        look = Searcher(store, index_first=True)
        lobby, dev = await made(store, "lobby"), await made(store, "dev")
        for room in (lobby, dev):
            await look.say(room, *(f"blue {n}" for n in range(6)), *(f"grey {n}" for n in range(20)), "blue last")
        for rooms in ([lobby], [dev]):
            assert await look.texts("blue", *rooms) == ["blue last", *(f"blue {n}" for n in reversed(range(6)))]
        assert len(await look.texts("blue")) == 14
        assert [one.snippet for one in await look.found("blue", limit=3)] == ["blue last", "blue 5", "blue 4"]


async def test_in_the_depth_of_the_index_nobody_finds_more_than_they_may_see(url: str) -> None:
    async with open_postgres_store(url, structs.replace(LIMITS, search_scan=3), chance=Chance()) as store:
        look = Searcher(store, index_first=True)
        room, other = await made(store, rules=RoomRules(history="joined")), await made(store, "dev")
        await look.say(other, "blue in dev")
        await look.say(room, "blue before")
        await joined(store, room, BOB)
        await look.say(room, "blue after", *(f"grey {n}" for n in range(9)))
        assert await look.texts("blue", room, by=BOB) == ["blue after"]
        assert await look.texts("blue", by=BOB) == ["blue after"]
        assert await look.texts("blue") == ["blue after", "blue before", "blue in dev"]


async def test_a_language_has_its_forms_and_its_common_words(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        look = Searcher(store, index_first=True)
        english = await made(store, "english", rules=RoomRules(language="english"))
        simple = await made(store, "simple")
        for room in (english, simple):
            await look.say(room, f"running the race in {room.name}")
        assert await look.texts("runs", english) == ["running the race in english"]
        assert await look.texts("runs") == ["running the race in english"]
        assert await look.texts("race") == ["running the race in simple", "running the race in english"]
        assert await look.texts("the", simple) == ["running the race in simple"]
        assert await look.texts("the race", english) == ["running the race in english"]
        with refused("bad_field", "text", "too common"):
            await look.found("the", english)


async def test_a_room_whose_language_changes_is_indexed_anew(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await made(store)
        before, after = Searcher(store, index_first=False), Searcher(store, index_first=True)
        await before.say(room, "running")
        await index_all(store)
        assert await before.texts("running", room) == ["running"]
        assert await before.texts("runs", room) == []
        await store.governance.change(room.id, actor(ANN), Edit(language="english"))
        assert await before.texts("runs", room) == ["running"]
        assert await before.texts("from:ann", room, authors=[ANN]) == ["running"]  # and not by its old entry, too
        assert await after.texts("runs", room) == ["running"]
        assert _count(url, "SELECT count(*) FROM trichat.search") == 1


async def test_many_may_fill_the_index_at_a_time_and_each_message_is_in_it_once(url: str) -> None:
    limits = structs.replace(LIMITS, index_portion=5)
    async with (
        open_postgres_store(url, limits, chance=Chance()) as one,
        open_postgres_store(url, limits, chance=Chance()) as other,
    ):
        look = Searcher(one, index_first=False)
        rooms = [await made(one, f"room{n}") for n in range(6)]
        for room in rooms:
            await look.say(room, *(f"blue {n}" for n in range(12)))
        async with trio.open_nursery() as nodes:
            for node in (one, other, one, other):
                nodes.start_soon(index_all, node)
        await index_all(one)
        assert _count(url, "SELECT count(*) FROM trichat.search") == 72
        assert (
            _count(
                url, "SELECT count(*) FROM trichat.indexed i JOIN trichat.rooms r ON id = room_id AND seq = last_seq"
            )
            == 6
        )
        assert len(await look.found("blue", limit=99)) == 72


async def test_long_messages_are_indexed_few_at_a_time(url: str) -> None:
    """A step takes as long as there are words in it, and one that takes too long would be begun again for ever."""
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        look = Searcher(store, index_first=False)
        room = await made(store)
        await look.say(room, *("word " * 790 for _ in range(100)))
        assert await store.searching.index()
        first = _count(url, "SELECT count(*) FROM trichat.search")
        await index_all(store)
        assert 0 < first < 50
        assert _count(url, "SELECT count(*) FROM trichat.search") == 100


async def test_a_step_of_the_index_that_fails_is_tried_again_in_smaller_ones(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        look = Searcher(store, index_first=False)
        room = await made(store)
        await look.say(room, *(f"blue {n}" for n in range(12)))
        _do(url, _FAIL)  # as if more than five at a time took too long
        with trio.fail_after(20):
            while _count(url, "SELECT count(*) FROM trichat.search") < 12:
                with suppress(StoreUnavailable):
                    await store.searching.index()


_FAIL = """
    CREATE FUNCTION trichat.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (SELECT count(*) FROM written) > 5 THEN
            RAISE EXCEPTION 'too much' USING ERRCODE = 'query_canceled';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER fail AFTER INSERT ON trichat.search
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION trichat.fail()
"""


async def test_an_edit_while_the_index_is_filled_is_not_lost(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        look = Searcher(store, index_first=True)
        room = await made(store)
        seqs = await look.say(room, *(f"blue {n}" for n in range(300)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(index_all, store)
            for seq in seqs[::10]:
                await store.acts.act(room.id, actor(ANN), seq, Rewrite("green"), cid=None, address="")
        assert len(await look.found("green", room, limit=999)) == 30
        assert len(await look.found("blue", room, limit=999)) == 270


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_what_is_erased_while_the_index_is_filled_is_not_in_it(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        look = Searcher(store, index_first=False)
        room = await made(store)
        (seq, _) = await look.say(room, "blue", "blue too")
        with psycopg.connect(url) as erasure, trio.fail_after(20):
            erasure.execute("SELECT FROM trichat.rooms FOR UPDATE")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(index_all, store)
                await trio.to_thread.run_sync(wait_until, lambda: _count(url, _WAITING) > 0, "it has read, and waits")
                gone = f"UPDATE trichat.events SET deleted = true, body = '{{}}' WHERE seq = {seq}"
                erasure.execute(gone.encode())
                erasure.commit()
        assert await look.texts("blue", room) == ["blue too"]
        assert _count(url, "SELECT count(*) FROM trichat.search") == 1


async def test_too_much_that_is_not_in_the_index_is_said(url: str) -> None:
    async with open_postgres_store(url, structs.replace(LIMITS, search_tail=5), chance=Chance()) as store:
        look = Searcher(store, index_first=False)
        room = await made(store)
        await look.say(room, *(["blue"] * 6))
        with refused("unavailable"):
            await look.found("blue", room)
        await index_all(store)
        assert len(await look.found("blue", room)) == 6


async def test_a_search_that_takes_too_long_ends_by_itself(url: str) -> None:
    limits = structs.replace(LIMITS, search_s=0.2, search_scan=10)
    async with open_postgres_store(url, limits, chance=Chance()) as store:
        look = Searcher(store, index_first=True)
        room = await made(store)
        await look.say(room, "blue", *(["grey"] * 12))
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE trichat.search")
            with refused("limit_reached", "text", "narrow it down"):
                await Searcher(store, index_first=False).found("blue", room)
        assert await look.texts("blue", room) == ["blue"]


async def test_more_rooms_than_one_search_looks_through_are_refused(url: str) -> None:
    limits = structs.replace(LIMITS, search_rooms=2)
    async with open_postgres_store(url, limits, chance=Chance()) as store:
        for of in (store, MemoryStore(limits, chance=Chance())):
            look = Searcher(of, index_first=True)
            rooms = [await made(of, name) for name in ("lobby", "dev")]
            await look.say(rooms[0], "blue")
            assert await look.texts("blue") == ["blue"]
            await made(of, "ops")
            with refused("limit_reached", "text", "in:lobby"):
                await look.found("blue")
            assert await look.texts("blue", *rooms) == ["blue"]


async def test_what_is_kept_no_more_is_not_found_and_leaves_the_index(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        look = Searcher(store, index_first=False)
        room = await made(store)
        seqs = await look.say(room, "blue one", "blue two")
        await index_all(store)
        _do(url, f"UPDATE trichat.rooms SET first_seq = {seqs[1]}")
        assert await look.texts("blue", room) == ["blue two"]
        await index_all(store)
        assert _count(url, "SELECT count(*) FROM trichat.search") == 1


def _do(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def _count(url: str, statement: str) -> int:
    with psycopg.connect(url) as connection:
        ((count,),) = connection.execute(statement.encode())
        return int(count)
