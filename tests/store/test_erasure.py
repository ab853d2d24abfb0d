"""The store's contract: all that is kept about a person is read, and erased. On the twin and on PostgreSQL."""

from __future__ import annotations

import json
import time
from contextlib import closing

import msgspec
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.store.acting import did, message
from tests.store.conftest import LIMITS, open_room
from tests.store.examining import Mixed, mixed_room
from tests.store.governed import ANN, BOB, CAT, DAN, GUS, actor, joined, made, refused, says
from tests.store.people import OPERATOR, register, token_of
from trichat.chat.ports import Store
from trichat.core.accounts import Account, ProfileFields
from trichat.core.acts import Respond, Rewrite
from trichat.core.chance import Chance
from trichat.core.changes import Ban, Kick, Mute
from trichat.core.errors import Refusal
from trichat.core.events import Committed, Event, Person, Repeated, RoomRecord
from trichat.core.names import UserId
from trichat.core.standing import Role
from trichat.store import erasing_events, erasure, open_postgres_store
from trichat.store.connection import Connection, connect
from trichat.store.personal_rows import SECTIONS
from trichat.store.postgres_administration import PostgresAdministration

ANNABEL = Person("annabel", UserId("u_annabel"))
PRIVATE = "the words that only annabel says"


async def _export(store: Store, user_id: UserId) -> dict[str, list[dict[str, object]]]:
    whole: dict[str, list[dict[str, object]]] = {}
    async for part in store.administration.export(user_id, operator=OPERATOR):
        whole.setdefault(part.section, []).extend(part.rows)
    return whole


async def _events(store: Store, room: RoomRecord) -> list[Event]:
    return (await store.read_events(room.id, after=0, limit=1000, max_bytes=10_000_000)).events


def _body(event: Event) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(event.body)
    return body


async def _live(store: Store) -> RoomRecord:
    """Annabel leaves her traces wherever one can; returns the room in which she does."""
    await register(store, ANNABEL.user_id, login="k_first")
    await register(store, BOB.user_id)
    await store.accounts.set_profile(ANNABEL.user_id, ProfileFields(display_name="Annabel Lee", about=PRIVATE))
    await store.accounts.set_totp(ANNABEL.user_id, "SECRETSECRET")
    await store.accounts.block(ANNABEL.user_id, BOB.user_id, most=10)
    await store.accounts.block(BOB.user_id, ANNABEL.user_id, most=10)
    room = await made(store)
    await joined(store, room, ANNABEL, Role.MODERATOR)
    await joined(store, room, BOB)
    said, *_ = await store.append(
        [says(BOB, room), says(ANNABEL, room, PRIVATE, cid="c1"), says(ANNABEL, room, PRIVATE)]
    )
    assert isinstance(said, Committed)
    await store.governance.change(room.id, actor(ANNABEL), Mute(reason="noise"), target=BOB, address="192.0.2.77")
    await store.governance.make_invite(
        room.id, actor(ANNABEL), "code-of-the-lobby", uses=5, for_s=3600, address="192.0.2.77"
    )
    number = await store.governance.report(room.id, said.seq, actor(ANNABEL), PRIVATE)
    assert await store.governance.resolve(room.id, actor(ANNABEL), number, "seen", address="192.0.2.77")
    await store.administration.set_admin(ANNABEL.user_id, True, operator=OPERATOR)
    return room


# the export


async def test_all_that_is_kept_about_a_person_is_exported(store: Store) -> None:
    room = await _live(store)
    whole = await _export(store, ANNABEL.user_id)
    assert tuple(whole) == SECTIONS
    (account,) = whole["account"]
    assert account["display_name"] == "Annabel Lee"
    assert (account["has_password"], account["has_second_factor"], account["admin"]) == (True, True, True)
    assert whole["names"] == [{"name": "annabel", "kept_until": None}]
    (login,) = whole["logins"]
    assert (login["id"], login["address"]) == ("k_first", "192.0.2.1")
    assert whole["blocks"] == [{"user_id": BOB.user_id}]
    (membership,) = whole["memberships"]
    assert (membership["room"], membership["role"]) == (room.name, "moderator")
    (invite,) = whole["invites"]
    assert (invite["room"], invite["uses_left"]) == (room.name, 5)
    (report,) = whole["reports"]
    assert (report["room"], report["reason"], report["resolved_by"]) == (room.name, PRIVATE, "annabel")
    acts = [(entry["act"], entry["actor"], entry["address"]) for entry in whole["audit"]]
    assert ("mute", "annabel", "192.0.2.77") in acts
    assert acts[-2:] == [("admin", OPERATOR, ""), ("export", OPERATOR, "")]


