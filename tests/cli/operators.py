"""An operator at a console, for the tests of `trichat admin`."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
from msgspec import Struct

from trichat.chat.ports import Store
from trichat.cli import build_parser
from trichat.cli.admin import run_at
from trichat.cli.admin.console import Console
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.store import open_postgres_store

T = TypeVar("T")


class Ran(Struct, frozen=True):
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[list[str]]:
        """The cells of a table."""
        return [line.split() for line in self.out.splitlines()]


class Operator:
    """Runs commands on one database; `hidden` is what is typed when a password is asked for."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self.hidden: list[str] = []

    def run(self, *words: str, inp: str = "", as_json: bool = False) -> Ran:
        """`trichat admin` with these words, whatever comes of it."""
        out, err = io.StringIO(), io.StringIO()
        console = Console(io.StringIO(inp), out, err, self._ask, as_json)
        arguments = build_parser().parse_args(["admin", *words, "--database-url", self.database_url])
        code = run_at(console, arguments)
        return Ran(code, out.getvalue(), err.getvalue())

    def does(self, *words: str, inp: str = "") -> Ran:
        """The same; it succeeds, and says nothing beside its output."""
        ran = self.run(*words, inp=inp)
        assert (ran.code, ran.err) == (0, "")
        return ran

    def reads(self, *words: str, inp: str = "") -> Any:
        """The same; what it prints as JSON."""
        ran = self.run(*words, inp=inp, as_json=True)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.isascii()
        return json.loads(ran.out)

    def fails(self, *words: str, inp: str = "") -> str:
        """The same; it does nothing, prints nothing, and says why."""
        ran = self.run(*words, inp=inp)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("trichat: ")
        assert ran.err.count("\n") == 1
        return ran.err.removeprefix("trichat: ").rstrip("\n")

    def acts(self) -> list[str]:
        """What the audit says was done, oldest first."""
        return [entry["act"] for entry in reversed(self.reads("audit"))]

    def _ask(self, question: str) -> str:
        return self.hidden.pop(0)


def on_store(op: Operator, act: Callable[[Store], Awaitable[T]]) -> T:
    """What `act` gives on the operator's database, beside the command line."""

    async def play() -> T:
        async with open_postgres_store(op.database_url, Limits(), chance=Chance()) as store:
            return await act(store)

    return trio.run(play)
