"""The API in the words of OpenAPI 3.1, made of the table of operations."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from trichat import __version__
from trichat.core.parse import MAX_SEQ
from trichat.core.replies import Error
from trichat.web.api.answering import STATUS
from trichat.web.api.operations import OPERATIONS, PREFIX, Operation
from trichat.web.api.schemas import components, one_of, refer

_ABOUT: Final = (
    "What a program needs of trichat without a socket. The same checks, limits, costs and errors as by the socket; "
    "who asks says so by a token: of a login, of a guest, a bot's key, or a token of the site that the server trusts."
)
_JSON: Final = "application/json"
_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "minLength": 1},
    "description": "the cid: your own identifier of this request, so that a repeat counts once",
}  # fmt: skip


@cache
def openapi() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    replied = {kind: None for operation in OPERATIONS for kinds in operation.replies.values() for kind in kinds}
    return {
        "openapi": "3.1.0",
        "info": {"title": "trichat", "version": __version__, "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components((*replied, Error), with_ids=False),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _failure(status) for status in sorted({*STATUS.values(), 408})},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.does,
        "parameters": [*_parameters(operation), *([_KEY] if operation.key else [])],
        "responses": {
            **{str(status): _success(operation, status) for status in operation.replies},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted({*STATUS.values(), 408})},
        },
    }
    if operation.body:
        made["requestBody"] = _body(operation)
    if operation.anonymous:
        made["security"] = []
    return made


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path" if name in operation.in_path else "query",
            "required": name in operation.in_path or operation.needs(name),
            "description": operation.explains(name),
            "schema": field_schema(operation, name),
            **({"example": operation.example[name]} if name in operation.example else {}),
        }
        for name in (*operation.in_path, *operation.query)
    ]


def field_schema(operation: Operation, name: str) -> dict[str, Any]:
    """What the field may be, as far as its type says it."""
    kind = operation.kind(name)
    if kind == "integer":
        return {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}
    return {"type": "string", "minLength": 1} if name in operation.in_path else {"type": kind}


def _body(operation: Operation) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            name: {**field_schema(operation, name), "description": operation.explains(name)} for name in operation.body
        },
        "required": [name for name in operation.body if operation.needs(name)],
        "additionalProperties": False,
    }
    return {"required": bool(schema["required"]), "content": {_JSON: {"schema": schema, "example": operation.example}}}


def _success(operation: Operation, status: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": operation.does,
        "content": {_JSON: {"schema": one_of(operation.replies[status])}},
    }
    if operation.name == "makeRoom":
        made["headers"] = {"Location": {"description": "where the room is", "schema": {"type": "string"}}}
    return made


def _failure(status: int) -> dict[str, Any]:
    codes = [code for code, its_status in STATUS.items() if its_status == status] or ["bad_frame"]
    made: dict[str, Any] = {
        "description": f"`code` is {' or '.join(codes)}",
        "content": {_JSON: {"schema": refer(Error)}},
    }
    if status == 401:
        made["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status in (429, 503):
        made["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return made