async def test_the_events_by_and_about_a_person_are_exported_as_the_protocol_writes_them(store: Store) -> None:
    room = await _live(store)
    events = (await _export(store, ANNABEL.user_id))["events"]
    of = [(event["type"], event["from"], event.get("text", event.get("change"))) for event in events]
    assert of == [
        ("member", "annabel", "joined"), ("member", "ann", "role"), ("message", "annabel", PRIVATE),
        ("message", "annabel", PRIVATE), ("member", "annabel", "muted"),
    ]  # fmt: skip
    assert {event["room"] for event in events} == {room.name}


async def test_edits_reactions_threads_and_how_far_somebody_has_read_are_exported(store: Store) -> None:
    mixed = await _talk(store)
    room = mixed.room
    await store.markers.notify(room.id, actor(BOB), "mentions", None)
    whole = await _export(store, BOB.user_id)
    (membership,) = whole["memberships"]
    assert (membership["room"], membership["read"], membership["level"]) == (room.name, mixed.reply, "mentions")
    assert whole["threads"] == [{"room": room.name, "thread": mixed.root, "following": True, "read": mixed.reply}]
    events = {event["seq"]: event for event in whole["events"]}
    assert events[mixed.edited]["text"] == "twice"
    assert _texts(events[mixed.edited]) == ["hear", "once"]
    assert "revisions" not in events[mixed.reply]
    assert mixed.mentioning not in events  # what others say is theirs
    reacted = [event["emoji"] for event in (await _export(store, GUS.user_id))["events"] if event["type"] == "reacted"]
    assert reacted == ["👍"]


def _texts(event: dict[str, object]) -> list[object]:
    assert isinstance(event["revisions"], list)
    return [revision["text"] for revision in event["revisions"]]


async def test_an_export_holds_no_secret(store: Store) -> None:
    await _live(store)
    text = json.dumps(await _export(store, ANNABEL.user_id))
    for secret in (f"hash of {ANNABEL.user_id}", "SECRETSECRET", token_of("k_first").hex(), "code-of-the-lobby"):
        assert secret not in text


async def test_of_a_guest_and_of_nobody_what_there_is_is_exported(store: Store) -> None:
    lobby = await open_room(store)
    await store.claim_name(GUS.user_id, "gus")
    await store.append([says(GUS, lobby, "hello")])
    whole = await _export(store, GUS.user_id)
    assert tuple(whole) == SECTIONS
    assert (whole["account"], [name["name"] for name in whole["names"]]) == ([], ["gus"])
    assert [event["text"] for event in whole["events"]] == ["hello"]
    assert (await _export(store, UserId("g_nobody")))["events"] == []
    with pytest.raises(Refusal):
        await _export(store, UserId("u_nobody"))


async def test_from_where_others_acted_is_not_exported(store: Store) -> None:
    room = await _live(store)
    await store.governance.change(room.id, actor(ANN), Kick("off"), target=BOB, address="192.0.2.99")
    whole = await _export(store, BOB.user_id)
    assert [entry["act"] for entry in whole["audit"]] == ["mute", "kick", "export"]
    assert "192.0.2.77" not in json.dumps(whole)
    assert "192.0.2.99" not in json.dumps(whole)


# the erasure


async def test_of_who_is_erased_neither_name_nor_words_are_left_and_the_log_has_its_numbers(store: Store) -> None:
    room = await _live(store)
    before = await _events(store, room)
    await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    after = await _events(store, room)
    assert [(e.seq, e.kind, e.user_id, e.ts, e.cid) for e in after] == [
        (e.seq, e.kind, e.user_id, e.ts, e.cid) for e in before
    ]
    assert [e for e in after if e.user_id == BOB.user_id] == [e for e in before if e.user_id == BOB.user_id]
    assert {e.user for e in after if e.user_id == ANNABEL.user_id} == {"erased"}
    assert [_body(e) for e in after if e.user_id == ANNABEL.user_id and e.kind == "message"] == [{"deleted": True}] * 2
    about = [_body(e)["user"] for e in after if e.kind == "member" and _body(e)["user_id"] == ANNABEL.user_id]
    assert about == ["erased", "erased"]
    whole = json.dumps(await _export(store, ANNABEL.user_id)).replace(ANNABEL.user_id, "")
    for trace in ("annabel", "Annabel", PRIVATE, "192.0.2"):
        assert trace not in whole
    roster = await store.governance.roster(room.id, actor(ANN), after="", limit=10)
    assert [member.user for member in roster] == ["ann", "bob", "erased"]


async def test_who_is_erased_cannot_come_back_and_their_name_is_free(store: Store) -> None:
    await _live(store)
    await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    assert await store.accounts.find_login(token_of("k_first"), "") is None
    assert not await store.accounts.is_active(ANNABEL.user_id)
    assert await store.accounts.credentials("annabel") is None
    assert await store.accounts.credentials("erased") is None
    assert await store.accounts.blocked(BOB.user_id) == []
    gone = Account(user_id=ANNABEL.user_id, name="erased", active=False)
    assert await store.administration.find(ANNABEL.user_id) == gone
    assert await store.administration.find("erased") is None
    assert gone not in await store.administration.users(after="", limit=10)
    assert await store.claim_name(GUS.user_id, "annabel")


