"""The socket in the words of AsyncAPI 3.0, made of the types that parse what comes and write what goes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from msgspec import Struct

from trichat import __version__
from trichat.core.commands import COMMANDS
from trichat.core.help import HELP
from trichat.web.api.event_types import EVENTS
from trichat.web.api.schemas import REPLIES, components, refer

_ABOUT: Final = (
    "The WebSocket of trichat: one JSON object in each text frame. A command is answered by one reply with its `id`; "
    "events and pushes have none. Ignore types and members that you do not know: more may come."
)


@cache
def asyncapi() -> dict[str, Any]:
    """The whole document."""
    taken, said = tuple(COMMANDS.values()), (*REPLIES, *EVENTS)
    schemas = components((*taken, *said), with_ids=True)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "trichat", "version": __version__, "description": _ABOUT},
        "channels": {
            "socket": {
                "address": "/ws",
                "messages": {kind.__name__: _message_at("components", kind) for kind in (*taken, *said)},
            }
        },
        "operations": {
            "command": _operation("receive", "What a client may say", taken),
            "tell": _operation("send", "What the server says: replies, pushes, and the events of rooms", said),
        },
        "components": {
            "messages": {
                kind.__name__: _message(
                    kind, HELP[name].example if (name := tag_of(kind)) in HELP and kind in taken else None
                )
                for kind in (*taken, *said)
            },
            "schemas": {name: _as_draft_7(schema) for name, schema in schemas.items()},
        },
    }


def tag_of(kind: type[Struct]) -> str:
    """The `type` by which it goes on the wire."""
    return str(kind.__struct_config__.tag)


def _operation(action: str, summary: str, kinds: Iterable[type[Struct]]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/socket"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/socket/messages/{kind.__name__}"} for kind in kinds],
    }


def _message_at(where: str, kind: type[Struct]) -> dict[str, str]:
    return {"$ref": f"#/{where}/messages/{kind.__name__}"}


def _message(kind: type[Struct], example: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tag_of(kind), "contentType": "application/json", "payload": refer(kind)}
    if example is not None:
        made["examples"] = [{"payload": json.loads(example)}]
    return made


def _as_draft_7(schema: Any) -> Any:
    """AsyncAPI speaks an older JSON Schema, in which the places of a list have another name."""
    if isinstance(schema, list):
        return [_as_draft_7(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _as_draft_7(value) for name, value in schema.items()}
    if "prefixItems" in made:
        made["additionalItems"] = made.pop("items", True)
        made["items"] = made.pop("prefixItems")
    return made
