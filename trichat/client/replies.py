"""What the client's calls return. What the core already has as a type (Joined, lists) is taken from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from trichat.client.events import RoomEvent
from trichat.core.events import ListedRoom
from trichat.core.replies import ListedMine


class Sent(Struct, frozen=True):
    """The message is committed as `seq`. `dup`: an earlier attempt with this `cid` had been."""

    seq: int
    cid: str
    dup: bool


class Changed(Struct, frozen=True):
    """The change is committed as the event `seq`; or nothing was to be changed, and `seq` is the room's head.

    `dup`: an earlier attempt with this `cid` had been.
    """

    seq: int
    cid: str
    dup: bool


class RoomsPage(Struct, frozen=True):
    """Public rooms, by name."""

    rooms: list[ListedRoom]
    more: bool


class MyRoomsPage(Struct, frozen=True):
    """The rooms that we are a member of, by name."""

    rooms: list[ListedMine]
    more: bool


class HistoryPage(Struct, frozen=True):
    """Messages in their present state, oldest first. `more` is about the direction that was asked for."""

    messages: list[Mapping[str, Any]]
    more: bool = False
    more_before: bool = False
    more_after: bool = False


class EventsPage(Struct, frozen=True):
    """A page of a room's log, oldest first."""

    events: list[RoomEvent]
    more: bool
