"""The terminal chat in a test's hands, and what a script says to it at first."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import trio

from tests.client.fake_server import Frame, Peer, listed
from trichat.cli.chat import add_parser, chat
from trichat.cli.lines import Lines
from trichat.cli.login import Login, read_login
from trichat.cli.screen import Screen

LIVENESS_S = 10.0


class Terminal:
    """A chat's input and output, in a test's hands."""

    def __init__(
        self, *arguments: str, token_file: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        parser = argparse.ArgumentParser()
        add_parser(parser.add_subparsers())
        kept = [] if token_file is None else ["--token-file", str(token_file)]
        self.arguments = parser.parse_args(["chat", *arguments, *kept])
        self._environ = environ or {}
        self.answers: list[str] = []  # to the questions for a password
        self.questions: list[str] = []
        self._out, self._err = io.StringIO(), io.StringIO()
        self._fd, self._typing = os.pipe()

    def login(self) -> Login:
        return read_login(self.arguments, self._environ, self._ask)

    async def chat(self) -> int:
        login = self.login()
        with trio.fail_after(LIVENESS_S):
            screen = Screen(self._out, self._err, color=False)
            return await chat(self.arguments, login, screen, Lines(self._fd))

    def _ask(self, question: str) -> str:
        self.questions.append(question)
        return self.answers.pop(0)

    def type(self, text: str) -> None:
        os.write(self._typing, text.encode())

    def end(self) -> None:
        """Ctrl-D."""
        if self._typing >= 0:
            os.close(self._typing)
        self._typing = -1

    def close(self) -> None:
        self.end()
        os.close(self._fd)

    @property
    def shown(self) -> list[str]:
        """The lines on standard output, without their time."""
        return [line[6:] for line in self._out.getvalue().splitlines()]

    @property
    def noticed(self) -> list[str]:
        return self._err.getvalue().splitlines()


Open = Callable[..., Terminal]


async def let_in(peer: Peer, name: str, *history: Frame, head: int = 0) -> None:
    await peer.greet(name)
    await peer.let_join(head=head)
    command = await peer.expect("history")
    await peer.reply(command, "history", room="lobby", messages=listed(*history), more=False)


async def acknowledge(peer: Peer, seq: int, text: str) -> None:
    command = await peer.expect("send")
    assert command["text"] == text
    await peer.reply(command, "ack", room="lobby", seq=seq, cid=command["cid"])
    await peer.say_event(seq, text)
