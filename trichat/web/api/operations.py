"""Every request that the API takes: one table, from which requests are routed and read, and the documents are made.

What a request says are the fields of a command of the socket; their types and their explanations are the command's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct, field, structs

from trichat.core.command import Command
from trichat.core.commands import Auth, Events, Hello, History, Join, Leave, Members, Rooms, Send
from trichat.core.commands_conversation import DeleteMessage, EditMessage, React, Read, Search, Unreact
from trichat.core.commands_people import Login, Logout, Profile
from trichat.core.commands_rooms import Create, RoomInfo
from trichat.core.help import HELP
from trichat.core.replies import Ack, EventsPage, HistoryPage, Joined, Left, MembersPage, Ok, RoomsPage
from trichat.core.replies_conversation import InboxPage, ReadReply, SearchPage
from trichat.core.replies_people import OwnProfile
from trichat.core.replies_rooms import RoomReply

#: Under which path all of it is.
PREFIX: Final = "/api/v1"
#: How a value is written in a path or a query.
Kind = Literal["string", "integer", "boolean"]

_IN_PATH: Final = re.compile(r"\{(\w+)\}")
#: What the API adds to the fields of commands.
_ADDED: Final[dict[str, tuple[Kind, str]]] = {
    "wait_s": ("integer", "optional: if there is nothing, wait for so many seconds until there is"),
    "mine": ("boolean", "optional: true for the rooms that you are a member of, with what is unread"),
}


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path. The fields of `command` come from the path, the query, the body; `key`: its `cid` from
    the header Idempotency-Key. With `steps_in` the room is entered first, as by who has joined it."""

    method: str
    path: str
    name: str
    does: str
    command: type[Command]
    replies: Mapping[int, tuple[type[Struct], ...]]
    query: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    key: bool = False
    steps_in: bool = False
    anonymous: bool = False  # without a token
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_path(self) -> tuple[str, ...]:
        return tuple(_IN_PATH.findall(self.path))

    def needs(self, name: str) -> bool:
        """Whether the field `name` must be said."""
        return name in _needed(self.command) and not (self.command is Hello and name == "name")

    def kind(self, name: str) -> Kind:
        if name in _ADDED:
            return _ADDED[name][0]
        wanted = str({one.encode_name: one.type for one in structs.fields(self.command)}[name])
        return "boolean" if "bool" in wanted else "integer" if "int" in wanted else "string"

    def explains(self, name: str) -> str:
        if name in _ADDED:
            return _ADDED[name][1]
        return HELP[str(self.command.__struct_config__.tag)].fields[name]


def _needed(command: type[Command]) -> set[str]:
    return {one.encode_name for one in structs.fields(command) if one.required}


_CREATED: Final = tuple(name for name in Create.__struct_encode_fields__ if name != "id")
_PROFILE: Final = tuple(name for name in Profile.__struct_encode_fields__ if name != "id")
_MESSAGE: Final = "/rooms/{room}/messages/{seq}"
_REACTION: Final = f"{_MESSAGE}/reactions/{{emoji}}"

OPERATIONS: Final = (
    Operation(
        method="POST", path="/token", name="logIn", does="Log in: a token, by name and password", command=Login,
        replies={200: (Ok,)}, body=("name", "password", "code", "device"), anonymous=True,
        example={"name": "ann", "password": "a long sentence is best"},
    ),
    Operation(
        method="GET", path="/token", name="whoAmI", does="Whose the token is", command=Auth, replies={200: (Ok,)},
    ),
    Operation(
        method="DELETE", path="/token", name="logOut", does="Log out: the token counts for nothing any more",
        command=Logout, replies={200: (Ok,)},
    ),
    Operation(
        method="POST", path="/guests", name="makeGuest", does="Be a guest: a token, and a free name if one is said",
        command=Hello, replies={201: (Ok,)}, body=("name",), anonymous=True, example={"name": "gus"},
    ),
    Operation(
        method="GET", path="/me", name="readMe", does="Your own profile", command=Profile, replies={200: (OwnProfile,)},
    ),
    Operation(
        method="PATCH", path="/me", name="changeMe", does="Change what is said of your profile", command=Profile,
        replies={200: (OwnProfile,)}, body=_PROFILE, example={"about": "I water the plants."},
    ),
    Operation(
        method="GET", path="/rooms", name="listRooms", does="The public rooms; or yours, with what is unread",
        command=Rooms, replies={200: (RoomsPage, InboxPage)}, query=("mine", "after", "limit"),
        example={"mine": True},
    ),
    Operation(
        method="POST", path="/rooms", name="makeRoom", does="Make a room, and own it", command=Create,
        replies={201: (RoomReply,)}, body=_CREATED, example={"room": "garden", "title": "The garden"},
    ),
    Operation(
        method="GET", path="/rooms/{room}", name="readRoom", does="What a room is, and your role in it",
        command=RoomInfo, replies={200: (RoomReply,)},
    ),
    Operation(
        method="POST", path="/rooms/{room}/join", name="joinRoom",
        does="Become a member; a public room that is not there is made", command=Join, replies={200: (Joined,)},
    ),
    Operation(
        method="POST", path="/rooms/{room}/leave", name="leaveRoom", does="Be a member no more", command=Leave,
        replies={200: (Left,)}, steps_in=True,
    ),
    Operation(
        method="GET", path="/rooms/{room}/members", name="listMembers", does="Who is connected to a room",
        command=Members, replies={200: (MembersPage,)}, query=("after", "limit"), example={"limit": 10},
    ),
    Operation(
        method="GET", path="/rooms/{room}/messages", name="readMessages",
        does="A page of messages, oldest first; the latest when no place is given", command=History,
        replies={200: (HistoryPage,)}, query=("before", "after", "around", "limit", "thread"), example={"limit": 20},
    ),
    Operation(
        method="POST", path="/rooms/{room}/messages", name="send", does="Say something; 200 if it had been said before",
        command=Send, replies={201: (Ack,), 200: (Ack,)}, body=("text", "reply_to", "thread"), key=True,
        steps_in=True, example={"text": "hello"},
    ),
    Operation(
        method="PATCH", path=_MESSAGE, name="editMessage", does="Say your own message in other words",
        command=EditMessage, replies={200: (Ack,)}, body=("text",), key=True, example={"text": "hello, all"},
    ),
    Operation(
        method="DELETE", path=_MESSAGE, name="deleteMessage", does="Take a message back", command=DeleteMessage,
        replies={200: (Ack,)}, query=("reason",), key=True,
    ),
    Operation(
        method="PUT", path=_REACTION, name="react", does="Put an emoji to a message", command=React,
        replies={200: (Ack,)}, key=True,
    ),
    Operation(
        method="DELETE", path=_REACTION, name="unreact", does="Take your emoji back", command=Unreact,
        replies={200: (Ack,)}, key=True,
    ),
    Operation(
        method="PUT", path="/rooms/{room}/read", name="markRead", does="Say up to where you have read",
        command=Read, replies={200: (ReadReply,)}, body=("seq", "thread"), example={"seq": 1},
    ),
    Operation(
        method="GET", path="/rooms/{room}/events", name="readEvents",
        does="A page of the log after `since`; with `wait_s` it waits until there is something", command=Events,
        replies={200: (EventsPage,)}, query=("since", "limit", "compact", "wait_s"),
        example={"since": 0, "wait_s": 20},
    ),
    Operation(
        method="GET", path="/search", name="search", does="Find messages by words, newest first", command=Search,
        replies={200: (SearchPage,)}, query=("text", "room", "before", "limit"), example={"text": "hello"},
    ),
)  # fmt: skip
