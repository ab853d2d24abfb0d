"""The fields of the commands that govern rooms: from what a client typed to what is meant, or `bad_field`.

Nothing here depends on any room, so that these errors tell nothing of one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, get_args

from msgspec import UNSET, UnsetType

from trichat.core.commands_rooms import Create, EditRoom
from trichat.core.errors import Refusal
from trichat.core.governance import Edit
from trichat.core.limits import Limits
from trichat.core.lines import parse_line
from trichat.core.standing import ROLE_NAMES, HistoryRule, Role, RoomKind, RoomRules

_ROLES: Final[dict[str, Role]] = {name: role for role, name in ROLE_NAMES.items()}
#: The roles that a room's rule may say of senders, and those that `role` gives.
_SENDERS: Final = ("guest", "member", "moderator", "admin", "owner")
_GIVEN: Final = ("member", "moderator", "admin")
_HISTORIES: Final[dict[str, HistoryRule]] = {rule: rule for rule in get_args(HistoryRule)}
#: What a room may say of its language: the text search configurations that come with PostgreSQL 14.
LANGUAGES: Final = (
    "simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german",
    "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "portuguese",
    "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish",
)  # fmt: skip
_MADE_KINDS: Final[dict[str, RoomKind]] = {"public": "public", "private": "private"}


def parse_rules(command: Create, limits: Limits) -> RoomRules:
    """The rules of a room that is to be made."""
    if command.kind == "direct":
        raise Refusal("bad_field", 'a direct room is opened by {"type":"direct","user":"…"}', field="kind")
    kind = _MADE_KINDS[_one_of(command.kind, "kind", _MADE_KINDS)]
    guests = kind == "public" if command.guests is UNSET else command.guests
    if guests and kind != "public":
        raise Refusal("bad_field", "guests come into public rooms alone", field="guests")
    return RoomRules(
        kind=kind,
        title=parse_line(command.title, "title", limits.title_bytes),
        topic=parse_line(command.topic, "topic", limits.topic_bytes),
        member_limit=parse_number(command.member_limit, "member_limit", 0, limits.room_members),
        slow_s=parse_number(command.slow_s, "slow_s", 0, limits.slow_s),
        send=_ROLES[_one_of(command.send, "send", _SENDERS)],
        history=_HISTORIES[_one_of(command.history, "history", _HISTORIES)],
        guests=guests,
        language=_one_of(command.language, "language", LANGUAGES),
        retention_days=parse_number(command.retention_days, "retention_days", 0, limits.retention_days),
    )


def parse_edit(command: EditRoom, limits: Limits) -> Edit:
    """What is to be changed of a room's rules."""
    title, topic, limit, slow_s = command.title, command.topic, command.member_limit, command.slow_s
    send, history = command.send, command.history
    language, retention = command.language, command.retention_days
    return Edit(
        title=UNSET if title is UNSET else parse_line(title, "title", limits.title_bytes),
        topic=UNSET if topic is UNSET else parse_line(topic, "topic", limits.topic_bytes),
        member_limit=UNSET if limit is UNSET else parse_number(limit, "member_limit", 0, limits.room_members),
        slow_s=UNSET if slow_s is UNSET else parse_number(slow_s, "slow_s", 0, limits.slow_s),
        send=UNSET if send is UNSET else _ROLES[_one_of(send, "send", _SENDERS)],
        history=UNSET if history is UNSET else _HISTORIES[_one_of(history, "history", _HISTORIES)],
        guests=command.guests,
        language=UNSET if language is UNSET else _one_of(language, "language", LANGUAGES),
        retention_days=UNSET
        if retention is UNSET
        else parse_number(retention, "retention_days", 0, limits.retention_days),
    )


def parse_given_role(text: str) -> Role:
    """The role that `role` is to give."""
    return _ROLES[_one_of(text, "role", _GIVEN)]


def parse_duration_ms(for_s: int | UnsetType, limits: Limits) -> int | None:
    """Seconds that a client said, in milliseconds; None when it said none: for ever."""
    return None if for_s is UNSET else parse_number(for_s, "for_s", 1, limits.restraint_s) * 1000


def parse_number(value: int, field: str, least: int, most: int) -> int:
    """`value`, or `bad_field` when it is not from `least` to `most`."""
    if not least <= value <= most:
        raise Refusal("bad_field", f"{field} is a number from {least} to {most}", field=field)
    return value


def parse_whom(text: str, limits: Limits) -> str:
    """What may name a person: a name, or an identifier."""
    if not text or len(text.encode()) > limits.name_bytes:
        raise Refusal("bad_field", f"user is a name of 1 to {limits.name_bytes} bytes, or a user_id", field="user")
    return text


def parse_cid(cid: str | None, limits: Limits) -> str | None:
    """The client's identifier of a command that writes, if it gave one."""
    if cid is not None and not 0 < len(cid) <= limits.cid_chars:
        raise Refusal("bad_field", f"cid has 1 to {limits.cid_chars} characters", field="cid")
    return cid


def parse_text(text: str, limits: Limits) -> str:
    """What a message is to say."""
    if not text:
        raise Refusal("bad_field", "text is empty", field="text")
    # a character has at most four bytes: most texts need not be encoded to be counted
    if len(text) * 4 > limits.text and len(text.encode()) > limits.text:
        raise Refusal("too_long", f"text is at most {limits.text} bytes of UTF-8; send it in parts", field="text")
    return text


def parse_limit(asked: int | UnsetType, most: int, default: int | None = None) -> int:
    """How many entries a page is to have: as asked, at most `most`; unasked `default`, or as many as it may have."""
    if asked is UNSET:
        return most if default is None else default
    if asked < 1:
        raise Refusal("bad_field", f"limit is a number from 1 to {most}", field="limit")
    return min(asked, most)


def _one_of(text: str, field: str, allowed: Collection[str]) -> str:
    if text not in allowed:
        raise Refusal("bad_field", f"{field} is one of {', '.join(allowed)}", field=field)
    return text
