"""Which events are somebody's, and what an erasure makes of them. Pure; both stores do the same."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import structs

from trichat.core.codec import quote
from trichat.core.events import Event
from trichat.core.names import UserId

#: The name of whoever was erased; no account can be called so.
ERASED: Final = "erased"

_DELETED: Final = b'{"deleted":true}'


def concerns(event: Event, user_id: UserId) -> bool:
    """Whether this person wrote `event`, or it is about them."""
    return event.user_id == user_id or _is_about(event, user_id)


def erased(event: Event, user_id: UserId) -> Event:
    """`event` without the name and the words of this person: the same event, when it has neither."""
    if event.user_id == user_id:
        event = structs.replace(event, user=ERASED, body=_without_words(event))
    if _is_about(event, user_id):
        event = structs.replace(event, body=quote(_decoded(event) | {"user": ERASED}))
    return event


def _without_words(event: Event) -> bytes:
    match event.kind:
        case "message":
            return _DELETED
        case "edited":
            return quote({"target": _decoded(event)["target"], "deleted": True})
    return event.body


def _is_about(event: Event, user_id: UserId) -> bool:
    return event.kind == "member" and _decoded(event)["user_id"] == user_id


def _decoded(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(event.body)
    return body
