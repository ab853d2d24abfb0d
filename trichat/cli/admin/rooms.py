"""`trichat admin rooms` and `bans`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from trichat.chat.people_ports import Access
from trichat.cli.admin.console import Failed, Row
from trichat.cli.admin.desk import SERVER
from trichat.core.accounts import MyRoom
from trichat.core.changes import Archive, Ban, Unban
from trichat.core.codec import format_ts
from trichat.core.events import Person
from trichat.core.lines import parse_line
from trichat.core.names import RoomName, fold_name
from trichat.core.standing import FOREVER

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk


async def list_rooms(desk: Desk, arguments: Namespace) -> None:
    """All rooms, by name."""
    rooms: list[MyRoom] = []
    while page := await desk.store.administration.rooms(
        after=rooms[-1].room if rooms else "", limit=desk.limits.list_page
    ):
        rooms += page
    rows: list[Row] = [
        {"room": room.room, "id": room.id, "kind": room.kind, "title": room.title, "seq": room.seq} for room in rooms
    ]
    desk.console.rows(("room", "kind", "seq", "title"), rows, "there are no rooms yet")


async def delete_room(desk: Desk, arguments: Namespace) -> None:
    """The room is gone for everybody, with its log."""
    name = RoomName(fold_name(arguments.room))
    if not await desk.store.administration.delete_room(name, operator=desk.operator):
        raise Failed(f"there is no room {arguments.room}")
    desk.console.done(f"the room {name} is deleted", room=name)


async def archive_room(desk: Desk, arguments: Namespace) -> None:
    """The room may be read and not written, or written again."""
    record = (await desk.room(arguments.room)).record
    archived = not arguments.off
    await desk.store.governance.change(record.id, SERVER, Archive(archived), address=desk.address)
    said = "is archived: it can be read and not written" if archived else "is open again"
    desk.console.done(f"the room {record.name} {said}", room=record.name, archived=archived)


async def list_bans(desk: Desk, arguments: Namespace) -> None:
    """Who is banned or muted."""
    room_id = (await desk.room(arguments.room)).record.id
    rows: list[Row] = []
    after = ""
    while page := await desk.store.governance.restrained(room_id, SERVER, after=after, limit=desk.limits.list_page):
        after = page[-1].user
        rows += [
            {
                "user": one.user,
                "user_id": one.user_id,
                "banned_until": _until(one.banned_until),
                "muted_until": _until(one.muted_until),
                "reason": one.reason,
            }
            for one in page
        ]
    columns = ("user", "user_id", "banned_until", "muted_until", "reason")
    desk.console.rows(columns, rows, "nobody is banned or muted there")


def _until(ms: int) -> str | None:
    return None if ms == 0 else "for ever" if ms >= FOREVER else format_ts(ms)


async def add_ban(desk: Desk, arguments: Namespace) -> None:
    """Ban somebody, for ever or for a time by the store's clock."""
    access = await desk.room(arguments.room)
    person = await _person(desk, arguments.user)
    reason = parse_line(arguments.reason, "the reason", desk.limits.reason_bytes)
    if arguments.seconds is not None and arguments.seconds > desk.limits.restraint_s:
        raise Failed(f"--for is at most {desk.limits.restraint_s} seconds; without it a ban has no end")
    until = FOREVER if arguments.seconds is None else access.now + arguments.seconds * 1000
    ban = Ban(until=until, reason=reason)
    await desk.store.governance.change(access.record.id, SERVER, ban, target=person, address=desk.address)
    _say(
        desk,
        access,
        person,
        f"is banned {'for ever' if until == FOREVER else 'until ' + format_ts(until)}",
        _until(until),
    )


async def lift_ban(desk: Desk, arguments: Namespace) -> None:
    """Let somebody come again."""
    access = await desk.room(arguments.room)
    person = await _person(desk, arguments.user)
    changed = await desk.store.governance.change(access.record.id, SERVER, Unban(), target=person, address=desk.address)
    if changed.event is None:
        raise Failed(f"{person.user} is not banned in {access.record.name}")
    _say(desk, access, person, "may come again", None)


def _say(desk: Desk, access: Access, person: Person, said: str, until: str | None) -> None:
    room = access.record.name
    row = {"room": room, "user": person.user, "user_id": person.user_id, "banned_until": until}
    desk.console.done(f"{person.user} {said}, in {room}", **row)


async def _person(desk: Desk, user: str) -> Person:
    person = await desk.store.accounts.find_person(user)
    if person is None:
        raise Failed(f"there is no account and no guest {user}; a guest without a name goes by the id, g_…")
    return person
