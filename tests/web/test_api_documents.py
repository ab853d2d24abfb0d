"""What the API says of itself is so: every route, type and example; and the transcripts of the protocol fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from starlette.applications import Starlette

from tests.docs.transcripts import PROTOCOL, transcripts
from trichat.core import replies, replies_conversation, replies_people, replies_rooms
from trichat.core.commands import COMMANDS
from trichat.core.events import KINDS
from trichat.core.help import HELP
from trichat.core.replies import Reply
from trichat.web.api.asyncapi import asyncapi, tag_of
from trichat.web.api.documents import curl_of, document_routes
from trichat.web.api.event_types import EVENTS, LogEvent, Message
from trichat.web.api.openapi import openapi
from trichat.web.api.operations import OPERATIONS, PREFIX

#: What is shown in the place of whatever differs each time; a pattern with more members says so by the last line.
_DIFFERS: Final = re.compile("…|«[^»]*»")
_MORE: Final = ",…}"
#: Of what is in the present state of a message, and not in the body of its event.
_OF_THE_STATE: Final = {"rev", "deleted", "edited", "pinned", "reactions", "replies", "last_reply"}


def validator(document: dict[str, Any], name: str) -> Any:
    """Whether something is as the schema `name` of `document` says."""
    return jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


async def served(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=document_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
        return await client.get(path)


# OpenAPI


def test_every_operation_is_in_the_document_and_no_other() -> None:
    paths = openapi()["paths"]
    shown = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert shown == {(one.method, one.path) for one in OPERATIONS}
    names = [made["operationId"] for methods in paths.values() for made in methods.values()]
    assert len(names) == len(set(names))
    assert openapi()["servers"] == [{"url": PREFIX}]


def test_the_document_is_an_openapi_document() -> None:
    """By the specification's own schema, which schemathesis brings."""
    OPENAPI_31_VALIDATOR.validate(openapi())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_field_is_explained_and_every_example_fits(operation: Any) -> None:
    made = openapi()["paths"][operation.path][operation.method.lower()]
    for parameter in made["parameters"]:
        assert parameter["description"]
        if "example" in parameter:
            jsonschema_rs.validate(parameter["schema"], parameter["example"])
    if operation.body:
        content = made["requestBody"]["content"]["application/json"]
        jsonschema_rs.validate(content["schema"], content["example"])
        assert all(one["description"] for one in content["schema"]["properties"].values())
    assert (made.get("security") == []) == operation.anonymous


@pytest.mark.parametrize("document", [openapi(), asyncapi()], ids=["openapi", "asyncapi"])
def test_everything_that_is_referred_to_is_there(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        place: Any = document
        for step in reference.split("/"):
            place = place[step]


# AsyncAPI


def test_every_command_reply_and_event_is_in_the_document() -> None:
    said = {
        kind
        for module in (replies, replies_conversation, replies_people, replies_rooms)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply
    }
    wanted = {kind.__name__: tag_of(kind) for kind in (*COMMANDS.values(), *said, *EVENTS)}
    assert {name: made["name"] for name, made in asyncapi()["components"]["messages"].items()} == wanted
    told = asyncapi()["operations"]
    listed = [one["$ref"].rpartition("/")[2] for part in told.values() for one in part["messages"]]
    assert sorted(listed) == sorted(wanted)
    assert {one["$ref"].rpartition("/")[2] for one in told["command"]["messages"]} == {
        kind.__name__ for kind in COMMANDS.values()
    }


def test_the_events_are_those_of_the_log_with_their_members() -> None:
    common = set(LogEvent.__struct_encode_fields__)
    shown = {tag_of(kind): set(kind.__struct_encode_fields__) - common for kind in EVENTS}
    shown["message"] -= _OF_THE_STATE
    shown["edited"] -= {"superseded"}
    assert shown == {kind: set(members) for kind, members in KINDS.items()}
    assert set(Message.__struct_encode_fields__) >= _OF_THE_STATE


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_every_command_fits(command: str) -> None:
    validator(asyncapi(), COMMANDS[command].__name__).validate(json.loads(HELP[command].example))


def frames() -> Iterator[tuple[str, bool, Any]]:
    """Every frame of the transcripts: where, whether a client says it, and the frame."""
    for document in PROTOCOL:
        for transcript in transcripts(document, "transcript"):
            for step in transcript.steps:
                wrong = any(re.search('"code":"(bad_field|unknown_type|unknown_field)"', one) for one in step.hears)
                said = [(True, step.says)] if step.says and step.says.startswith("{") and not wrong else []
                for by_client, line in [*said, *((False, line) for line in step.hears if line.startswith("{"))]:
                    if _MORE not in line:
                        yield f"{document}:{transcript.line}", by_client, json.loads(line)


def _fits(frame: Any, by_client: bool) -> bool:
    """Whether it fits a type of this name; what differs each time counts as anything."""
    kinds = COMMANDS.values() if by_client else (*_said(), *EVENTS)
    for kind in kinds:
        if tag_of(kind) != frame["type"]:
            continue
        errors = list(validator(asyncapi(), kind.__name__).iter_errors(frame))
        if all(isinstance(error.instance, str) and _DIFFERS.fullmatch(error.instance) for error in errors):
            return True
    return False


def _said() -> Iterator[type[Reply]]:
    for module in (replies, replies_conversation, replies_people, replies_rooms):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Reply) and kind is not Reply:
                yield kind


def test_all_that_is_said_in_the_transcripts_fits() -> None:
    shown = list(frames())
    assert len(shown) > 300
    wrong = [f"{where}: {frame}" for where, by_client, frame in shown if not _fits(frame, by_client)]
    assert not wrong, "\n".join(wrong)


def test_a_frame_that_is_wrong_does_not_fit() -> None:
    assert not _fits({"type": "send", "room": "lobby", "text": 7}, True)
    assert not _fits({"type": "send", "room": "lobby", "text": "a", "txt": "b"}, True)
    assert not _fits({"type": "ack", "room": "lobby"}, False)
    assert not _fits({"type": "message", "room": "lobby", "seq": "one"}, False)


# what is served


async def test_the_documents_are_served_to_anybody() -> None:
    assert (await served("/api/openapi.json")).json() == json.loads(json.dumps(openapi()))
    assert (await served("/api/asyncapi.json")).json() == json.loads(json.dumps(asyncapi()))


async def test_the_page_shows_every_operation_and_runs_nothing() -> None:
    page = await served("/api")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script|<style|<link|<img| on\w+=| style=", page.text)
    for operation in OPERATIONS:
        assert f"<h2>{operation.method} {operation.path}</h2>" in page.text
        assert curl_of(operation).startswith("curl ")
