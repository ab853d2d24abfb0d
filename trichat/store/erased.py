"""Which events are somebody's, and what an erasure makes of them. Pure; both stores do the same.

Their messages become tombstones, as deleted ones are, but without an event that says so: `rev` stays, and the author's
name tells the one from the other. What edited them loses its text. Where others mention them the text stays, and the
mention goes.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from trichat.core.accounts import ERASED
from trichat.core.codec import quote
from trichat.core.events import Event
from trichat.core.judging_acts import superseded_body
from trichat.core.names import UserId
from trichat.core.present import tombstone


def concerns(event: Event, user_id: UserId) -> bool:
    """Whether this person wrote `event`, or it is about them."""
    return event.user_id == user_id or _is_about(event, user_id)


def mentions(event: Event, user_id: UserId) -> bool:
    """Whether the text of `event` mentions this person."""
    if event.kind not in ("message", "edited") or trace_of(user_id) not in event.body:
        return False
    return any(mention["user_id"] == user_id for mention in _decoded(event).get("mentions", []))


def trace_of(user_id: UserId) -> bytes:
    """What is in the body of each event that mentions this person, and in no text: there quotes are escaped."""
    return b'"user_id":' + quote(user_id)


def erased(event: Event, user_id: UserId) -> Event:
    """`event` without the name and the words of this person: the same event, when it has neither."""
    if event.user_id == user_id:
        event = structs.replace(event, user=ERASED, body=_without_words(event))
    if _is_about(event, user_id):
        event = structs.replace(event, body=quote(_decoded(event) | {"user": ERASED}))
    if mentions(event, user_id):
        event = structs.replace(event, body=_without_mention(event, user_id))
    return event


def becomes_tombstone(event: Event, user_id: UserId) -> bool:
    """Whether this is a message of theirs, of which nothing but its place is kept."""
    return event.kind == "message" and event.user_id == user_id


def _without_words(event: Event) -> bytes:
    match event.kind:
        case "message":
            return tombstone(event.thread)
        case "edited":
            return superseded_body(_decoded(event)["target"])
    return event.body


def _without_mention(event: Event, user_id: UserId) -> bytes:
    body = _decoded(event)
    body["mentions"] = [mention for mention in body["mentions"] if mention["user_id"] != user_id]
    return quote(body if body["mentions"] else {name: said for name, said in body.items() if name != "mentions"})


def _is_about(event: Event, user_id: UserId) -> bool:
    return event.kind == "member" and _decoded(event)["user_id"] == user_id


def _decoded(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(event.body)
    return body
