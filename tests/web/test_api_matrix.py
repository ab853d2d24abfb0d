"""The matrix again, by HTTP: what is forbidden by the socket is forbidden here, and hidden rooms are not there."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from trio.testing import MockClock

from tests.chat.guests import open_chat
from tests.chat.matrix import Play
from tests.chat.matrix_law import LABELS, alters, outcome, shows, type_of
from tests.chat.matrix_questions import NEVER, question, shown
from tests.chat.matrix_stage import Stage
from tests.chat.matrix_who import CELLS, ROOMS, WHO, Who, hidden, listens
from tests.chat.test_matrix import LIMITS, begin
from tests.web.asking import Asker, open_asker
from trichat.core.standing import RoomRules
from trichat.web.api.asyncapi import tag_of
from trichat.web.api.operations import OPERATIONS, Operation

#: The operations by the commands that they give; one's own rooms are asked for by `inbox`.
BY_COMMAND: Final = {tag_of(one.command): one for one in OPERATIONS if one.name not in ("whoAmI", "makeGuest")}
ASKED: Final = [
    label for label in LABELS if label == "inbox" or (type_of(label) in BY_COMMAND and label != "rooms-mine")
]
#: What is heard by the socket of who has not joined, the API says as `resume` does: it enters the room in the same way.
ENTERS: Final = ("send", "leave")


def test_everything_that_the_api_can_do_in_rooms_is_asked() -> None:
    of_rooms = {command for command, one in BY_COMMAND.items() if "room" in one.in_path} | {"search", "rooms", "create"}
    assert of_rooms == {type_of(label) for label in ASKED} - {"inbox"}


def expected_of(label: str, who: Who, rules: RoomRules) -> str:
    if type_of(label) in ENTERS and not listens(who, rules):
        return outcome("resume", who, rules)
    return outcome(label, who, rules)


def request_of(operation: Operation, fields: dict[str, Any]) -> tuple[str, str, Any, dict[str, Any]]:
    """The method, path, body and query that say these fields of the command."""
    path = operation.path
    for name in operation.in_path:
        path = path.replace(f"{{{name}}}", quote(str(fields[name]), safe=""))
    query = {name: _written(value) for name, value in fields.items() if name in operation.query}
    body = {name: value for name, value in fields.items() if name in operation.body}
    assert fields.keys() == {*operation.in_path, *query, *body}
    return operation.method, path, body if operation.body else None, query


def _written(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


async def ask(asker: Asker, label: str, stage: Stage, room: str) -> httpx.Response:
    fields = question(label, stage, room)
    if label == "inbox":
        return await asker.get("/rooms", mine="true", **fields)
    method, path, body, query = request_of(BY_COMMAND[type_of(label)], fields)
    return await asker.ask(method, path, body, params=query)


def told(answer: httpx.Response, room: str) -> tuple[int, dict[str, str], str]:
    """All that an answer tells, with ROOM for the name."""
    said = answer.text.replace(json.dumps(room)[1:-1], "ROOM")
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, headers, said


async def _wrong(play: Play, stage: Stage, asker: Asker, label: str) -> str | None:
    who, rules = play.who, play.rules
    expected = expected_of(label, who, rules)
    answer = await ask(asker, label, stage, stage.name)
    heard = answer.json()
    code = heard["code"] if heard["type"] == "error" else "ok"
    if code != expected or (code == "ok") != answer.is_success:
        return f"{label}: expected {expected}, heard {answer.status_code} {answer.text}"
    if code == "ok":
        there = shows(label, who, rules)
        texts = json.dumps(heard).replace(stage.name, "ROOM")
        seen = shown(label, stage) in texts
        return None if there in (None, seen) else f"{label}: expected {there}, heard {answer.text}"
    if not hidden(who, rules):
        return None
    never = NEVER[rules.kind]
    other = await ask(asker, label, stage, never)
    return None if told(other, never) == told(answer, stage.name) else f"{label}: {other.text} is not {answer.text}"


@pytest.mark.parametrize(("room", "who"), CELLS)
async def test_what_they_may_by_http_is_what_they_may_by_the_socket(
    room: str, who: str, autojump_clock: MockClock
) -> None:
    async with open_chat(LIMITS) as chat, open_asker(chat.node.hub) as nobody:
        play = await begin(chat, room, who)
        asker = nobody.as_(play.subject.token)
        stage: Stage | None = None
        wrong: list[str] = []
        for label in ASKED:
            stage = stage or await play.stage()
            if problem := await _wrong(play, stage, asker, label):
                wrong.append(problem)
            changed = expected_of(label, WHO[who], ROOMS[room]) == "ok" and alters(label, WHO[who], ROOMS[room])
            stage = None if changed is not False or label in ("join", "leave") else stage
        assert not wrong, "\n".join(wrong)
