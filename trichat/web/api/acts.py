"""What each operation does with a call: mostly, give its command."""

from __future__ import annotations

from urllib.parse import quote as percent_encoded

from starlette.responses import Response

from trichat.chat.joining import step_in
from trichat.core.commands import Auth
from trichat.core.commands_conversation import Inbox
from trichat.core.errors import Refusal
from trichat.core.names import given_name
from trichat.web.api.answering import answered
from trichat.web.api.call import Answer, Call
from trichat.web.api.operations import PREFIX, Operation
from trichat.web.api.polling import LongPolls, events_when_there_are_some, read_wait_s


async def perform(
    call: Call, operation: Operation, fields: dict[str, object], token: str | None, polls: LongPolls
) -> Response:
    """Say who asks, do what is asked, and answer. Raises Refusal and StoreUnavailable."""
    wait_s = read_wait_s(fields, call.hub.limits)
    if operation.name == "makeGuest":
        _become_guest(call, fields)
    elif not operation.anonymous:
        who = await _identify(call, token)
        if operation.name == "whoAmI":
            return answered(who.body)
    if operation.steps_in:
        await step_in(call.session, str(fields["room"]))
    if operation.name == "readEvents":
        return answered((await events_when_there_are_some(call, polls, fields, wait_s)).body)
    if operation.name == "listRooms" and fields.pop("mine", False):
        return answered((await call.ask(Inbox, fields)).body)
    return _answer(operation, await call.ask(operation.command, fields))


async def _identify(call: Call, token: str | None) -> Answer:
    if token is None:
        said = "say who you are by the header Authorization: Bearer …; POST /api/v1/token gives a token"
        raise Refusal("unauthenticated", said)
    return await call.ask(Auth, {"token": token})


def _become_guest(call: Call, fields: dict[str, object]) -> None:
    """A new guest, as by the welcome of a connection; who says no name has the given one."""
    if not call.hub.allow_guests:
        raise Refusal("forbidden", "guests are refused here; log in: POST /api/v1/token")
    user_id = call.hub.chance.guest()
    call.session.user_id, call.session.user = user_id, given_name(user_id)
    fields.setdefault("name", given_name(user_id))


def _answer(operation: Operation, answer: Answer) -> Response:
    first = next(iter(operation.replies))
    if operation.name == "makeRoom":
        place = f"{PREFIX}/rooms/{percent_encoded(answer.text('room'), safe='')}"
        return answered(answer.body, first, {"location": place})
    return answered(answer.body, 200 if answer.says("dup") else first)
