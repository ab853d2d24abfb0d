"""Rooms are made, described, changed, closed and deleted, and everybody hears of it at every node."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import SOON_S, changes, done, hears_of, id_of, make, make_private, person, quiet, refused
from tests.nodes import LOOSE
from trichat.core.chance import Chance
from trichat.core.names import RoomName, UserId, direct_room_name
from trichat.store.memory import MemoryStore
from trichat.store.memory_accounts import MemoryAccounts

RULES = {
    "title": "The garden", "topic": "What grows?", "member_limit": 3, "slow_s": 2, "send": "member",
    "history": "joined", "guests": False,
}  # fmt: skip


class HastyAccounts(MemoryAccounts):
    """Somebody blocks somebody in the moment after it was looked whether they had."""

    block_meanwhile: tuple[UserId, UserId] | None = None

    async def blocks_between(self, one: UserId, other: UserId) -> bool:
        found = await super().blocks_between(one, other)
        if self.block_meanwhile is not None:
            await self.block(*self.block_meanwhile, most=1)
            self.block_meanwhile = None
        return found


async def two(chat: Chat) -> tuple[Guest, Guest]:
    """Ann and Bob, at the two nodes of a chat."""
    return await person(chat, "ann", chat.nodes[0]), await person(chat, "bob", chat.nodes[-1])


# making and describing


async def test_who_makes_a_room_is_told_what_it_is_and_owns_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        made = await make(ann, room="garden", **RULES)
        assert {name: made[name] for name in RULES} == RULES
        assert [made[name] for name in ("room", "kind", "role", "archived")] == ["garden", "public", "owner", False]
        assert await ann.ask("room", room="garden") | {"id": made["id"]} == made
        assert made["seq"] == 2
        assert (await ann.join("garden"))["epoch"] == made["epoch"]


async def test_a_room_of_which_nothing_is_said_is_open_to_all(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        made = await make(ann, room="garden")
        assert {name: made[name] for name in RULES} == {
            "title": "", "topic": "", "member_limit": 0, "slow_s": 0, "send": "guest", "history": "all", "guests": True,
        }  # fmt: skip
        guest = await chat.guest_in("garden")
        log = (await guest.ask("events", room="garden", since=0))["events"]
        assert [(event["type"], event["from"]) for event in log] == [("room", "ann"), ("member", "ann")]
        assert await guest.say("garden", "hello") == 3


async def test_a_private_room_is_named_by_the_server_and_closed_to_guests(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        one, other = await make(ann, kind="private"), await make(ann, kind="private")
        assert one["room"] != other["room"]
        assert one["room"].startswith("~")
        assert len(one["room"]) == 13
        assert (one["kind"], one["guests"]) == ("private", False)
        await ann.join(one["room"])
        assert (await ann.ask("rooms"))["rooms"] == []


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({}, ("bad_field", "room")),
        ({"kind": "private", "room": "garden"}, ("bad_field", "room")),
        ({"kind": "private", "guests": True}, ("bad_field", "guests")),
        ({"kind": "direct"}, ("bad_field", "kind")),
        ({"room": "lobby"}, ("name_taken", "room")),
    ],
)
async def test_a_room_that_cannot_be_made_so_is_refused(
    fields: dict[str, Any], refusal: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        await chat.guest_in("lobby")
        assert await refused(await person(chat, "ann"), "create", **fields) == refusal


async def test_a_room_tells_everybody_what_role_they_have(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        guest = await chat.guest()
        await make(ann, room="garden")
        assert (await bob.ask("room", room="garden"))["role"] == "guest"
        await bob.join("garden")
        assert (await bob.ask("room", room="garden"))["role"] == "member"
        await done(ann, "mute", room="garden", user="bob")
        assert (await bob.ask("room", room="garden"))["role"] == "muted"
        assert (await guest.ask("room", room="garden"))["role"] == "guest"


async def test_who_may_not_read_a_public_room_hears_why_and_nothing_of_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        guest = await chat.guest()
        await make(ann, room="garden", topic="secret", guests=False)
        await done(ann, "ban", room="garden", user="bob", reason="weeds")
        for who, why in ((bob, "weeds"), (guest, "guests")):
            error = await who.ask("room", room="garden")
            assert (error["code"], error["field"]) == ("forbidden", "room")
            assert why in error["message"]
            assert "secret" not in str(error)


async def test_who_is_invited_sees_what_they_are_invited_to(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        room = await make_private(ann, title="Plans")
        assert await refused(bob, "room", room=room) == ("no_such_room", "room")
        await done(ann, "invite", room=room, user="bob")
        assert (await bob.ask("room", room=room))["title"] == "Plans"


# changing


async def test_a_change_of_rules_is_one_event_at_every_node_and_holds_at_once(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await two(chat)
        guest = await chat.guest(chat.nodes[1])
        await make(ann, room="garden")
        for who in (ann, bob, guest):
            await who.join("garden")
        await quiet()
        ack = await done(ann, "edit_room", room="garden", topic="Weeds", send="moderator", cid="c1")
        for who in (ann, bob, guest):
            await who.until(lambda who=who: bool(changes(who, "garden", "room")), SOON_S)  # type: ignore[misc]
            (event,) = changes(who, "garden", "room")
            assert event["changes"] == {"topic": "Weeds", "send": "moderator"}
            assert (event["seq"], event["from"], event["cid"]) == (ack["seq"], "ann", "c1")
        assert (await bob.ask("send", room="garden", text="no"))["code"] == "forbidden"
        assert (await guest.ask("send", room="garden", text="no"))["code"] == "forbidden"
        assert await ann.say("garden", "yes") == ack["seq"] + 1


async def test_an_archived_room_is_read_and_not_written(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        await make(ann, room="garden")
        await bob.join("garden")
        await done(ann, "archive", room="garden")
        assert (await bob.ask("room", room="garden"))["archived"] is True
        assert (await bob.ask("send", room="garden", text="no"))["code"] == "forbidden"
        assert (await bob.ask("history", room="garden"))["type"] == "history"
        await done(ann, "archive", room="garden", archived=False)
        await bob.say("garden", "again")
        assert [event["changes"] for event in changes(bob, "garden", "room")] == [
            {"archived": True},
            {"archived": False},
        ]


@pytest.mark.parametrize("command", ["edit_room", "archive", "delete_room"])
async def test_a_member_may_not_change_the_room(command: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        await make(ann, room="garden")
        await bob.join("garden")
        assert await refused(bob, command, room="garden") == ("forbidden", "room")


# deleting


async def test_a_deleted_room_is_gone_at_every_node_at_once(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await two(chat)
        guest = await chat.guest(chat.nodes[0])
        await make(ann, room="garden")
        for who in (ann, bob, guest):
            await who.join("garden")
        await quiet()
        assert await ann.ask("delete_room", room="garden") | {"id": ""} == {
            "type": "deleted",
            "id": "",
            "room": "garden",
        }
        for listener in (bob, guest):
            await listener.until(lambda listener=listener: listener.closed == 4202, SOON_S)  # type: ignore[misc]
        for command in ("room", "history", "roster", "delete_room"):
            assert await refused(ann, command, room="garden") == ("no_such_room", "room")


async def test_the_name_of_a_deleted_room_is_free_and_the_new_room_is_another_one(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await two(chat)
        old = await make(ann, room="garden")
        await bob.join("garden")
        await bob.say("garden", "old")
        await bob.ask("leave", room="garden")
        await ann.ask("delete_room", room="garden")
        new = await make(bob, room="garden")
        assert new["epoch"] != old["epoch"]
        await ann.join("garden")
        await bob.join("garden")
        await ann.say("garden", "new")
        await bob.hears("garden", "new")
        assert (await bob.ask("history", room="garden"))["messages"][0]["text"] == "new"


async def test_a_node_that_missed_the_deletion_learns_of_it_when_the_room_is_made_anew(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        bob = await chat.guest_in("garden")
        del chat.store.rooms[chat.store.rooms_by_name.pop(RoomName("garden")).id]
        await make(ann, room="garden")
        await ann.join("garden")
        await bob.until(lambda: bob.closed == 4202)


# direct rooms


async def test_two_people_have_one_direct_room_whoever_opens_it(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await two(chat)
        opened = await ann.ask("direct", user="bob")
        assert (opened["type"], opened["kind"], opened["room"]) == (
            "room", "direct", direct_room_name(id_of(ann), id_of(bob)),
        )  # fmt: skip
        again = await bob.ask("direct", user=id_of(ann))
        assert [again[name] for name in ("room", "epoch", "seq")] == [opened[name] for name in ("room", "epoch", "seq")]
        await ann.join(opened["room"])
        await bob.join(opened["room"])
        await ann.say(opened["room"], "psst")
        await bob.hears(opened["room"], "psst")


async def test_who_has_left_a_direct_room_is_let_in_again_and_the_other_hears_it(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await two(chat)
        room = (await ann.ask("direct", user="bob"))["room"]
        await ann.join(room)
        await bob.join(room)
        await bob.ask("leave", room=room)
        await quiet()
        await bob.ask("direct", user="ann")
        await hears_of(ann, room, "joined", "bob")


async def test_with_whom_there_is_no_direct_room(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, guest = await person(chat, "ann"), await chat.guest()
        gone = await person(chat, "gone")
        await chat.store.administration.set_active(id_of(gone), False, operator="test")
        assert await refused(ann, "direct", user="ann") == ("bad_field", "user")
        assert await refused(ann, "direct", user=id_of(ann)) == ("bad_field", "user")
        assert await refused(ann, "direct", user=id_of(guest)) == ("bad_field", "user")
        for nobody in ("nobody", "u_" + "a" * 26, id_of(gone)):
            assert await refused(ann, "direct", user=nobody) == ("no_such_user", "user")


async def test_who_is_blocked_opens_no_direct_room_and_does_not_hear_by_whom(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        await chat.store.accounts.block(id_of(ann), id_of(bob), most=10)
        said = await ann.ask("direct", user="bob"), await bob.ask("direct", user="ann")
        assert [(error["code"], error["field"]) for error in said] == [("forbidden", "user")] * 2
        assert said[0]["message"].replace("bob", "ann") == said[1]["message"]


@pytest.mark.parametrize("blocker", ["ann", "bob"])
async def test_who_is_blocked_while_they_open_a_direct_room_cannot_write_there(
    blocker: str, autojump_clock: MockClock
) -> None:
    """The block found no room to mute them in, and their opening had found no block."""
    store = MemoryStore(LOOSE, chance=Chance())
    accounts = store.accounts = HastyAccounts(store)
    async with open_chat(store=store) as chat:
        ann, bob = await two(chat)
        blocked = bob if blocker == "ann" else ann
        ids = {"ann": id_of(ann), "bob": id_of(bob)}
        accounts.block_meanwhile = ids[blocker], id_of(blocked)
        assert await refused(ann, "direct", user="bob") == ("forbidden", "user")
        room = direct_room_name(ids["ann"], ids["bob"])
        await blocked.join(room)
        assert (await blocked.ask("send", room=room, text="psst"))["code"] == "forbidden"


async def test_whom_one_blocks_is_muted_in_the_direct_room_until_unblocked(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await two(chat)
        room = (await ann.ask("direct", user="bob"))["room"]
        await bob.join(room)
        await quiet()
        assert (await ann.ask("block", user="bob"))["type"] == "ok"
        await hears_of(bob, room, "muted", "bob")
        assert await refused(bob, "send", room=room, text="psst") == ("forbidden", "room")
        assert await refused(bob, "unmute", room=room, user="bob") == ("bad_field", "user")
        assert (await ann.ask("unblock", user="bob"))["type"] == "ok"
        await hears_of(bob, room, "unmuted", "bob")
        await bob.say(room, "psst")


async def test_a_block_that_the_store_failed_is_repeated_to_its_end(autojump_clock: MockClock) -> None:
    """The block may be there and the mute not."""
    async with open_chat() as chat:
        ann, bob = await two(chat)
        room = (await ann.ask("direct", user="bob"))["room"]
        await bob.join(room)
        await chat.store.accounts.block(id_of(ann), id_of(bob), most=10)
        assert (await ann.ask("block", user="bob"))["type"] == "ok"
        assert await refused(bob, "send", room=room, text="psst") == ("forbidden", "room")


async def test_whom_one_blocks_after_leaving_the_direct_room_is_muted_there(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        room = (await ann.ask("direct", user="bob"))["room"]
        await ann.join(room)
        await bob.join(room)
        await ann.ask("leave", room=room)
        await ann.ask("block", user="bob")
        assert await refused(bob, "send", room=room, text="psst") == ("forbidden", "room")


async def test_blocking_somebody_without_a_direct_room_makes_none(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await two(chat)
        await ann.ask("block", user="bob")
        assert direct_room_name(id_of(ann), id_of(bob)) not in chat.store.rooms_by_name
