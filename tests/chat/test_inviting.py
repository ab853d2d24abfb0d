"""Invitations let people in: by name, and by codes that are used up, end and expire."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import acts, done, hears_of, id_of, make, make_private, person, quiet, refused
from tests.nodes import LOOSE


async def owner_and_stranger(chat: Chat) -> tuple[Guest, Guest, str]:
    """Ann, who owns a private room, and Bob, who is no member; and the room."""
    ann, bob = await person(chat, "ann", chat.nodes[0]), await person(chat, "bob", chat.nodes[-1])
    return ann, bob, await make_private(ann, title="Plans")


async def make_code(guest: Guest, room: str, **fields: Any) -> str:
    invite = await guest.ask("invite", room=room, **fields)
    assert invite["type"] == "invite", invite
    return str(invite["code"])


# by name


async def test_who_is_invited_by_name_can_join(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, room = await owner_and_stranger(chat)
        await ann.join(room)
        assert (await bob.ask("join", room=room))["code"] == "no_such_room"
        await done(ann, "invite", room=room, user="bob", cid="c1")
        await hears_of(ann, room, "invited", "bob")
        assert (await bob.join(room))["role"] == "member"
        await hears_of(ann, room, "joined", "bob")


@pytest.mark.parametrize(("user", "refusal"), [("nobody", ("no_such_user", "user")), ("g_", ("bad_field", "user"))])
async def test_who_cannot_be_invited(user: str, refusal: tuple[str, str], autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, room = await owner_and_stranger(chat)
        whom = id_of(await chat.guest()) if user == "g_" else user
        assert await refused(ann, "invite", room=room, user=whom) == refusal


async def test_who_is_banned_cannot_be_invited_before_the_ban_is_lifted(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        await done(ann, "ban", room=room, user="bob")
        assert await refused(ann, "invite", room=room, user="bob") == ("bad_state", "user")
        await done(ann, "unban", room=room, user="bob")
        await done(ann, "invite", room=room, user="bob")
        await bob.join(room)


async def test_members_do_not_invite(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        await done(ann, "invite", room=room, user="bob")
        await bob.join(room)
        await person(chat, "cat")
        assert await refused(bob, "invite", room=room, user="cat") == ("forbidden", "room")
        assert await refused(bob, "invite", room=room) == ("forbidden", "room")
        assert await refused(bob, "invites", room=room) == ("forbidden", "room")
        assert await refused(bob, "uninvite", room=room, code="abcdef") == ("forbidden", "room")


# by code


async def test_whoever_shows_a_code_becomes_a_member_and_everybody_hears_it(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, room = await owner_and_stranger(chat)
        await ann.join(room)
        await quiet()
        accepted = await bob.ask("accept", code=await make_code(ann, room))
        assert accepted == {"type": "accepted", "id": accepted["id"], "room": room, "seq": 3}
        await hears_of(ann, room, "joined", "bob")
        await bob.join(room)
        assert acts(ann, room) == [("joined", "bob")]


async def test_a_code_is_used_up(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        code = await make_code(ann, room, uses=1)
        await bob.ask("accept", code=code)
        cat = await person(chat, "cat")
        assert await refused(cat, "accept", code=code) == ("no_such_room", "code")
        assert (await bob.ask("accept", code=await make_code(ann, room)))["type"] == "accepted", "is a member already"


async def test_a_code_expires(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        code = await make_code(ann, room, for_s=60)
        await trio.sleep(61)
        assert await refused(bob, "accept", code=code) == ("no_such_room", "code")


async def test_a_code_that_was_ended_is_worth_nothing(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        whole, beginning = await make_code(ann, room), await make_code(ann, room)
        for said, code in ((whole, whole), (beginning[:6], beginning)):
            ended = await ann.ask("uninvite", room=room, code=said)
            assert ended == {"type": "uninvited", "id": ended["id"], "room": room}
            assert await refused(bob, "accept", code=code) == ("no_such_room", "code")
        assert await refused(ann, "uninvite", room=room, code=whole) == ("bad_field", "code")


async def test_a_code_of_a_deleted_room_is_as_one_that_never_was(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        code = await make_code(ann, room)
        await ann.ask("delete_room", room=room)
        gone, never = await bob.ask("accept", code=code), await bob.ask("accept", code="a" * 26)
        assert gone | {"id": ""} == never | {"id": ""}
        assert gone["code"] == "no_such_room"


async def test_who_is_banned_hears_so_when_they_show_a_code(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, room = await owner_and_stranger(chat)
        code = await make_code(ann, room)
        await done(ann, "ban", room=room, user="bob", reason="spam")
        error = await bob.ask("accept", code=code)
        assert error["code"] == "forbidden"
        assert "spam" in error["message"]


async def test_codes_are_listed_by_their_beginnings_alone(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, room = await owner_and_stranger(chat)
        codes = [await make_code(ann, room, uses=uses, for_s=600) for uses in (1, 7)]
        listed = (await ann.ask("invites", room=room))["invites"]
        assert [(one["code"], one["made_by"], one["uses"]) for one in listed] == [
            (codes[0][:6], "ann", 1),
            (codes[1][:6], "ann", 7),
        ]
        assert all(one["expires"].startswith("2026-01-01T00:1") for one in listed)
        assert len(set(codes[0])) > 5
        assert len(codes[0]) == 26


async def test_a_code_takes_no_cid(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, room = await owner_and_stranger(chat)
        assert await refused(ann, "invite", room=room, cid="c1") == ("bad_field", "cid")


async def test_a_room_has_so_many_codes_at_a_time(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, room = await owner_and_stranger(chat)
        for _ in range(LOOSE.invites):
            await make_code(ann, room)
        assert (await refused(ann, "invite", room=room))[0] == "limit_reached"


async def test_nobody_is_invited_to_a_direct_room(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, _ = await owner_and_stranger(chat)
        await person(chat, "cat")
        room = (await ann.ask("direct", user="bob"))["room"]
        assert await refused(ann, "invite", room=room, user="cat") == ("forbidden", "room")
        assert await refused(ann, "invite", room=room) == ("forbidden", "room")


async def test_a_full_room_takes_nobody_and_the_code_is_not_used(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await make(ann, room="garden", member_limit=1)
        code = await make_code(ann, "garden")
        assert (await refused(bob, "accept", code=code))[0] == "limit_reached"
        await done(ann, "edit_room", room="garden", member_limit=2)
        assert (await bob.ask("accept", code=code))["type"] == "accepted"
