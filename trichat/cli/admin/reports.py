"""`trichat admin reports`: what was reported in all rooms, in direct ones too, where nobody else reads it."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import msgspec

from trichat.cli.admin.console import Failed, Row
from trichat.core.accounts import Reported
from trichat.core.codec import format_ts
from trichat.core.lines import parse_line
from trichat.core.names import RoomId, RoomName

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk


async def list_reports(desk: Desk, arguments: Namespace) -> None:
    """Open reports, or all, by number."""
    found: list[tuple[RoomName, Reported]] = []
    while page := await desk.store.administration.reports(
        resolved=arguments.all, after=found[-1][1].number if found else 0, limit=desk.limits.list_page
    ):
        found += page
    columns: tuple[str, ...] = ("number", "at", "room", "seq", "author", "text", "reporter", "reason")
    if arguments.all:
        columns += ("resolved_by", "note")
    nothing = "nothing was reported yet" if arguments.all else "no report is open"
    rooms = await desk.store.open_rooms(list({room for room, _ in found}), create=False)
    rows = [await _row(desk, rooms[room].id, room, report) for room, report in found if room in rooms]
    desk.console.rows(columns, rows, nothing)


async def _row(desk: Desk, room_id: RoomId, room: RoomName, report: Reported) -> Row:
    page = await desk.store.read_events(room_id, after=report.seq - 1, limit=1, max_bytes=desk.limits.page_bytes)
    body = msgspec.json.decode(page.events[0].body) if page.events else {}
    return {
        "author": page.events[0].user if page.events else "",
        "author_id": page.events[0].user_id if page.events else "",
        "text": body.get("text", ""),
        "number": report.number,
        "at": format_ts(report.at),
        "room": room,
        "seq": report.seq,
        "reporter": report.reporter,
        "reason": report.reason,
        "resolved_by": report.resolved_by,
        "note": report.note,
    }


async def resolve(desk: Desk, arguments: Namespace) -> None:
    """Close a report."""
    number = arguments.number
    note = parse_line(arguments.note, "the note", desk.limits.reason_bytes)
    if not await desk.store.administration.resolve(number, note, operator=desk.operator):
        raise Failed(f"there is no open report {number}")
    desk.console.done(f"the report {number} is resolved", number=number, note=note)
