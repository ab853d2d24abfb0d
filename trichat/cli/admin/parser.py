"""The command line of `trichat admin`: a noun, a verb, and whom or what it is about."""

from __future__ import annotations

import argparse
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, get_args

from trichat.cli.admin import keys, records, reports, rooms, users
from trichat.core.standing import Scope

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]
    Act = Callable[["Desk", argparse.Namespace], Awaitable[None]]

_MOST: Final = 1_000_000_000  # of any number


class Verbs:
    """The verbs of one noun; each takes the common flags too, so that they may stand at the end."""

    def __init__(self, nouns: Subparsers, noun: str, about: str, common: argparse.ArgumentParser) -> None:
        parser = nouns.add_parser(noun, help=about, description=about, allow_abbrev=False)
        self._verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        self._common = common

    def add(self, verb: str, about: str, act: Act, *operands: str) -> argparse.ArgumentParser:
        """A verb with its operands, each of which is a name in upper case."""
        parser = self._verbs.add_parser(verb, help=about, description=about, allow_abbrev=False, parents=[self._common])
        for operand in operands:
            parser.add_argument(operand.lower(), metavar=operand)
        parser.set_defaults(act=act)
        return parser


def add_acts(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """All nouns and verbs. `common` has the flags that each takes."""
    nouns = parser.add_subparsers(dest="noun", metavar="WHAT", required=True)
    _add_users(Verbs(nouns, "users", "people: add, list, passwd, recover, activate, deactivate, admin", common))
    _add_sessions(Verbs(nouns, "sessions", "on which devices somebody is logged in: list, revoke", common))
    _add_rooms(Verbs(nouns, "rooms", "rooms: list, delete, archive", common))
    _add_bans(Verbs(nouns, "bans", "who may not come to a room: list, add, lift", common))
    _add_reports(Verbs(nouns, "reports", "messages that were reported, in all rooms: list, resolve", common))
    Verbs(nouns, "bots", "programs with an account: add", common).add(
        "add", "make a bot's account; see keys", keys.add_bot, "NAME"
    )
    _add_keys(Verbs(nouns, "keys", "what bots log in with: list, add, rotate, revoke", common))
    _add_secrets(Verbs(nouns, "secrets", "what guests' tokens are signed with: list, rotate, drop", common))
    _add_records(nouns, common)


def _add_users(verbs: Verbs) -> None:
    verbs.add("list", "all accounts", users.list_users)
    add = verbs.add("add", "make somebody's account; the password is asked for", users.add_user, "NAME")
    add.add_argument("--admin", action="store_true", help="they administer the server")
    secret = add.add_mutually_exclusive_group()
    _add_password_flag(secret)
    secret.add_argument("--no-password", action="store_true", help="they set one themselves: see recover")
    _add_password_flag(verbs.add("passwd", "set another password; all logins end", users.set_password, "NAME"))
    verbs.add("recover", "a one-time code to set a new password with", users.recover, "NAME")
    verbs.add("deactivate", "out, and no way back in", users.deactivate, "NAME")
    verbs.add("activate", "take that back", users.activate, "NAME")
    admin = verbs.add("admin", "let somebody administer the server", users.set_admin, "NAME")
    admin.add_argument("--off", action="store_true", help="not any more")


def _add_password_flag(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--password-stdin", action="store_true", help="the password is the input's first line")


def _add_sessions(verbs: Verbs) -> None:
    verbs.add("list", "somebody's logins", users.list_sessions, "NAME")
    revoke = verbs.add("revoke", "end one login, or all", users.revoke, "NAME")
    which = revoke.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", help="which, as list shows it")
    which.add_argument("--all", action="store_true", help="all of them")


def _add_rooms(verbs: Verbs) -> None:
    verbs.add("list", "all rooms, private and direct ones too", rooms.list_rooms)
    verbs.add("delete", "a room of any kind is gone, with its log", rooms.delete_room, "ROOM")
    archive = verbs.add("archive", "a room can be read and not written", rooms.archive_room, "ROOM")
    archive.add_argument("--off", action="store_true", help="it can be written again")


def _add_bans(verbs: Verbs) -> None:
    verbs.add("list", "who is banned or muted", rooms.list_bans, "ROOM")
    add = verbs.add("add", "ban somebody, by name or id", rooms.add_ban, "ROOM", "USER")
    add.add_argument("--for", dest="seconds", type=_number, metavar="SECONDS", help="how long (for ever)")
    add.add_argument("--reason", default="", metavar="TEXT", help="why; everybody in the room reads it")
    verbs.add("lift", "let somebody come again", rooms.lift_ban, "ROOM", "USER")


def _add_reports(verbs: Verbs) -> None:
    show = verbs.add("list", "open reports of rooms of every kind, the oldest first", reports.list_reports)
    show.add_argument("--all", action="store_true", help="resolved ones too")
    resolve = verbs.add("resolve", "close a report", reports.resolve)
    resolve.add_argument("number", metavar="NUMBER", type=_number, help="which, as list shows it")
    resolve.add_argument("--note", default="", metavar="TEXT", help="what was done; the room's moderators read it")


def _add_keys(verbs: Verbs) -> None:
    verbs.add("list", "a bot's keys", keys.list_keys, "BOT")
    add = verbs.add("add", "a new key, which is shown once", keys.add_key, "BOT")
    add.add_argument(
        "--scope", action="append", required=True, choices=get_args(Scope), help="what it may do; may be repeated"
    )
    add.add_argument("--room", action="append", default=[], metavar="ROOM", help="where alone; may be repeated")
    verbs.add("rotate", "another key in the place of this one", keys.rotate_key, "KEY")
    verbs.add("revoke", "end a key", keys.revoke_key, "KEY")


def _add_secrets(verbs: Verbs) -> None:
    verbs.add("list", "their numbers", keys.list_secrets)
    verbs.add("rotate", "a new one signs from now on; older ones still count", keys.rotate_secret)
    drop = verbs.add("drop", "tokens that this one signed count no more", keys.drop_secret)
    drop.add_argument("number", metavar="N", type=_number)


def _add_records(nouns: Subparsers, common: argparse.ArgumentParser) -> None:
    def add(noun: str, about: str, act: Act) -> argparse.ArgumentParser:
        parser = nouns.add_parser(noun, help=about, description=about, allow_abbrev=False, parents=[common])
        parser.set_defaults(act=act)
        return parser

    audit = add("audit", "who did what, the newest first", records.show_audit)
    audit.add_argument("--room", metavar="ROOM", help="in this room alone")
    audit.add_argument("--limit", type=_number, default=100, metavar="N", help="so many entries (%(default)s)")
    export = add("export", "all that is kept about somebody, as one JSON object", records.export)
    erase = add("erase", "forget somebody: the name, and the texts of their messages", records.erase)
    for parser in (export, erase):
        parser.add_argument("user", metavar="USER", help="an account's name or id, or a guest's id (g_…)")
    erase.add_argument("--yes", action="store_true", help="do not ask")


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST}")
    return int(text)
