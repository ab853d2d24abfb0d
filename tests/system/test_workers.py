"""`trichat serve --workers 2`: one port, two nodes, and one process that sees to them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.embedded.holders import processes_of
from tests.nodes import READY_S, NodeProcess
from tests.system.crowd import Person, assert_acknowledged_is_in, assert_gapless, read_log, until
from tests.wire import Closed, Refused, WireClient, open_wire
from trichat.core.closing import DRAINING
from trichat.core.limits import Limits

#: Seconds for what has no bound of its own: ten times the typical.
LIVELY_S = 20.0
#: Seconds without a connection, at most, while nodes are replaced (issue 5).
OFFLINE_S = 3.0


@pytest.fixture
def flags(database_url: str, redis_url: str) -> list[str]:
    return ["--workers", "2", "--node-id", "w", "--database-url", database_url, "--redis-url", redis_url,
            "--redis-prefix", "workers"]  # fmt: skip


@asynccontextmanager
async def running_workers(directory: Path, flags: list[str], port: int | None = None) -> AsyncIterator[NodeProcess]:
    """A supervisor whose nodes all serve; killed at the end if it still runs."""
    with contextlib.closing(NodeProcess(directory, *flags, port=port)) as node:
        await until(lambda: "is ready" in node.log.read_text(), READY_S)
        yield node


def workers_of(node: NodeProcess) -> dict[str, int]:
    """The pid of each living worker that was started last, by its name."""
    started = re.findall(r"started node=(\S+) pid=(\d+)", node.log.read_text())
    return {name: int(pid) for name, pid in started if _lives(int(pid))}


async def test_two_hundred_people_on_one_port_are_on_both_nodes_and_hear_each_other(
    flags: list[str], tmp_path: Path
) -> None:
    async with running_workers(tmp_path, flags) as node, AsyncExitStack() as stack:
        assert node.log.read_text().count("is ready") == 1
        people, nodes = [], Counter[str]()
        for _ in range(200):
            wire = await stack.enter_async_context(open_wire(node.port))
            nodes[(await wire.receive_until("welcome"))["node"]] += 1
            await wire.send_json({"type": "join", "room": "lobby"})
            await wire.receive_until("joined")
            people.append(wire)
        assert sorted(nodes) == ["w-1", "w-2"]
        speakers = people[::10]
        for n, speaker in enumerate(speakers):
            await speaker.send_json({"type": "send", "room": "lobby", "text": f"this is {n}"})
        heard = [[(await person.receive_until("message"))["text"] for _ in speakers] for person in people]
        assert all(each == heard[0] for each in heard)
        assert sorted(heard[0]) == sorted(f"this is {n}" for n in range(len(speakers)))


async def test_a_killed_worker_is_started_again_and_its_clients_come_back(
    flags: list[str], database_url: str, tmp_path: Path
) -> None:
    async with running_workers(tmp_path, flags) as node, trio.open_nursery() as being_there:
        people = [Person(f"person-{n}", ["lobby"], [node.url]) for n in range(20)]
        for person in people:
            await being_there.start(person.run)
        before = workers_of(node)
        os.kill(before["w-1"], signal.SIGKILL)
        bereft = [person for person in people if person.nodes == ["w-1"]]
        assert 0 < len(bereft) < len(people)
        for person in people:
            await person.say(3)
        await until(lambda: all(person.absences for person in bereft), LIVELY_S)
        await until(lambda: {"w-1", "w-2"} <= workers_of(node).keys(), LIVELY_S)
        after = workers_of(node)
        assert after["w-1"] != before["w-1"]
        assert after["w-2"] == before["w-2"]
        assert 'died node=w-1 ending="was ended by SIGKILL"' in node.log.read_text()
        log = read_log(database_url)
        await until(lambda: all(person.has_heard(log) for person in people), LIVELY_S)
        being_there.cancel_scope.cancel(reason="all was said and heard")
    assert_gapless(log)
    assert_acknowledged_is_in(log, people)
    assert all(person.heard == log for person in people)
    assert all(person.absences == [] for person in people if person not in bereft)


async def test_sighup_replaces_one_after_the_other_and_nobody_is_missed_or_turned_away(
    flags: list[str], database_url: str, tmp_path: Path
) -> None:
    async with running_workers(tmp_path, flags) as node, trio.open_nursery() as being_there:
        people = [Person(f"person-{n}", ["lobby"], [node.url]) for n in range(30)]
        for person in people:
            await being_there.start(person.run)
        before = workers_of(node)
        newcomers, silence = Newcomers(node.port), trio.Event()
        async with trio.open_nursery() as talking:
            talking.start_soon(newcomers.come_steadily, silence)
            for person in people:
                talking.start_soon(_talk, person, silence)
            await until(lambda: all(len(person.acked) > 3 for person in people), LIVELY_S)
            node.signal(signal.SIGHUP)
            await until(lambda: "all workers are replaced" in node.log.read_text(), 2 * LIVELY_S)
            await until(lambda: all(person.absences for person in people), LIVELY_S)
            silence.set()
        assert not set(workers_of(node).values()) & set(before.values())
        assert not newcomers.unheard, "somebody was dropped or refused before anybody listened to them"
        assert newcomers.served
        log = read_log(database_url)
        await until(lambda: all(person.has_heard(log) for person in people), LIVELY_S)
        being_there.cancel_scope.cancel(reason="all was said and heard")
        assert await node.stopped(LIVELY_S) == 0
    assert_gapless(log)
    assert_acknowledged_is_in(log, people)
    assert all(person.heard == log for person in people)
    assert max(max(person.absences) for person in people) < OFFLINE_S


async def test_sigterm_says_goodbye_to_all_and_leaves_nothing(flags: list[str], tmp_path: Path) -> None:
    async with running_workers(tmp_path, flags) as node, AsyncExitStack() as stack:
        people = [await stack.enter_async_context(open_wire(node.port)) for _ in range(20)]
        pids = workers_of(node).values()
        node.signal(signal.SIGTERM)
        assert {await person.expect_close() for person in people} == {DRAINING.code}
        for person in people:
            await person.stream.aclose()
        assert await node.ended(Limits().drain_s) == 0
        assert not any(map(_lives, pids))
        # of a worker's record one can tell whose it is
        stopping = re.findall(r"stopping on SIGTERM.* node=(\S+)", node.log.read_text())
        assert sorted(stopping) == ["w-1", "w-2"]


async def test_a_port_that_somebody_else_has_is_an_error_also_when_it_is_another_trichat(
    flags: list[str], tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with contextlib.closing(NodeProcess(tmp_path, *flags, port=taken.getsockname()[1])) as late:
            assert await late.ended() == 1
            assert "Address already in use; stop the program that has it, or give another port" in late.log.read_text()
    async with running_workers(tmp_path, flags) as node:
        other = tmp_path / "other"
        other.mkdir()
        with contextlib.closing(NodeProcess(other, *flags, port=node.port)) as second:
            assert await second.ended() == 1
            assert "Address already in use" in second.log.read_text()


async def test_workers_that_cannot_start_end_all_with_their_error(flags: list[str], tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing.pem")
    with contextlib.closing(NodeProcess(tmp_path, *flags, "--tls-cert", nothing, "--tls-key", nothing)) as node:
        assert await node.ended(READY_S) == 1
        said = node.log.read_text()
    assert nothing in said
    assert re.search(r"^trichat: w-[12] ended with exit code 1$", said, re.MULTILINE)
    assert "died" not in said, "what has never served is not tried again"


async def test_when_the_supervisor_is_killed_its_workers_and_services_end_too(data_dir: Path) -> None:
    flags = ["--workers", "2", "--node-id", "w", "--data-dir", str(data_dir)]
    async with running_workers(data_dir.parent, flags) as node, open_wire(node.port) as ann:
        pids = workers_of(node)
        assert len(pids) == 2
        assert any("postgres" in arguments for arguments in processes_of(data_dir).values())
        node.kill()
        assert await ann.expect_close() == DRAINING.code
        await ann.stream.aclose()
        await until(lambda: not any(map(_lives, pids.values())), LIVELY_S)


class Newcomers:
    """Connect, one after the other, and go again: whoever the kernel let in must get an answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.served = 0
        self.stopping = 0  # were told that the node stops, and to try again
        self.unheard: list[str] = []

    async def come_steadily(self, silence: trio.Event) -> None:
        while not silence.is_set():
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self._port)
                try:
                    await (await WireClient(stream).shake_hands()).receive()
                finally:
                    await trio.aclose_forcefully(stream)
            except Refused as refused:
                self._note(refused)
            except (OSError, Closed, trio.BrokenResourceError) as error:
                self.unheard.append(repr(error))
            else:
                self.served += 1

    def _note(self, refused: Refused) -> None:
        if refused.status == 503:
            self.stopping += 1
        else:
            self.unheard.append(repr(refused))


async def _talk(person: Person, silence: trio.Event) -> None:
    """Until `silence`; then all that was said is answered."""
    while not silence.is_set():
        await person.say(1)
        await trio.sleep(0.05)  # a person's pace, not a wait for anything


def _lives(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text().partition(")")[2][:4]
    except OSError:
        return False
