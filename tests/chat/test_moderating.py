"""Moderators and owners act on people: it holds at once, at every node, and is heard by all."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import (
    SOON_S,
    acts,
    changes,
    done,
    give_role,
    hears_of,
    id_of,
    make,
    make_private,
    person,
    quiet,
    refused,
)

ABOUT_SOMEBODY = ["kick", "ban", "unban", "mute", "unmute", "role", "transfer"]


async def garden(chat: Chat) -> tuple[Guest, Guest]:
    """Ann, who owns the room `garden`, and Bob, a member; both listen, at the two nodes of the chat."""
    ann, bob = await person(chat, "ann", chat.nodes[0]), await person(chat, "bob", chat.nodes[-1])
    await make(ann, room="garden")
    await ann.join("garden")
    await bob.join("garden")
    await hears_of(ann, "garden", "joined", "bob")
    return ann, bob


# removing


@pytest.mark.parametrize("act", ["kick", "ban"])
async def test_who_is_removed_hears_it_and_nothing_after_it(act: str, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await garden(chat)
        await quiet()
        ack = await done(ann, act, room="garden", user="bob", reason="weeds")
        await ann.say("garden", "he is gone")
        await bob.until(lambda: bool(bob.all_of("left")), SOON_S)
        (event,) = [event for event in changes(bob, "garden", "member") if event["change"] != "joined"]
        assert (event["seq"], event["from"], event["reason"]) == (ack["seq"], "ann", "weeds")
        assert event["user_id"] == id_of(bob)
        assert await refused(bob, "send", room="garden", text="me too") == ("not_joined", "room")
        assert "he is gone" not in bob.texts("garden")


async def test_who_was_kicked_may_come_back_to_a_public_room(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        await done(ann, "kick", room="garden", user="bob")
        await bob.until(lambda: bool(bob.all_of("left")), SOON_S)
        assert (await bob.join("garden"))["role"] == "member"


async def test_who_was_kicked_from_a_private_room_needs_an_invitation(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        room = await make_private(ann)
        await done(ann, "invite", room=room, user="bob")
        await bob.join(room)
        await done(ann, "kick", room=room, user="bob")
        assert await refused(bob, "join", room=room) == ("no_such_room", "room")


async def test_a_ban_ends_with_its_time_or_by_unban(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        await done(ann, "ban", room="garden", user="bob", for_s=60, reason="weeds")
        error = await bob.ask("join", room="garden")
        assert error["code"] == "forbidden"
        assert "weeds" in error["message"]
        await trio.sleep(61)
        await bob.join("garden")
        await done(ann, "ban", room="garden", user="bob")
        assert await refused(bob, "join", room="garden") == ("forbidden", "room")
        await done(ann, "unban", room="garden", user="bob")
        await bob.join("garden")
        await ann.until(lambda: acts(ann, "garden").count(("joined", "bob")) == 3)
        heard = [(event["change"], "until" in event) for event in changes(ann, "garden", "member")]
        assert heard == [
            ("joined", False), ("banned", True), ("joined", False), ("banned", False), ("unbanned", False),
            ("joined", False),
        ]  # fmt: skip


async def test_the_end_of_a_ban_is_said_by_the_stores_time(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await garden(chat)
        await done(ann, "ban", room="garden", user="bob", for_s=3_600)
        await ann.until(lambda: ("banned", "bob") in acts(ann, "garden"))
        event = changes(ann, "garden", "member")[-1]
        assert (event["ts"][11:13], event["until"][11:13]) == ("00", "01")
        assert event["ts"][13:] == event["until"][13:]


async def test_a_guest_is_removed_and_kept_out_too(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, _ = await garden(chat)
        guest = await chat.guest_in("garden", chat.nodes[1])
        await done(ann, "ban", room="garden", user=id_of(guest))
        await guest.until(lambda: bool(guest.all_of("left")), SOON_S)
        assert await refused(guest, "join", room="garden") == ("forbidden", "room")


# muting


async def test_who_is_muted_reads_and_does_not_send_until_it_ends(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await garden(chat)
        await done(ann, "mute", room="garden", user="bob", for_s=60)
        assert await refused(bob, "send", room="garden", text="no") == ("forbidden", "room")
        await ann.say("garden", "quiet")
        await bob.hears("garden", "quiet")
        await trio.sleep(61)
        await bob.say("garden", "again")
        await done(ann, "mute", room="garden", user="bob")
        assert await refused(bob, "send", room="garden", text="no") == ("forbidden", "room")
        await done(ann, "unmute", room="garden", user="bob")
        await bob.say("garden", "and again")


# roles


async def test_a_role_gives_what_it_is_for(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        cat = await person(chat, "cat")
        await cat.join("garden")
        assert await refused(bob, "kick", room="garden", user="cat") == ("forbidden", "room")
        await done(ann, "role", room="garden", user="bob", role="moderator")
        await hears_of(bob, "garden", "role", "bob")
        assert changes(bob, "garden", "member")[-1]["role"] == "moderator"
        await done(bob, "kick", room="garden", user="cat")
        await done(ann, "role", room="garden", user="bob", role="member")
        await cat.join("garden")
        assert await refused(bob, "kick", room="garden", user="cat") == ("forbidden", "room")


async def test_nobody_acts_on_who_is_not_below_them_or_on_themselves(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        cat = await person(chat, "cat")
        await give_role(ann, "garden", bob, "moderator")
        await give_role(ann, "garden", cat, "moderator")
        for act in ("kick", "ban", "mute"):
            assert await refused(bob, act, room="garden", user="ann") == ("forbidden", "user")
            assert await refused(bob, act, room="garden", user="cat") == ("forbidden", "user")
            assert await refused(bob, act, room="garden", user="bob") == ("bad_field", "user")


async def test_ownership_is_handed_over(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        assert await refused(ann, "leave", room="garden") == ("forbidden", "room")
        await done(ann, "transfer", room="garden", user="bob")
        assert (await bob.ask("room", room="garden"))["role"] == "owner"
        assert (await ann.ask("room", room="garden"))["role"] == "admin"
        assert (await ann.ask("leave", room="garden"))["type"] == "left"


@pytest.mark.parametrize("act", ABOUT_SOMEBODY)
async def test_who_is_meant_must_be_somebody(act: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await garden(chat)
        fields = {"role": "admin"} if act == "role" else {}
        assert await refused(ann, act, room="garden", user="nobody", **fields) == ("no_such_user", "user")
        assert await refused(ann, act, room="garden", user="u_" + "a" * 26, **fields) == ("no_such_user", "user")


@pytest.mark.parametrize("act", ["role", "transfer"])
async def test_only_members_are_given_roles(act: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await garden(chat)
        await person(chat, "cat")
        fields = {"role": "admin"} if act == "role" else {}
        assert await refused(ann, act, room="garden", user="cat", **fields) == ("bad_state", "user")


async def test_who_administers_the_server_acts_as_an_owner_in_public_rooms(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        root = await person(chat, "root", admin=True)
        await done(root, "ban", room="garden", user="bob", reason="abuse")
        await hears_of(ann, "garden", "banned", "bob")
        assert await refused(bob, "room", room="garden") == ("forbidden", "room")
        room = await make_private(ann)
        assert await refused(root, "ban", room=room, user="bob") == ("no_such_room", "room")


# lists


async def test_the_roster_names_members_with_their_roles_page_by_page(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        cat = await person(chat, "cat")
        await give_role(ann, "garden", cat, "admin")
        await done(ann, "mute", room="garden", user="bob", for_s=60)
        await done(ann, "mute", room="garden", user="cat")
        first = await bob.ask("roster", room="garden", limit=2)
        assert first["more"] is True
        assert [(one["user"], one["role"], one.get("muted", False)) for one in first["members"]] == [
            ("ann", "owner", False),
            ("bob", "member", True),
        ]
        assert "muted_until" in first["members"][1]
        assert first["members"][0]["user_id"] == id_of(ann)
        rest = await bob.ask("roster", room="garden", after="bob")
        assert [(one["user"], one["since"] > 0, one["muted"], "muted_until" in one) for one in rest["members"]] == [
            ("cat", True, True, False)
        ]
        assert rest["more"] is False


async def test_moderators_see_who_is_banned_or_muted(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        cat = await person(chat, "cat")
        await cat.join("garden")
        await done(ann, "ban", room="garden", user="bob", reason="weeds")
        await done(ann, "mute", room="garden", user="cat", for_s=60, reason="noise")
        people = (await ann.ask("bans", room="garden"))["people"]
        assert [(one["user"], one["banned"], one["muted"], one["reason"]) for one in people] == [
            ("bob", True, False, "weeds"),
            ("cat", False, True, "noise"),
        ]
        assert ["banned_until" in people[0], "muted_until" in people[1]] == [False, True]
        assert await refused(cat, "bans", room="garden") == ("forbidden", "room")
        page = await ann.ask("bans", room="garden", limit=1)
        assert ([one["user"] for one in page["people"]], page["more"]) == (["bob"], True)
        assert bob.closed is None
