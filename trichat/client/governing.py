"""Rooms are made, described, changed and deleted; people are invited into them and come in."""

from __future__ import annotations

from typing import TypedDict, Unpack

import msgspec

from trichat.client.asking import Asking
from trichat.client.replies import Changed, MyRoomsPage
from trichat.core.replies_rooms import Accepted, InviteReply, ListedInvite, RoomReply


class Rules(TypedDict, total=False):
    """What holds in a room; what is not named stays as it is, or as the server has it."""

    title: str
    topic: str
    member_limit: int  # accounts; 0: any number
    slow_s: int  # seconds between two messages of one person; 0: none
    send: str  # the least role that may: guest, member, moderator, admin, owner
    history: str  # all, or joined: a member sees what came after they joined
    guests: bool  # whether they may come in


class Governing(Asking):
    """The commands that make and govern rooms, for accounts. `user` is a present name or a `user_id`."""

    async def create(self, room: str | None = None, *, kind: str = "public", **rules: Unpack[Rules]) -> RoomReply:
        """Make a room and own it; `join` it then. A private one is named by the server: give no `room`.

        Raises ConnectionLost when the connection goes before the answer: the room may have been made.
        """
        return msgspec.convert(await self._ask_once("create", room=room, kind=kind, **rules), RoomReply)

    async def direct(self, user: str) -> RoomReply:
        """Open the room of ourselves and one other person; `join` it then."""
        return await self._get(RoomReply, "direct", user=user)

    async def room(self, room: str) -> RoomReply:
        """What the room is, and our role in it."""
        return await self._get(RoomReply, "room", room=room)

    async def my_rooms(self, after: str | None = None, limit: int | None = None) -> MyRoomsPage:
        """The rooms that we are a member of, private and direct ones too, by name, after the name `after`."""
        return await self._get(MyRoomsPage, "rooms", mine=True, after=after, limit=limit)

    async def edit_room(self, room: str, *, cid: str | None = None, **rules: Unpack[Rules]) -> Changed:
        """Change the room's title, topic or rules."""
        return await self._change("edit_room", room, cid, **rules)

    async def archive(self, room: str, *, archived: bool = True, cid: str | None = None) -> Changed:
        """Close the room for writing, or open it again."""
        return await self._change("archive", room, cid, archived=archived)

    async def delete_room(self, room: str) -> None:
        """Delete the room with its log, for ever. Raises ConnectionLost when the connection goes before the answer."""
        await self._ask_once("delete_room", room=room)

    async def invite(self, room: str, user: str, *, cid: str | None = None) -> Changed:
        """Let an account into a room where it could not come alone."""
        return await self._change("invite", room, cid, user=user)

    async def invite_code(self, room: str, *, uses: int | None = None, for_s: int | None = None) -> InviteReply:
        """A code that can be passed on. Raises ConnectionLost when the connection goes before the answer."""
        return msgspec.convert(await self._ask_once("invite", room=room, uses=uses, for_s=for_s), InviteReply)

    async def invites(self, room: str) -> list[ListedInvite]:
        """The codes that can be used, by their first characters."""
        return msgspec.convert((await self._ask("invites", room=room))["invites"], list[ListedInvite])

    async def uninvite(self, room: str, code: str) -> None:
        """Make a code, named by its first characters, worthless."""
        await self._ask_once("uninvite", room=room, code=code)

    async def accept(self, code: str) -> Accepted:
        """Become a member of the room that a code is for; `join` it then. A code that is shown twice counts once."""
        return await self._get(Accepted, "accept", code=code)