async def test_a_message_of_who_was_erased_counts_once_when_it_is_sent_again(store: Store) -> None:
    lobby = await open_room(store)
    (first,) = await store.append([says(GUS, lobby, "hello", cid="c1")])
    assert isinstance(first, Committed)
    await store.administration.erase(GUS.user_id, operator=OPERATOR)
    assert await store.append([says(GUS, lobby, "hello", cid="c1")]) == [Repeated(first.seq)]


async def test_a_guest_is_erased(store: Store) -> None:
    lobby = await open_room(store)
    await store.claim_name(GUS.user_id, "gus")
    await store.append([says(GUS, lobby, "hello"), says(Person("gus", UserId("g_other")), lobby, "I too")])
    await store.administration.erase(GUS.user_id, operator=OPERATOR)
    mine, others = await _events(store, lobby)
    assert (mine.user, mine.body) == ("erased", b'{"deleted":true}')
    assert (others.user, others.body) == ("gus", b'{"text":"I too"}')
    assert await store.name_of(GUS.user_id) is None
    (entry,) = await store.administration.audit(before=None, limit=10)
    assert (entry.act, entry.target, entry.target_id) == ("erase", "erased", GUS.user_id)


async def test_restraints_outlast_an_erasure(store: Store) -> None:
    room = await made(store)
    await register(store, ANNABEL.user_id)
    await joined(store, room, ANNABEL)
    await store.governance.change(room.id, actor(ANN), Ban(reason="rude"), target=ANNABEL)
    await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    (banned,) = await store.governance.restrained(room.id, actor(ANN), after="", limit=10)
    assert (banned.user, banned.user_id, banned.reason) == ("erased", ANNABEL.user_id, "rude")


async def test_the_words_of_an_edit_go_and_its_target_stays(store: Store) -> None:
    lobby = await open_room(store)
    await store.append([says(GUS, lobby)])
    await did(store, lobby, GUS, 1, Rewrite("better"))
    await store.administration.erase(GUS.user_id, operator=OPERATOR)
    assert [event.body for event in await _events(store, lobby)] == [
        b'{"deleted":true}',
        b'{"target":1,"superseded":true}',
    ]


async def test_a_message_of_who_was_erased_is_as_one_that_was_taken_back(store: Store) -> None:
    mixed = await _talk(store)
    room, edited = mixed.room, mixed.edited
    before = await message(store, room, edited)
    await store.administration.erase(BOB.user_id, operator=OPERATOR)
    assert await message(store, room, edited, ANN.user_id) == {"deleted": True, "rev": before["rev"]}
    with refused("bad_state", "seq"):
        await did(store, room, ANN, edited, Respond("x"))
    assert await store.acts.revisions(room.id, actor(ANN), edited) == []
    assert await store.acts.reactions(room.id, actor(ANN), edited, after="", limit=10) == []
    assert edited not in [pinned.message.seq for pinned in await store.acts.pins(room.id, actor(ANN))]
    (thread,) = await store.threads.threads(room.id, actor(ANN), every=True, before=None, limit=10)
    assert (thread.root.seq, thread.replies) == (mixed.root, 0)
    reply = (await _events(store, room))[mixed.reply - 1]
    assert _body(reply) == {"deleted": True, "thread": mixed.root}


async def test_who_has_reacted_is_erased_too(store: Store) -> None:
    mixed = await _talk(store)
    await store.administration.erase(GUS.user_id, operator=OPERATOR)
    reactions = await store.acts.reactions(mixed.room.id, actor(ANN), mixed.edited, after="", limit=10)
    assert [(one.user, one.user_id) for one in reactions] == [("erased", GUS.user_id), ("ann", ANN.user_id)]


async def test_where_others_mention_who_was_erased_the_words_stay_and_the_mention_goes(store: Store) -> None:
    mixed = await _talk(store)
    room = mixed.room
    assert BOB.user_id in str(await message(store, room, mixed.mentioning))
    await store.administration.erase(BOB.user_id, operator=OPERATOR)
    said = await message(store, room, mixed.mentioning)
    assert said["text"] == "hear"
    assert [mention["user_id"] for mention in said["mentions"]] == ["*", "u_dan", GUS.user_id]
    for person in (DAN, GUS):
        await store.administration.erase(person.user_id, operator=OPERATOR)
    assert [m["user_id"] for m in (await message(store, room, mixed.mentioning))["mentions"]] == ["*"]
    kept = await store.markers.mentions(BOB.user_id, before="", limit=10)
    assert {mention.message.seq for mention in kept} == {mixed.mentioning}  # it mentions the room
    assert BOB.user_id not in str([_body(event) for event in await _events(store, room) if event.kind == "edited"])


