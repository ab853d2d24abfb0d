"""The server's command line, as the documents show it: what is typed, and what a terminal shows."""

from __future__ import annotations

import io
import shlex

from trichat.cli import build_parser
from trichat.cli.admin import run_at
from trichat.cli.admin.console import Console
from trichat.core.chance import Chance
from trichat.core.events import Draft
from trichat.core.limits import Limits
from trichat.core.names import RoomName
from trichat.core.standing import Actor
from trichat.store import open_postgres_store

#: What is typed whenever a password is asked for.
_PASSWORD = "a long sentence is best"


def type_command(command: str, database_url: str) -> list[str]:
    """The lines that a terminal shows after `trichat admin …`, which must succeed. Runs Trio: not for a Trio task."""
    program, *words = shlex.split(command)
    assert program == "trichat"
    terminal = io.StringIO()

    def ask_hidden(question: str) -> str:
        terminal.write(f"{question}\n")  # getpass ends the line itself
        return _PASSWORD

    console = Console(io.StringIO(), terminal, terminal, ask_hidden, as_json="--json" in words)
    arguments = build_parser().parse_args([*words, "--database-url", database_url])
    assert run_at(console, arguments) == 0, terminal.getvalue()
    return terminal.getvalue().splitlines()


async def set_scene(database_url: str, name: str) -> None:
    """There is the room lobby already, in which the guest `name` has spoken; another has reported what they said."""
    chance = Chance()
    async with open_postgres_store(database_url, Limits(), chance=chance) as store:
        guest, lobby = chance.guest(), RoomName("lobby")
        assert await store.claim_name(guest, name)
        room = (await store.open_rooms([lobby], create=True))[lobby]
        body = b'{"text":"hello, world"}'
        assert await store.append([Draft(room.id, lobby, "message", guest, name, None, body)])
        await store.governance.report(room.id, 1, Actor(chance.guest(), "gus"), "sells things")
