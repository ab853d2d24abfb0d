"""The commands that a client may give, as types: what the parser makes of a frame."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

from trichat.core.errors import CommandId


class Command(Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """What all commands have: the client's own `id`, echoed in exactly one reply."""

    id: CommandId = None

    #: May be given before the client has identified itself, where guests are not allowed.
    anonymous: ClassVar[bool] = False


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
    cid: str | None = None


class History(Command, frozen=True, kw_only=True, tag="history"):
    """A page of messages in their present state; the latest when no place is given."""

    room: str
    before: int | UnsetType = UNSET
    after: int | UnsetType = UNSET
    around: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class Events(Command, frozen=True, kw_only=True, tag="events"):
    """A page of the log, as it was written."""

    room: str
    since: int
    limit: int | UnsetType = UNSET


class Rooms(Command, frozen=True, kw_only=True, tag="rooms"):
    """The rooms there are, by name, after `after`."""

    after: str = ""
    limit: int | UnsetType = UNSET


class Members(Command, frozen=True, kw_only=True, tag="members"):
    """Who is connected to a room, by name, after `after`."""

    room: str
    after: str = ""
    limit: int | UnsetType = UNSET


AnyCommand = Ping | Help | Hello | Auth | Join | Resume | Leave | Send | History | Events | Rooms | Members

#: Every command by its `type`.
COMMANDS: dict[str, type[Command]] = {
    str(command.__struct_config__.tag): command
    for command in (Ping, Help, Hello, Auth, Join, Resume, Leave, Send, History, Events, Rooms, Members)
}
