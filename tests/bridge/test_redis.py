"""The bridge over real servers, beyond the contract: how Redis fails, and what it is told."""

from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from tests.bridge.buses import LIMITS, SOON_S, Ear, RedisBus, batch, hear_room
from tests.bridge.valkey import ValkeyServer
from trichat.bridge.redis import open_redis_bridge
from trichat.chat.ports import Batch, Beat, Cut, Linked, Missed
from trichat.core.limits import Limits
from trichat.core.names import Incarnation, RoomId

ANN, BOB = Incarnation(1), Incarnation(2)


async def test_a_stopped_server_is_noticed_by_the_beat_and_healed_when_it_goes_on(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann, redis_bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        redis_bus.server.freeze()
        began = trio.current_time()
        cut = await ear.until(Cut)
        assert cut.why == "no beat came back for 0.6 s"
        assert trio.current_time() - began < 4 * LIMITS.beat_missing_s
        redis_bus.server.thaw()
        await ear.until_subscribed(1)
        anns = Ear(ann)
        await anns.until(Cut)
        await anns.until(Linked)
        ann.publish(batch(1, 1))
        assert await ear.until(Batch, lambda heard: heard.first == 1) == batch(1, 1)


async def test_a_black_hole_on_one_link_is_noticed_by_the_beat(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann:
        ear = Ear(ann)
        await ear.until(Linked)
        redis_bus.proxies[1].freeze()
        ann.publish(batch(1, 1))  # written, and never confirmed
        await ear.until(Cut)
        await ear.until(Missed)
        redis_bus.proxies[1].heal()
        await ear.until(Linked)


async def test_what_waited_for_a_link_that_broke_is_missed(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann:
        ear = Ear(ann)
        await ear.until(Linked)
        redis_bus.server.freeze()
        for first in range(1, 200):
            ann.publish(batch(1, first, "x" * 60_000))  # more than fits the sockets' buffers
        await ear.until(Cut)
        await ear.until(Missed)


async def test_confirmed_batches_are_not_missed_when_the_link_breaks(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann:
        ear = Ear(ann)
        await ear.until(Linked)
        ann.publish(batch(1, 1))
        await ear.take(Beat, 3)
        await redis_bus.server.kill()
        await ear.until(Cut)
        await redis_bus.server.start()
        await ear.until(Linked)
        assert not ear.all_of(Missed)


async def test_a_full_queue_is_missed_and_the_link_stays(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1, Limits(publish_queue=10)) as ann, redis_bus.open_bridge(2) as bob:
        ear, bobs = Ear(ann), Ear(bob)
        await hear_room(bob, bobs, 1)
        for first in range(1, 21):
            ann.publish(batch(1, first))
        await ear.until(Missed)
        ann.publish(batch(1, 21))
        assert [heard.first for heard in await bobs.take(Batch, 11)] == [*range(1, 11), 21]
        assert not ear.all_of(Cut)


async def test_a_busy_loop_of_our_own_is_not_taken_for_a_broken_link(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann:
        ear = Ear(ann)
        await ear.until(Linked)
        time.sleep(2 * LIMITS.beat_missing_s)  # noqa: ASYNC251  # it is the fault that is tested
        await ear.take(Beat, 4)
        assert not ear.all_of(Cut)


async def test_leaving_takes_less_than_a_second_while_the_server_is_stopped(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann, redis_bus.open_bridge(2) as bob:
        await Ear(bob).until(Linked)
        redis_bus.server.freeze()
        for first in range(1, 100):
            ann.publish(batch(1, first, "x" * 60_000))
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
    assert trio.current_time() - began < 2 * 1.0  # two bridges


async def test_cancellation_ends_it_while_it_connects_to_a_stopped_server(server: ValkeyServer) -> None:
    server.freeze()
    with trio.fail_after(SOON_S), trio.move_on_after(0.3) as scope:
        async with open_redis_bridge(server.url, LIMITS, incarnation=ANN, node="n1"):
            pytest.fail("a stopped server cannot be linked")
    assert scope.cancelled_caught


async def test_a_thousand_rooms_are_few_commands_also_on_a_new_link(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann:
        ear = Ear(ann)
        for room in range(1, 1_001):
            ann.subscribe(RoomId(room))
        await ear.until_subscribed(*range(1, 1_001))
        assert await calls(redis_bus.server, "subscribe") <= 3
        redis_bus.cut(1)
        await ear.until(Cut)
        redis_bus.heal(1)
        await ear.until_subscribed(*range(1, 1_001))
        assert await calls(redis_bus.server, "subscribe") <= 5
        for room in range(1, 1_001):
            ann.unsubscribe(RoomId(room))
        while await subscribers(redis_bus.server, 1_000):
            await ear.until(Beat)
        assert await calls(redis_bus.server, "unsubscribe") == 1


async def test_what_is_on_its_way_when_a_room_is_unsubscribed_is_not_heard(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann, redis_bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        ann.publish(batch(1, 1))
        bob.unsubscribe(RoomId(1))
        for _ in range(2):  # the second was said after the batch
            await ear.until(Beat, lambda beat: beat.incarnation == 1)
        assert not ear.all_of(Batch)


async def test_messages_of_others_on_our_channels_are_ignored(
    redis_bus: RedisBus, caplog: pytest.LogCaptureFixture
) -> None:
    async with redis_bus.open_bridge(1) as ann, redis_bus.open_bridge(2) as bob:
        ear = Ear(bob)
        await hear_room(bob, ear, 1)
        for garbage in ("hello", "x" * 100):
            await redis_bus.server.ask(f"PUBLISH trichat:room:1 {garbage}")
            await redis_bus.server.ask(f"PUBLISH trichat:nodes {garbage}")
        ann.publish(batch(1, 1))
        assert await ear.until(Batch) == batch(1, 1)
        assert not ear.all_of(Cut)
    assert sum("no message of ours" in record.message for record in caplog.records) == 2  # once for each node


async def test_nodes_of_another_prefix_are_not_heard(server: ValkeyServer) -> None:
    async with (
        open_redis_bridge(server.url, LIMITS, incarnation=ANN, node="n1", prefix="other"),
        open_redis_bridge(f"unix://{server.socket}", LIMITS, incarnation=BOB, node="n1") as bob,
    ):
        assert {beat.incarnation for beat in await Ear(bob).take(Beat, 3)} == {BOB}


async def test_a_link_that_the_operator_kills_is_made_again(redis_bus: RedisBus) -> None:
    async with redis_bus.open_bridge(1) as ann:
        ear = Ear(ann)
        for kind in ("normal", "pubsub"):  # the one that speaks, the one that hears
            await ear.until(Linked)
            await redis_bus.server.ask(f"CLIENT KILL TYPE {kind}")
            await ear.until(Cut)
        await ear.until(Linked)


async def calls(server: ValkeyServer, command: str) -> int:
    """How often the server has executed `command`."""
    for line in (await server.ask("INFO commandstats")).splitlines():
        if line.startswith(f"cmdstat_{command}:calls="):
            return int(line.split("=")[1].split(",")[0])
    return 0


async def subscribers(server: ValkeyServer, room: int) -> int:
    return int((await server.ask(f"PUBSUB NUMSUB trichat:room:{room}")).splitlines()[-1].lstrip(":"))
