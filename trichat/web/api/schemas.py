"""JSON schemas of what the server says and takes, made of the types that it says and takes it by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from trichat.core import replies, replies_conversation, replies_people, replies_rooms
from trichat.core.events import ListedRoom
from trichat.core.replies import ListedMine, Reply
from trichat.web.api.event_types import EVENTS, Message

Schema = dict[str, Any]

_WHERE: Final = "#/components/schemas/"


class RoomsPage(Reply, frozen=True, kw_only=True, tag="rooms"):
    """In the place of the reply of this name, whose list is of one type or another: no schema can be made of that."""

    rooms: list[Raw]
    more: bool


#: Every reply and push of the socket.
REPLIES: Final[tuple[type[Reply], ...]] = tuple(
    kind
    for module in (replies, replies_conversation, replies_people, replies_rooms)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply and kind.__module__ == module.__name__
)


def refer(kind: type[Struct]) -> Schema:
    return {"$ref": _WHERE + kind.__name__}


def one_of(kinds: Iterable[type[Struct]]) -> Schema:
    referred = [refer(kind) for kind in kinds]
    return referred[0] if len(referred) == 1 else {"oneOf": referred}


#: What stands in the lists and members that are handed on as bytes. Everything else of that kind is a message.
_HANDED_ON: Final[dict[tuple[str, str], Schema]] = {
    ("RoomsPage", "rooms"): one_of((ListedRoom, ListedMine)),
    ("EventsPage", "events"): one_of(EVENTS),
}


def components(kinds: Iterable[type[Struct]], *, with_ids: bool) -> dict[str, Schema]:
    """The schemas of `kinds` and of what they are made of, by name; `with_ids`: replies have the `id` of a command."""
    wanted = {RoomsPage if kind is replies.RoomsPage else kind: None for kind in kinds}
    wanted |= dict.fromkeys((*EVENTS, ListedRoom, ListedMine))
    _, made = msgspec.json.schema_components(tuple(wanted), ref_template=_WHERE + "{name}")
    for name, schema in made.items():
        if not with_ids and "type" in schema["properties"]:
            schema["properties"].pop("id", None)
        for field, kind in schema["properties"].items():
            _say_what_is_handed_on(name, field, kind)
    return made


def _say_what_is_handed_on(name: str, field: str, schema: Schema) -> None:
    inside = _HANDED_ON.get((name, field), refer(Message))
    if not schema:
        schema.update(inside)
    elif schema.get("items") == {}:
        schema["items"] = inside
