"""The commands that make and govern rooms."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from trichat.core.command import Command


class Create(Command, frozen=True, kw_only=True, tag="create"):
    """Make a room and own it. A private one is named by the server."""

    kind: str = "public"
    room: str | UnsetType = UNSET
    title: str = ""
    topic: str = ""
    member_limit: int = 0
    slow_s: int = 0
    send: str = "guest"
    history: str = "all"
    guests: bool | UnsetType = UNSET
    language: str = "simple"
    retention_days: int = 0


class RoomInfo(Command, frozen=True, kw_only=True, tag="room"):
    """Read what a room is, and one's own role in it."""

    room: str


class EditRoom(Command, frozen=True, kw_only=True, tag="edit_room"):
    """Change a room's title, topic or rules; what is not named stays."""

    room: str
    title: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    member_limit: int | UnsetType = UNSET
    slow_s: int | UnsetType = UNSET
    send: str | UnsetType = UNSET
    history: str | UnsetType = UNSET
    guests: bool | UnsetType = UNSET
    language: str | UnsetType = UNSET
    retention_days: int | UnsetType = UNSET
    cid: str | None = None


class ArchiveRoom(Command, frozen=True, kw_only=True, tag="archive"):
    """Close a room for writing, or (`archived` false) open it again."""

    room: str
    archived: bool = True
    cid: str | None = None


class DeleteRoom(Command, frozen=True, kw_only=True, tag="delete_room"):
    """Delete a room with its log, for ever."""

    room: str


class Direct(Command, frozen=True, kw_only=True, tag="direct"):
    """Open the room of oneself and one other person."""

    user: str


class InviteUser(Command, frozen=True, kw_only=True, tag="invite"):
    """Invite an account by name, or (without `user`) make a code that can be passed on."""

    room: str
    user: str | UnsetType = UNSET
    uses: int = 1
    for_s: int = 604_800
    cid: str | None = None


class Invites(Command, frozen=True, kw_only=True, tag="invites"):
    """List a room's invite codes."""

    room: str


class Uninvite(Command, frozen=True, kw_only=True, tag="uninvite"):
    """Make an invite code worthless."""

    room: str
    code: str


class Accept(Command, frozen=True, kw_only=True, tag="accept"):
    """Become a member of the room that an invite code is for."""

    code: str


class KickUser(Command, frozen=True, kw_only=True, tag="kick"):
    """Remove somebody from a room."""

    room: str
    user: str
    reason: str = ""
    cid: str | None = None


class BanUser(Command, frozen=True, kw_only=True, tag="ban"):
    """Remove somebody from a room and keep them out, for ever or for some seconds."""

    room: str
    user: str
    for_s: int | UnsetType = UNSET
    reason: str = ""
    cid: str | None = None


class UnbanUser(Command, frozen=True, kw_only=True, tag="unban"):
    """Let somebody come into a room again."""

    room: str
    user: str
    cid: str | None = None


class MuteUser(Command, frozen=True, kw_only=True, tag="mute"):
    """Let somebody read but not send, for ever or for some seconds."""

    room: str
    user: str
    for_s: int | UnsetType = UNSET
    reason: str = ""
    cid: str | None = None


class UnmuteUser(Command, frozen=True, kw_only=True, tag="unmute"):
    """Let somebody send again."""

    room: str
    user: str
    cid: str | None = None


class SetUserRole(Command, frozen=True, kw_only=True, tag="role"):
    """Make somebody member, moderator or admin of a room."""

    room: str
    user: str
    role: str
    cid: str | None = None


class TransferRoom(Command, frozen=True, kw_only=True, tag="transfer"):
    """Make somebody else the owner of a room."""

    room: str
    user: str
    cid: str | None = None


class Roster(Command, frozen=True, kw_only=True, tag="roster"):
    """The accounts that are members of a room, by name, after `after`, with their roles."""

    room: str
    after: str = ""
    limit: int | UnsetType = UNSET


class Bans(Command, frozen=True, kw_only=True, tag="bans"):
    """Who is banned from or muted in a room, by name, after `after`."""

    room: str
    after: str = ""
    limit: int | UnsetType = UNSET


class Report(Command, frozen=True, kw_only=True, tag="report"):
    """Tell a room's moderators of a message."""

    room: str
    seq: int
    reason: str = ""


class Reports(Command, frozen=True, kw_only=True, tag="reports"):
    """The open reports of a room (or all), oldest first, after the report `after`."""

    room: str
    all: bool = False
    after: int = 0
    limit: int | UnsetType = UNSET


class Resolve(Command, frozen=True, kw_only=True, tag="resolve"):
    """Close a report, with a note of what was done."""

    room: str
    report: int
    note: str = ""


class Audit(Command, frozen=True, kw_only=True, tag="audit"):
    """Who did what in a room, newest first, before the entry `before`."""

    room: str
    before: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET
