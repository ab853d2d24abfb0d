"""The terminal chat of somebody with an account: how they log in, and how they see what becomes of people."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.client.fake_server import FakeServer, Peer, event, happening
from tests.client.terminal import LIVENESS_S, Open, Terminal, acknowledge


async def show_room(peer: Peer, head: int = 0) -> None:
    await peer.let_join(head=head)
    await peer.reply(await peer.expect("history"), "history", room="lobby", messages=[], more=False)


async def logged_in(peer: Peer) -> None:
    assert (await peer.let_in("login"))["password"] == "secret"
    await show_room(peer)
    await peer.stay()


async def test_a_password_is_asked_for_and_the_token_is_kept(
    nursery: trio.Nursery, terminal: Open, tmp_path: Path
) -> None:
    async def come_back(peer: Peer) -> None:
        assert await peer.let_in("auth") == {"token": "u.1"}
        await show_room(peer)
        await peer.stay()

    url = await FakeServer(nursery, logged_in, come_back).listen()
    first = terminal(url, "lobby", "--login", "ann", token_file=tmp_path / "token")
    first.answers.append("secret")
    first.end()
    assert await first.chat() == 0
    assert first.questions == ["Password of ann: "]
    assert (tmp_path / "token").read_text() == "u.1\n"
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    second = terminal(url, "lobby", "--login", "Ann", token_file=tmp_path / "token")  # nothing is asked
    second.end()
    assert await second.chat() == 0


async def test_a_password_comes_from_the_environment(nursery: trio.Nursery, terminal: Open) -> None:
    url = await FakeServer(nursery, logged_in).listen()
    ann = terminal(url, "lobby", "--login", "ann", environ={"TRICHAT_PASSWORD": "secret"})
    ann.end()
    assert await ann.chat() == 0


async def test_a_new_password_is_asked_for_twice(nursery: trio.Nursery, terminal: Open) -> None:
    async def register(peer: Peer) -> None:
        said = await peer.let_in("register")
        assert said == {"name": "ann", "password": "secret", "device": "trichat chat"}
        await show_room(peer)
        await peer.stay()

    ann = terminal(await FakeServer(nursery, register).listen(), "lobby", "--login", "ann", "--register")
    ann.answers += ["secret", "secret"]
    ann.end()
    assert await ann.chat() == 0
    ann.answers += ["secret", "typo"]
    with pytest.raises(ValueError, match="not the same"):
        await ann.chat()


async def test_a_second_factor_is_said_on_the_command_line(nursery: trio.Nursery, terminal: Open) -> None:
    async def ask_for_it(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("login"), "unauthenticated", field="code")
        await peer.stay()

    async def take_it(peer: Peer) -> None:
        assert (await peer.let_in("login"))["code"] == "123456"
        await show_room(peer)
        await peer.stay()

    url = await FakeServer(nursery, ask_for_it, take_it).listen()
    environ = {"TRICHAT_PASSWORD": "secret"}
    first = terminal(url, "lobby", "--login", "ann", environ=environ)
    assert await first.chat() == 1
    hint = "(say --code, with what your authenticator shows)"
    assert first.noticed == [f"trichat: unauthenticated: unauthenticated it is {hint}"]
    second = terminal(url, "lobby", "--login", "ann", "--code", "123456", environ=environ)
    second.end()
    assert await second.chat() == 0


async def test_a_kept_token_that_counts_no_more_is_said_to_be_it(
    nursery: trio.Nursery, terminal: Open, tmp_path: Path
) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated", field="token")
        await peer.stay()

    async def refuse_then_log_in(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated", field="token")
        command = await peer.expect("login")
        await peer.reply(command, "ok", for_="login", user="ann", user_id="u_1", token="u.2")
        await show_room(peer)
        await peer.stay()

    token = tmp_path / "token"
    token.write_text("u.1\n")
    url = await FakeServer(nursery, refuse, refuse_then_log_in).listen()
    ann = terminal(url, "lobby", "--login", "ann", token_file=token)
    assert await ann.chat() == 1
    assert ann.noticed[0].endswith(f"(the token in {token} does not count any more: remove that file)")
    again = terminal(url, "lobby", "--login", "ann", token_file=token, environ={"TRICHAT_PASSWORD": "secret"})
    again.end()
    assert await again.chat() == 0
    assert token.read_text() == "u.2\n"


async def test_a_kept_token_of_somebody_else_is_not_used(nursery: trio.Nursery, terminal: Open, tmp_path: Path) -> None:
    async def bob(peer: Peer) -> None:
        await peer.let_in("auth", user="bob")
        pytest.fail(f"heard {await peer.hear()}")

    (tmp_path / "token").write_text("u.1\n")
    ann = terminal(await FakeServer(nursery, bob).listen(), "lobby", "--login", "ann", token_file=tmp_path / "token")
    assert await ann.chat() == 1
    assert ann.noticed == [f"trichat: the token in {tmp_path / 'token'} is that of bob, not of ann"]


async def test_what_becomes_of_people_and_of_the_room_is_one_line_each(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("eve")
        await show_room(peer)
        await peer.say_member(1, "bob", "joined", role="member")
        await peer.say_member(2, "bob", "muted", until="2026-11-25T00:00:00.000Z", reason="loud")
        await peer.say_member(3, "bob", "banned", reason="enough")
        await peer.say_member(4, "cid", "role", role="moderator")
        await peer.say(**happening(5, "room", changes={"topic": "peace", "slow_s": 5, "guests": False}))
        await acknowledge(peer, 6, "hi")
        await peer.stay()

    eve = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "eve")
    lines = [
        "— bob joined",
        "— bob was muted by ann until 2026-11-25T00:00:00.000Z: loud",
        "— bob was banned by ann: enough",
        "— cid was made moderator by ann",
        "— ann changed the room: topic: peace; one message in 5 s; guests may not come in",
    ]
    eve.type("hi\n")
    eve.end()
    assert await eve.chat() == 0
    assert eve.shown == [*lines, "ben: hi"]


async def test_what_happens_to_messages_quotes_them(nursery: trio.Nursery, terminal: Open) -> None:
    long = "a message of more than forty characters is cut"

    async def script(peer: Peer) -> None:
        await peer.greet("eve")
        await show_room(peer)
        await peer.say(**event(1, "teh train"))
        await peer.say(**happening(2, "edited", target=1, superseded=True))
        await peer.say(**happening(3, "edited", target=1, text="the train"))
        await peer.say(**happening(4, "reacted", target=1, emoji="🎉"))
        await peer.say(**happening(5, "unreacted", target=1, emoji="🎉"))
        await peer.say(**event(6, long), thread=1, reply_to=1)
        await peer.say(**event(7, "no"), reply_to=6)
        await peer.say(**happening(8, "pinned", target=7))
        await peer.say(**happening(9, "deleted", target=6, reason="too long"))
        await peer.say(**event(10, "why"), reply_to=6)
        await peer.say(**happening(11, "unpinned", target=-5))
        await acknowledge(peer, 12, "hi")
        await peer.stay()

    eve = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "eve")
    lines = [
        "ben: teh train",
        "— ann edited “teh train”: the train",
        "— ann reacted 🎉 to “the train”",
        "— ann took 🎉 back from “the train”",
        f"ben: (in the thread of “the train”) {long}",
        "ben: (to “a message of more than forty characters …”) no",
        "— ann pinned “no”",
        "— ann deleted “a message of more than forty characters …”: too long",
        "ben: (to a deleted message) why",
        "— ann unpinned an earlier message",
    ]
    eve.type("hi\n")
    eve.end()
    assert await eve.chat() == 0
    assert eve.shown == [*lines, "ben: hi"]


async def test_titles_and_reasons_of_others_never_move_the_cursor(nursery: trio.Nursery, terminal: Open) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("eve")
        await show_room(peer)
        await peer.say_member(1, "bo\x1b[1Ab", "kicked", reason="\x1b[2J\r\ngone")
        await peer.say(**happening(2, "room", changes={"title": "\u202etitle\x07", "new\x1b[1m": "\x1b[2K"}))
        await peer.say(**happening(3, "pin\x1b[3m", target=7))
        await peer.say("left", room="lobby")
        await peer.stay()

    eve = terminal(await FakeServer(nursery, script).listen(), "lobby", "--name", "eve")
    assert await eve.chat() == 1
    assert eve.shown == [
        r"— bo\x1b[1Ab was kicked by ann: \x1b[2J\r\ngone",
        r"— ann changed the room: title: \u202etitle\x07; new\x1b[1m: \x1b[2K",
        r"— ann pin\x1b[3m 7",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("kicked", "you were kicked from lobby"),
        ("banned", "you were banned from lobby"),
        ("left", "you have left lobby on another device"),
        (None, "you may not be in lobby any more"),
    ],
)
async def test_who_is_taken_out_of_the_room_is_told_and_the_chat_ends(
    nursery: trio.Nursery, terminal: Open, tmp_path: Path, change: str | None, words: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("auth", user="eve")
        await show_room(peer)
        if change is None:
            await peer.say(**happening(1, "room", changes={"guests": False}))
        else:
            await peer.say(**happening(1, "member", user="eve", user_id="u_1", change=change))
        await peer.say("left", room="lobby")
        await peer.stay()

    (tmp_path / "token").write_text("u.1")
    eve = terminal(await FakeServer(nursery, script).listen(), "lobby", token_file=tmp_path / "token")
    assert await eve.chat() == 1
    assert eve.noticed == [f"trichat: {words}"]


def test_login_options_that_say_nothing_are_refused(terminal: Open) -> None:
    for options in (["--register"], ["--code", "123456"]):
        with pytest.raises(ValueError, match="go with --login NAME"):
            terminal("localhost", "lobby", *options).login()
    with pytest.raises(SystemExit):
        Terminal("localhost", "lobby", "--name", "ann", "--login", "ann")


def test_without_a_terminal_the_chat_says_where_the_password_goes() -> None:
    command = [sys.executable, "-m", "trichat", "chat", "127.0.0.1:1", "lobby", "--login", "ann"]
    done = subprocess.run(
        command,
        input="secret\n",
        capture_output=True,
        text=True,
        timeout=LIVENESS_S,
        start_new_session=True,  # without a terminal of its own
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "put it into TRICHAT_PASSWORD" in done.stderr
    assert "standard input" in done.stderr
