"""The long poll: it answers as soon as there is something, and never tells what the person may not see any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from msgspec import structs
from trio.testing import MockClock

from tests.chat.guests import Chat, CountingStore, Guest, open_chat
from tests.chat.persons import done, make, make_private, person
from tests.nodes import LOOSE, make_twins, open_twin_node
from tests.people import make_account
from tests.web.asking import Asker, by_hand, open_asker, refusal

#: Virtual seconds in which a waiting request hears of what happens; and of what nobody tells, at the next look.
AT_ONCE_S = 0.5
AT_A_LOOK_S = 1.5


class Poll:
    """A request that waits, in the background."""

    def __init__(self, asker: Asker, room: str, since: int, wait_s: int = 30, **more: Any) -> None:
        self._asker = asker
        self._path = f"/rooms/{room}/events"
        self._params = {"since": since, "wait_s": wait_s, **more}
        self._answer: httpx.Response | None = None
        self._answered = trio.Event()
        self.took_s = 0.0

    async def run(self) -> None:
        began = trio.current_time()
        self._answer = await self._asker.get(self._path, **self._params)
        self.took_s = trio.current_time() - began
        self._answered.set()

    async def answer(self, within_s: float) -> httpx.Response:
        with trio.fail_after(within_s):
            await self._answered.wait()
        assert self._answer is not None
        return self._answer


async def begun(nursery: trio.Nursery, *args: Any, **more: Any) -> Poll:
    poll = Poll(*args, **more)
    nursery.start_soon(poll.run)
    await trio.sleep(0.2)
    assert not poll._answered.is_set()
    return poll


async def garden(chat: Chat, nobody: Asker, *, private: bool = False) -> tuple[Guest, Asker, Any, str, int]:
    """A room of ann's, of which bob is a member: ann's connection, bob, bob's id, the room, its head."""
    ann, bob = await person(chat, "ann"), nobody.as_(await make_account(chat.store, "bob"))
    room = await make_private(ann) if private else (await make(ann, room="garden"))["room"]
    await ann.join(room)
    if private:
        await done(ann, "invite", room=room, user="bob")
    joined = await bob.ask("POST", f"/rooms/{room}/join")
    assert joined.status_code == 200, joined.text
    return ann, bob, (await bob.get("/token")).json()["user_id"], room, (await bob.get(f"/rooms/{room}")).json()["seq"]


