"""The commands that make and govern rooms: from each to the function that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from trichat.chat.governed import account_needed
from trichat.chat.inviting import accept, invite, invites, uninvite
from trichat.chat.making import archive, create, delete_room, direct, edit_room, room_info
from trichat.chat.moderating import ban, bans, kick, mute, roster, set_role, transfer, unban, unmute
from trichat.chat.reporting import audit, report, reports, resolve
from trichat.chat.session import Session, Waiting
from trichat.core import commands_rooms as rooms
from trichat.core.command import Command
from trichat.core.commands import RoomCommand

#: Each checks the command's fields, then finds the room, then asks the store; raises Refusal and StoreUnavailable.
ACTS: Final[dict[type[Command], Callable[[Session, Any], Awaitable[None]]]] = {
    rooms.Create: create,
    rooms.RoomInfo: room_info,
    rooms.EditRoom: edit_room,
    rooms.ArchiveRoom: archive,
    rooms.DeleteRoom: delete_room,
    rooms.Direct: direct,
    rooms.InviteUser: invite,
    rooms.Invites: invites,
    rooms.Uninvite: uninvite,
    rooms.Accept: accept,
    rooms.KickUser: kick,
    rooms.BanUser: ban,
    rooms.UnbanUser: unban,
    rooms.MuteUser: mute,
    rooms.UnmuteUser: unmute,
    rooms.SetUserRole: set_role,
    rooms.TransferRoom: transfer,
    rooms.Roster: roster,
    rooms.Bans: bans,
    rooms.Report: report,
    rooms.Reports: reports,
    rooms.Resolve: resolve,
    rooms.Audit: audit,
}

#: What guests may say of rooms too.
FOR_GUESTS: Final = (rooms.RoomInfo, rooms.Report)


def governing(session: Session, command: RoomCommand) -> Waiting | None:
    """Do what `command` says, or return what must wait. Raises Refusal."""
    if session.account is None and not isinstance(command, FOR_GUESTS):
        raise account_needed()  # before anything is looked up
    return partial(ACTS[type(command)], session, command)
