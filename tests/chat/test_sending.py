"""`send`: replies, threads and mentions; a plain message asks the store nothing."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from tests.chat.guests import Guest, open_chat
from tests.chat.persons import bot, done, give_role, id_of, make_private, open_room, person, refused
from tests.nodes import LOOSE
from trichat.core.chance import Chance
from trichat.store.memory import MemoryStore


async def heard(guest: Guest, room: str, text: str) -> dict[str, Any]:
    """The event of this message, as they heard it."""
    await guest.hears(room, text)
    return next(event for event in guest.events(room) if event["text"] == text)


def whom(event: dict[str, Any]) -> list[str]:
    """Whom a message mentions."""
    return [mention["user"] for mention in event.get("mentions", [])]


# places


async def test_a_reply_says_to_what_and_in_which_thread(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await person(chat, "ann"), await chat.guest(chat.nodes[1])
        await open_room(ann, "garden", bob)
        root = await ann.say("garden", "what now?")
        await bob.say("garden", "a quote", reply_to=root)
        first = await bob.say("garden", "in a thread", thread=root)
        await ann.say("garden", "both", thread=root, reply_to=first)
        for guest in (ann, bob):
            assert {**await heard(guest, "garden", "a quote")}["reply_to"] == root
            assert "thread" not in await heard(guest, "garden", "a quote")
            assert (await heard(guest, "garden", "in a thread"))["thread"] == root
            both = await heard(guest, "garden", "both")
            assert (both["thread"], both["reply_to"]) == (root, first)


async def test_what_cannot_be_replied_to_is_refused_and_nothing_is_said(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        await open_room(ann, "shed")
        root = await ann.say("garden", "root")
        reply = await ann.say("garden", "reply", thread=root)
        gone = await ann.say("garden", "gone")
        await done(ann, "delete", room="garden", seq=gone)
        for field, value in [
            ("reply_to", 99), ("thread", 99), ("thread", reply), ("thread", gone), ("reply_to", gone),
            ("reply_to", 1), ("thread", 0), ("reply_to", 2**53), ("thread", -1), ("reply_to", "x"), ("thread", None),
        ]:  # fmt: skip
            code, named = await refused(ann, "send", room="garden", text="no", **{field: value})
            assert (code, named) == ("bad_field", field)
        assert await refused(ann, "send", room="shed", text="no", reply_to=root) == ("bad_field", "reply_to")
        last = await ann.say("garden", "last")
        assert last == gone + 2


async def test_a_reply_said_again_is_the_same_though_what_it_replies_to_is_gone(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        root = await ann.say("garden", "root")
        seq = await ann.say("garden", "reply", thread=root, cid="a")
        await done(ann, "delete", room="garden", seq=root)
        again = await done(ann, "send", room="garden", text="reply", thread=root, cid="a")
        assert (again["seq"], again["dup"]) == (seq, True)
        assert (await refused(ann, "send", room="garden", text="other", thread=root, cid="a"))[0] == "cid_reused"
        assert (await refused(ann, "send", room="garden", text="reply", cid="a"))[0] == "cid_reused"


# mentions


async def test_names_of_people_in_the_room_are_mentions_and_others_are_text(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _cat = [await person(chat, name) for name in ("ann", "bob", "cat")]
        gus = await chat.guest()
        assert (await gus.ask("hello", name="Gus"))["type"] == "ok"
        await open_room(ann, "garden")
        for guest in (bob, gus):
            await guest.join("garden")
        await bob.say("garden", "@ann, @gus: meet @cat and @nobody; ann@site.org `@bob`")
        event = await heard(ann, "garden", "@ann, @gus: meet @cat and @nobody; ann@site.org `@bob`")
        assert event["mentions"] == [{"user": "ann", "user_id": id_of(ann)}, {"user": "Gus", "user_id": id_of(gus)}]
        assert whom(await _say(bob, "that is all @")) == []


async def _say(guest: Guest, text: str, room: str = "garden", **fields: Any) -> dict[str, Any]:
    await guest.say(room, text, **fields)
    return await heard(guest, room, text)


async def test_the_room_is_mentioned_by_moderators_alone(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, cat = [await person(chat, name) for name in ("ann", "bob", "cat")]
        await open_room(ann, "garden")
        await give_role(ann, "garden", bob, "moderator")
        await cat.join("garden")
        gus = await chat.guest_in("garden")
        assert (await _say(bob, "@room tea!"))["mentions"] == [{"user": "room", "user_id": "*"}]
        assert whom(await _say(ann, "@All @here @bob")) == ["room", "bob"]
        assert whom(await _say(cat, "@room @bob")) == ["bob"]
        assert whom(await _say(gus, "@everyone?")) == []


async def test_a_private_room_mentions_its_members_and_says_nothing_of_others(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _bob = await person(chat, "ann"), await person(chat, "bob")
        room = await make_private(ann, title="x")
        await ann.join(room)
        known, unknown = [await _say(ann, text, room) for text in ("@bob", "@zzz")]
        assert known.keys() == unknown.keys()
        assert "mentions" not in known


async def test_a_mention_said_again_after_a_rename_is_the_same_message(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await open_room(ann, "garden", bob)
        seq = await ann.say("garden", "@bob hi", cid="a")
        assert (await bob.ask("rename", name="bert"))["type"] == "ok"
        again = await done(ann, "send", room="garden", text="@bob hi", cid="a")
        assert (again["seq"], again["dup"]) == (seq, True)
        assert whom(await _say(ann, "@bob ho")) == []


async def test_of_many_names_the_first_are_mentions(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        names = " ".join(f"@x{number}" for number in range(LOOSE.mentions - 1))
        assert whom(await _say(ann, names + " @ann")) == ["ann"]
        assert whom(await _say(ann, names + " @y @ann")) == []


async def test_bots_with_a_key_to_send_mention_too(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        robot = await bot(chat, "robot", ["read", "send"])
        await open_room(ann, "garden")
        await robot.join("garden")
        assert whom(await _say(robot, "@ann @room")) == ["ann"]


# order and cost


async def test_what_is_said_keeps_its_order_whatever_has_to_be_looked_up(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        chat.store.delay_s = 0.05
        texts = [f"{number} @ann" if number % 3 == 0 else str(number) for number in range(12)]
        ids = [await ann.tell("send", room="garden", text=text) for text in texts]
        for command_id in ids:
            assert (await ann.reply_to(command_id))["type"] == "ack"
        await ann.hears("garden", texts[-1])
        assert ann.texts("garden") == texts


async def test_a_warning_of_an_unknown_field_comes_after_the_ack(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        chat.store.delay_s = 0.05
        command_id = await ann.tell("send", room="garden", text="@ann", colour="red")
        await ann.until(lambda: bool(ann.all_of("warning")))
        kinds = [frame["type"] for frame in ann.frames if command_id in (frame.get("id"), frame.get("re"))]
        assert kinds == ["ack", "warning"]


async def test_who_is_put_out_while_a_mention_is_looked_up_says_nothing(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await person(chat, "bob")
        await open_room(ann, "garden", bob)
        root = await ann.say("garden", "root")
        chat.store.delay_s = 0.3
        kick = await ann.tell("kick", room="garden", user="bob")  # takes three calls, as what bob says does beforehand
        error = await bob.ask("send", room="garden", text="@ann", reply_to=root)
        assert error["type"] == "error"
        assert error["code"] in ("not_joined", "forbidden")
        await ann.reply_to(kick)
        assert ann.texts("garden") == ["root"]


async def test_a_mention_is_unavailable_while_the_store_is_away(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        chat.store.down = True
        assert (await refused(ann, "send", room="garden", text="@ann", cid="a"))[0] == "unavailable"
        chat.store.down = False
        assert "dup" not in await done(ann, "send", room="garden", text="@ann", cid="a")


class _Asked(MemoryStore):
    """Counts how often it is called, for whatever."""

    calls = 0

    async def begin(self) -> None:
        self.calls += 1
        await super().begin()


@pytest.mark.parametrize(("text", "calls"), [("plain", 1), ("ann@site.org", 1), ("@ann@site.org", 1), ("@ann", 3)])
async def test_a_plain_message_asks_the_store_nothing(autojump_clock: MockClock, text: str, calls: int) -> None:
    store = _Asked(LOOSE, chance=Chance())
    async with open_chat(store=store) as chat:
        ann = await person(chat, "ann")
        await open_room(ann, "garden")
        await ann.say("garden", "before")
        before = store.calls
        await ann.say("garden", text)
        assert store.calls - before == calls
