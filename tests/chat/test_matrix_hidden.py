"""Rooms that do not exist for others: nothing of one reaches them, and it costs the same as a room that never was."""

from __future__ import annotations

import itertools
import json
import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.matrix import NODES, Play
from tests.chat.matrix_law import LABELS, NEEDS, type_of
from tests.chat.matrix_questions import NEVER, ask, question
from tests.chat.matrix_stage import OLD, OWN, PINNED, REPLY, TEXT, TITLE, TOPIC, Stage
from tests.chat.matrix_who import CELLS, ROOMS, WHO, hidden
from tests.chat.test_matrix import LIMITS, begin
from tests.wire import WireClient
from trichat.core.chance import Chance
from trichat.core.changes import Unmute
from trichat.core.limits import Limits
from trichat.store.memory import MemoryStore

#: Rooms that are hidden, and all from whom they are.
HIDDEN: Final = [(room, who) for room, who in CELLS if hidden(WHO[who], ROOMS[room]) and ROOMS[room].kind != "public"]
#: What a node asks of the store by itself.
_BY_ITSELF: Final = frozenset({"look", "record_node", "ended_since", "touch_names", "touch_logins", "tidy", "ping"})


class TapedWire(WireClient):
    """Keeps the bytes of every frame that it receives."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self.tape: list[bytes] = []

    async def receive_frame(self) -> tuple[int, bytes]:
        opcode, payload = await super().receive_frame()
        self.tape.append(payload)
        return opcode, payload


async def taped_play(chat: Chat, nursery: trio.Nursery, room: str, who: str) -> Play:
    async def connect(node: int) -> Guest:
        guest = Guest(await TapedWire(await chat.nodes[node].connect()).shake_hands())
        nursery.start_soon(guest.run)
        await guest.until(lambda: bool(guest.frames))
        return guest

    play = Play(chat.store, connect, WHO[who], ROOMS[room])
    await play.begin()
    return play


def tape_of(guest: Guest) -> list[bytes]:
    assert isinstance(guest.wire, TapedWire)
    return guest.wire.tape


def secrets_of(play: Play, stage: Stage, command: str = "", fields: Mapping[str, Any] | None = None) -> set[str]:
    """What nobody else is to hear: the room, what is in it, and who; but for what they say themselves in `fields`."""
    room = {stage.name, stage.record.epoch, TITLE, TOPIC, TEXT, REPLY, OLD, PINNED, OWN, "another-topic"}
    if command == "whois":
        return room  # it tells who somebody is
    people = [stage.host, play.cast.member, play.cast.banned, play.cast.muted]
    if command in ("rooms", "inbox"):  # which say with whom: `direct` was asked of the host before
        people.remove(stage.host)
    names = {one.name for one in people} | {one.person.user_id for one in people}
    return (room | names) - set(json.dumps(fields).split('"'))


@pytest.mark.parametrize(("room", "who"), HIDDEN)
async def test_no_byte_that_others_receive_or_that_is_logged_tells_of_a_hidden_room(
    room: str, who: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_chat(LIMITS, nodes=2) as chat, trio.open_nursery() as nursery:
        play = await taped_play(chat, nursery, room, who)
        stage = await play.stage()
        await let_the_host_speak(play, stage)
        for node in NODES:
            subject = await play.subject_at(node, stage)
            insider = await play.client(stage.host, 1 - node, stage)
            position = 0
            deeds = itertools.cycle(what_is_done(stage, play.subject.name))
            for command, fields in questions(play, stage):
                deed, about = next(deeds)
                assert (await insider.ask(deed, room=stage.name, **about))["type"] != "error"
                await subject.ask(command, **fields)
                heard, position = b"\n".join(tape_of(subject)[position:]), len(tape_of(subject))
                leaked = [secret for secret in secrets_of(play, stage, command, fields) if secret.encode() in heard]
                assert not leaked, f"{command} at node {node} tells of {leaked}: {heard!r}"
            readyz = await read(chat, node, "/readyz")
            assert b'"status"' in readyz
            assert not [secret for secret in secrets_of(play, stage) if secret.encode() in readyz]
        assert not [secret for secret in secrets_of(play, stage) if secret in caplog.text]
        nursery.cancel_scope.cancel(reason="the test is over")


def what_is_done(stage: Stage, subject: str) -> list[tuple[str, dict[str, Any]]]:
    """What an insider, the host, does in the room over and over, with the subject's name in it."""
    about = {"seq": stage.seq}
    done: list[tuple[str, dict[str, Any]]] = [
        ("send", {"text": f"{TEXT} @{subject}"}), ("send", {"text": f"{REPLY} @{subject}", "thread": stage.seq}),
        ("edit", {**about, "text": f"{TEXT} of @{subject}"}), ("edit", {**about, "text": TEXT}), ("typing", {}),
        ("react", {**about, "emoji": "🎉"}), ("unreact", {**about, "emoji": "🎉"}), ("read", about), ("presence", {}),
    ]  # fmt: skip
    return done if stage.rules.kind == "direct" else [*done, ("pin", about), ("unpin", about)]


