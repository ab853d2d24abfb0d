"""`trichat doctor`: what follows from the logs of the rooms is computed anew, and what differs is said."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from msgspec import structs

from trichat.cli import admin
from trichat.cli.admin.console import Failed
from trichat.core.doctor import Diagnosis, Figure, Finding, LogPage, RoomFigures
from trichat.core.names import RoomName, fold_name

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_ABOUT = """\
Compute anew, from the log of each room, all that is kept beside it, and say what differs.

It only reads, each room as of one moment, and may run beside servers. It exits with 1 when anything differs. Each
difference is one line: where, what is stored, what the log says, and what to do about it."""

_ROOMS_AT_ONCE: Final = 100


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="compare what is stored with what the logs say",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[admin.common_flags()],
        allow_abbrev=False,
    )
    parser.add_argument("--room", metavar="ROOM", help="this room alone, of whatever kind")
    parser.set_defaults(act=examine, only_looks=True)


#: 0 when nothing differs, 1 when something does or it could not be looked at, 2 when the settings are wrong.
run = admin.run


class Tally:
    """What was looked at, what differs, and what of that was shown."""

    def __init__(self) -> None:
        self.rooms = self.events = self.differences = 0
        self.shown: list[dict[str, object]] = []


async def examine(desk: Desk, arguments: argparse.Namespace) -> None:
    """Say what differs. Raises Failed when anything does, or when there is no such room."""
    tally = Tally()
    async for name in _names(desk, arguments.room):
        await _examine_room(desk, name, tally)
    if arguments.room is not None and not tally.rooms:
        raise Failed(f"there is no room {arguments.room}")
    console = desk.console
    if console.as_json:
        row = {"rooms": tally.rooms, "events": tally.events, "differences": tally.differences, "findings": tally.shown}
        console.done("", **row)
    if tally.differences:
        raise Failed(f"{_counted(tally.differences, 'difference')} in {_counted(tally.rooms, 'room')}")
    if not console.as_json:
        console.write(f"nothing differs: {_counted(tally.rooms, 'room')}, {_counted(tally.events, 'event')}")


async def _names(desk: Desk, only: str | None) -> AsyncIterator[RoomName]:
    """All rooms that there are, by name; or one."""
    if only is not None:
        yield RoomName(fold_name(only))
        return
    after = ""
    while page := await desk.store.administration.rooms(after=after, limit=_ROOMS_AT_ONCE):
        for room in page:
            yield room.room
        after = page[-1].room


async def _examine_room(desk: Desk, name: RoomName, tally: Tally) -> None:
    """Compare one room; one that is gone meanwhile has nothing to compare."""
    diagnosis: Diagnosis | None = None
    counts: Counter[Figure] = Counter()
    async with aclosing(desk.store.administration.examine(name)) as parts:
        async for part in parts:
            if diagnosis is None:
                assert isinstance(part, RoomFigures)
                diagnosis = Diagnosis(part)
                continue
            if isinstance(part, LogPage):
                tally.events += len(part.entries)
            _show(desk, diagnosis.take(part), counts, tally)
    if diagnosis is not None:
        tally.rooms += 1
        _show(desk, diagnosis.end(), counts, tally)
    tally.differences += counts.total()
    for what, count in counts.items():
        if count > desk.limits.findings and not desk.console.as_json:
            desk.console.write(f"{name}: {count - desk.limits.findings} more of {what}")


def _show(desk: Desk, findings: list[Finding], counts: Counter[Figure], tally: Tally) -> None:
    from trichat.store.remedies import remedy  # noqa: PLC0415  help answers without it

    for found in findings:
        counts[found.what] += 1
        if counts[found.what] > desk.limits.findings:
            continue
        if desk.console.as_json:
            tally.shown.append(structs.asdict(found) | {"remedy": remedy(found)})
        else:
            desk.console.write(f"{found.room}: {_said(found)}; {remedy(found)}")


# in words

_NAMES: Final[dict[Figure, str]] = {"body": "tombstone", "markers": "the marker of", "search": "the index at"}


def _said(found: Finding) -> str:
    """What differs, and how."""
    if found.what == "seq":
        return f"events {found.key[0]} to {found.key[1]} are missing"
    if found.what == "text":
        return f"the text of {found.key[0]} is not the one of {_values(found.computed)}, which edited it last"
    where = f"{_NAMES.get(found.what, found.what)} {', '.join(map(str, found.key))}".rstrip()
    if found.stored is None:
        return f"{where} is missing" + (f": {_values(found.computed)}" if found.computed else "")
    if found.computed is None:
        return f"{where} should not be there"
    return f"{where} is {_values(found.stored)}, by the log {_values(found.computed)}"


def _values(values: tuple[int, ...] | None) -> str:
    return ", ".join(map(str, values or ()))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
