"""The desk that the operator's acts are done at: the store, opened, and who the operator is."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from trichat.chat.people_ports import Access
from trichat.cli.admin.console import Console, Failed
from trichat.core.accounts import Account
from trichat.core.chance import Chance
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.core.names import RoomName, UserId, fold_name
from trichat.core.standing import Actor

if TYPE_CHECKING:
    from trichat.chat.ports import Store
    from trichat.settings import Settings

#: Who acts in rooms for the operator: as an owner in every public room.
SERVER: Final = Actor(UserId("u_server"), "server", admin=True)


class Desk(Struct, frozen=True):
    """What an act needs. `operator` is the user of the operating system, as the audit calls them."""

    store: Store
    console: Console
    limits: Limits
    chance: Chance
    operator: str

    @property
    def address(self) -> str:
        """From where the server acts, for the audit of rooms: it says whose hand it was."""
        return f"command line of {self.operator}"

    async def account(self, user: str) -> Account:
        """The account of this name or id. Raises Failed."""
        found = await self.store.administration.find(user)
        if found is None:
            raise Failed(f"there is no account {user}")
        return found

    async def bot(self, user: str) -> Account:
        """The bot of this name or id. Raises Failed."""
        account = await self.account(user)
        if account.kind != "bot":
            raise Failed(f"{account.name} is no bot")
        return account

    async def room(self, name: str) -> Access:
        """The room of this name, for what the server does there. Raises Failed for private and direct rooms too."""
        access = await self.store.governance.access(RoomName(fold_name(name)), SERVER.user_id)
        if access is None:
            raise Failed(f"there is no room {name}")
        if access.record.rules.kind != "public":
            raise Failed(f"{name} is a {access.record.rules.kind} room, which its own people govern; it can be deleted")
        return access


@asynccontextmanager
async def open_desk(settings: Settings, console: Console, *, only_looks: bool = False) -> AsyncIterator[Desk]:
    """The desk over the settings' database, or over the embedded one: a running server's, else started meanwhile.

    Raises what `open_embedded` and `open_postgres_store` raise, and Failed where there is no embedded one and who
    `only_looks` would make an empty one.
    """
    from trichat.store import open_postgres_store  # noqa: PLC0415  help and wrong settings answer without it

    limits, chance = Limits(), Chance()
    async with (
        open_database(settings, only_looks=only_looks) as url,
        open_postgres_store(
            url, limits, chance=chance, lanes=1, pooler=settings.pooler, unsafe=settings.unsafe,
            application_name="trichat admin",
        ) as store,
    ):  # fmt: skip
        yield Desk(store, console, limits, chance, operating_user())


@asynccontextmanager
async def open_database(settings: Settings, *, only_looks: bool) -> AsyncIterator[str]:
    """Where the settings' database is, the embedded one running. Raises as `open_desk` does, but for the store."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    from trichat.embedded import holds_database, open_embedded  # noqa: PLC0415  needed here alone

    if only_looks and not holds_database(settings.data_dir):
        raise Failed(f"there is no database in {settings.data_dir}; say --data-dir or --database-url")
    async with open_embedded(settings.data_dir, want_redis=False) as embedded:
        assert embedded.database_url is not None
        yield embedded.database_url


def operating_user() -> str:
    """The name of the user who runs us, by the kernel and not by the environment."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def said(error: Exception) -> str:
    """What the operator hears of what could not be done."""
    return error.message if isinstance(error, Refusal) else str(error)
