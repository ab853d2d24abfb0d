"""The commands about people: from each to the function that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from trichat.chat.accounts import demand_person, login, logout, password, recover, register, rename
from trichat.chat.logins import revoke, sessions
from trichat.chat.profiles import block, blocks, profile, unblock, whois
from trichat.chat.second_factor import totp
from trichat.chat.session import Session, Waiting
from trichat.core import commands_people as said
from trichat.core.command import Command
from trichat.core.commands import PeopleCommand

#: Each checks the command's fields, then asks the store; raises Refusal and StoreUnavailable.
ACTS: Final[dict[type[Command], Callable[[Session, Any], Awaitable[None]]]] = {
    said.Register: register,
    said.Login: login,
    said.Recover: recover,
    said.Logout: logout,
    said.Password: password,
    said.Totp: totp,
    said.Rename: rename,
    said.Profile: profile,
    said.Whois: whois,
    said.Sessions: sessions,
    said.Revoke: revoke,
    said.Block: block,
    said.Unblock: unblock,
    said.Blocks: blocks,
}

#: What who has no account may say too.
FOR_GUESTS: Final = (said.Register, said.Login, said.Recover, said.Whois)


def people(session: Session, command: PeopleCommand) -> Waiting:
    """What must wait: all of these ask the store. Raises Refusal to who may not."""
    if not isinstance(command, FOR_GUESTS):
        demand_person(session)  # before anything is looked up
    return partial(ACTS[type(command)], session, command)
