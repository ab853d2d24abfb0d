"""What can be refused: the stable codes of the protocol and the exception that carries one."""

from __future__ import annotations

from typing import Final

#: Every error code of the protocol, with whether trying again may help.
ERROR_CODES: Final[dict[str, bool]] = {
    "bad_frame": False,
    "bad_field": False,
    "unknown_type": False,
    "bad_state": False,
    "unauthenticated": False,
    "forbidden": False,
    "no_such_room": False,
    "no_such_user": False,
    "not_joined": False,
    "name_taken": False,
    "too_long": False,
    "limit_reached": False,
    "rate_limited": True,
    "bad_position": False,
    "cid_reused": False,
    "unavailable": True,
}

CommandId = str | int | float | None


class Refusal(Exception):
    """A command that is refused: one `error` frame, and the connection goes on.

    `code` is one of ERROR_CODES, `message` is for people and says what to type, `field` names the field
    that is wrong, `id` is the command's own when it could be read; `head` and `epoch` are the room's
    position (`bad_position`), `retry_after_ms` is when to try again, `limit` which rate was too high.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        id: CommandId = None,
        head: int | None = None,
        epoch: str | None = None,
        retry_after_ms: int | None = None,
        limit: str | None = None,
    ) -> None:
        assert code in ERROR_CODES
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.field = field
        self.id = id
        self.head = head
        self.epoch = epoch
        self.retry_after_ms = retry_after_ms
        self.limit = limit
