"""What holds of every command that governs rooms: who may say it, what is wrong with it, and that it counts once."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import Any, get_args

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import (
    SOON_S,
    acts,
    bot,
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
from tests.nodes import LOOSE
from trichat.chat.governing import ACTS, FOR_GUESTS
from trichat.core.chance import Chance
from trichat.core.commands import COMMANDS, RoomCommand
from trichat.core.events import Draft, Outcome
from trichat.core.help import HELP
from trichat.store.memory import MemoryStore

#: A command of each kind that could be given in a room called `garden`.
COMMAND: dict[str, dict[str, Any]] = {
    str(kind.__struct_config__.tag): {
        name: value
        for name, value in msgspec.json.decode(HELP[str(kind.__struct_config__.tag)].example).items()
        if name != "type"
    }
    for kind in get_args(RoomCommand)
}
IN_A_ROOM = sorted(name for name, fields in COMMAND.items() if "room" in fields and name != "create")
NOT_FOR_GUESTS = sorted(name for name in COMMAND if not issubclass(COMMANDS[name], FOR_GUESTS))

LONG_LINE = "r" * 513
#: Wrong values, the commands that have such a field, and the field that is named.
_WRONG_BY_FIELD: list[tuple[str, list[str], list[Any]]] = [
    ("room", IN_A_ROOM, ["", "Garden", "a b", "x" * 65, 7, None]),
    ("user", ["kick", "ban", "unban", "mute", "unmute", "role", "transfer", "direct", "invite"], ["", "x" * 65, 7]),
    ("reason", ["kick", "ban", "mute", "report"], [LONG_LINE, "a\nb", "\x1b[2J", "\u202e", "\x00", 7]),
    ("note", ["resolve"], [LONG_LINE, "a\r\nb", 7]),
    ("for_s", ["ban", "mute", "invite"], [0, -1, 315_360_001, "1", 1.5]),
    ("cid", ["edit_room", "archive", "kick", "ban", "unban", "mute", "unmute", "role"], ["", "c" * 65, 7]),
    ("cid", ["transfer", "invite"], ["", "c" * 65, 7]),
    ("role", ["role"], ["owner", "guest", "muted", "king", 3]),
    ("uses", ["invite"], [0, 10_001, "1"]),
    ("code", ["accept", "uninvite"], ["", "x" * 65, 7]),
    ("limit", ["roster", "bans", "reports", "audit"], [0, -1, "5"]),
    ("after", ["roster", "bans"], [7]),
    ("after", ["reports"], ["x", -1]),
    ("before", ["audit"], ["x", -1]),
    ("seq", ["report"], ["1", -1, None]),
    ("report", ["resolve"], ["1", -1, None]),
    ("all", ["reports"], [1, "yes"]),
    ("archived", ["archive"], [0, "no"]),
    ("title", ["create", "edit_room"], ["t" * 129, "a\nb", "\u2028", 7]),
    ("topic", ["create", "edit_room"], ["t" * 1_025, "\x07", 7]),
    ("member_limit", ["create", "edit_room"], [100_001, -1, "3"]),
    ("slow_s", ["create", "edit_room"], [21_601, -1, "3"]),
    ("send", ["create", "edit_room"], ["muted", "", 3]),
    ("history", ["create", "edit_room"], ["some", True]),
    ("guests", ["create", "edit_room"], ["no", 1]),
    ("kind", ["create"], ["direct", "secret", 1]),
    ("room", ["create"], ["", "Lobby", "~mine", "@ann", 7]),
]  # fmt: skip
WRONG_VALUES = [
    (command, wrong, field) for field, commands, wrongs in _WRONG_BY_FIELD for command in commands for wrong in wrongs
]


def test_every_command_about_rooms_has_its_function() -> None:
    assert set(ACTS) == set(get_args(RoomCommand))


@pytest.mark.parametrize("command", NOT_FOR_GUESTS)
async def test_guests_hear_that_it_takes_an_account_before_anything_is_looked_up(
    command: str, autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        guest = await chat.guest()
        chat.store.down = True
        assert await refused(guest, command, **COMMAND[command]) == ("forbidden", None)
        chat.store.down = False


async def test_what_is_wrong_with_a_field_is_said_before_anything_is_looked_up(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        chat.store.down = True
        for command, wrong, field in WRONG_VALUES:
            fields = {**COMMAND[command], field: wrong}
            assert await refused(ann, command, **fields) == ("bad_field", field), (command, field, wrong)
        chat.store.down = False


@pytest.mark.parametrize("command", IN_A_ROOM)
async def test_a_private_room_does_not_exist_for_others(command: str, autojump_clock: MockClock) -> None:
    """Who never was a member, was one, or is banned, hears word for word what is said of a room that never was."""
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        room = await make_private(ann, title="secret", topic="secret")
        others = [await person(chat, name) for name in ("bob", "cat", "dan")]
        for gone in others[1:]:
            await done(ann, "invite", room=room, user=id_of(gone))
            await gone.join(room)
        await done(ann, "kick", room=room, user="cat")
        await done(ann, "ban", room=room, user="dan", reason="secret")
        others.append(await person(chat, "root", admin=True))
        if issubclass(COMMANDS[command], FOR_GUESTS):
            others.append(await chat.guest())
        for stranger in others:
            there = await stranger.ask(command, **{**COMMAND[command], "room": room})
            never = await stranger.ask(command, **{**COMMAND[command], "room": "~neverthere23"})
            assert there["code"] == "no_such_room"
            assert {**there, "id": ""} == {**never, "id": ""}


# bots


@pytest.mark.parametrize("command", sorted(COMMAND))
async def test_a_bots_key_is_for_its_scopes_and_rooms(command: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await make(ann, room="garden")
        robot = await bot(chat, "robot", [])
        assert (await refused(robot, command, **COMMAND[command]))[0] == "forbidden"
        elsewhere = await bot(chat, "rover", ["read", "send", "moderate"], ["lobby"])
        expected = "no_such_room" if command in IN_A_ROOM else "forbidden"
        assert (await refused(elsewhere, command, **COMMAND[command]))[0] == expected


async def test_a_bot_with_the_scope_and_the_role_moderates(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await make(ann, room="garden")
        robot = await bot(chat, "robot", ["read", "moderate"], ["garden"])
        await give_role(ann, "garden", robot, "moderator")
        await bob.join("garden")
        await done(robot, "kick", room="garden", user="bob")
        await hears_of(bob, "garden", "kicked", "bob")


# order, repeats and faults


class SlowCommits(MemoryStore):
    """Takes long for messages, and not for anything else."""

    async def append(self, drafts: Sequence[Draft]) -> list[Outcome]:
        await trio.sleep(1.0)
        return await super().append(drafts)


async def test_commands_take_effect_in_the_order_sent(autojump_clock: MockClock) -> None:
    async with open_chat(store=SlowCommits(LOOSE, chance=Chance())) as chat:
        ann = await person(chat, "ann")
        await make(ann, room="garden")
        await ann.join("garden")
        ids = [
            await ann.tell("send", room="garden", text="before"),
            await ann.tell("archive", room="garden"),
            await ann.tell("send", room="garden", text="between"),
            await ann.tell("archive", room="garden", archived=False),
            await ann.tell("send", room="garden", text="after"),
        ]
        replies = [await ann.reply_to(command_id) for command_id in ids]
        assert [reply.get("seq", reply.get("code")) for reply in replies] == [3, 4, "forbidden", 5, 6]


async def test_a_repeated_change_counts_once_and_is_heard_once(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob", chat.nodes[1])
        await make(ann, room="garden")
        await bob.join("garden")
        first = await done(ann, "edit_room", room="garden", topic="weeds", cid="c1")
        again = await done(ann, "edit_room", room="garden", topic="weeds", cid="c1")
        assert (again["seq"], again["dup"]) == (first["seq"], True)
        assert "dup" not in first
        assert await refused(ann, "edit_room", room="garden", topic="trees", cid="c1") == ("cid_reused", "cid")
        await done(ann, "edit_room", room="garden", topic="flowers")
        await bob.until(lambda: len(changes(bob, "garden", "room")) == 2, SOON_S)
        assert [event["changes"] for event in changes(bob, "garden", "room")] == [
            {"topic": "weeds"},
            {"topic": "flowers"},
        ]


async def test_a_ban_that_is_repeated_later_is_the_first_one(autojump_clock: MockClock) -> None:
    """Its end is another one by then; what was asked for is the same."""
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await make(ann, room="garden")
        await bob.join("garden")
        first = await done(ann, "ban", room="garden", user="bob", for_s=60, cid="c1")
        chat.store.delay_s = 1.0
        again = await done(ann, "ban", room="garden", user="bob", for_s=60, cid="c1")
        assert (again["seq"], again["dup"]) == (first["seq"], True)


async def test_what_changes_nothing_is_acknowledged_with_the_head_and_heard_by_nobody(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        made = await make(ann, room="garden", topic="weeds")
        await ann.join("garden")
        nothing: list[tuple[str, dict[str, Any]]] = [
            ("edit_room", {"topic": "weeds"}),
            ("edit_room", {}),
            ("archive", {"archived": False}),
        ]
        for command, fields in nothing:
            assert (await done(ann, command, room="garden", **fields))["seq"] == made["seq"]
        assert not changes(ann, "garden", "room")


async def test_while_the_store_is_away_a_change_is_refused_and_its_repeat_counts_once(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await make(ann, room="garden")
        await ann.join("garden")
        chat.store.down = True
        assert await refused(ann, "edit_room", room="garden", topic="weeds", cid="c1") == ("unavailable", None)
        chat.store.down, chat.store.answers_lost = False, True
        assert await refused(ann, "edit_room", room="garden", topic="weeds", cid="c1") == ("unavailable", None)
        chat.store.answers_lost = False
        assert (await done(ann, "edit_room", room="garden", topic="weeds", cid="c1"))["seq"] == 3
        await ann.until(lambda: len(changes(ann, "garden", "room")) == 1)


async def test_what_was_done_is_heard_though_its_author_goes_meanwhile(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await make(ann, room="garden")
        await bob.join("garden")
        await quiet()
        chat.store.delay_s = 0.05
        await ann.tell("edit_room", room="garden", topic="weeds")
        await trio.sleep(0.075)  # the store has found the room, and is changing it
        await ann.drop()
        await bob.until(lambda: [event["seq"] for event in changes(bob, "garden", "room")] == [4], SOON_S)


# the log of the server


NASTY = "a \"\\'`$%é\u0301🙂中א\u200b\u00a0\u200e;|<>&" + "\x1b\r\n\x07\x00\u202e\u2028\x85"


async def test_fuzzed_lines_come_out_as_they_went_in_or_are_refused_and_nothing_of_them_is_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    chance = random.Random(7)
    taken = 0
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await make(ann, room="garden")
        await bob.join("garden")
        for number in range(120):
            text = f"mark{number}" + "".join(chance.choices(NASTY, k=chance.randrange(6)))
            taken += await _comes_out(ann, bob, chat, text)
    assert 20 < taken < 100
    assert "mark" not in caplog.text
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)


async def _comes_out(ann: Guest, bob: Guest, chat: Chat, text: str) -> bool:
    edited = await ann.ask("edit_room", room="garden", title=text, topic=text)
    if edited["type"] == "error":
        assert (edited["code"], edited["field"]) == ("bad_field", "title")
        assert await refused(ann, "mute", room="garden", user="bob", reason=text) == ("bad_field", "reason")
        return False
    await done(ann, "mute", room="garden", user="bob", reason=text)
    info = await bob.ask("room", room="garden")
    assert (info["title"], info["topic"]) == (text, text)
    await hears_of(bob, "garden", "muted", "bob")
    heard = [event for event in changes(bob, "garden", "member") if event.get("reason") == text]
    assert heard, acts(bob, "garden")
    assert text in [entry["reason"] for entry in (await ann.ask("audit", room="garden", limit=1))["entries"]]
    assert text in [one["reason"] for one in (await ann.ask("bans", room="garden"))["people"]]
    return True
