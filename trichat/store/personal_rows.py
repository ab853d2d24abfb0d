"""What is kept about a person, as rows of JSON. Pure; both stores make the same rows of it.

Never in it: what a password, a token, a key or a second factor is checked against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from trichat.core.accounts import Account, AuditEntry, Key, LoginSession, ProfileFields, Reported
from trichat.core.codec import encode_event, format_ts
from trichat.core.conversation import Revision, Told
from trichat.core.events import Event
from trichat.core.names import RoomName, UserId
from trichat.core.standing import ROLE_NAMES, Standing

#: The sections, in the order in which they come.
SECTIONS: Final = (
    "account", "names", "logins", "keys", "blocks", "memberships", "threads", "invites", "reports", "audit", "events",
)  # fmt: skip

Row = dict[str, object]


def account_row(
    account: Account,
    created: int,
    profile: ProfileFields,
    outside: tuple[str | None, str | None],
    *,
    password: bool,
    second_factor: bool,
) -> Row:
    """Who they are. `outside`: issuer and subject at another site."""
    issuer, subject = outside
    return {
        **structs.asdict(account),
        "created": format_ts(created),
        **structs.asdict(profile),
        "issuer": issuer,
        "subject": subject,
        "has_password": password,
        "has_second_factor": second_factor,
    }


def name_row(name: str, kept_until: int | None) -> Row:
    """A name that they hold, until when; None: for good."""
    return {"name": name, "kept_until": _until(kept_until)}


def login_row(session: LoginSession, expires: int) -> Row:
    return {
        **structs.asdict(session),
        "created": format_ts(session.created),
        "seen": format_ts(session.seen),
        "expires": format_ts(expires),
    }


def key_row(key: Key) -> Row:
    rooms = None if key.rooms is None else sorted(key.rooms)
    return {"id": key.id, "scopes": sorted(key.scopes), "rooms": rooms}


def block_row(other: UserId) -> Row:
    """Somebody whom they have blocked."""
    return {"user_id": other}


def membership_row(room: RoomName | None, name: str, standing: Standing, read: int, told: Told) -> Row:
    """How they stand to a room, and under which name they came to that; up to where they have read it, and what they
    want to be told of it. `room` None: it was deleted."""
    return {
        "room": room,
        "name": name,
        **structs.asdict(standing),
        "role": None if standing.role is None else ROLE_NAMES[standing.role],
        "muted_until": _until(standing.muted_until),
        "banned_until": _until(standing.banned_until),
        "read": read,
        "level": told.level,
        "quiet_until": _until(told.quiet_until),
    }


def thread_row(room: RoomName | None, root: int, following: bool, read: int) -> Row:
    """A thread that they follow, or want to hear no more of, and up to where they have read it."""
    return {"room": room, "thread": root, "following": following, "read": read}


def invite_row(room: RoomName | None, uses_left: int, expires: int) -> Row:
    """A code that they made."""
    return {"room": room, "uses_left": uses_left, "expires": format_ts(expires)}


def report_row(room: RoomName | None, report: Reported) -> Row:
    """A message that they reported."""
    return {"room": room, **structs.asdict(report), "at": format_ts(report.at)}


def audit_row(entry: AuditEntry, user_id: UserId) -> Row:
    """What they did, or what was done to them; from where others did it is not theirs to know."""
    address = entry.address if entry.actor_id == user_id else ""
    return {**structs.asdict(entry), "at": format_ts(entry.at), "address": address}


def event_row(room: RoomName | None, event: Event, revisions: Sequence[Revision] = ()) -> Row:
    """An event that they wrote, or that is about them, as the protocol writes it, with its old texts if it is a
    message that they edited. `room` None: it was deleted."""
    row: dict[str, Any] = msgspec.json.decode(encode_event(room or RoomName(""), event))
    old = [{**structs.asdict(revision), "at": format_ts(revision.at)} for revision in revisions]
    return row | {"room": room} | ({"revisions": old} if old else {})


def _until(ms: int | None) -> str | None:
    """`ms` as the protocol writes a time; None for none, and for never."""
    return format_ts(ms) if ms else None
