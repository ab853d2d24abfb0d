"""`trichat admin bots`, `keys` and `secrets`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Final

from trichat.cli.admin.console import Failed, Row
from trichat.cli.admin.users import new_name, taken
from trichat.core.names import parse_room_name
from trichat.core.standing import Scope
from trichat.core.tokens import token_hash

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk

#: Of a key's id: enough that no two are the same.
_ID_CHARS: Final = 16
_SECRET_BYTES: Final = 32


async def add_bot(desk: Desk, arguments: Namespace) -> None:
    """A bot's account: it has keys and no password."""
    name, user_id = new_name(desk, arguments.name), desk.chance.account()
    if not await desk.store.administration.add_bot(user_id, name, operator=desk.operator):
        raise taken(name)
    desk.console.done(f"added the bot {name} ({user_id}); now: keys add {name} --scope read", name=name, id=user_id)


async def list_keys(desk: Desk, arguments: Namespace) -> None:
    """A bot's keys: what each may do, and where."""
    bot = await desk.bot(arguments.bot)
    rows: list[Row] = [
        {
            "id": key.id,
            "scopes": sorted(key.scopes),
            "rooms": None if key.rooms is None else sorted(key.rooms),
            "where": "everywhere" if key.rooms is None else sorted(key.rooms),
        }
        for key in await desk.store.administration.keys(bot.user_id)
    ]
    desk.console.rows(("id", "scopes", "where"), rows, f"{bot.name} has no keys")


async def add_key(desk: Desk, arguments: Namespace) -> None:
    """A new key, which is shown this once."""
    bot = await desk.bot(arguments.bot)
    scopes: list[Scope] = list(dict.fromkeys(arguments.scope))
    rooms = [parse_room_name(room, desk.limits.name_bytes) for room in dict.fromkeys(arguments.room)] or None
    key_id, key = _new_id(desk), desk.chance.token("b")
    await desk.store.administration.add_key(key_id, bot.user_id, token_hash(key), scopes, rooms, operator=desk.operator)
    _show(desk, key_id, key, f"the key {key_id} of {bot.name}, which is shown this once:")


async def rotate_key(desk: Desk, arguments: Namespace) -> None:
    """Another key in the place of this one, with the same scopes and rooms."""
    key_id, key = _new_id(desk), desk.chance.token("b")
    admin = desk.store.administration
    if not await admin.rotate_key(arguments.key, key_id, token_hash(key), operator=desk.operator):
        raise _no_such_key(arguments.key)
    _show(desk, key_id, key, f"{arguments.key} has ended; in its place is {key_id}, which is shown this once:")


async def revoke_key(desk: Desk, arguments: Namespace) -> None:
    """The key ends."""
    if not await desk.store.administration.end_key(arguments.key, operator=desk.operator):
        raise _no_such_key(arguments.key)
    desk.console.done(f"the key {arguments.key} has ended", id=arguments.key)


def _new_id(desk: Desk) -> str:
    return f"b_{desk.chance.label(_ID_CHARS)}"


def _show(desk: Desk, key_id: str, key: str, said: str) -> None:
    desk.console.done(f"{said}\n\n  {key}\n", id=key_id, key=key)


def _no_such_key(key_id: str) -> Failed:
    return Failed(f'there is no key {key_id}; "trichat admin keys list BOT" shows the ids, which begin with b_')


async def list_secrets(desk: Desk, arguments: Namespace) -> None:
    """The numbers of the secrets that guests' tokens are signed with."""
    numbers = sorted(await desk.store.signing_secrets())
    rows: list[Row] = [{"number": number, "signs": number == numbers[-1]} for number in numbers]
    desk.console.rows(("number", "signs"), rows, "there are none")


async def rotate_secret(desk: Desk, arguments: Namespace) -> None:
    """A new secret; tokens of the older ones still count."""
    await desk.store.signing_secrets()  # the first, if no server ever ran: the new one is another
    number = await desk.store.administration.add_secret(desk.chance.bytes(_SECRET_BYTES), operator=desk.operator)
    desk.console.done(
        f"secret {number} signs guests' tokens from now on, at every node within seconds; older ones still count.\n"
        "Guests get a token of it by hello. When they had time for that: secrets drop NUMBER",
        number=number,
    )


async def drop_secret(desk: Desk, arguments: Namespace) -> None:
    """Tokens that this secret signed count no more."""
    if not await desk.store.administration.drop_secret(arguments.number, operator=desk.operator):
        raise Failed(f"there is no secret {arguments.number} that could be dropped; the newest one stays")
    desk.console.done(
        f"secret {arguments.number} is dropped: within seconds no node takes its tokens any more",
        number=arguments.number,
    )