async def let_the_host_speak(play: Play, stage: Stage) -> None:
    if stage.rules.kind == "direct":
        other = play.subject if play.who.path else play.cast.member
        await play.store.governance.change(stage.record.id, other.actor, Unmute(), target=stage.host.person)


def questions(play: Play, stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    """All that may be asked without a code; and who is who."""
    people = [stage.host, play.cast.member, play.cast.muted]
    asked = [(type_of(label), question(label, stage, stage.name)) for label in LABELS if label != "accept"]
    asked += [(type_of(label), question(label, stage, NEVER["private"])) for label in NEEDS]
    return asked + [("whois", {"user": who}) for one in people for who in (one.name, one.person.user_id)]


async def read(chat: Chat, node: int, path: str) -> bytes:
    """What the node's door answers over HTTP."""
    stream = await chat.nodes[node].connect()
    await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = b""
    while chunk := await stream.receive_some():
        answer += chunk
    return answer


@pytest.mark.parametrize(("room", "who"), HIDDEN)
async def test_in_a_hidden_room_nothing_tells_whether_there_is_such_a_person(
    room: str, who: str, autojump_clock: MockClock
) -> None:
    async with open_chat(LIMITS) as chat:
        play = await begin(chat, room, who)
        stage = await play.stage()
        subject = await play.subject_at(0, stage)
        for label in [label for label in stage.whom if label in NEEDS]:
            somebody = await ask(subject, label, stage, stage.name)
            stage.whom[label] = "nobodyatall"
            assert await ask(subject, label, stage, stage.name) == somebody


class CountingTwin(MemoryStore):
    """Notes which of its methods are called."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, chance=Chance())
        self.calls: list[str] = []

    async def begin(self) -> None:
        self.calls.append(sys._getframe(1).f_code.co_name)  # every method calls it, once, first
        await super().begin()


async def calls_of(store: CountingTwin, subject: Guest, label: str, stage: Stage, room: str) -> list[str]:
    store.calls.clear()
    await ask(subject, label, stage, room)
    return [call for call in store.calls if call not in _BY_ITSELF]


@pytest.mark.parametrize("known", ["known", "unknown"])
@pytest.mark.parametrize(("room", "who"), HIDDEN)
async def test_a_hidden_room_costs_the_same_calls_of_the_store_as_one_that_never_was(
    room: str, who: str, known: str, autojump_clock: MockClock
) -> None:
    """Counted, not timed; whether or not the node knows the room already."""
    store = CountingTwin(LIMITS)
    async with open_chat(LIMITS, store=store) as chat:
        play = await begin(chat, room, who)
        stage = await play.stage()
        subject = await play.subject_at(0, stage)
        if known == "known":
            await play.client(stage.host, 0, stage)
        for label in NEEDS:
            there = await calls_of(store, subject, label, stage, stage.name)
            never = await calls_of(store, subject, label, stage, NEVER[ROOMS[room].kind])
            assert there == never, f"{label}: {there} for the room that is, {never} for the one that never was"
        assert await calls_of(store, subject, "room", stage, stage.name) == ([] if WHO[who].elsewhere else ["access"])