async def test_what_who_was_erased_followed_and_wanted_to_hear_is_kept_no_more(store: Store) -> None:
    mixed = await _talk(store)
    await store.markers.notify(mixed.room.id, actor(BOB), "mentions", 4_000_000_000_000)
    await store.administration.erase(BOB.user_id, operator=OPERATOR)
    whole = await _export(store, BOB.user_id)
    assert whole["threads"] == []
    (membership,) = whole["memberships"]
    assert (membership["level"], membership["quiet_until"]) == ("all", None)


async def _talk(store: Store) -> Mixed:
    """A room in which all was done, by people who have accounts."""
    for person in (ANN, BOB, CAT, DAN):
        await register(store, person.user_id)
    return await mixed_room(store)


async def test_who_takes_the_name_of_somebody_erased_keeps_it_when_that_is_done_again(store: Store) -> None:
    room = await _live(store)
    await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    new = Person("annabel", UserId("u_other"))
    await register(store, new.user_id, "annabel")
    await joined(store, room, new, Role.MODERATOR)
    await store.governance.make_invite(room.id, actor(new), "another", uses=1, for_s=60, address="")
    await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    assert await store.administration.find("annabel") == Account(user_id=new.user_id, name="annabel")
    made_by = [code.made_by for code in await store.governance.invites(room.id, actor(ANN))]
    assert sorted(made_by) == ["annabel", "erased"]


# PostgreSQL alone


def _connect(url: str) -> Connection:
    return connect([conninfo_to_dict(url)], time.monotonic() + 10, prepares=True)


async def test_no_table_holds_a_trace_of_who_was_erased(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await _live(store)
        await store.administration.add_person(UserId("u_root"), "root", None, operator=OPERATOR)
        await store.governance.change(room.id, actor(ANN), Kick("off"), target=ANNABEL, address="192.0.2.99")
        assert _rows_with(url, "annabel")
        await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    for trace in ("annabel", "Annabel", PRIVATE, "192.0.2.77", "SECRETSECRET"):
        assert _rows_with(url, trace) == []


async def test_nothing_waits_to_be_told_to_who_was_erased(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        await _talk(store)
        assert _waiting(url) >= {ANN.user_id, BOB.user_id}
        await store.administration.erase(BOB.user_id, operator=OPERATOR)
    assert BOB.user_id not in _waiting(url)
    assert ANN.user_id in _waiting(url)


def _waiting(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {user_id for (user_id,) in connection.execute("SELECT user_id FROM trichat.outgoing")}


def _rows_with(url: str, text: str) -> list[tuple[str, str]]:
    """The rows that hold `text`, with their table; identifiers do not count."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'trichat'")
        return [
            (table, row)
            for (table,) in tables.fetchall()
            for (row,) in connection.execute(f"SELECT t::text FROM trichat.{table} t".encode())
            if text in row.replace(ANNABEL.user_id, "")
        ]


async def test_it_comes_to_the_same_however_small_the_portions_are(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        assert isinstance(store.administration, PostgresAdministration)
        store.administration.portion = 2
        rooms = [await open_room(store, name) for name in ("a", "b", "c")]
        for count, room in enumerate(rooms):
            await store.append([says(GUS, room), says(Person("gil", UserId("g_gil")), room)] * (count + 1))
        exported = await _export(store, GUS.user_id)
        assert [event["room"] for event in exported["events"]] == ["a", "b", "b", "c", "c", "c"]
        await store.administration.erase(GUS.user_id, operator=OPERATOR)
        users = [[event.user for event in await _events(store, room)] for room in rooms]
    assert users == [["erased", "gil"] * count for count in (1, 2, 3)]


async def test_an_erasure_that_broke_off_is_found_by_the_name_and_done_again(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await _live(store)
        with closing(_connect(url)) as connection:
            erasure.begin(connection, ANNABEL.user_id, operator=OPERATOR)
            place = erasing_events.erase_events(connection, ANNABEL.user_id, erasure.START, 2)
            assert place == (room.id, 2)
        halfway = await store.administration.find("annabel")
        assert halfway == Account(user_id=ANNABEL.user_id, name="annabel", active=False)
        await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    assert _rows_with(url, "annabel") == []


async def test_the_audit_cannot_be_changed_but_by_an_erasure(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        await _live(store)
        await store.administration.erase(ANNABEL.user_id, operator=OPERATOR)
    with psycopg.connect(url, autocommit=True) as connection:
        for change in ("UPDATE trichat.audit SET actor = 'eve'", "DELETE FROM trichat.audit", "TRUNCATE trichat.audit"):
            with pytest.raises(psycopg.errors.RaiseException):
                connection.execute(change.encode())
