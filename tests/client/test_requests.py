"""What a call of the client promises: an answer in the end, and every message counted once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.client.fake_server import URL, FakeServer, Frame, Peer, event, listed
from trichat.client import ClientOptions, ConnectionLost, Ended, Refused, Unreachable, open_client
from trichat.core.chance import Chance


async def test_a_send_returns_when_it_is_acknowledged(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("ann")
        await peer.let_join(head=41)
        command = await peer.expect("send")
        await peer.reply(command, "ack", room="lobby", seq=42, cid=command["cid"])
        await peer.stay()

    async with open_client(URL, name="ann", connect=FakeServer(nursery, script).connect) as client:
        assert (client.user, client.user_id, client.token, client.connected) == ("ann", "g_1", "t1", True)
        joined = await client.join("lobby")
        assert (joined.epoch, joined.seq, joined.members) == ("k1", 41, 1)
        sent = await client.send("lobby", "hi")
        assert (sent.seq, sent.dup) == (42, False)
        assert len(sent.cid) == 20


async def test_a_lost_ack_is_asked_for_again_with_the_same_cid(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    cids: list[str] = []

    async def cut_before_the_ack(peer: Peer) -> None:
        await peer.greet("ann")
        await peer.let_join()
        cids.append((await peer.expect("send"))["cid"])
        await peer.cut()

    async def then_acknowledge(peer: Peer) -> None:
        await peer.greet_again()
        assert await peer.let_resume(head=1) == {"since": 0, "epoch": "k1"}
        command = await peer.expect("send")
        cids.append(command["cid"])
        await peer.reply(command, "ack", room="lobby", seq=1, cid=command["cid"], dup=True)
        await peer.stay()

    server = FakeServer(nursery, cut_before_the_ack, then_acknowledge)
    async with open_client(URL, name="ann", connect=server.connect) as client:
        await client.join("lobby")
        sent = await client.send("lobby", "hi")
        assert (sent.seq, sent.dup) == (1, True)
        assert cids == [sent.cid, sent.cid]


async def test_temporary_refusals_are_repeated_when_the_server_says(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    heard: list[tuple[str, float]] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        for code, fields in (("rate_limited", {"retry_after_ms": 900}), ("unavailable", {})):
            command = await peer.expect("send")
            heard.append((command["cid"], trio.current_time()))
            await peer.refuse(command, code, temporary=True, **fields)
        command = await peer.expect("send")
        heard.append((command["cid"], trio.current_time()))
        await peer.reply(command, "ack", room="lobby", seq=1, cid=command["cid"])
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        await client.send("lobby", "hi", cid="a1")
    assert [cid for cid, _ in heard] == ["a1", "a1", "a1"]
    assert 0.9 <= heard[1][1] - heard[0][1] < 1.0
    assert 0.1 <= heard[2][1] - heard[1][1] < 1.0


async def test_after_a_rate_limit_commands_come_one_by_one(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    refused: list[Frame] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        for _ in range(8):  # the window
            refused.append(await peer.expect("send"))
        for command in refused:
            await peer.refuse(command, "rate_limited", temporary=True, retry_after_ms=500)
        while True:
            command = await peer.hear()
            with trio.move_on_after(0.01) as alone:
                early.append(await peer.hear())
            first_alone.append(alone.cancelled_caught)
            for one in [command, *early]:
                await peer.reply(one, "ack", room="lobby", seq=1, cid=one["cid"])
            early.clear()

    early: list[Frame] = []
    first_alone: list[bool] = []
    options = ClientOptions(window=8)
    connect = FakeServer(nursery, script).connect
    async with open_client(URL, connect=connect, options=options) as client, trio.open_nursery() as senders:
        for n in range(30):
            senders.start_soon(client.send, "lobby", f"{n}")
    assert first_alone[0]
    assert not all(first_alone)  # and the window opens again


async def test_a_pause_goes_on_over_a_lost_connection_and_ends(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def refuse_and_cut(peer: Peer) -> None:
        await peer.greet()
        await peer.refuse(await peer.expect("send"), "rate_limited", temporary=True, retry_after_ms=10_000)
        await peer.cut()

    async def acknowledge(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("send")
        await peer.reply(command, "ack", room="lobby", seq=1, cid=command["cid"])
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, refuse_and_cut, acknowledge).connect) as client:
        began = trio.current_time()
        with trio.fail_after(30):
            await client.send("lobby", "hi")
        assert 10 <= trio.current_time() - began < 15


async def test_a_final_refusal_is_raised_with_all_it_says(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.refuse(await peer.expect("send"), "too_long", field="text")
        await peer.refuse(await peer.expect("join"), "bad_position", head=7, epoch="k2")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        with pytest.raises(Refused, match="too_long: too_long it is") as refusal:
            await client.send("lobby", "x" * 4000)
        assert (refusal.value.code, refusal.value.field) == ("too_long", "text")
        with pytest.raises(Refused) as refusal:
            await client.join("lobby", since=9, epoch="k1")
        assert refusal.value.frame["head"] == 7


async def test_a_text_over_the_limit_never_reaches_the_wire(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        pytest.fail(f"heard {await peer.hear()}")

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        with pytest.raises(Refused, match="4000 bytes") as refusal:
            await client.send("lobby", "ü" * 2001)
        assert refusal.value.code == "too_long"


async def test_questions_are_asked_again_after_a_lost_connection(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        assert await peer.expect("history") == {"type": "history", "room": "lobby", "limit": 2, "id": 1}
        await peer.cut()

    async def answer(peer: Peer) -> None:
        await peer.greet_again()
        command = await peer.expect("history")
        await peer.reply(command, "history", room="lobby", messages=listed(event(1), event(2)), more=True)
        command = await peer.expect("events")
        await peer.reply(command, "events", room="lobby", events=listed(event(1)), more=False)
        command = await peer.expect("rooms")
        await peer.reply(command, "rooms", rooms=[{"room": "lobby", "members": 1, "seq": 2}], more=False)
        command = await peer.expect("members")
        await peer.reply(command, "members", room="lobby", members=[{"user": "ann", "user_id": "g_1"}], more=False)
        await peer.reply_ping(await peer.expect("ping"))
        await peer.reply(await peer.expect("help"), "help", of="send", example="{}")
        await peer.reply(await peer.expect("leave"), "left", room="lobby")
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, answer).connect) as client:
        page = await client.history("lobby", limit=2)
        assert [message["seq"] for message in page.messages] == [1, 2]
        assert page.more
        assert [one.seq for one in (await client.events_page("lobby", since=0)).events] == [1]
        assert [one.seq for one in (await client.rooms()).rooms] == [2]
        assert [one.user for one in (await client.members("lobby")).members] == ["ann"]
        await client.ping()
        assert (await client.help("send"))["of"] == "send"
        await client.leave("lobby")


async def test_a_command_that_cannot_be_repeated_tells_of_the_loss(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        await peer.expect("register")
        await peer.cut()

    async def stay(peer: Peer) -> None:
        await peer.greet_again()
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, cut, stay).connect) as client:
        with pytest.raises(ConnectionLost):
            await client.request({"type": "register", "name": "ann", "password": "secret"})


async def test_many_tasks_send_at_once_and_a_loss_keeps_their_order(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def cut(peer: Peer) -> None:
        await peer.greet()
        assert [(await peer.expect("send"))["text"] for _ in range(10)] == [str(n) for n in range(10)]
        await peer.cut()

    async def acknowledge(peer: Peer) -> None:
        await peer.greet_again()
        commands = [await peer.expect("send") for _ in range(10)]
        assert [command["text"] for command in commands] == [str(n) for n in range(10)]
        for seq, command in enumerate(commands, 1):
            await peer.reply(command, "ack", room="lobby", seq=seq, cid=command["cid"])
        await peer.stay()

    seqs: dict[int, int] = {}
    async with open_client(URL, connect=FakeServer(nursery, cut, acknowledge).connect) as client:

        async def send(n: int) -> None:
            seqs[n] = (await client.send("lobby", str(n))).seq

        async with trio.open_nursery() as senders:
            for n in range(10):
                senders.start_soon(send, n)
                await trio.testing.wait_all_tasks_blocked()
    assert seqs == {n: n + 1 for n in range(10)}


async def test_a_cancelled_send_leaves_the_connection_whole(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        late = await peer.expect("send")
        command = await peer.expect("send")
        await peer.reply(late, "ack", room="lobby", seq=1, cid=late["cid"])
        await peer.reply(command, "ack", room="lobby", seq=2, cid=command["cid"])
        await peer.stay()

    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        with trio.move_on_after(1):
            await client.send("lobby", "never mind")
        assert (await client.send("lobby", "hi")).seq == 2


async def test_a_name_that_is_taken_is_refused_at_the_door(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("hello"), "name_taken", field="name")
        await peer.stay()

    with pytest.raises(Refused, match="name_taken"):
        async with open_client(URL, name="ann", connect=FakeServer(nursery, script).connect):
            pytest.fail("opened")


async def test_a_store_that_is_away_at_first_is_waited_for(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("hello"), "unavailable", temporary=True)
        command = await peer.expect("hello")
        await peer.reply(command, "ok", for_="hello", user="ann", user_id="g_1", token="t1")
        await peer.stay()

    async with open_client(URL, name="ann", connect=FakeServer(nursery, script).connect) as client:
        assert client.user == "ann"


async def test_a_token_brings_the_same_guest_back(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet_again(user="ann")
        await peer.stay()

    async with open_client(URL, name="ann", token="t1", connect=FakeServer(nursery, script).connect) as client:
        assert (client.user, client.user_id, client.token) == ("ann", "g_1", "t1")


async def test_a_server_that_is_not_there_is_unreachable(nursery: trio.Nursery) -> None:
    with pytest.raises(Unreachable, match=r"cannot reach ws://node1.test/ws: Connection refused"):
        async with open_client(URL, connect=FakeServer(nursery).connect):
            pytest.fail("opened")


async def test_every_node_is_tried_before_giving_up(nursery: trio.Nursery) -> None:
    server = FakeServer(nursery)
    with pytest.raises(Unreachable, match="node2"):
        async with open_client(["ws://node1.test", "ws://node2.test"], connect=server.connect):
            pytest.fail("opened")
    assert len(server.attempts) == 2


async def test_a_patient_client_waits_for_its_server(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    attempts = 0
    honest = FakeServer(nursery, Peer.greet)

    async def connect() -> trio.abc.Stream:
        nonlocal attempts
        attempts += 1
        if attempts < 5:
            raise ConnectionRefusedError(111, "Connection refused")
        return await honest.connect()

    async with open_client(URL, connect=connect, options=ClientOptions(patient=True)) as client:
        assert client.connected
    assert attempts == 5


async def test_a_server_that_hangs_up_before_the_handshake_is_not_waited_for(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def connect() -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(ours.aclose)
        return theirs

    began = trio.current_time()
    with pytest.raises(Unreachable, match="hung up"):
        async with open_client(URL, connect=connect):
            pytest.fail("opened")
    assert trio.current_time() - began < 1


async def test_a_server_that_says_nothing_is_given_ten_seconds(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    kept: list[trio.abc.Stream] = []

    async def connect() -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        kept.append(ours)
        return theirs

    began = trio.current_time()
    with pytest.raises(Unreachable, match="does not answer"):
        async with open_client(URL, connect=connect):
            pytest.fail("opened")
    assert 10 <= trio.current_time() - began < 13


@pytest.mark.parametrize(("status", "what"), [("503 Service Unavailable", "full"), ("403 Forbidden", "no")])
async def test_a_rejection_by_http_is_shown(nursery: trio.Nursery, status: str, what: str) -> None:
    async def connect() -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(what)}\r\nConnection: close\r\n\r\n{what}"
        await ours.send_all(head.encode())
        await ours.send_eof()
        return theirs

    with pytest.raises(Unreachable, match=f"HTTP {status[:3]} {what}"):
        async with open_client(URL, connect=connect):
            pytest.fail("opened")


async def test_what_the_application_raises_comes_out_as_it_is(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.stay()

    with pytest.raises(ZeroDivisionError):
        async with open_client(URL, connect=FakeServer(nursery, script).connect):
            raise ZeroDivisionError
    with pytest.raises(ValueError, match="is not an address"):
        async with open_client("ftp://nowhere"):
            pytest.fail("opened")


async def test_a_closed_client_answers_no_more(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    closed: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        try:
            await peer.stay()
        finally:
            closed.append(peer.close_code)

    began = trio.current_time()
    async with open_client(URL, connect=FakeServer(nursery, script).connect) as client:
        pass
    with pytest.raises(Ended, match="closed"):
        await client.ping()
    await trio.testing.wait_all_tasks_blocked()
    assert closed == [1000]  # a close frame, not a pulled plug
    assert trio.current_time() == began  # and nobody waited for a limit


async def test_a_cancelled_client_says_goodbye_too(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    closed: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        try:
            await peer.stay()
        finally:
            closed.append(peer.close_code)

    with trio.move_on_after(1) as scope:
        async with open_client(URL, connect=FakeServer(nursery, script).connect):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() - scope.deadline < 0.1
    await trio.testing.wait_all_tasks_blocked()
    assert closed == [1000]


async def test_a_server_that_ignores_our_close_is_left_after_two_seconds(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        while True:
            await peer.say("status", fanout="ok", padding="x" * 60_000)  # our close is never reached: nobody reads

    began = trio.current_time()
    server = FakeServer(nursery, script, lockstep=True)
    async with open_client(URL, connect=server.connect, options=ClientOptions(events=5)):
        await trio.sleep(1)
    assert trio.current_time() - began < 4


async def test_the_same_chance_gives_the_same_cids(nursery: trio.Nursery) -> None:
    import random

    cids: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        command = await peer.expect("send")
        cids.append(command["cid"])
        await peer.reply(command, "ack", room="lobby", seq=1, cid=command["cid"])

    for _ in range(2):
        chance = Chance(random.Random(7))
        async with open_client(URL, connect=FakeServer(nursery, script).connect, chance=chance) as client:
            await client.send("lobby", "hi")
    assert cids[0] == cids[1]
