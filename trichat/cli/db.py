"""`trichat db`: the database as a whole, brought to this version, or told that it comes from a copy."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from trichat.cli import admin
from trichat.cli.admin.console import Console, Failed
from trichat.cli.admin.desk import open_database, operating_user
from trichat.core.chance import Chance
from trichat.core.limits import Limits

if TYPE_CHECKING:
    from trichat.settings import Settings
    from trichat.store.upgrading import SchemaState
    from trichat.store.upkeep import Upkeep

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_ABOUT = """\
What is done to the database as a whole, beside running servers or without one. It goes to the database of the
settings, as serve does; without one to the embedded PostgreSQL in the data folder."""
_NEW_EPOCH = """\
Give all rooms a new epoch, after the database was restored from a copy, and before servers run on it again. The
numbers of messages behind the end of the copy are given a second time then: clients that have the first ones are told
so (bad_position), instead of taking the one for the other."""

#: 0 when it was done (status: when this trichat runs on it), 1 when not, 2 when the settings are wrong.
run = admin.run


class UpkeepDesk(Struct, frozen=True):
    """What an act needs."""

    upkeep: Upkeep
    console: Console
    operator: str


@asynccontextmanager
async def open_upkeep_desk(settings: Settings, console: Console, *, only_looks: bool) -> AsyncIterator[UpkeepDesk]:
    """The desk over the settings' database, of whatever version."""
    from trichat.store import open_upkeep  # noqa: PLC0415  help and wrong settings answer without it

    async with (
        open_database(settings, only_looks=only_looks) as url,
        open_upkeep(url, Limits(), pooler=settings.pooler, unsafe=settings.unsafe) as upkeep,
    ):
        yield UpkeepDesk(upkeep, console, operating_user())


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "db",
        help="upgrade the database, or renew it after a restore",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[admin.common_flags()],
        allow_abbrev=False,
    )
    # in a data folder without a database none of them would have anything to do
    parser.set_defaults(opens=open_upkeep_desk, only_looks=True)
    acts = parser.add_subparsers(dest="verb", metavar="status|upgrade|new-epoch", required=True)
    for verb, about, more, act in (
        ("status", "say which version it has, and what it lacks", "", show_status),
        ("upgrade", "apply what it lacks, while servers run", "", upgrade),
        ("new-epoch", "tell clients, after a restore, that it comes from a copy", _NEW_EPOCH, new_epoch),
    ):
        act_parser = acts.add_parser(
            verb,
            help=about,
            description=more or f"{about[0].upper()}{about[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[admin.common_flags()],
            allow_abbrev=False,
        )
        act_parser.set_defaults(act=act)
        if act is new_epoch:
            act_parser.add_argument("--yes", action="store_true", help="do not ask")


async def show_status(desk: UpkeepDesk, arguments: argparse.Namespace) -> None:
    """How the database stands to this trichat. Raises Failed when that cannot run on it as it is."""
    from trichat.store.schema import SCHEMA_VERSION  # noqa: PLC0415  as above

    state = await desk.upkeep.state()
    if desk.console.as_json:
        desk.console.done("", **_row(state, SCHEMA_VERSION))
    else:
        for title in state.pending:
            desk.console.write(f"pending: {title}")
    if state.found is None:
        raise Failed("the database has no tables of trichat yet: type trichat db upgrade, or serve")
    _check(state)
    if not desk.console.as_json:
        newer = "" if state.found.version == SCHEMA_VERSION else ", newer than this trichat, which may run on it"
        desk.console.write(f"the database has version {state.found.version} of the schema{newer}")


def _check(state: SchemaState) -> None:
    from trichat.store.schema import check_version  # noqa: PLC0415  as above

    if state.found is not None:
        check_version(state.found)


def _row(state: SchemaState, needed: int) -> dict[str, object]:
    found = state.found
    return {
        "version": found and found.version,
        "compatible_from": found and found.compatible_from,
        "needed": needed,
        "pending": state.pending,
        "fits": state.fits,
    }


async def upgrade(desk: UpkeepDesk, arguments: argparse.Namespace) -> None:
    """Apply what the database lacks. Raises Failed, or what the store raises; what was applied by then stays."""
    applied: list[str] = []
    made = (await desk.upkeep.state()).found is None
    if made:
        await desk.upkeep.make_tables()
    async with aclosing(desk.upkeep.upgrade()) as titles:
        async for title in titles:
            applied.append(title)
            if not desk.console.as_json:
                desk.console.write(f"applied: {title}")
    found = (await desk.upkeep.state()).found
    assert found is not None
    nothing = "" if made or applied else ": there was nothing to do"
    said = f"the database has version {found.version} of the schema{nothing}"
    desk.console.done(said, version=found.version, applied=applied, made=made)


_QUESTION: Final = (
    "All rooms get a new epoch, and all clients begin at the end of their rooms. That is for a database that was"
    " restored from a copy. Type yes to go on:"
)


async def new_epoch(desk: UpkeepDesk, arguments: argparse.Namespace) -> None:
    """Give all rooms a new epoch. Raises Failed when it is not confirmed."""
    if not arguments.yes:
        desk.console.confirm(_QUESTION, "yes")
    rooms = await desk.upkeep.renew_epochs(Chance(), operator=desk.operator)
    has = "room has" if rooms == 1 else "rooms have"
    desk.console.done(f"{rooms} {has} a new epoch: clients that come back with an old one are told", rooms=rooms)
