"""Everybody says everything in every kind of room at both nodes: what they hear is what the permission table says."""

from __future__ import annotations

from typing import Final, get_args

import pytest
from msgspec import structs
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.matrix import Play
from tests.chat.matrix_law import ABOUT_ROOMS, LABELS, NEEDS, RANKED, type_of
from tests.chat.matrix_who import CELLS, ROOMS, WHO
from tests.nodes import LOOSE
from trichat.core.commands import COMMANDS, PeopleCommand
from trichat.core.standing import PERMISSIONS, Role

#: One hostess makes a room for almost every cell, and may have many connections while she does.
LIMITS = structs.replace(LOOSE, owned_rooms=100_000, search_rooms=100_000, connections_per_account=1_000)

#: What is about no room: oneself, and the connection.
ABOUT_NO_ROOM: Final = {"ping", "help", "hello", "auth"} | {
    kind.__struct_config__.tag for kind in get_args(PeopleCommand)
}

GOVERNORS = ["owner", "admin", "moderator", "member", "muted-moderator", "server-admin", "moderator-bot-moderate"]


async def begin(chat: Chat, room: str, who: str) -> Play:
    async def connect(node: int) -> Guest:
        return await chat.guest(chat.nodes[node])

    play = Play(chat.store, connect, WHO[who], ROOMS[room])
    await play.begin()
    return play


def test_every_command_about_rooms_and_every_permission_is_asked() -> None:
    assert COMMANDS.keys() - ABOUT_NO_ROOM == ABOUT_ROOMS
    assert {type_of(label) for label in LABELS} == ABOUT_ROOMS
    assert set(NEEDS.values()) == {*PERMISSIONS, None}


@pytest.mark.parametrize(("room", "who"), CELLS)
async def test_what_they_may_is_what_the_table_says(room: str, who: str, autojump_clock: MockClock) -> None:
    async with open_chat(LIMITS, nodes=2) as chat:
        play = await begin(chat, room, who)
        wrong = [f"{who} in a {room} room says {one}" for one in await play.wrong()]
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", GOVERNORS)
async def test_nobody_acts_on_somebody_whose_role_is_not_below_theirs(who: str, autojump_clock: MockClock) -> None:
    async with open_chat(LIMITS, nodes=2) as chat:
        play = await begin(chat, "public", who)
        wrong = []
        ranks = [Role.MEMBER, Role.MODERATOR, Role.ADMIN, Role.OWNER]
        for rank in ranks[: 3 if who == "owner" else 4]:  # the only one
            play.rank = rank
            wrong += [f"{who} on one who is {rank.name} says {one}" for one in await play.wrong(RANKED)]
        assert not wrong, "\n".join(wrong)
