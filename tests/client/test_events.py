"""What the stream of events promises: in order, once each, without a hole, over any number of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.client.fake_server import URL, FakeServer, Peer, event, listed
from trichat.client import (
    Client,
    ClientEvent,
    ClientOptions,
    Connected,
    Disconnected,
    Ended,
    EventsUnread,
    GapEvent,
    GapFilled,
    LogReset,
    OutOfOrder,
    RoomEvent,
    RoomLost,
    StatusChanged,
    Unreachable,
    Warned,
    open_client,
)

#: Seconds, mostly of a clock that jumps, after which an event does not come any more.
NEVER_S = 200.0
LOST = Disconnected(1006, "connection lost", pytest.approx(0.15, abs=0.05))  # type: ignore[arg-type]


async def next_of(client: Client, count: int) -> list[ClientEvent | int]:
    """The next events; those of a room by their number alone."""
    events: AsyncIterator[ClientEvent] = client.events()
    with trio.fail_after(NEVER_S):
        taken = [await anext(events) for _ in range(count)]
    return [one.seq if isinstance(one, RoomEvent) else one for one in taken]


def first(user: str = "guest-abc") -> Connected:
    return Connected(URL, "n1", user, again=False)


def again(url: str = URL, user: str = "ann") -> Connected:
    return Connected(url, "n1", user, again=True)


async def test_events_tell_who_said_what(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=41)
        await peer.say(**event(42, "hi", cid="a1"))
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby")
        events = client.events()
        assert await anext(events) == first()
        heard = await anext(events)
        assert isinstance(heard, RoomEvent)
        assert (heard.room, heard.seq, heard.kind, heard.text) == ("lobby", 42, "message", "hi")
        assert (heard.user, heard.user_id, heard.cid) == ("ben", "g_2", "a1")
        assert heard.ts == "2026-11-24T05:50:00.123Z"
        assert client.position("lobby") == ("k1", 42)


async def test_a_lost_connection_is_resumed_where_it_broke(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        assert await peer.let_join(head=9) == {"type": "join", "room": "lobby", "since": 5, "epoch": "k1", "id": 1}
        await peer.say_event(6)
        await peer.say_event(7)
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        # an event that was handed on before comes again, and is dropped
        assert await peer.let_resume(event(7), event(8), head=8) == {"since": 7, "epoch": "k1"}
        await peer.say_event(9)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, resume).connect) as client:
        await client.join("lobby", since=5, epoch="k1")
        assert await next_of(client, 7) == [first(), 6, 7, LOST, again(), 8, 9]
        assert client.repeats == 1


async def test_all_rooms_are_resumed_by_one_command(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=3)
        await peer.let_join(head=4, epoch="q1")
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("resume")
        assert command["rooms"] == {"lobby": {"since": 3, "epoch": "k1"}, "dev": {"since": 4, "epoch": "q1"}}
        await peer.say("joined", room="dev", epoch="q1", seq=5, members=1)
        await peer.say_event(5, room="dev")
        await peer.say("error", room="lobby", code="forbidden", message="no more", temporary=False)
        await peer.reply(command, "resumed", rooms=1)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, resume).connect) as client:
        await client.join("lobby")
        await client.join("dev")
        lost = RoomLost("lobby", "forbidden", "no more")
        assert await next_of(client, 5) == [first(), LOST, again(), 5, lost]
        assert client.position("lobby") is None


async def test_a_room_that_cannot_be_resumed_yet_is_asked_for_again(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=3)
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("resume")
        await peer.say("error", room="lobby", code="unavailable", message="away", temporary=True)
        await peer.reply(command, "resumed", rooms=0)
        await peer.let_resume(event(4), head=4)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, resume).connect) as client:
        await client.join("lobby")
        assert await next_of(client, 4) == [first(), LOST, again(), 4]


async def test_a_draining_server_is_left_for_the_next_node_when_it_says(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def drain(peer: Peer) -> None:
        await peer.greet()
        await peer.goodbye(4200, "draining", resume_after_ms=1300)

    async def stay(peer: Peer) -> None:
        await peer.greet_again()
        await peer.stay()

    server = FakeServer(nursery, drain, stay)
    async with open_client(["ws://node1.test", "ws://node2.test"], connect=server.connect) as client:
        gone = Disconnected(4200, "draining", 1.3)
        assert await next_of(client, 3) == [first(), gone, again("ws://node2.test/ws")]
    assert server.attempts[1] - server.attempts[0] == pytest.approx(1.3)


async def test_a_goodbye_without_a_close_is_a_close_all_the_same(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def forget_to_close(peer: Peer) -> None:
        await peer.greet()
        await peer.say("goodbye", code=4200, reason="draining")
        await trio.sleep_forever()

    async def stay(peer: Peer) -> None:
        await peer.greet_again()
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, forget_to_close, stay).connect) as client:
        assert await next_of(client, 3) == [first(), Disconnected(4200, "draining", 0.0), again()]
        assert 5 <= trio.current_time() < 8


async def test_a_slow_client_backs_off(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def close(peer: Peer) -> None:
        await peer.greet()
        await peer.goodbye(4101, "slow")

    async def stay(peer: Peer) -> None:
        await peer.greet_again()
        await peer.stay()

    server = FakeServer(nursery, close, stay)
    async with open_client(URL, connect=server.connect) as client:
        await next_of(client, 3)
    assert 0.5 <= server.attempts[1] - server.attempts[0] <= 1.0


async def test_a_banned_client_ends(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def ban(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=1)
        await peer.say_event(2)
        await peer.expect("ping")
        await peer.goodbye(4003, "banned")

    async with open_client(URL, connect=FakeServer(nursery, ban).connect) as client:
        await client.join("lobby")
        with pytest.raises(Ended, match=r"banned \(4003\)") as ended:
            await client.ping()
        assert ended.value.code == 4003
        assert await next_of(client, 2) == [first(), 2]  # what came before the end is not lost
        with pytest.raises(Ended):
            await anext(client.events())
        with pytest.raises(Ended):
            await client.ping()


async def test_a_gap_is_paged_before_what_follows_it(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=8)
        await peer.say("gap", room="lobby", from_=3, to=7, messages=5)
        await peer.say_event(8)
        command = await peer.expect("events")
        assert (command["since"], command["limit"]) == (2, 200)
        await peer.say_event(9)
        await peer.reply(command, "events", room="lobby", events=listed(event(3), event(4), event(5)), more=True)
        command = await peer.expect("events")
        assert command["since"] == 5
        pages = listed(event(6), event(7), event(8))
        await peer.reply(command, "events", room="lobby", events=pages, more=True)
        await peer.say_event(10)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby", since=2, epoch="k1")
        filled = GapFilled("lobby", 3, 7)
        assert await next_of(client, 10) == [first(), 3, 4, 5, 6, 7, filled, 8, 9, 10]


async def test_what_comes_during_a_long_gap_is_not_kept_without_limit(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=2)
        await peer.say("gap", room="lobby", from_=1, to=2, messages=2)
        for seq in range(3, 21):  # far more than are held
            await peer.say_event(seq)
        while True:
            command = await peer.expect("events")
            events = [event(command["since"] + n) for n in (1, 2, 3)]
            await peer.reply(command, "events", room="lobby", events=listed(*events), more=True)

    options = ClientOptions(held_events=4)
    async with open_client(URL, connect=FakeServer(nursery, script).connect, options=options) as client:
        await client.join("lobby", since=0)
        heard = [one for one in await next_of(client, 22) if isinstance(one, int)]
        assert heard == list(range(1, 21))


async def test_a_gap_that_breaks_off_is_paged_on_the_next_connection(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=6)
        await peer.say("gap", room="lobby", from_=1, to=5, messages=5)
        await peer.say_event(6)
        command = await peer.expect("events")
        await peer.reply(command, "events", room="lobby", events=listed(event(1), event(2)), more=True)
        await peer.expect("events")
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        assert (await peer.let_resume(event(3), event(4), event(5), event(6), head=6))["since"] == 2
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, resume).connect) as client:
        await client.join("lobby", since=0)
        assert await next_of(client, 9) == [first(), 1, 2, LOST, again(), 3, 4, 5, 6]


async def test_a_gap_is_handed_on_to_those_who_want_it(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=9)
        await peer.say("gap", room="lobby", from_=3, to=8, messages=4)
        await peer.say_event(9)
        await peer.stay()

    options = ClientOptions(fill_gaps=False)
    async with open_client(URL, connect=FakeServer(nursery, script).connect, options=options) as client:
        await client.join("lobby", since=2)
        assert await next_of(client, 3) == [first(), GapEvent("lobby", 3, 8, 4), 9]


async def test_another_log_is_told_and_heard_from_its_head(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=40)
        await peer.cut()

    async def another_epoch(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("resume")
        await peer.say("error", room="lobby", code="bad_position", message="no", temporary=False, head=7, epoch="k2")
        await peer.reply(command, "resumed", rooms=0)
        assert await peer.let_resume(event(8), head=8, epoch="k2") == {"since": 7, "epoch": "k2"}
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, another_epoch).connect) as client:
        await client.join("lobby")
        assert await next_of(client, 5) == [first(), LOST, again(), LogReset("lobby", "k2", 7), 8]
        assert client.position("lobby") == ("k2", 8)


@pytest.mark.parametrize("by", ["event", "gap", "page"])
async def test_a_hole_that_the_server_hides_ends_the_client(
    nursery: trio.Nursery, autojump_clock: MockClock, by: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=2)
        if by == "event":
            await peer.say_event(4)
        elif by == "gap":
            await peer.say("gap", room="lobby", from_=4, to=9, messages=6)
        else:
            await peer.say("gap", room="lobby", from_=3, to=9, messages=6)
            await peer.reply(await peer.expect("events"), "events", room="lobby", events=listed(event(4)), more=True)
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.join("lobby")
        assert await next_of(client, 1) == [first()]
        with pytest.raises(OutOfOrder, match="event 4 came in lobby where 3 was next"):
            await anext(client.events())
        with pytest.raises(OutOfOrder):
            await client.ping()


async def test_a_silent_connection_is_given_up_after_a_ping(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def fall_silent(peer: Peer) -> None:
        await peer.greet()
        await peer.expect("ping")
        await trio.sleep_forever()

    async def stay(peer: Peer) -> None:
        await peer.greet_again()
        await peer.stay()

    server = FakeServer(nursery, fall_silent, stay)
    async with open_client(URL, connect=server.connect) as client:
        assert await next_of(client, 1) == [first()]
        (gone,) = await next_of(client, 1)
        assert isinstance(gone, Disconnected)
        assert (gone.code, gone.reason) == (1006, "no answer to a ping")
        assert 30 <= trio.current_time() < 33
        assert await next_of(client, 1) == [again()]


async def test_a_connection_that_answers_pings_is_kept(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.stay()

    server = FakeServer(nursery, script)
    async with open_client(URL, connect=server.connect) as client:
        await trio.sleep(3600)
        assert client.connected
    assert len(server.attempts) == 1


async def test_a_command_that_is_never_answered_is_given_to_another_connection(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def never_answer(peer: Peer) -> None:
        await peer.greet()
        await peer.stay()

    async def answer(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("send")
        await peer.reply(command, "ack", room="lobby", seq=1, cid=command["cid"])
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, never_answer, answer).connect) as client:
        await client.send("lobby", "hi")
        assert 60 <= trio.current_time() < 100


async def test_status_and_warnings_are_told_and_the_unknown_is_ignored(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.say("surprise", of="the future")
        await peer.say("message", seq=1)  # without a room: not as it should be
        await peer.say("status", fanout="degraded", since="noon")
        await peer.say("warning", re="2", code="unknown_field", field="txet", message="did you mean text?")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        warned = Warned("unknown_field", "did you mean text?", "txet")
        assert await next_of(client, 3) == [first(), StatusChanged("degraded"), warned]


async def test_the_socket_is_not_read_while_nobody_takes_events(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    said: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join()
        for seq in range(1, 501):
            await peer.say_event(seq)
            said.append(seq)
        await peer.stay()

    server = FakeServer(nursery, script, lockstep=True)
    async with open_client(URL, connect=server.connect, options=ClientOptions(events=20)) as client:
        await client.join("lobby")
        await wait_all_tasks_blocked()
        assert 20 <= len(said) < 30
        await trio.sleep(3600)  # however long it takes, the connection is not taken for dead
        assert len(said) < 30
        assert await next_of(client, 501) == [first(), *range(1, 501)]
    assert len(server.attempts) == 1


async def test_an_application_of_one_task_may_ask_while_events_pile_up(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join()
        command = await peer.expect("send")
        for seq in range(1, 101):
            await peer.say_event(seq)
        await peer.reply(command, "ack", room="lobby", seq=100, cid=command["cid"])
        await peer.stay()

    options = ClientOptions(events=20, events_while_asking=200)
    async with open_client(URL, connect=FakeServer(nursery, script).connect, options=options) as client:
        await client.join("lobby")
        assert (await client.send("lobby", "hi")).seq == 100
        assert await next_of(client, 101) == [first(), *range(1, 101)]


async def test_an_answer_behind_too_many_unread_events_is_an_error_and_no_deadlock(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join()
        command = await peer.expect("send")
        for seq in range(1, 101):
            await peer.say_event(seq)
        await peer.reply(command, "ack", room="lobby", seq=100, cid=command["cid"])
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    options = ClientOptions(events=20, events_while_asking=50)
    async with open_client(URL, connect=FakeServer(nursery, script).connect, options=options) as client:
        await client.join("lobby")
        with pytest.raises(EventsUnread):
            await client.send("lobby", "hi")
        assert await next_of(client, 101) == [first(), *range(1, 101)]
        await client.ping()


async def test_a_client_that_only_sends_keeps_no_events(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join()
        for seq in range(1, 101):
            await peer.say_event(seq)
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    options = ClientOptions(events=20, events_while_asking=20, keep_events=False)
    async with open_client(URL, connect=FakeServer(nursery, script).connect, options=options) as client:
        await client.join("lobby")
        await client.ping()
        assert client.position("lobby") == ("k1", 100)


async def test_a_token_that_is_no_longer_accepted_ends_the_client(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.expect("ping")
        await peer.cut()

    async def refuse(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, refuse).connect) as client:
        with pytest.raises(Exception, match="unauthenticated"):
            await client.ping()


async def test_a_node_that_is_lost_before_it_is_ready_counts_as_unreachable(nursery: trio.Nursery) -> None:
    async def full(peer: Peer) -> None:
        await peer.goodbye(4103, "over capacity")

    with pytest.raises(Unreachable, match="over capacity"):
        async with open_client(URL, connect=FakeServer(nursery, full).connect):
            pytest.fail("opened")
