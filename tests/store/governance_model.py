"""What governance should do, said once more and otherwise: plain dictionaries, no word of `core.governance`.

People are names: ann, bob and cat have accounts, root administers the server, gus is a guest.
"""

from __future__ import annotations

from msgspec import Struct, field

RANK = {"guest": 0, "member": 2, "moderator": 3, "admin": 4, "owner": 5}
GUESTS = {"gus"}
NEEDS = {
    "invite": "moderator", "kick": "moderator", "ban": "moderator", "unban": "moderator", "mute": "moderator",
    "unmute": "moderator", "role": "admin", "transfer": "owner",
}  # fmt: skip


class Room(Struct):
    private: bool
    head: int = 0
    roles: dict[str, int] = field(default_factory=dict)
    invited: set[str] = field(default_factory=set)
    banned: dict[str, int] = field(default_factory=dict)  # until
    muted: dict[str, int] = field(default_factory=dict)
    spoke: dict[str, int] = field(default_factory=dict)
    rules: dict[str, object] = field(default_factory=dict)

    def rule(self, name: str) -> int:
        usual = {"member_limit": 0, "slow_s": 0, "send": 0, "guests": not self.private, "archived": False}
        value = self.rules.get(name, usual[name])
        assert isinstance(value, int)
        return value

    def is_banned(self, person: str, now: int) -> bool:
        return self.banned.get(person, 0) > now

    def is_muted(self, person: str, now: int) -> bool:
        return self.muted.get(person, 0) > now

    def power(self, person: str, now: int) -> int:
        if person == "root" and not self.private:
            return 5
        return 1 if self.is_muted(person, now) else self.roles.get(person, 0)

    def hides_from(self, person: str) -> bool:
        return self.private and person not in self.roles and person not in self.invited

    def lacks(self, person: str, role: str, now: int) -> str | None:
        """Why `person` cannot do what takes this role."""
        if self.hides_from(person):
            return "no_such_room"
        if self.is_banned(person, now) and person != "root":
            return "forbidden"
        return "forbidden" if self.power(person, now) < RANK[role] else None

    def remove(self, person: str) -> None:
        self.roles.pop(person, None)
        self.invited.discard(person)


#: What becomes of a command: an error's code, or whether an event was written.
Fate = str | bool


def enter(room: Room, person: str, now: int, *, has_code: bool = False) -> Fate:
    if person in room.roles:
        return False
    if room.hides_from(person) and not has_code:
        return "no_such_room"
    if person in GUESTS or room.is_banned(person, now):
        return "forbidden"
    if room.rule("member_limit") and len(room.roles) >= room.rule("member_limit"):
        return "limit_reached"
    room.roles[person] = 5 if room.head == 0 and not room.roles and not room.private else 2
    room.invited.discard(person)
    room.banned.pop(person, None)
    return True


def leave(room: Room, person: str) -> Fate:
    if room.hides_from(person):
        return "no_such_room"
    if person not in room.roles:
        return False
    if room.roles[person] == 5 and list(room.roles.values()).count(5) == 1:
        return "forbidden"
    del room.roles[person]
    return True


def act_on(room: Room, person: str, act: str, other: str, *, now: int, value: int = 0) -> Fate:
    """`value`: until when to ban or mute, or which role to give."""
    if (why := room.lacks(person, NEEDS[act], now)) is not None:
        return why
    power, theirs = room.power(person, now), room.roles.get(other, 0)
    if act in ("kick", "ban", "mute", "unmute"):
        if person == other:
            return "bad_field"
        if theirs >= power:
            return "forbidden"
    return _ACTS[act](room, person, other, now, value)


def _invite(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if other in GUESTS:
        return "bad_field"
    if room.is_banned(other, now):
        return "bad_state"
    if other in room.roles or other in room.invited:
        return False
    room.invited.add(other)
    return True


def _kick(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    may_listen = other in GUESTS and not room.private and room.rule("guests")
    if other not in room.roles and other not in room.invited and not may_listen:
        return "bad_state"
    room.remove(other)
    return True


def _ban(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if room.banned.get(other) == value and other not in room.roles and other not in room.invited:
        return False
    room.remove(other)
    room.banned[other] = value
    return True


def _unban(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if not room.is_banned(other, now):
        return False
    del room.banned[other]
    return True


def _mute(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if room.muted.get(other) == value:
        return False
    room.muted[other] = value
    return True


def _unmute(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if not room.is_muted(other, now):
        return False
    del room.muted[other]
    return True


def _role(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if value == 5:
        return "bad_field"
    if other not in room.roles:
        return "bad_state"
    if person == other:
        return "bad_field"
    if max(room.roles[other], value) >= room.power(person, now):
        return "forbidden"
    changed = room.roles[other] != value
    room.roles[other] = value
    return changed


def _transfer(room: Room, person: str, other: str, now: int, value: int) -> Fate:
    if person == other:
        return "bad_field"
    if other not in room.roles:
        return "bad_state"
    if room.roles[other] == 5:
        return False
    room.roles[other] = 5
    room.muted.pop(other, None)
    if room.roles.get(person) == 5:
        room.roles[person] = 4
    return True


_ACTS = {
    "invite": _invite, "kick": _kick, "ban": _ban, "unban": _unban, "mute": _mute, "unmute": _unmute, "role": _role,
    "transfer": _transfer,
}  # fmt: skip


def rule_said(room: Room, person: str, name: str, value: int, now: int) -> Fate:
    if (why := room.lacks(person, "owner" if name == "archived" else "admin", now)) is not None:
        return why
    if room.private and name == "guests" and value:
        return "bad_field"
    changed = room.rule(name) != value
    room.rules[name] = value
    return changed


def send(room: Room, person: str, now: int) -> Fate:
    """Why it is denied, or True."""
    if room.rule("archived"):
        return "archived"
    if room.is_banned(person, now):
        return "banned"
    if room.is_muted(person, now):
        return "muted"
    if person not in room.roles and person not in GUESTS:
        return "not_member"
    role = room.roles.get(person, 0)
    if role < room.rule("send") or (role < 2 and not room.rule("guests")):
        return "role"
    if room.rule("slow_s") and role < 3:
        if now - room.spoke.get(person, -(2**62)) < room.rule("slow_s") * 1000:
            return "slow"
        room.spoke[person] = now
    return True
