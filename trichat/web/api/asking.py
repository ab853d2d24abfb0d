"""From a request to the fields of its command: what is wrong with it is said before anything is looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
import trio
from msgspec import Raw
from starlette.requests import Request

from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.web.api.operations import Operation

#: More digits are no number of ours.
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_TRUTHS: Final = {"true": True, "false": False}
_decode_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode


class ClientGone(Exception):
    """Nobody is there any more to hear an answer."""


class TooSlow(Exception):
    """The body did not come in time."""


async def read_fields(
    request: Request, operation: Operation, in_path: Sequence[bytes], limits: Limits
) -> dict[str, object]:
    """The members of the command that `request` asks for. Raises Refusal, TooSlow, ClientGone."""
    fields: dict[str, object] = {}
    for name, written in zip(operation.in_path, in_path, strict=True):
        fields[name] = _value(operation, name, _text(name, written))
    fields |= _read_query(request, operation)
    if operation.body:
        fields |= _read_body(operation, await _body(request, limits), request.headers.get("content-type"))
    if operation.key and (key := request.headers.get("idempotency-key")) is not None:
        fields["cid"] = key
    for name in (*operation.query, *operation.body):
        if operation.needs(name) and name not in fields:
            raise Refusal("bad_field", f"{name} is missing: {operation.explains(name)}", field=name)
    return fields


def bearer(request: Request) -> str | None:
    """The token of the request; None when it names none. Raises Refusal when it is not written as one."""
    said = request.headers.get("authorization")
    if said is None:
        return None
    scheme, _, token = said.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal("unauthenticated", "say the token as: Authorization: Bearer …", field="token")
    return token.strip()


def _text(name: str, written: bytes) -> str:
    try:
        return unquote_to_bytes(written).decode()
    except UnicodeDecodeError:
        raise Refusal("bad_field", f"{name} is not UTF-8, percent-encoded", field=name) from None


def _value(operation: Operation, name: str, text: str) -> object:
    match operation.kind(name):
        case "integer":
            if not _NUMBER.fullmatch(text):
                raise Refusal("bad_field", f"{name} is a number", field=name)
            return int(text)
        case "boolean":
            if text not in _TRUTHS:
                raise Refusal("bad_field", f"{name} is true or false", field=name)
            return _TRUTHS[text]
        case "string":
            return text


def _read_query(request: Request, operation: Operation) -> dict[str, object]:
    fields: dict[str, object] = {}
    try:
        said = parse_qsl(request.scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise Refusal("bad_field", "the query is not UTF-8, percent-encoded", field="query") from None
    for name, text in said:
        if name not in operation.query:
            raise _unknown("the query", name, operation.query)
        if name in fields:
            raise Refusal("bad_field", f"{name} is said twice", field=name)
        fields[name] = _value(operation, name, text)
    return fields


def _read_body(operation: Operation, body: bytes, content_type: str | None) -> Mapping[str, object]:
    if not body and not any(operation.needs(name) for name in operation.body):
        return {}
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("bad_field", "the content type is application/json", field="content-type")
    try:
        body.decode()
        members = _decode_members(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        example = msgspec.json.encode(operation.example).decode()
        why = str(error).removeprefix("JSON is malformed: ")
        raise Refusal("bad_frame", f"the body is no JSON object ({why}); say one such as {example}") from None
    for name in members:
        if name not in operation.body:
            raise _unknown("the body", name, operation.body)
    return members


async def _body(request: Request, limits: Limits) -> bytes:
    """All of the body, as far as it is not too long."""
    body = bytearray()
    with trio.move_on_after(limits.api_call_s):
        while (message := await request.receive())["type"] != "http.disconnect":
            body += message.get("body", b"")
            if len(body) > limits.frame:
                raise Refusal("too_long", f"the body is at most {limits.frame} bytes")
            if not message.get("more_body", False):
                return bytes(body)
        raise ClientGone
    raise TooSlow


def _unknown(where: str, name: str, known: Sequence[str]) -> Refusal:
    has = f"it has {', '.join(known)}" if known else "it has none"
    return Refusal("bad_field", f"{where} has no field {name[:64]}; {has}", field=name[:64])
