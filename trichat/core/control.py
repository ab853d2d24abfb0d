"""Events that decide who hears what follows them, or make an old text another one: found in the very bytes that clients
get, wherever those come from.

A node delivers a room's events in the order of the log, and applies these at their place in it: so there is no moment
at which one node still lets somebody hear what comes after their removal, and none at which it hands a text on from
memory after the event that took it back.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, structs

from trichat.core.codec import payload_of
from trichat.core.names import UserId
from trichat.core.standing import ROLE_NAMES, Role, RoomRules, is_account

#: How such an event's payload begins. No text of a user's can hold this: there its quotes are escaped.
_BEGINNING: Final = re.compile(rb'\{"type":"(?:member|room|edited|deleted)","room":')
_REWRITING: Final = frozenset({"edited", "deleted"})
_REMOVED: Final = frozenset({"left", "kicked", "banned"})
_RESTRAINED: Final = frozenset({"banned", "muted"})
_ROLES: Final = {name: role for role, name in ROLE_NAMES.items()}


class Control(Struct, frozen=True):
    """What such an event decides."""

    seq: int
    removed: UserId | None = None  # hears nothing after it
    guests_removed: bool = False  # no guest does
    restrained: UserId | None = None  # is banned or muted from it on
    changes: dict[str, Any] = {}  # of the room's rules
    rewrites: bool = False  # a message before it says another thing now, or nothing

    def removes(self, user_id: UserId) -> bool:
        return self.removed == user_id or (self.guests_removed and not is_account(user_id))

    @property
    def removes_somebody(self) -> bool:
        return self.removed is not None or self.guests_removed


class _Event(Struct, frozen=True):
    type: Literal["member", "room", "edited", "deleted"]
    seq: int
    user_id: UserId = UserId("")
    change: str = ""
    changes: dict[str, Any] = {}


_decode: Final = msgspec.json.Decoder(_Event).decode


def holds_controls(joined: bytes) -> bool:
    """Whether some frame of `joined` is such an event: one search, on the hot path."""
    return _BEGINNING.search(joined) is not None


def read_control(frame: bytes) -> Control | None:
    """What the event in `frame` decides; None for one that decides nothing here."""
    payload = payload_of(frame)
    if _BEGINNING.match(payload) is None:
        return None
    event = _decode(payload)
    if event.type in _REWRITING:
        return Control(event.seq, rewrites=True)
    if event.type == "room":
        return Control(event.seq, guests_removed=event.changes.get("guests") is False, changes=event.changes)
    removed = event.user_id if event.change in _REMOVED else None
    restrained = event.user_id if event.change in _RESTRAINED else None
    return Control(event.seq, removed=removed, restrained=restrained)


def apply_changes(rules: RoomRules, changes: dict[str, Any]) -> RoomRules:
    """`rules` as they are after a `room` event; members of a later version are ignored, and so is the fixed kind."""
    known: dict[str, Any] = {name: value for name, value in changes.items() if name in _CHANGEABLE}
    if "send" in known:
        known["send"] = _ROLES.get(known["send"], Role.OWNER)
    return structs.replace(rules, **known)


_CHANGEABLE: Final = frozenset(RoomRules.__struct_fields__) - {"kind"}


class Removals:
    """Who was removed, and at which `seq` last: asked about those who were let in by a look at the store.

    Remembers `most` people; of who was forgotten it is assumed that they were removed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._last: OrderedDict[UserId, int] = OrderedDict()
        self._guests = 0
        self._forgotten = 0

    def note(self, control: Control) -> None:
        """`control` is at its place."""
        if control.guests_removed:
            self._guests = control.seq
        if control.removed is not None:
            self._last.pop(control.removed, None)
            self._last[control.removed] = control.seq
            if len(self._last) > self._most:
                _, self._forgotten = self._last.popitem(last=False)

    def since(self, user_id: UserId, as_of: int) -> bool:
        """Whether `user_id`, who might read as of the `seq` `as_of`, was removed after it."""
        if not is_account(user_id) and self._guests > as_of:
            return True
        return self._last.get(user_id, self._forgotten) > as_of
