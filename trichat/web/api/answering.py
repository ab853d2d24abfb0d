"""How what came of a request is said by HTTP: the socket's error object, and the status that fits its code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from trichat.core.codec import quote
from trichat.core.errors import Refusal
from trichat.core.replies import error_of

#: The status of every code of the protocol: a test compares.
STATUS: Final[dict[str, int]] = {
    "bad_frame": 400, "bad_field": 400, "unknown_type": 404, "bad_state": 409, "unauthenticated": 401,
    "forbidden": 403, "no_such_room": 404, "no_such_user": 404, "not_joined": 409, "name_taken": 409, "too_long": 413,
    "limit_reached": 429, "rate_limited": 429, "bad_position": 409, "cid_reused": 409, "unavailable": 503,
}  # fmt: skip
#: Seconds that are told where the error itself names no time: what is full, or has many, is so for a while.
_LATER_S: Final = {"limit_reached": 60, "unavailable": 1}

#: What every answer says: nothing of it is kept on the way, and it is what it says it is.
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def answered(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`body` is JSON."""
    return Response(body, status, {**_HEADERS, **(headers or {})}, "application/json")


def refused(refusal: Refusal, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """The error object of `refusal`; `status` where it is not that of its code."""
    status = status or STATUS[refusal.code]
    more: dict[str, str] = dict(headers or {})
    if status == 401:
        more["www-authenticate"] = 'Bearer realm="trichat"'
    if refusal.retry_after_ms is not None:
        more["retry-after"] = str(max(1, math.ceil(refusal.retry_after_ms / 1000)))
    elif refusal.code in _LATER_S:
        more["retry-after"] = str(_LATER_S[refusal.code])
    return answered(quote(error_of(refusal)), status, more)
