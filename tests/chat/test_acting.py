"""Messages are edited, deleted, reacted to and pinned: it holds at once, at every node, and is heard by all."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import (
    SOON_S,
    bot,
    done,
    give_role,
    id_of,
    log_in,
    make,
    make_private,
    person,
    quiet,
    refused,
)
from tests.nodes import LOOSE
from tests.people import make_account
from trichat.core.chance import Chance
from trichat.store import MemoryStore

UP = "👍"
#: Every command that changes something about a message, with the fields beside `room` and `seq`.
ACTS: list[tuple[str, dict[str, Any]]] = [
    ("edit", {"text": "new"}), ("delete", {}), ("react", {"emoji": UP}), ("unreact", {"emoji": UP}), ("pin", {}),
    ("unpin", {}),
]  # fmt: skip
PAGES = ["revisions", "reactions"]


async def garden(chat: Chat) -> tuple[Guest, Guest, int]:
    """Ann, who owns the room `garden`, and Bob, a member, who both listen, at the chat's two nodes; what Bob said."""
    ann, bob = await person(chat, "ann", chat.nodes[0]), await person(chat, "bob", chat.nodes[-1])
    await make(ann, room="garden")
    await ann.join("garden")
    await bob.join("garden")
    seq = await bob.say("garden", "a tree")
    await ann.hears("garden", "a tree")
    await quiet()
    return ann, bob, seq


async def hears(guest: Guest, kind: str, seq: int) -> dict[str, Any]:
    """Wait for the event `seq` of this kind, and give it."""
    await guest.until(lambda: any(frame["seq"] == seq for frame in _events(guest, kind)), SOON_S)
    return next(frame for frame in _events(guest, kind) if frame["seq"] == seq)


def _events(guest: Guest, kind: str) -> list[dict[str, Any]]:
    return [frame for frame in guest.all_of(kind) if "from" in frame]


async def shown(guest: Guest, seq: int, room: str = "garden") -> dict[str, Any]:
    """The message in its present state, from a page of history."""
    page = await guest.ask("history", room=room, before=seq + 1, limit=1)
    (message,) = page["messages"]
    assert message["seq"] == seq
    return dict(message)


# heard, and seen


