"""`trichat admin`: what the operator does to people, rooms, keys and records, on the server's own command line."""

from __future__ import annotations

import argparse
import getpass
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from trichat.chat.ports import StoreUnavailable, StoreUnusable
from trichat.chat.vault_port import VaultBusy
from trichat.cli.admin.console import Console, Failed
from trichat.cli.admin.desk import open_desk, said
from trichat.cli.admin.parser import add_acts
from trichat.cli.serve import add_flags
from trichat.core.errors import Refusal
from trichat.logs import set_up_logging
from trichat.settings import CONFIG_VARIABLE, DECLARED, SettingsError, load_settings

if TYPE_CHECKING:
    from trichat.settings import Settings

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

#: The settings that say where the database is.
_SETTINGS: Final = ("database_url", "data_dir", "pooler", "unsafe")

_INTERRUPTED: Final = 130

_ABOUT = """\
Administer the chat, beside a running server or without one.

It goes to the database of the settings, as serve does. Without one it goes to the embedded PostgreSQL in the
data folder: a running server's, or it starts it for the time of the command.

  the first administrator:   trichat admin users add ann --admin"""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "admin",
        help="administer people, rooms, keys and records",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common_flags()],
        allow_abbrev=False,
    )
    add_acts(parser, common_flags())


def common_flags() -> argparse.ArgumentParser:
    """Flags that may stand before the noun, and behind the verb: what is not given leaves no trace there."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for name in _SETTINGS:
        add_flags(parser, DECLARED[name])
    parser.add_argument("--config", metavar="FILE", help=f"a TOML file of settings ({CONFIG_VARIABLE})")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """0 when it was done, 1 when it could not be (which is said), 2 when the settings are wrong, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8
    set_up_logging("error", "text")
    as_json = getattr(arguments, "json", False)
    return run_at(Console(sys.stdin, sys.stdout, sys.stderr, getpass.getpass, as_json), arguments)


def run_at(console: Console, arguments: argparse.Namespace) -> int:
    """The same, at this console."""
    try:
        settings = _settings(arguments)
    except SettingsError as error:
        for problem in error.problems:
            console.say(f"trichat: {problem}")
        return 2
    return trio.run(_act, settings, console, arguments)


def _settings(arguments: argparse.Namespace) -> Settings:
    given = vars(arguments)
    config = given.get("config") or os.environ.get(CONFIG_VARIABLE) or None
    flags = {name: given.get(name) for name in _SETTINGS}
    return load_settings(flags, os.environ, None if config is None else Path(config))


async def _act(settings: Settings, console: Console, arguments: argparse.Namespace) -> int:
    from trichat.embedded import EmbeddedUnusable  # noqa: PLC0415  help and wrong settings answer without it

    code = 0
    try:
        opened = getattr(arguments, "opens", open_desk)
        async with opened(settings, console, only_looks=getattr(arguments, "only_looks", False)) as desk:
            await arguments.act(desk, arguments)
    except* (Failed, Refusal, StoreUnavailable, StoreUnusable, EmbeddedUnusable, OSError) as group:
        for error in _leaves(group):
            console.say(f"trichat: {said(error)}")
        code = 1
    except* VaultBusy:
        console.say("trichat: there is not enough memory to hash a password")
        code = 1
    except* KeyboardInterrupt:
        code = _INTERRUPTED
    return code


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
