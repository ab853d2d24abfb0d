"""What is said to a node in the matrix, and what of the answer shows what it is about."""

from __future__ import annotations

import json
from itertools import count
from typing import Any, Final

from msgspec import Struct

from tests.chat.guests import Guest
from tests.chat.matrix_law import type_of
from tests.chat.matrix_stage import IN_OTHER_WORDS, OLD, OWN, PINNED, REACTION, REPLY, TEXT, Stage

#: Names of rooms that never were.
NEVER: Final = {"public": "never", "private": "~" + "n" * 12, "direct": "@" + "n" * 26}

_numbers: Final = count(1)


class Heard(Struct, frozen=True):
    """What came of a command: `ok` or a code; and all that was said of it, without `id`, with `ROOM` for the name."""

    outcome: str
    said: str


async def ask(subject: Guest, label: str, stage: Stage, room: str) -> Heard:
    """Give the command of this label about `room`, as if it were that of `stage`."""
    start = len(subject.frames)
    reply = await subject.ask(type_of(label), **question(label, stage, room))
    pushed = [one for one in subject.frames[start:] if one["type"] == "error" and "id" not in one]
    errors = pushed + ([reply] if reply["type"] == "error" else [])
    said = [{name: value for name, value in one.items() if name != "id"} for one in [*pushed, reply]]
    return Heard(errors[0]["code"] if errors else "ok", json.dumps(said).replace(room, "ROOM"))


def question(label: str, stage: Stage, room: str) -> dict[str, Any]:
    """The fields of the command of this label, about `room`, as if it were that of `stage`."""
    there, whom = {"room": room}, {"user": stage.whom.get(label, "")}
    fields: dict[str, dict[str, Any]] = {
        "resume": {"rooms": {room: {"since": 0}}},
        "send": {**there, "text": "hello"},
        "events": {**there, "since": 0},
        "rooms": {"after": room[:-1]},
        "rooms-mine": {"mine": True},
        "create": {"room": f"made{next(_numbers)}"},
        "direct": whom,
        "accept": {"code": stage.code},
        "uninvite": {**there, "code": stage.code},
        **{kind: {**there, **whom} for kind in ("invite", "kick", "ban", "unban", "unmute", "transfer")},
        "mute": {**there, **whom, "reason": "again"},
        "role": {**there, **whom, "role": stage.given_role},
        "role-admin": {**there, **whom, "role": "admin"},
        "edit_room": {**there, "topic": "another-topic"},
        "archive": {**there, "archived": not stage.rules.archived},
        "report": {**there, "seq": stage.seq},
        "resolve": {**there, "report": stage.report},
        **_about_messages(stage, there),
        **_about_reading(stage, there),
        **_searches(room, stage.whom.get(label, "")),
    }
    return fields.get(label, there)


def _about_messages(stage: Stage, there: dict[str, str]) -> dict[str, dict[str, Any]]:
    message, own = {**there, "seq": stage.seq}, {**there, "seq": stage.own or stage.seq}
    return {
        "send-reply": {**there, "text": "hello", "reply_to": stage.seq},
        "send-thread": {**there, "text": "hello", "thread": stage.seq},
        "send-name": {**there, "text": f"hello @{stage.whom['send-name']}"},
        "send-room": {**there, "text": "hello @room"},
        "edit-own": {**own, "text": IN_OTHER_WORDS},
        "edit-other": {**message, "text": IN_OTHER_WORDS},
        "delete-own": own,
        "delete-other": message,
        "react": {**message, "emoji": "🎉"},
        "unreact": {**own, "emoji": REACTION},
        "pin": message,
        "unpin": {**there, "seq": stage.pinned or stage.seq},
        "revisions-own": own,
        "revisions-other": message,
        "reactions": message,
        "history-thread": {**there, "thread": stage.seq},
        "events-compact": {**there, "since": 0, "compact": True},
    }


def _about_reading(stage: Stage, there: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {
        "threads-all": {**there, "all": True},
        "follow": {**there, "thread": stage.seq},
        "unfollow": {**there, "thread": stage.own or stage.seq},
        "read": {**there, "seq": stage.seq},
        "read-thread": {**there, "thread": stage.seq, "seq": stage.reply},
        "notify": {**there, "level": "none"},
        "inbox": {"after": there["room"][:-1]},
        "mentions": {},
        "set_presence": {"state": "online"},
        "set_presence-hidden": {"hidden": False},
    }


def _searches(room: str, author: str) -> dict[str, dict[str, Any]]:
    return {
        "search": {"room": room, "text": "hidden"},
        "search-in": {"text": f"hidden in:{room}"},
        "search-from": {"room": room, "text": f"-nothing from:{author}"},
        "search-all": {"text": "hidden"},
    }


def shown(label: str, stage: Stage) -> str:
    """What stands in the answer if it shows what it is about, as `Heard.said` has it."""
    texts = {
        **dict.fromkeys(("history", "events", "events-compact", "threads-all"), TEXT),
        **dict.fromkeys(("search", "search-in", "search-from"), TEXT),
        **dict.fromkeys(("revisions-own", "revisions-other"), OLD),
        **dict.fromkeys(("seen", "presence"), stage.host.name),
        "history-thread": REPLY,
        "threads": OWN,
        "pins": PINNED,
        "reactions": REACTION,
    }
    return json.dumps(texts.get(label, "ROOM"))