async def test_it_answers_when_something_is_said_at_any_node(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        _, bob, _, room, head = await garden(chat, nobody)
        eve = await chat.guest(chat.nodes[1])
        await eve.join(room)
        poll = await begun(nursery, bob, room, head)
        await eve.say(room, "is anybody here?")
        (event,) = (await poll.answer(AT_ONCE_S)).json()["events"]
        assert event["text"] == "is anybody here?"


async def test_what_is_there_already_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        _, bob, _, room, head = await garden(chat, nobody)
        poll = Poll(bob, room, head - 1)
        await poll.run()
        assert poll.took_s < AT_ONCE_S


async def test_who_waits_is_nobodys_presence(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        ann, bob, bob_id, room, head = await garden(chat, nobody)
        poll = await begun(nursery, bob, room, head)
        assert not chat.node.hub.presence.sessions_of(bob_id)
        await trio.sleep(2 * LOOSE.node_record_s)  # what would be recorded is recorded by then
        assert [one["user"] for one in (await ann.ask("members", room=room))["members"]] == ["ann"]
        states = {one["user"]: one["state"] for one in (await ann.ask("presence", room=room))["people"]}
        assert states == {"ann": "online", "bob": "offline"}
        await ann.say(room, "bob?")
        assert (await poll.answer(AT_ONCE_S)).json()["events"]


async def test_it_ends_with_nothing_after_its_time(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        _, bob, _, room, head = await garden(chat, nobody)
        for more in ({}, {"compact": "true"}):
            poll = Poll(bob, room, head, wait_s=7, **more)
            await poll.run()
            assert (await poll.answer(1)).json()["events"] == []
            assert 7 <= poll.took_s < 7 + AT_ONCE_S
        (known,) = chat.node.hub.rooms()
        assert len(known.listeners()) == 1  # ann
        assert chat.node.hub.figures.long_polls == 0


async def test_compacted_events_are_waited_for_too(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        ann, bob, _, room, head = await garden(chat, nobody)
        poll = await begun(nursery, bob, room, head, compact="true")
        await ann.say(room, "hello")
        assert (await poll.answer(AT_ONCE_S)).json()["to"] == head + 1


Deed = Callable[[Guest, str, Any], Awaitable[Any]]


async def ban(ann: Guest, room: str, bob: Any) -> None:
    await done(ann, "ban", room=room, user=bob)


async def kick(ann: Guest, room: str, bob: Any) -> None:
    await done(ann, "kick", room=room, user=bob)


async def delete(ann: Guest, room: str, bob: Any) -> None:
    await ann.tell("delete_room", room=room)


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    ("deed", "private", "expected"),
    [
        (ban, False, (403, "forbidden", "room")),
        (ban, True, (404, "no_such_room", "room")),
        (kick, True, (404, "no_such_room", "room")),
        (delete, False, (404, "no_such_room", "room")),
    ],
)
async def test_who_is_removed_while_they_wait_is_told_nothing_of_the_room(
    deed: Deed, private: bool, expected: tuple[int, str, str], at: int, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat, open_asker(chat.nodes[at].hub) as nobody, trio.open_nursery() as nursery:
        ann, bob, bob_id, room, head = await garden(chat, nobody, private=private)
        poll = await begun(nursery, bob, room, head)
        await deed(ann, room, bob_id)
        await ann.tell("send", room=room, text="what only members hear")
        answer = await poll.answer(5)
        assert refusal(answer) == expected
        assert "what only members hear" not in answer.text


async def test_it_ends_with_the_login_that_it_rests_on(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        _, bob, _, room, head = await garden(chat, nobody)
        poll = await begun(nursery, bob, room, head)
        assert (await bob.ask("DELETE", "/token")).status_code == 200
        assert refusal(await poll.answer(AT_ONCE_S))[:2] == (401, "unauthenticated")


async def test_it_ends_when_the_node_stops(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        _, bob, _, room, head = await garden(chat, nobody)
        poll = await begun(nursery, bob, room, head)
        chat.node.hub.draining = True
        assert (await poll.answer(AT_A_LOOK_S)).json()["events"] == []


async def test_it_ends_when_the_client_is_gone(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        _, bob, _, room, head = await garden(chat, nobody)
        sent = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            if (one := next(sent, None)) is not None:
                return one
            await trio.sleep(3)
            return {"type": "http.disconnect"}

        began = trio.current_time()
        await by_hand(bob, "GET", f"/rooms/{room}/events?since={head}&wait_s=30", receive)
        assert trio.current_time() - began < 3 + AT_ONCE_S
        assert chat.node.hub.figures.long_polls == 0


async def test_so_many_wait_and_no_more(autojump_clock: MockClock) -> None:
    limits = structs.replace(LOOSE, long_polls=3, long_polls_per_person=2)
    async with open_chat(limits) as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        _, bob, _, room, head = await garden(chat, nobody)
        for _ in range(2):
            await begun(nursery, bob, room, head)
        third = await bob.get(f"/rooms/{room}/events", since=head, wait_s=5)
        assert refusal(third) == (429, "limit_reached", "wait_s")
        guests = [nobody.as_((await nobody.ask("POST", "/guests")).json()["token"]) for _ in range(2)]
        await begun(nursery, guests[0], room, head)
        assert chat.node.hub.figures.long_polls == 3
        fourth = await guests[1].get(f"/rooms/{room}/events", since=head, wait_s=5)
        assert refusal(fourth) == (503, "unavailable", "wait_s")
        assert fourth.headers["retry-after"] == "5"
        assert (await guests[1].get(f"/rooms/{room}/events", since=head)).status_code == 200
        nursery.cancel_scope.cancel()


async def test_who_may_not_see_what_is_said_does_not_ask_all_the_time(autojump_clock: MockClock) -> None:
    store = CountingStore()
    async with open_chat(store=store) as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        ann = await person(chat, "ann")
        await make(ann, room="garden", history="joined")
        await ann.join("garden")
        gus = nobody.as_((await nobody.ask("POST", "/guests")).json()["token"])
        poll = await begun(nursery, gus, "garden", 0, wait_s=10)
        before = store.reads
        for number in range(50):
            await ann.say("garden", f"{number} for members")
            await trio.sleep(0.1)
        assert (await poll.answer(10)).json()["events"] == []
        assert poll.took_s >= 10
        assert store.reads - before < 30  # two at a look, and of 50 events each would be one


async def test_how_long_it_may_wait_is_limited(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        _, bob, _, room, head = await garden(chat, nobody)
        answer = await bob.get(f"/rooms/{room}/events", since=head, wait_s=LOOSE.long_poll_s + 1)
        assert refusal(answer) == (400, "bad_field", "wait_s")


async def test_at_a_real_port_a_client_that_goes_is_waited_for_no_more() -> None:
    twins = make_twins()
    async with open_twin_node(twins, listening=True) as node, httpx.AsyncClient() as client:
        headers = {"Authorization": f"Bearer {await make_account(twins.store, 'ann')}"}
        api = f"http://127.0.0.1:{node.port}/api/v1"
        assert (await client.post(f"{api}/rooms", json={"room": "garden"}, headers=headers)).status_code == 201
        head = (await client.get(f"{api}/rooms/garden", headers=headers)).json()["seq"]
        with trio.move_on_after(0.5):
            await client.get(f"{api}/rooms/garden/events?since={head}&wait_s=30", headers=headers)
            raise AssertionError("nothing is there to be told")
        with trio.fail_after(10):
            while node.hub.figures.long_polls:
                await trio.testing.wait_all_tasks_blocked(0.01)
