"""People with accounts and bots in tests of the chat, and rooms that they govern."""

from __future__ import annotations

from typing import Any

import trio

from tests.chat.guests import Chat, Guest
from tests.nodes import LOOSE, Node
from tests.people import make_account, make_bot
from trichat.core.names import RoomName, UserId

#: Virtual seconds in which everybody hears of what was done: by its announcement, before any look at the heads.
SOON_S = LOOSE.heads_fast_s


async def person(chat: Chat, name: str, node: Node | None = None, *, admin: bool = False) -> Guest:
    """Somebody with a new account of this name, logged in."""
    return await log_in(chat, await make_account(chat.store, name, admin=admin), node)


async def bot(chat: Chat, name: str, scopes: list[str], rooms: list[str] | None = None) -> Guest:
    """A new bot, connected with a key for these scopes."""
    return await log_in(chat, await make_bot(chat.store, name, scopes, rooms))


async def log_in(chat: Chat, token: str, node: Node | None = None) -> Guest:
    """A connection that rests on this token."""
    guest = await chat.guest(node)
    ok = await guest.ask("auth", token=token)
    assert ok["type"] == "ok", ok
    return guest


def id_of(guest: Guest) -> UserId:
    """The identifier that the server gave them last."""
    return UserId([frame["user_id"] for frame in guest.frames if frame["type"] in ("welcome", "ok")][-1])


async def make(owner: Guest, **fields: Any) -> dict[str, Any]:
    """Make a room: what the server says of it."""
    reply = await owner.ask("create", **fields)
    assert reply["type"] == "room", reply
    return reply


async def make_private(owner: Guest, **fields: Any) -> RoomName:
    """Make a private room: its name."""
    return RoomName((await make(owner, kind="private", **fields))["room"])


async def open_room(owner: Guest, room: str, *guests: Guest) -> None:
    """Make a public room, in which the owner and these listen then."""
    await make(owner, room=room)
    for guest in (owner, *guests):
        await guest.join(room)


async def done(guest: Guest, command: str, **fields: Any) -> dict[str, Any]:
    """Give a command that is acknowledged: the ack."""
    ack = await guest.ask(command, **fields)
    assert ack["type"] == "ack", ack
    return ack


async def refused(guest: Guest, command: str, **fields: Any) -> tuple[str, str | None]:
    """Give a command that is refused: the code, and the field that the error names."""
    error = await guest.ask(command, **fields)
    assert error["type"] == "error", error
    assert error["message"]
    return error["code"], error.get("field")


async def give_role(owner: Guest, room: str, guest: Guest, role: str) -> None:
    """Let `guest` join the room and give them `role`."""
    await guest.join(room)
    await done(owner, "role", room=room, user=id_of(guest), role=role)


async def quiet() -> None:
    """Let the looks at the heads go by that joins ask for: for `SOON_S` nobody hears of anything but by its news."""
    await trio.sleep(2 * LOOSE.heads_fast_s)


def changes(guest: Guest, room: str, kind: str) -> list[dict[str, Any]]:
    """The events of the `kind` "room" or "member" that they heard."""
    return [frame for frame in guest.all_of(kind) if "from" in frame and frame["room"] == room]


def acts(guest: Guest, room: str) -> list[tuple[str, str]]:
    """What they heard of the room's members: what happened to whom."""
    return [(event["change"], event["user"]) for event in changes(guest, room, "member")]


async def hears_of(guest: Guest, room: str, change: str, user: str) -> None:
    """Wait until they hear that this happened to `user`."""
    await guest.until(lambda: (change, user) in acts(guest, room), SOON_S)
