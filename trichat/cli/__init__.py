"""The command line: `trichat serve`, `chat`, `admin`, `doctor` and `db`."""

from __future__ import annotations

import argparse
from typing import Final

from trichat import __version__
from trichat.cli import admin, chat, db, doctor, serve

__all__ = ["admin", "build_parser", "chat", "db", "doctor", "main", "serve"]

_RUN: Final = {"admin": admin.run, "chat": chat.run, "db": db.run, "doctor": doctor.run, "serve": serve.run}
_INTERRUPTED = 130  # what shells say of a program that Ctrl-C ended


def main(argv: list[str] | None = None) -> int:
    """Run the command that `argv` (by default the process's) asks for; returns the exit code.

    A command line that cannot be understood raises SystemExit with 2, and asking for help with 0.
    """
    arguments = build_parser().parse_args(argv)
    try:
        return _RUN[arguments.command](arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trichat",
        description="A chat server over WebSockets, and a client for the terminal.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"trichat {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    serve.add_parser(commands)
    chat.add_parser(commands)
    admin.add_parser(commands)
    doctor.add_parser(commands)
    db.add_parser(commands)
    return parser
