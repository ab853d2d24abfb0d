"""`trichat admin rooms` and `bans`, on a real PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.operators import Operator, on_store
from tests.store.governed import ANN, BOB, GUS, joined, made, says
from tests.store.people import register
from trichat.chat.ports import Store
from trichat.core.events import Denied, Event, Outcome
from trichat.core.names import RoomName
from trichat.core.standing import RoomRules


@pytest.fixture(autouse=True)
def lobby(op: Operator) -> None:
    """The room lobby, of ann, and with bob in it."""

    async def make(store: Store) -> None:
        await register(store, ANN.user_id)
        await register(store, BOB.user_id)
        room = await made(store)
        await joined(store, room, BOB)

    on_store(op, make)


async def _events(store: Store) -> list[Event]:
    (room,) = (await store.open_rooms([RoomName("lobby")], create=False)).values()
    return (await store.read_events(room.id, after=0, limit=100, max_bytes=1_000_000)).events


def _last(op: Operator) -> dict[str, object]:
    """Who wrote the last event of the lobby, and what."""
    event = on_store(op, _events)[-1]
    body: dict[str, object] = json.loads(event.body)
    return {"from": event.user, "kind": event.kind} | body


def _bob_says(op: Operator) -> Outcome:
    async def say(store: Store) -> Outcome:
        (room,) = (await store.open_rooms([RoomName("lobby")], create=False)).values()
        (outcome,) = await store.append([says(BOB, room)])
        return outcome

    return on_store(op, say)


def test_rooms_are_listed_of_every_kind_and_nothing_in_them_steers_the_terminal(op: Operator) -> None:
    async def make(store: Store) -> None:
        await made(store, "~secret", kind="private")
        await made(store, "zoo", rules=RoomRules(title="the \x1b]0;zoo\x07 of all"))

    on_store(op, make)
    ran = op.does("rooms", "list")
    assert ran.lines[0] == ["room", "kind", "seq", "title"]
    assert [line[:3] for line in ran.lines[1:]] == [
        ["lobby", "public", "3"], ["zoo", "public", "2"], ["~secret", "private", "2"],
    ]  # fmt: skip
    assert "the \\x1b]0;zoo\\x07 of all" in ran.out
    assert [room["title"] for room in op.reads("rooms", "list")] == ["", "the \x1b]0;zoo\x07 of all", ""]


@pytest.mark.parametrize(
    "words",
    [
        ("rooms", "delete", "none"), ("rooms", "archive", "none"), ("bans", "list", "none"),
        ("bans", "add", "none", "bob"), ("bans", "lift", "none", "bob"),
    ],
)  # fmt: skip
def test_in_no_room_nothing_can_be_done(op: Operator, words: tuple[str, ...]) -> None:
    assert op.fails(*words) == "there is no room none"


def test_a_room_is_archived_and_opened_again(op: Operator) -> None:
    assert op.does("rooms", "archive", "Lobby").out == "the room lobby is archived: it can be read and not written\n"
    assert _last(op) == {"from": "server", "kind": "room", "changes": {"archived": True}}
    assert _bob_says(op) == Denied("archived")
    assert op.reads("rooms", "archive", "lobby", "--off") == {"room": "lobby", "archived": False}
    assert not isinstance(_bob_says(op), Denied)


def test_rooms_of_every_kind_are_deleted(op: Operator) -> None:
    async def make(store: Store) -> None:
        await made(store, "~secret", kind="private")

    on_store(op, make)
    assert op.reads("rooms", "delete", "~secret") == {"room": "~secret"}
    assert op.does("rooms", "delete", "lobby").out == "the room lobby is deleted\n"
    assert op.run("rooms", "list").err == "there are no rooms yet\n"
    assert op.acts()[-2:] == ["delete", "delete"]


def test_in_rooms_that_are_not_public_the_operator_only_deletes(op: Operator) -> None:
    async def make(store: Store) -> None:
        await made(store, "~secret", kind="private")

    on_store(op, make)
    why = "~secret is a private room, which its own people govern; it can be deleted"
    assert op.fails("rooms", "archive", "~secret") == why
    assert op.fails("bans", "add", "~secret", "bob") == why


def test_somebody_is_banned_and_comes_again(op: Operator) -> None:
    banned = op.reads("bans", "add", "lobby", "bob", "--reason", "rude")
    assert banned == {"room": "lobby", "user": "bob", "user_id": BOB.user_id, "banned_until": "for ever"}
    last = {"user": "bob", "user_id": BOB.user_id, "change": "banned", "reason": "rude"}
    assert _last(op) == {"from": "server", "kind": "member"} | last
    assert _bob_says(op) == Denied("banned")
    listed = op.does("bans", "list", "lobby").lines
    assert listed == [
        ["user", "user_id", "banned_until", "muted_until", "reason"],
        ["bob", BOB.user_id, "for", "ever", "rude"],
    ]
    assert op.does("bans", "lift", "lobby", "bob").out == "bob may come again, in lobby\n"
    assert op.reads("bans", "list", "lobby") == []
    assert op.run("bans", "list", "lobby").err == "nobody is banned or muted there\n"
    assert op.fails("bans", "lift", "lobby", "bob") == "bob is not banned in lobby"


def test_a_ban_ends_after_the_time_that_was_said(op: Operator) -> None:
    until = op.reads("bans", "add", "lobby", BOB.user_id, "--for", "3600")["banned_until"]
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert op.reads("bans", "list", "lobby")[0]["banned_until"] == until
    assert op.does("bans", "add", "lobby", "bob", "--for", "60").out.startswith("bob is banned until 20")


def test_a_guest_is_banned_by_the_id_alone(op: Operator) -> None:
    guest = "g_" + "a" * 26
    assert op.reads("bans", "add", "lobby", guest)["user_id"] == guest
    assert op.reads("bans", "list", "lobby")[0]["user_id"] == guest
    op.does("bans", "lift", "lobby", guest)


def test_a_guest_is_banned_by_the_name_that_they_hold(op: Operator) -> None:
    async def claim(store: Store) -> None:
        await store.claim_name(GUS.user_id, "gus")

    on_store(op, claim)
    assert op.reads("bans", "add", "lobby", "gus")["user_id"] == GUS.user_id


def test_the_owner_and_nobody_cannot_be_banned(op: Operator) -> None:
    assert op.fails("bans", "add", "lobby", "ann") == "ann is owner; your role must be above"
    assert op.fails("bans", "add", "lobby", "eve").startswith("there is no account and no guest eve")


def test_what_is_no_reason_and_no_time_is_refused(op: Operator) -> None:
    why = op.fails("bans", "add", "lobby", "bob", "--reason", "two\nlines")
    assert why == "the reason is one line of plain text; U+000A cannot be in it"
    assert op.fails("bans", "add", "lobby", "bob", "--for", "999999999").startswith(
        "--for is at most 315360000 seconds"
    )
    assert op.reads("bans", "list", "lobby") == []


def test_the_audit_tells_whose_hand_it_was(op: Operator) -> None:
    op.does("bans", "add", "lobby", "bob", "--reason", "rude")
    entry = op.reads("audit", "--limit", "1")[0]
    told = {name: entry[name] for name in ("actor", "actor_id", "act", "room", "target", "target_id", "reason")}
    assert told == {
        "actor": "server", "actor_id": "u_server", "act": "ban", "room": "lobby", "target": "bob",
        "target_id": BOB.user_id, "reason": "rude",
    }  # fmt: skip
    assert entry["address"].startswith("command line of ")
