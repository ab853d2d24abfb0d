"""PostgreSQL stops, dies, or loses a backend: sends fail in time, nothing acknowledged is lost, and all heals alone."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import trio
from msgspec import Struct

from tests.faults import open_fault_proxy
from tests.nodes import Node, open_node, running_node
from tests.servers import PostgresServer
from tests.system.traffic import LOST, Crowd, Person, Spoken, answers, open_crowd, start_again, until
from tests.wire import open_wire
from trichat.client import ClientOptions, Disconnected, open_client
from trichat.core.closing import DRAINING
from trichat.core.limits import Limits

pytestmark = pytest.mark.slow

#: How long a fault lasts; within what a command is answered meanwhile, and acknowledged afterwards; within what an
#: acknowledged message is heard at another node: issue 2.
FAULT_S, ANSWERED_S, HEALED_S, HEARD_S = 5.0, 2.0, 1.0, 1.0
#: Seconds of undisturbed talk before a fault, and of talk after it.
CALM_S = 1.0
#: What a stopping node is given; the closing of its connections comes on top.
DRAIN_S = 5.0
#: A node's connections to PostgreSQL, each with a thread at most: two lanes, and the readers.
MOST_THREADS = 2 + Limits().store_readers

#: Gives a command and returns its reply, which comes in time.
Ask = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Database(Struct, frozen=True):
    """An empty database on a PostgreSQL that tests may harm."""

    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    @property
    def tcp_url(self) -> str:
        return self.server.tcp_url(self.name)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One for all tests here, because it starts and stops slowly: each harms it, and sees it well again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database(server: PostgresServer) -> Iterator[Database]:
    name = server.create_database()
    yield Database(server, name)
    server.resume()
    server.drop_database(name)


def working_threads() -> list[str]:
    """The threads that do something for a node, by what they do; those that wait for work have other names."""
    return [thread.name for thread in threading.enumerate() if " from " in thread.name]


@asynccontextmanager
async def open_two_nodes(database_url: str, redis_url: str) -> AsyncIterator[list[Node]]:
    async with (
        open_node(database_url, redis_url, name="first") as first,
        open_node(database_url, redis_url, name="second") as second,
    ):
        yield [first, second]


def first_acks(people: Sequence[Person], since: float) -> list[float]:
    """When each who speaks was first acknowledged after that moment: seconds after it, infinity for not yet."""
    acks = [[said.answered_at - since for said in p.spoken if said.seq is not None] for p in people if p.speaks]
    return [min((after for after in times if after > 0), default=inf) for times in acks]


async def healed(people: Sequence[Person]) -> None:
    """Wait until everybody who speaks is acknowledged again: within HEALED_S of now."""
    back_at = trio.current_time()
    await until(lambda: max(first_acks(people, back_at)) < inf)
    acks = first_acks(people, back_at)
    print(f"acknowledged again: the first after {min(acks):.3f} s, the last after {max(acks):.3f} s")
    assert max(acks) < HEALED_S


def answered_in_time(spoken: list[Spoken]) -> None:
    """Each was acknowledged, or refused as `unavailable`, in time; prints the longest wait."""
    assert {said.error for said in spoken} <= {None, "unavailable"}
    longest = max(spoken, key=lambda said: said.answered_at - said.said_at)
    refused = sum(said.error is not None for said in spoken)
    print(f"{len(spoken)} sends, {refused} refused, longest wait {longest.answered_at - longest.said_at:.3f} s")
    assert longest.answered_at - longest.said_at < ANSWERED_S


async def nothing_lost_and_nobody_gone(crowd: Crowd, database_url: str) -> None:
    """What must hold after whatever fault of PostgreSQL."""
    answered_in_time(crowd.spoken())
    await crowd.all_have_heard_all(database_url)
    assert not any(person.others[1:] for person in crowd.people), "all connections stayed open"
    assert not any(person.fanout for person in crowd.people), "the nodes heard each other throughout"
    await until(lambda: not working_threads())  # there is a moment between two looks at the heads


@asynccontextmanager
async def open_asker(node: Node) -> AsyncIterator[Ask]:
    """A connection that gives one command at a time: calls return the reply, which comes in time."""
    assert node.port is not None
    async with open_wire(node.port) as wire:

        async def ask(command: Mapping[str, Any]) -> dict[str, Any]:
            asked_at = trio.current_time()
            await wire.send_json({**command, "id": "it"})
            while (reply := await wire.receive()).get("id") != "it":
                pass
            assert trio.current_time() - asked_at < ANSWERED_S
            return reply

        yield ask


async def is_unavailable(ask: Ask, command: Mapping[str, Any]) -> None:
    """The command is refused for the moment."""
    assert (await ask(command)).get("code") == "unavailable"


async def works(ask: Ask, command: Mapping[str, Any]) -> None:
    """The command is done, if need be after some attempts."""
    while (code := (await ask(command)).get("code")) is not None:
        assert code == "unavailable"
        await trio.sleep(0.05)


@pytest.mark.parametrize("link", ["unix", "tcp"])
async def test_postgresql_is_stopped_and_goes_on(database: Database, redis_url: str, link: str) -> None:
    database_url = database.url if link == "unix" else database.tcp_url
    async with open_two_nodes(database_url, redis_url) as nodes, open_crowd(nodes) as crowd:
        async with crowd.talking():
            await trio.sleep(CALM_S)
            database.server.pause()
            stopped_at = trio.current_time()
            await trio.sleep(FAULT_S)
            assert len(working_threads()) <= len(nodes) * MOST_THREADS
            back_at = trio.current_time()
            database.server.resume()
            await healed(crowd.people)
            await trio.sleep(CALM_S)
        meanwhile = [said for said in crowd.spoken() if stopped_at < said.said_at < back_at - ANSWERED_S]
        assert {said.error for said in meanwhile} == {"unavailable"}
        await nothing_lost_and_nobody_gone(crowd, database.url)


async def test_postgresql_is_killed_and_started_again(database: Database, redis_url: str) -> None:
    async with open_two_nodes(database.url, redis_url) as nodes, open_crowd(nodes) as crowd:
        async with crowd.talking():
            await trio.sleep(CALM_S)
            database.server.kill()
            killed_at = trio.current_time()
            await trio.sleep(FAULT_S)
            back_at = trio.current_time()
            await start_again(database.server)
            await healed(crowd.people)
            await trio.sleep(CALM_S)
        meanwhile = [said for said in crowd.spoken() if killed_at < said.said_at < back_at - ANSWERED_S]
        assert {said.error for said in meanwhile} == {"unavailable"}
        await nothing_lost_and_nobody_gone(crowd, database.url)


async def test_backends_are_terminated_one_by_one(database: Database, redis_url: str) -> None:
    """As an administrator does, and as a failover does: whoever is not at work is not harmed."""
    async with open_two_nodes(database.url, redis_url) as nodes, open_crowd(nodes) as crowd:
        async with crowd.talking(every_s=0.05):
            await trio.sleep(CALM_S)
            for _ in range(8):
                pid = database.server.backends(database.name)[0]
                await trio.to_thread.run_sync(database.server.terminate_backend, pid)
                await trio.sleep(0.1)
            await healed(crowd.people)
        await nothing_lost_and_nobody_gone(crowd, database.url)


async def test_one_backend_is_killed(database: Database, redis_url: str) -> None:
    """PostgreSQL then disconnects everybody and recovers, which takes it a moment."""
    async with open_two_nodes(database.url, redis_url) as nodes, open_crowd(nodes) as crowd:
        async with crowd.talking():
            await trio.sleep(CALM_S)
            with psycopg.connect(database.url) as canary:
                database.server.kill_backend(database.server.backends(database.name)[0])
                await trio.lowlevel.wait_readable(canary.fileno())
            killed_at = trio.current_time()
            await answers(database.server)
            print(f"recovered after {trio.current_time() - killed_at:.3f} s", end=", ")
            await healed(crowd.people)
            await trio.sleep(CALM_S)
        await nothing_lost_and_nobody_gone(crowd, database.url)


#: Commands that need the store; the last is given by a hundred people, as when a whole office comes back.
NEEDS_STORE: Final[list[dict[str, Any]]] = [
    {"type": "history", "room": "red"},
    {"type": "events", "room": "red", "since": 0},
    {"type": "members", "room": "red"},
    {"type": "rooms"},
    {"type": "hello", "name": "ann"},
    {"type": "resume", "rooms": {"red": {"since": 0}, "blue": {"since": 0}}},
    *[{"type": "join", "room": "new"}] * 100,
]


async def test_whatever_needs_postgresql_is_unavailable_and_works_afterwards(
    database: Database, redis_url: str
) -> None:
    async with open_two_nodes(database.url, redis_url) as (other, node), AsyncExitStack() as stack:
        maker = await stack.enter_async_context(open_asker(other))
        for room in ("red", "blue"):
            assert (await maker({"type": "join", "room": room}))["type"] == "joined"
        askers = [(await stack.enter_async_context(open_asker(node)), command) for command in NEEDS_STORE]
        database.server.pause()
        asked_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            for ask, command in askers:
                nursery.start_soon(is_unavailable, ask, command)
        print(f"all refused after {trio.current_time() - asked_at:.3f} s,", end=" ")
        database.server.resume()
        back_at = trio.current_time()
        async with trio.open_nursery() as nursery:
            for ask, command in askers:
                nursery.start_soon(works, ask, command)
        print(f"all done {trio.current_time() - back_at:.3f} s after it went on")
        assert trio.current_time() - back_at < HEALED_S


#: A log of this many messages of this many bytes is far more than the sockets on the way hold.
LONG, BYTES = 2_500, 4_000
#: Seconds in which the replay has tried to read on, and has failed.
STALLED_S = 2 * Limits().store_call_s


async def test_a_replay_under_way_goes_on_after_the_outage(database: Database, redis_url: str) -> None:
    limits = Limits(connections_per_address=1_000, commands_per_s=inf, replay=LONG)
    async with open_node(database.url, redis_url, limits=limits) as node:
        async with open_client(node.url, options=ClientOptions(keep_events=False)) as writer:
            await writer.join("long")
            async with trio.open_nursery() as nursery:
                for n in range(LONG):
                    nursery.start_soon(writer.send, "long", f"{n} ".ljust(BYTES, "x"))
        assert node.port is not None
        async with open_wire(node.port) as reader:
            await reader.send_json({"type": "join", "room": "long", "since": 0})
            seqs = [(await reader.receive_until("message"))["seq"]]
            database.server.pause()
            with trio.move_on_after(STALLED_S):
                while True:
                    seqs.append((await reader.receive_until("message"))["seq"])
            print(f"{len(seqs)} came before or during the outage")
            assert len(seqs) < LONG, "the outage came in the middle"
            database.server.resume()
            back_at = trio.current_time()
            seqs.append((await reader.receive_until("message"))["seq"])
            print(f"the next came {trio.current_time() - back_at:.3f} s after it")
            assert trio.current_time() - back_at < HEALED_S
            while len(seqs) < LONG:
                seqs.append((await reader.receive_until("message"))["seq"])
            assert seqs == list(range(1, LONG + 1))


async def test_a_node_stops_in_time_during_the_outage(database: Database, redis_url: str, tmp_path: Path) -> None:
    """Its people go to the other node, and in the end everybody has heard everything."""
    flags = ["--database-url", database.url, "--redis-url", redis_url, "--redis-prefix", "stops"]
    async with (
        running_node(tmp_path, *flags, "--drain-s", str(DRAIN_S)) as leaving,
        running_node(tmp_path, *flags) as staying,
        open_crowd([leaving, staying]) as crowd,
    ):
        async with crowd.talking():
            await trio.sleep(CALM_S)
            database.server.pause()
            assert (await staying.readyz())["postgresql"] == "unavailable"
            stopped_at = trio.current_time()
            code = await leaving.stopped(within_s=DRAIN_S + Limits().farewell_s)
            print(f"stopped after {trio.current_time() - stopped_at:.2f} s with exit code {code}")
            await trio.sleep_until(stopped_at + FAULT_S)
            database.server.resume()
            back_at = trio.current_time()
            await healed([person for person in crowd.people if person.url == staying.url])
            # those who came over wait a while between two attempts to be known here, as it behoves them
            await until(lambda: max(first_acks(crowd.people, back_at)) < inf)
        for person in crowd.people:
            endings = [event.code for event in person.others if isinstance(event, Disconnected)]
            assert endings == ([DRAINING.code] if person.url == leaving.url else [])
        assert {said.error for said in crowd.spoken()} <= {None, "unavailable", LOST}
        await crowd.all_have_heard_all(database.url)


async def test_one_node_is_cut_off_from_postgresql(database: Database, redis_url: str) -> None:
    """Its people cannot speak, and go on hearing the others."""
    async with (
        open_fault_proxy(database.server.port) as proxy,
        open_node(database.url, redis_url, name="first") as first,
        open_node(database.server.tcp_url(database.name, proxy.port), redis_url, name="second") as second,
        open_crowd([first, second]) as crowd,
    ):
        async with crowd.talking():
            await trio.sleep(CALM_S)
            proxy.freeze()
            await trio.sleep(FAULT_S)
            proxy.heal()
            await healed(crowd.people)
            await trio.sleep(CALM_S)
        assert all(said.error is None for person in crowd.people if person.url == first.url for said in person.spoken)
        worst = max(delay.seconds for delay in crowd.delays())
        print(f"worst delay {worst:.3f} s")
        assert worst < HEARD_S
        await nothing_lost_and_nobody_gone(crowd, database.url)
