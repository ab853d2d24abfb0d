"""The terminal chat: what it shows, what it says, and how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import trio

from tests.client.fake_server import FakeServer, Peer, event, listed
from tests.client.terminal import LIVENESS_S, Open, acknowledge, let_in
from trichat.cli.lines import Lines
from trichat.cli.screen import visible


async def test_a_line_at_the_end_of_a_pipe_is_sent_and_the_chat_is_done(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await let_in(peer, "ann", event(1, "good morning"), event(2, "hello"), head=2)
        await acknowledge(peer, 3, "hi")
        await peer.stay()

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "ann")
    ann.type("hi\n")
    ann.end()
    assert await ann.chat() == 0
    assert ann.shown == ["ben: good morning", "ben: hello", "ben: hi"]
    assert ann.noticed == []


async def test_a_last_line_without_an_end_is_sent_too_and_empty_ones_are_not(
    nursery: trio.Nursery, terminal: Open
) -> None:
    async def script(peer: Peer) -> None:
        await let_in(peer, "ann")
        await acknowledge(peer, 1, "one")
        await acknowledge(peer, 2, "two")
        await peer.stay()

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "ann")
    ann.type("one\r\n\n\ntwo")
    ann.end()
    assert await ann.chat() == 0
    assert ann.shown == ["ben: one", "ben: two"]


async def test_a_refusal_is_shown_and_the_chat_goes_on(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await let_in(peer, "ann")
        await peer.refuse(await peer.expect("send"), "forbidden")
        await acknowledge(peer, 1, "two")
        await peer.stay()

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "ann")
    ann.type("one\ntwo\n")
    ann.end()
    assert await ann.chat() == 1
    assert ann.noticed == ["-- not sent: forbidden it is (forbidden)"]
    assert ann.shown == ["ben: two"]


async def test_a_lost_connection_is_told_and_nothing_typed_meanwhile_is_lost(
    nursery: trio.Nursery, terminal: Open
) -> None:
    async def cut(peer: Peer) -> None:
        await let_in(peer, "ann")
        await peer.say("status", fanout="degraded")
        await peer.expect("send")
        await peer.cut()

    async def resume(peer: Peer) -> None:
        await peer.greet_again()
        await peer.let_resume(head=0)
        await acknowledge(peer, 1, "hi")
        await peer.stay()

    ann = terminal(await FakeServer(nursery, cut, resume).listen(), "lobby", "--name", "ann")
    ann.type("hi\n")
    ann.end()
    assert await ann.chat() == 0
    assert ann.shown == ["ben: hi"]
    degraded, lost, again = ann.noticed
    assert degraded == "-- degraded: messages may take longer"
    assert lost.startswith("-- lost the connection: connection lost; trying again in 0.")
    assert again == "-- connected again, to n1"


async def test_what_could_steer_the_terminal_is_escaped(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await let_in(peer, "ann")
        evil = event(1, "\x1b[2Jgone\r\n\u202eback\x07") | {"from_": "be\x1bn"}
        await peer.say(**evil)
        await acknowledge(peer, 2, "hi")
        await peer.stay()

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "ann")
    ann.type("hi\n")
    ann.end()
    await ann.chat()
    assert ann.shown[0] == r"be\x1bn: \x1b[2Jgone\r\n\u202eback\x07"


def test_letters_and_emoji_of_all_kinds_are_left_alone() -> None:
    text = "Grüße, 日本語, مرحبا, 👩\u200d💻"
    assert visible(text) == text


async def test_the_token_is_kept_for_the_next_time(nursery: trio.Nursery, terminal: Open, tmp_path: Path) -> None:
    async def first(peer: Peer) -> None:
        await let_in(peer, "ann")
        await peer.stay()

    async def second(peer: Peer) -> None:
        await peer.greet_again()  # which asks for the first one's token
        await peer.let_join()
        command = await peer.expect("history")
        await peer.reply(command, "history", room="lobby", messages=[], more=False)
        await peer.stay()

    url = await FakeServer(nursery, first, second).listen()
    for _ in range(2):
        ann = terminal(url, "lobby", "--name", "ann", token_file=tmp_path / "token")
        ann.end()
        assert await ann.chat() == 0
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


async def test_a_name_that_is_taken_is_one_clear_line(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("hello"), "name_taken", field="name")
        await peer.stay()

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "ann")
    assert await ann.chat() == 1
    assert ann.noticed == ["trichat: name_taken: name_taken it is"]


async def test_a_session_that_ends_for_good_is_one_clear_line(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await let_in(peer, "ann")
        await peer.goodbye(4003, "banned")

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "ann")
    assert await ann.chat() == 1
    assert ann.noticed == ["trichat: the session ended: banned (4003)"]


async def test_earlier_messages_are_paged_back_as_far_as_asked(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.let_join(head=9)
        for before, first in ((None, 8), (8, 6), (6, 5)):
            command = await peer.expect("history")
            assert command.get("before") == before
            messages = listed(*(event(seq) for seq in range(first, before or 10)))
            await peer.reply(command, "history", room="lobby", messages=messages, more=True)
        await peer.stay()

    ann = terminal(await FakeServer(nursery, script).listen(), "lobby", "--history", "5")
    ann.end()
    assert await ann.chat() == 0
    assert ann.shown == [f"ben: text {seq}" for seq in range(5, 10)]


async def test_lines_come_from_files_and_terminals_as_well_as_from_pipes(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo \xff\nthree")
    with path.open() as file:
        lines = Lines(file.fileno())
        assert [await lines.next() for _ in range(4)] == ["one", "two \ufffd", "three", None]
    ours, theirs = pty.openpty()
    os.write(ours, b"typed\n\x04")
    lines = Lines(theirs)
    assert [await lines.next() for _ in range(2)] == ["typed", None]
    os.close(ours)
    os.close(theirs)
    null = os.open(os.devnull, os.O_RDONLY)
    assert await Lines(null).next() is None
    os.close(null)
    assert await Lines(-1).next() is None


def start_chat(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "trichat", "chat", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with trio.fail_after(LIVENESS_S * 2):
        out, err = await trio.to_thread.run_sync(process.communicate)
    return process.returncode, out, err


async def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    code, out, err = await finish(start_chat("127.0.0.1:1", "lobby", "--name", "ann"))
    assert (code, out) == (1, "")
    assert err == "trichat: cannot reach ws://127.0.0.1:1/ws: Connection refused\n"


async def test_ctrl_c_ends_a_chat_that_waits_for_input(nursery: trio.Nursery) -> None:
    joined = trio.Event()

    async def script(peer: Peer) -> None:
        await let_in(peer, "ann")
        joined.set()
        await peer.stay()

    url = await FakeServer(nursery, script).listen()
    with start_chat(url, "lobby", "--name", "ann") as process:
        with trio.fail_after(LIVENESS_S):
            await joined.wait()
        process.send_signal(signal.SIGINT)
        assert process.stdin is not None  # still open: nothing was typed, and nothing ended it
        code = await trio.to_thread.run_sync(process.wait)
        assert process.stderr is not None
        assert (code, process.stderr.read()) == (130, "")
