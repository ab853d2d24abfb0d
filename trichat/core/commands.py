"""The commands that a client may give, as types: what the parser makes of a frame."""

from __future__ import annotations

from types import UnionType
from typing import ClassVar, get_args

from msgspec import UNSET, Struct, UnsetType

from trichat.core.command import Command
from trichat.core.commands_conversation import (
    DeleteMessage,
    EditMessage,
    Follow,
    Inbox,
    Mentions,
    Notify,
    Pin,
    Pins,
    Presence,
    React,
    Reactions,
    Read,
    Revisions,
    Search,
    Seen,
    SetPresence,
    Threads,
    Typing,
    Unfollow,
    Unpin,
    Unreact,
)
from trichat.core.commands_people import (
    Block,
    Blocks,
    Login,
    Logout,
    Password,
    Profile,
    Recover,
    Register,
    Rename,
    Revoke,
    Sessions,
    Totp,
    Unblock,
    Whois,
)
from trichat.core.commands_rooms import (
    Accept,
    ArchiveRoom,
    Audit,
    Bans,
    BanUser,
    Create,
    DeleteRoom,
    Direct,
    EditRoom,
    Invites,
    InviteUser,
    KickUser,
    MuteUser,
    Report,
    Reports,
    Resolve,
    RoomInfo,
    Roster,
    SetUserRole,
    TransferRoom,
    UnbanUser,
    Uninvite,
    UnmuteUser,
)


class Ping(Command, frozen=True, kw_only=True, tag="ping"):
    """Are you there?"""

    anonymous: ClassVar[bool] = True


class Help(Command, frozen=True, kw_only=True, tag="help"):
    """What may I say?"""

    of: str | None = None

    anonymous: ClassVar[bool] = True


class Hello(Command, frozen=True, kw_only=True, tag="hello"):
    """Take a free name, as a guest."""

    name: str


class Auth(Command, frozen=True, kw_only=True, tag="auth"):
    """Be again who a token says."""

    token: str

    anonymous: ClassVar[bool] = True


class Join(Command, frozen=True, kw_only=True, tag="join"):
    """Listen to a room, from `since` + 1 if given, else from its head."""

    room: str
    since: int | UnsetType = UNSET
    epoch: str | UnsetType = UNSET


class Position(Struct, frozen=True):
    """Where a client stands in a room's log: the last `seq` it has, of which epoch."""

    since: int
    epoch: str | UnsetType = UNSET


class Resume(Command, frozen=True, kw_only=True, tag="resume"):
    """Join many rooms, each from its position."""

    rooms: dict[str, Position]


class Leave(Command, frozen=True, kw_only=True, tag="leave"):
    """Hear no more of a room."""

    room: str


class Send(Command, frozen=True, kw_only=True, tag="send"):
    """Say something in a joined room."""

    room: str
    text: str
    reply_to: int | UnsetType = UNSET
    thread: int | UnsetType = UNSET
    cid: str | None = None


class History(Command, frozen=True, kw_only=True, tag="history"):
    """A page of messages in their present state, of a room or a thread; the latest when no place is given."""

    room: str
    thread: int | UnsetType = UNSET
    before: int | UnsetType = UNSET
    after: int | UnsetType = UNSET
    around: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class Events(Command, frozen=True, kw_only=True, tag="events"):
    """A page of the log, as it was written; or (`compact`) the last state of each message that it touches."""

    room: str
    since: int
    compact: bool = False
    limit: int | UnsetType = UNSET


class Rooms(Command, frozen=True, kw_only=True, tag="rooms"):
    """The rooms there are, or (`mine`) those one is a member of, by name, after `after`."""

    mine: bool = False
    after: str = ""
    limit: int | UnsetType = UNSET


class Members(Command, frozen=True, kw_only=True, tag="members"):
    """Who is connected to a room, by name, after `after`."""

    room: str
    after: str = ""
    limit: int | UnsetType = UNSET


TalkCommand = Ping | Help | Hello | Auth | Join | Resume | Leave | Send | History | Events | Rooms | Members
PeopleCommand = (
    Register | Login | Recover | Logout | Password | Totp | Rename | Profile | Whois | Sessions | Revoke | Block
    | Unblock | Blocks
)  # fmt: skip
RoomCommand = (
    Create | RoomInfo | EditRoom | ArchiveRoom | DeleteRoom | Direct | InviteUser | Invites | Uninvite | Accept
    | KickUser | BanUser | UnbanUser | MuteUser | UnmuteUser | SetUserRole | TransferRoom | Roster | Bans | Report
    | Reports | Resolve | Audit
)  # fmt: skip
ConversationCommand = (
    EditMessage | DeleteMessage | React | Unreact | Pin | Unpin | Revisions | Reactions | Pins | Threads | Follow
    | Unfollow | Read | Seen | Inbox | Mentions | Notify | Typing | Presence | SetPresence | Search
)  # fmt: skip
AnyCommand = TalkCommand | PeopleCommand | RoomCommand | ConversationCommand


def _by_name(commands: UnionType) -> dict[str, type[Command]]:
    return {str(command.__struct_config__.tag): command for command in get_args(commands)}


#: Every command by its `type`.
COMMANDS: dict[str, type[Command]] = _by_name(AnyCommand)