async def test_an_edit_is_heard_at_every_node_and_history_says_the_new_text(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, seq = await garden(chat)
        ack = await done(bob, "edit", room="garden", seq=seq, text="a bush", cid="e1")
        assert (ack["seq"], ack["cid"], "dup" in ack) == (seq + 1, "e1", False)
        for guest in (ann, bob):
            event = await hears(guest, "edited", ack["seq"])
            assert (event["target"], event["text"], event["from"], event["cid"]) == (seq, "a bush", "bob", "e1")
            message = await shown(guest, seq)
            assert (message["text"], message["rev"], message["edited"]) == ("a bush", ack["seq"], event["ts"])


async def test_an_edit_mentions_whom_its_text_names(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, seq = await garden(chat)
        ack = await done(bob, "edit", room="garden", seq=seq, text="for @ann and @nobody")
        event = await hears(ann, "edited", ack["seq"])
        assert event["mentions"] == [{"user": "ann", "user_id": id_of(ann)}]
        assert (await shown(bob, seq))["mentions"] == event["mentions"]


async def test_a_deletion_is_heard_and_leaves_a_tombstone(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, seq = await garden(chat)
        ack = await done(ann, "delete", room="garden", seq=seq, reason="weeds")
        event = await hears(bob, "deleted", ack["seq"])
        assert (event["target"], event["reason"], event["from"]) == (seq, "weeds", "ann")
        for guest in (ann, bob):
            message = await shown(guest, seq)
            assert (message["deleted"], message["rev"], "text" in message) == (True, ack["seq"], False)
        again = await done(bob, "delete", room="garden", seq=seq)
        assert again["seq"] == ack["seq"]


async def test_reactions_are_heard_counted_and_listed_page_by_page(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, seq = await garden(chat)
        gus = await chat.guest_in("garden")
        for guest, emoji in ((ann, UP), (bob, UP), (gus, "❤")):
            ack = await done(guest, "react", room="garden", seq=seq, emoji=emoji)
            event = await hears(bob, "reacted", ack["seq"])
        assert (event["target"], event["emoji"]) == (seq, "❤️")
        assert (await shown(ann, seq))["reactions"] == [
            {"emoji": "❤️", "count": 1}, {"emoji": UP, "count": 2, "mine": True}
        ]  # fmt: skip
        first = await ann.ask("reactions", room="garden", seq=seq, limit=2)
        assert ([one["emoji"] for one in first["reactions"]], first["more"]) == (["❤️", UP], True)
        rest = await ann.ask("reactions", room="garden", seq=seq, after=first["key"])
        assert (len(rest["reactions"]), rest["more"]) == (1, False)
        both = {one["user_id"] for one in (first["reactions"] + rest["reactions"]) if one["emoji"] == UP}
        assert both == {id_of(ann), id_of(bob)}
        none = await ann.ask("reactions", room="garden", seq=seq, after=rest["key"])
        assert (none["reactions"], none["more"], "key" in none) == ([], False, False)
        ack = await done(gus, "unreact", room="garden", seq=seq, emoji="❤️")
        assert (await hears(ann, "unreacted", ack["seq"]))["emoji"] == "❤️"


async def test_pins_are_heard_and_listed(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, seq = await garden(chat)
        second = await bob.say("garden", "another")
        ack = await done(ann, "pin", room="garden", seq=second)
        assert (await hears(bob, "pinned", ack["seq"]))["target"] == second
        await done(ann, "pin", room="garden", seq=seq)
        pins = (await bob.ask("pins", room="garden"))["messages"]
        assert [(one["seq"], one["text"], one["pinned"]) for one in pins] == [
            (seq, "a tree", True), (second, "another", True)
        ]  # fmt: skip
        ack = await done(ann, "unpin", room="garden", seq=second)
        assert (await hears(bob, "unpinned", ack["seq"]))["target"] == second
        assert [one["seq"] for one in (await bob.ask("pins", room="garden"))["messages"]] == [seq]


async def test_old_texts_are_for_the_author_and_moderators(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, seq = await garden(chat)
        cat = await person(chat, "cat")
        await cat.join("garden")
        ack = await done(bob, "edit", room="garden", seq=seq, text="a bush")
        await done(bob, "edit", room="garden", seq=seq, text="a weed")
        for guest in (ann, bob):
            page = await guest.ask("revisions", room="garden", seq=seq)
            assert [(one["rev"], one["text"]) for one in page["revisions"]] == [(seq, "a tree"), (ack["seq"], "a bush")]
            assert page["revisions"][0]["ts"] == (await shown(guest, seq))["ts"]
        assert await refused(cat, "revisions", room="garden", seq=seq) == ("forbidden", "room")


async def test_a_room_need_not_be_joined_on_this_connection(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, _, seq = await garden(chat)
        outsider = await chat.guest(chat.nodes[1])
        ack = await done(outsider, "react", room="garden", seq=seq, emoji=UP)
        await hears(ann, "reacted", ack["seq"])
        assert (await outsider.ask("reactions", room="garden", seq=seq))["reactions"][0]["emoji"] == UP
        assert not outsider.all_of("reacted")


async def test_an_act_takes_effect_after_what_was_said_before_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, seq = await garden(chat)
        chat.store.delay_s = 0.05
        await ann.tell("send", room="garden", text="mine")
        ack = await done(ann, "edit", room="garden", seq=seq + 1, text="still mine")
        assert ack["seq"] == seq + 2


# repeated


@pytest.mark.parametrize(("command", "fields"), [one for one in ACTS if not one[0].startswith("un")])
async def test_a_repeated_cid_on_another_node_counts_once(
    command: str, fields: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        _, bob, _ = await garden(chat)
        token = await make_account(chat.store, "cat", admin=True)
        cat = await log_in(chat, token)
        await cat.join("garden")
        seq = await cat.say("garden", "mine")
        first = await done(cat, command, room="garden", seq=seq, cid="c1", **fields)
        elsewhere = await log_in(chat, token, chat.nodes[1])
        again = await done(elsewhere, command, room="garden", seq=seq, cid="c1", **fields)
        assert (again["seq"], again["dup"]) == (first["seq"], True)
        other = await cat.say("garden", "other")
        assert await refused(elsewhere, command, room="garden", seq=other, cid="c1", **fields) == ("cid_reused", "cid")
        last = await bob.say("garden", "done")
        await hears(bob, "message", last)
        assert last == first["seq"] + 2


async def test_an_act_whose_answer_was_lost_is_repeated_and_heard_once(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, seq = await garden(chat)
        chat.store.delay_s = 0.1
        command = await bob.tell("edit", room="garden", seq=seq, text="a bush", cid="e1")
        await trio.sleep(0.15)  # the room is found, and the edit under way
        chat.store.answers_lost = True
        assert (await bob.reply_to(command))["code"] == "unavailable"
        chat.store.answers_lost = False
        ack = await done(bob, "edit", room="garden", seq=seq, text="a bush", cid="e1")
        assert ack["dup"] is True
        await ann.until(lambda: bool(_events(ann, "edited")))  # by a look at the heads
        assert [event["seq"] for event in _events(ann, "edited")] == [ack["seq"]]


# what nodes keep in memory


@pytest.mark.parametrize("since", [0, 3])
async def test_after_a_deletion_no_node_replays_the_text(since: int, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, seq = await garden(chat)
        await done(bob, "edit", room="garden", seq=seq, text="a bush")
        for node in chat.nodes:
            before = await person(chat, f"early{chat.nodes.index(node)}", node)
            await before.join("garden", since=since)
            await before.until(lambda before=before: "a bush" in str(before.frames))  # type: ignore[misc]
        ack = await done(ann, "delete", room="garden", seq=seq)
        await hears(bob, "deleted", ack["seq"])
        for node in chat.nodes:
            late = await person(chat, f"late{chat.nodes.index(node)}", node)
            await late.join("garden", since=since)
            await hears(late, "deleted", ack["seq"])
            assert "a tree" not in str(late.frames)
            assert "a bush" not in str(late.frames)
            assert "superseded" in str(late.frames)


async def test_a_room_that_was_forgotten_and_opened_again_replays_no_old_text(autojump_clock: MockClock) -> None:
    """While a node does not know a room it hears nothing of it: so it keeps no page of it either."""
    async with open_chat(nodes=2) as chat:
        ann = await person(chat, "ann", chat.nodes[0])
        await make(ann, room="garden")
        await ann.join("garden")
        seq = await ann.say("garden", "secret")
        for number in range(chat.twins.limits.page + chat.twins.limits.ring_events):
            await ann.say("garden", f"text {number}")
        reader = await chat.guest(chat.nodes[1])
        await reader.join("garden", since=0)
        await reader.hears("garden", "secret")
        await reader.drop()
        await trio.sleep(2 * chat.twins.limits.room_idle_s)
        assert chat.nodes[1].hub.room("garden") is None
        await done(ann, "delete", room="garden", seq=seq)
        late = await chat.guest(chat.nodes[1])
        joined = await late.join("garden", since=0)
        await late.until(lambda: bool(late.all_of("deleted")))
        assert joined["seq"] > seq
        assert "secret" not in str(late.frames)


class LateStore(MemoryStore):
    """Reads events at once, and gives them when `released`."""

    def __init__(self) -> None:
        super().__init__(LOOSE, chance=Chance())
        self.released = trio.Event()
        self.released.set()

    async def read_events(self, *args: Any, **kwargs: Any) -> Any:
        released = self.released
        page = await super().read_events(*args, **kwargs)
        await released.wait()
        return page


async def test_pages_that_were_read_before_a_deletion_are_for_those_alone_who_asked_before_it(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(store=(store := LateStore())) as chat:
        ann = await person(chat, "ann")
        await make(ann, room="garden")
        await ann.join("garden")
        kept, late = await ann.say("garden", "secret"), await ann.say("garden", "secret too")
        for number in range(LOOSE.page):
            await ann.say("garden", f"text {number}")
        room, pages = chat.node.hub.room("garden"), chat.node.hub.pages
        assert room is not None
        assert "secret" in str(await pages.read(room, 0))
        ack = await done(ann, "delete", room="garden", seq=kept)
        await hears(ann, "deleted", ack["seq"])
        assert '"secret"' not in str(await pages.read(room, 0))

        async def read() -> None:
            assert room is not None
            assert "secret too" in str(await pages.read(room, 1))

        async with trio.open_nursery() as nursery:
            store.released = trio.Event()
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            ack = await done(ann, "delete", room="garden", seq=late)
            await hears(ann, "deleted", ack["seq"])
            held, store.released = store.released, trio.Event()
            store.released.set()
            with trio.fail_after(SOON_S):  # not shared with who asked before, and waits still
                assert "secret too" not in str(await pages.read(room, 1))
            held.set()
        assert "secret too" not in str(await pages.read(room, 1))


# who may, and bad input


async def test_of_a_hidden_room_everything_is_refused_alike(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        room = await make_private(ann)
        await ann.join(room)
        seq = await ann.say(room, "secret")
        for outsider in (await person(chat, "eve"), await chat.guest()):
            for command, fields in [*ACTS, *((page, {}) for page in PAGES)]:
                for name in (room, "~nothing"):
                    assert await refused(outsider, command, room=name, seq=seq, **fields) == ("no_such_room", "room")
            assert await refused(outsider, "pins", room=room) == ("no_such_room", "room")


async def test_who_is_no_member_is_told_to_join(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, _, seq = await garden(chat)
        eve = await person(chat, "eve")
        for command, fields in ACTS:
            error = await eve.ask(command, room="garden", seq=seq, **fields)
            assert (error["code"], error["field"]) == ("forbidden", "room")
            assert "join" in error["message"]


async def test_acting_on_the_future_and_on_nothing_is_refused(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, seq = await garden(chat)
        for command, fields in [*ACTS, *((page, {}) for page in PAGES)]:
            for place in (seq + 1, 2**62, 0, -5, 1):
                assert await refused(ann, command, room="garden", seq=place, **fields) == ("bad_field", "seq")


@pytest.mark.parametrize(
    ("command", "fields", "expected"),
    [
        ("edit", {"text": ""}, ("bad_field", "text")),
        ("edit", {"text": "x" * 4_001}, ("too_long", "text")),
        ("edit", {"text": "x", "cid": ""}, ("bad_field", "cid")),
        ("delete", {"reason": "x" * 513}, ("bad_field", "reason")),
        ("delete", {"reason": "a\nb"}, ("bad_field", "reason")),
        ("delete", {"cid": "x" * 65}, ("bad_field", "cid")),
        ("react", {"emoji": "no"}, ("bad_field", "emoji")),
        ("react", {"emoji": UP, "cid": ""}, ("bad_field", "cid")),
        ("unreact", {"emoji": ""}, ("bad_field", "emoji")),
        ("pin", {"cid": ""}, ("bad_field", "cid")),
        ("unpin", {"cid": ""}, ("bad_field", "cid")),
        ("reactions", {"limit": 0}, ("bad_field", "limit")),
    ],
)
async def test_wrong_fields_are_named_before_the_room_is_looked_for(
    command: str, fields: dict[str, Any], expected: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with open_chat() as chat:
        ann = await person(chat, "ann")
        assert await refused(ann, command, room="nowhere", seq=1, **fields) == expected


async def test_ten_thousand_reactions_end_at_the_limit(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, seq = await garden(chat)
        most = chat.twins.limits.emojis
        asked = [await ann.tell("react", room="garden", seq=seq, emoji=f":e{n}:") for n in range(10_000)]
        replies = {frame["id"]: frame for frame in [await ann.reply_to(asked[-1]), *ann.frames] if "id" in frame}
        assert [replies[one]["type"] for one in asked] == ["ack"] * most + ["error"] * (10_000 - most)
        assert {replies[one]["code"] for one in asked[most:]} == {"limit_reached"}
        assert len((await shown(ann, seq))["reactions"]) == most


async def test_moderators_pin_and_delete_and_members_do_not(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob, _ = await garden(chat)
        seq = await ann.say("garden", "mine")
        assert await refused(bob, "pin", room="garden", seq=seq) == ("forbidden", "room")
        assert await refused(bob, "delete", room="garden", seq=seq) == ("forbidden", "room")
        assert await refused(bob, "edit", room="garden", seq=seq, text="new") == ("forbidden", "seq")
        await give_role(ann, "garden", bob, "moderator")
        await done(bob, "pin", room="garden", seq=seq)
        await done(bob, "delete", room="garden", seq=seq)
        assert await refused(bob, "pin", room="garden", seq=seq) == ("bad_state", "seq")


async def test_a_key_is_for_ones_own_messages_or_for_others(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _, seq = await garden(chat)
        robot = await bot(chat, "robot", ["read", "send"])
        await give_role(ann, "garden", robot, "moderator")
        mine = await robot.say("garden", "beep")
        assert await refused(robot, "delete", room="garden", seq=seq) == ("forbidden", None)
        assert await refused(robot, "pin", room="garden", seq=seq) == ("forbidden", None)
        await done(robot, "edit", room="garden", seq=mine, text="boop")
        await done(robot, "delete", room="garden", seq=mine)
        judge = await bot(chat, "judge", ["read", "moderate"])
        await give_role(ann, "garden", judge, "moderator")
        assert await refused(judge, "react", room="garden", seq=seq, emoji=UP) == ("forbidden", None)
        await done(judge, "delete", room="garden", seq=seq)
        reader = await bot(chat, "reader", ["read"])
        assert await refused(reader, "delete", room="garden", seq=seq) == ("forbidden", None)
