"""`trichat admin audit`, `export` and `erase`."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import trio

from trichat.cli.admin.console import Row
from trichat.core.accounts import AuditEntry
from trichat.core.codec import format_ts
from trichat.core.names import Incarnation, RoomName, UserId, fold_name

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk

#: Entries of the audit that are read at a time.
_PAGE: Final = 1_000
#: Seconds after which every server has closed the connections of who was deactivated, without Redis too.
_CLOSED_S: Final = 5.0
#: The identifier of no node.
_NOBODY: Final = Incarnation(0)
_GUEST: Final = re.compile(r"g_[a-z2-7]{26}")


async def show_audit(desk: Desk, arguments: Namespace) -> None:
    """Who did what, the newest first."""
    room = None if arguments.room is None else RoomName(fold_name(arguments.room))
    entries: list[AuditEntry] = []
    before: int | None = None
    while len(entries) < arguments.limit and (
        page := await desk.store.administration.audit(before=before, limit=_PAGE)
    ):
        before = page[-1].number
        entries += [entry for entry in page if room in (None, entry.room)]
    rows = [_audit_row(entry) for entry in entries[: arguments.limit]]
    columns = ("number", "at", "actor", "act", "room", "target", "reason", "address")
    desk.console.rows(columns, rows, "nothing was done yet")


def _audit_row(entry: AuditEntry) -> Row:
    return {
        "number": entry.number,
        "at": format_ts(entry.at),
        "actor": entry.actor,
        "actor_id": entry.actor_id,
        "act": entry.act,
        "room": entry.room,
        "target": entry.target,
        "target_id": entry.target_id,
        "reason": entry.reason,
        "address": entry.address,
    }


async def export(desk: Desk, arguments: Namespace) -> None:
    """All that is kept about somebody, as one JSON object, written as it is read."""
    user_id, _ = await _whom(desk, arguments.user)
    section = None
    comma = ""
    desk.console.out.write(f'{{\n"user_id": {json.dumps(user_id)}')
    async with aclosing(desk.store.administration.export(user_id, operator=desk.operator)) as parts:
        async for part in parts:
            if part.section != section:
                closing = "" if section is None else "\n]"
                desk.console.out.write(f"{closing},\n{json.dumps(part.section)}: [")
                section, comma = part.section, ""
            for row in part.rows:
                desk.console.out.write(f"{comma}\n  {json.dumps(row)}")
                comma = ","
    desk.console.out.write("\n]\n}\n")
    desk.console.out.flush()


async def erase(desk: Desk, arguments: Namespace) -> None:
    """Forget somebody: the name and the texts of their messages."""
    user_id, name = await _whom(desk, arguments.user)
    if not arguments.yes:
        desk.console.confirm(f"{name} and all that they said is forgotten for ever. Type {name} to go on:", name)
    if await _may_be_connected(desk, user_id):
        await trio.sleep(_CLOSED_S)
    await desk.store.administration.erase(user_id, operator=desk.operator)
    desk.console.done(f"{name} is erased ({user_id})", id=user_id)


async def _may_be_connected(desk: Desk, user_id: UserId) -> bool:
    """Whether there may be connections that go on writing; if so they are ended now, in a moment everywhere."""
    account = await desk.store.administration.find(user_id)
    if account is None or not account.active:
        return False
    await desk.store.administration.set_active(user_id, False, operator=desk.operator)
    return bool((await desk.store.look([], _NOBODY)).nodes)


async def _whom(desk: Desk, user: str) -> tuple[UserId, str]:
    """The id of an account or a guest, and what they are called. Raises Failed."""
    if _GUEST.fullmatch(user):
        return UserId(user), user
    account = await desk.account(user)
    return account.user_id, account.name
