"""Who is online, away or offline, and on which devices. Pure: the stores bring the rows, this says what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from trichat.core.names import UserId
from trichat.core.standing import is_account

State = Literal["online", "away"]

#: Devices that are no login's: a guest's connections, a bot's, and those of who comes by another site's token.
GUEST_DEVICE: Final = "guest"
BOT_DEVICE: Final = "bot"
UNKNOWN_DEVICE: Final = "unknown"


class Device(Struct, frozen=True, order=True):
    """A device that is connected; `name` as its login says, else one of the above."""

    name: str
    state: State


class Attendee(Struct, frozen=True):
    """Somebody of a room. Without devices they are offline, and were seen last at `last_seen` (milliseconds since 1970;
    None: that is not told)."""

    user: str
    user_id: UserId
    devices: tuple[Device, ...]
    last_seen: int | None = None

    @property
    def state(self) -> Literal["online", "away", "offline"]:
        if not self.devices:
            return "offline"
        return "online" if any(device.state == "online" for device in self.devices) else "away"


class RoomAttendance(Struct, frozen=True):
    """Everybody of a room, by `user_id`; or, where they are too many, how many are online and away (`people` None)."""

    people: Mapping[UserId, Attendee] | None
    online: int
    away: int


class Listening(Struct, frozen=True):
    """Somebody who listens to a room; of guests also whether they are away wherever they do."""

    user: str
    guest_away: bool


class MemberSeen(Struct, frozen=True):
    """A member of a room; `last_seen` in milliseconds since 1970, None when not known or hidden."""

    user: str
    user_id: UserId
    last_seen: int | None


def attendance_of(
    here: Mapping[UserId, Listening], members: Iterable[MemberSeen], devices: Mapping[UserId, Iterable[Device]]
) -> RoomAttendance:
    """The attendance of a small room: `here` listen to it, `members` are its members or none.

    `devices` are those of all accounts among them, but of who hides.
    """
    people = {
        user_id: Attendee(one.user, user_id, _devices_of(user_id, devices) if is_account(user_id) else _guest(one))
        for user_id, one in here.items()
    }
    for member in members:
        if member.user_id not in people:
            connected = _devices_of(member.user_id, devices)
            last_seen = None if connected else member.last_seen
            people[member.user_id] = Attendee(member.user, member.user_id, connected, last_seen)
    return counted(people)


def counted(people: Mapping[UserId, Attendee]) -> RoomAttendance:
    """`people`, and how many of them are online and away."""
    states = [one.state for one in people.values()]
    return RoomAttendance(people, states.count("online"), states.count("away"))


def _devices_of(user_id: UserId, devices: Mapping[UserId, Iterable[Device]]) -> tuple[Device, ...]:
    return tuple(sorted(devices.get(user_id, ())))


def _guest(one: Listening) -> tuple[Device, ...]:
    return (Device(GUEST_DEVICE, "away" if one.guest_away else "online"),)


def changes(told: RoomAttendance | None, now: RoomAttendance) -> list[Attendee]:
    """Those of whom what was `told` is not so any more, as they are `now`; who is there no more is offline."""
    before = {} if told is None or told.people is None else told.people
    after = now.people or {}
    changed = [one for user_id, one in after.items() if before.get(user_id) != one]
    gone = [Attendee(one.user, user_id, ()) for user_id, one in before.items() if user_id not in after]
    return changed + gone if now.people is not None else []
