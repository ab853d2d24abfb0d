"""A node that is told to stop: everybody gets an answer and a goodbye, and it is gone in time."""

from __future__ import annotations

import array
import contextlib
import fcntl
import itertools
import signal
import termios
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
import trio.testing

from tests.client_bytes import request_head
from tests.nodes import READY_S, NodeProcess, make_twins, open_twin_node, running_node
from tests.servers import free_port
from tests.system.crowd import assert_gapless, cids, read_log, until
from tests.wire import Closed, WireClient, open_wire
from trichat.core.closing import DRAINING
from trichat.core.limits import Limits

LIMITS = Limits()
#: Seconds in which a node that waits for nobody is gone: ten times the typical, on a busy machine.
AT_ONCE_S = 3.0
TALKERS, ROOMS = 10, 3


class Talker:
    """Sends without end, `WINDOW` messages on their way at any time, until the node says goodbye."""

    WINDOW = 20

    def __init__(self, name: str, wire: WireClient, room: str) -> None:
        self.room = room
        self.sent: list[str] = []  # cids, in order
        self.acked: dict[str, int] = {}  # seqs by cid
        self.refused: dict[str, str] = {}  # error codes by cid
        self.goodbye: dict[str, Any] | None = None
        self.close_code: int | None = None
        self._name = name
        self._wire = wire
        self._window = trio.Semaphore(self.WINDOW)

    async def talk(self) -> None:
        """Returns when the node has closed the connection, and closes it too."""
        await self._wire.send_json({"type": "join", "room": self.room})
        async with self._wire.stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._send)
            try:
                while True:
                    self._hear(await self._wire.receive())
            except Closed as closed:
                self.close_code = closed.code

    async def _send(self) -> None:
        while True:
            await self._window.acquire()
            if self.goodbye is not None:
                return
            cid = f"{self._name}-{len(self.sent)}"
            self.sent.append(cid)
            await self._wire.send_json({"type": "send", "room": self.room, "text": "hi", "cid": cid, "id": cid})

    def _hear(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "ack":
                self.acked[frame["id"]] = frame["seq"]
            case "error":
                self.refused[frame["id"]] = frame["code"]
            case "goodbye":
                self.goodbye = frame
            case _:
                return
        self._window.release()


@asynccontextmanager
async def open_talkers(node: NodeProcess) -> AsyncIterator[list[Talker]]:
    """Talkers in full swing; the block ends when the node has closed them all."""
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        talkers = []
        for n in range(TALKERS):
            wire = await stack.enter_async_context(open_wire(node.port))
            talkers.append(Talker(f"talker-{n}", wire, f"room-{n % ROOMS}"))
            nursery.start_soon(talkers[-1].talk)
        await until(lambda: all(len(talker.acked) > Talker.WINDOW for talker in talkers), within_s=10)
        yield talkers


@pytest.fixture
def flags(database_url: str, redis_url: str) -> list[str]:
    return ["--database-url", database_url, "--redis-url", redis_url, "--redis-prefix", "drain"]


async def test_sigterm_under_traffic_gives_everybody_their_answers_and_a_goodbye(
    flags: list[str], database_url: str, tmp_path: Path
) -> None:
    async with running_node(tmp_path, *flags) as node, open_talkers(node) as talkers:
        assert await node.stopped(LIMITS.drain_s) == 0

    log = read_log(database_url)
    assert_gapless(log)
    stored = {line.cid: line.seq for said in log.values() for line in said}
    assert len(stored) == len(cids(log)), "a message is in the log twice"
    for talker in talkers:
        assert talker.goodbye is not None
        assert talker.goodbye["code"] == talker.close_code == DRAINING.code
        assert talker.goodbye["resume_after_ms"] >= 0
        assert talker.acked == {cid: stored.get(cid) for cid in talker.acked}
        assert set(talker.refused.values()) <= {"unavailable"}
        # what came before the goodbye was answered; behind it lies only what the node did not read
        answered = talker.acked.keys() | talker.refused.keys()
        assert answered == set(talker.sent[: len(answered)])


async def test_what_is_in_flight_is_acknowledged_before_the_goodbye_and_what_is_new_is_refused(
    flags: list[str], database_url: str, tmp_path: Path
) -> None:
    async with running_node(tmp_path, *flags) as node, open_wire(node.port) as ann:
        await ann.send_json({"type": "join", "room": "lobby"})
        await ann.receive_until("joined")
        answers: list[dict[str, Any]] = []
        with psycopg.connect(database_url) as holder:
            holder.execute("SELECT FROM trichat.rooms FOR UPDATE")  # until the end of the block nothing is committed
            await _send_and_ping(ann, 0, answers)
            node.signal(signal.SIGTERM)
            for n in itertools.count(1):
                await _send_and_ping(ann, n, answers)
                if any(answer["type"] == "error" for answer in answers):
                    break
        assert [(answer["type"], answer["id"], answer["code"]) for answer in answers] == [("error", n, "unavailable")]
        assert [(await ann.receive_until("ack"))["id"] for _ in range(n)] == list(range(n))
        assert (await ann.receive_until("goodbye"))["code"] == DRAINING.code
        assert await ann.expect_close() == DRAINING.code
        await ann.stream.aclose()
        assert await node.ended(AT_ONCE_S) == 0
    assert [line.seq for line in read_log(database_url)["lobby"]] == list(range(1, n + 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_an_idle_node_is_gone_at_once(flags: list[str], tmp_path: Path, number: signal.Signals) -> None:
    async with running_node(tmp_path, *flags) as node:
        node.signal(number)
        assert await node.ended(AT_ONCE_S) == 0
        assert "ERROR" not in node.log.read_text()


async def test_who_does_not_read_holds_up_the_end_no_longer_than_a_farewell(flags: list[str], tmp_path: Path) -> None:
    async with running_node(tmp_path, *flags) as node, open_wire(node.port) as deaf:
        await _ask_and_do_not_read(deaf)
        began = trio.current_time()
        assert await node.stopped(LIMITS.farewell_s + AT_ONCE_S) == 0
        assert trio.current_time() - began >= LIMITS.farewell_s
        with pytest.raises(Closed, match="1006"):
            await deaf.receive_until("goodbye")


async def test_who_does_not_close_is_cut_off_when_the_time_to_stop_is_over(flags: list[str], tmp_path: Path) -> None:
    async with running_node(tmp_path, *flags, "--drain-s", "0.5") as node, open_wire(node.port) as bob:
        assert await node.stopped(0.5 + AT_ONCE_S) == 1
        assert await bob.expect_close() == DRAINING.code


async def test_told_twice_it_waits_for_nobody(flags: list[str], tmp_path: Path) -> None:
    async with running_node(tmp_path, *flags) as node, open_wire(node.port) as bob:
        node.signal(signal.SIGTERM)
        assert (await bob.receive_until("goodbye"))["code"] == DRAINING.code
        # bob does not close
        node.signal(signal.SIGTERM)
        assert await node.ended(AT_ONCE_S) == 1
        assert "Error" not in node.log.read_text()


async def test_told_to_stop_while_it_starts_it_does_not_start(flags: list[str], tmp_path: Path) -> None:
    nobody_listens = ["--database-url", f"postgresql://127.0.0.1:{free_port()}/chat"]
    with contextlib.closing(NodeProcess(tmp_path, *flags, *nobody_listens)) as node:
        await _listening(node)
        assert await node.stopped(AT_ONCE_S) == 0
        assert "is ready" not in node.log.read_text()


async def _send_and_ping(wire: WireClient, n: int, answers: list[dict[str, Any]]) -> None:
    """Send a message; returns when the node has taken it, or refused it: acks and errors are added to `answers`."""
    await wire.send_json({"type": "send", "room": "lobby", "text": "hi", "id": n})
    await wire.send_json({"type": "ping"})
    while (frame := await wire.receive())["type"] != "pong":
        if frame["type"] in ("ack", "error"):
            answers.append(frame)


async def _listening(node: NodeProcess) -> None:
    """Wait until the node has begun: its port is taken, and it looks for PostgreSQL."""
    with trio.fail_after(READY_S):
        while True:
            with contextlib.suppress(OSError):
                return await trio.aclose_forcefully(await trio.open_tcp_stream("127.0.0.1", node.port))
            await trio.sleep(0.05)


async def _ask_and_do_not_read(wire: WireClient) -> None:
    """Ask for more pages than the sockets on the way can hold; returns when they are full."""
    await wire.send_json({"type": "join", "room": "books"})
    for n in range(80):
        await wire.send_json({"type": "send", "room": "books", "text": "x" * 4000, "id": n})
    for _ in range(80):
        await wire.receive_until("ack")
    for n in range(100):
        await wire.send_json({"type": "history", "room": "books", "limit": 200, "id": n})
    looks = [-1] * 25
    with trio.fail_after(10):
        # full: nothing has been added for a quarter of a second
        while looks[-1] <= 0 or len(set(looks)) > 1:
            await trio.sleep(0.01)
            looks = [*looks[1:], _unread(wire)]


def _unread(wire: WireClient) -> int:
    """Bytes that wait in our end of the socket."""
    assert isinstance(wire.stream, trio.SocketStream)
    count = array.array("i", [0])
    fcntl.ioctl(wire.stream.socket.fileno(), termios.FIONREAD, count)
    return count[0]


async def test_who_is_behind_still_hears_what_became_of_their_message() -> None:
    async with (
        open_twin_node(make_twins(), listening=True) as node,
        await _open_narrow(node.port) as narrow,
        open_wire(node.port or 0) as bob,
    ):
        ann = await WireClient(narrow).shake_hands()
        for wire in (ann, bob):
            await wire.send_json({"type": "join", "room": "lobby"})
            await wire.receive_until("joined")
        behind = list(node.door.connections)[-1]  # ann's, who came last
        while not behind.outbox.queued:
            await bob.send_json({"type": "send", "room": "lobby", "text": "x" * 4000})
            await bob.receive_until("message")
        await ann.send_json({"type": "send", "room": "lobby", "text": "hi", "id": "ann's"})
        while (await bob.receive_until("message"))["text"] != "hi":
            pass
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.door.drain, 0.0)
            assert (await ann.receive_until("ack"))["id"] == "ann's"
            assert (await ann.receive_until("goodbye"))["code"] == DRAINING.code
            assert await ann.expect_close() == DRAINING.code
            for wire in (ann, bob):
                await wire.stream.aclose()


async def test_who_is_shaking_hands_hears_goodbye_too() -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()  # the node's answer waits until it is read
    async with open_twin_node(make_twins()) as node, trio.open_nursery() as nursery:
        nursery.start_soon(node.door.serve_stream, theirs, "192.0.2.1")
        await ours.send_all(request_head())
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(node.door.drain, 0.0)
        await trio.testing.wait_all_tasks_blocked()
        assert (await ours.receive_some()).startswith(b"HTTP/1.1 101 ")
        ann = WireClient(ours)
        assert (await ann.receive_until("goodbye"))["code"] == DRAINING.code
        assert await ann.expect_close() == DRAINING.code
        await ours.aclose()


async def _open_narrow(port: int | None) -> trio.SocketStream:
    """A connection whose end here holds next to nothing that is not read."""
    sock = trio.socket.socket()
    sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4_096)
    await sock.connect(("127.0.0.1", port))
    return trio.SocketStream(sock)
