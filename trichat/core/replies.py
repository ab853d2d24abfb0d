"""What the server says, as types. Members stand in the order in which they are written: `type`, `id`, the rest."""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType

from trichat.core.errors import ERROR_CODES, CommandId, Refusal
from trichat.core.events import ListedRoom, Person


class Reply(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What answers a command carries its `id`; what does not has none."""

    id: CommandId = None


class WelcomeLimits(Struct, frozen=True):
    text: int
    frame: int
    rooms: int
    replay: int
    page: int


class Welcome(Reply, frozen=True, kw_only=True, tag="welcome"):
    v: int
    session: str
    user: str | None
    user_id: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    node: str
    limits: WelcomeLimits
    features: list[str]


class Ok(Reply, frozen=True, kw_only=True, tag="ok", rename={"for_": "for"}):
    for_: str
    user: str
    user_id: str
    token: str | UnsetType = UNSET


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    pass


class HelpReply(Reply, frozen=True, kw_only=True, tag="help"):
    of: str | UnsetType = UNSET
    commands: list[str] | UnsetType = UNSET
    fields: dict[str, str] | UnsetType = UNSET
    example: str
    message: str | UnsetType = UNSET


class Joined(Reply, frozen=True, kw_only=True, tag="joined"):
    room: str
    epoch: str
    seq: int
    members: int
    role: str | UnsetType = UNSET
    read: int | UnsetType = UNSET
    unread: int | UnsetType = UNSET
    mentions: int | UnsetType = UNSET


class Left(Reply, frozen=True, kw_only=True, tag="left"):
    room: str


class Resumed(Reply, frozen=True, kw_only=True, tag="resumed"):
    rooms: int


class Ack(Reply, frozen=True, kw_only=True, tag="ack"):
    room: str
    seq: int
    cid: str | None = None
    dup: bool = False


class Gap(Reply, frozen=True, kw_only=True, tag="gap", rename={"from_": "from"}):
    """In the place of events: too many to be replayed, `hidden` from who asks, or `expired`, kept no more.

    `messages` counts those in no thread, `mentions` those that mention the account that asks, and `first_unread` is
    the first that it has not read (0, left out: none). Of what is hidden or expired nothing is told.
    """

    room: str
    from_: int
    to: int
    messages: int
    mentions: int = 0
    first_unread: int = 0
    hidden: bool = False
    expired: bool = False


class HistoryPage(Reply, frozen=True, kw_only=True, tag="history"):
    room: str
    messages: list[Raw]
    more: bool | UnsetType = UNSET
    more_before: bool | UnsetType = UNSET
    more_after: bool | UnsetType = UNSET


class EventsPage(Reply, frozen=True, kw_only=True, tag="events"):
    """A page of the log; `first` where what came before it is kept no more, or hidden, and was asked for.

    With `compact` what has become of the events up to `to`: messages in their present state, as `history` has them.
    """

    room: str
    compact: bool = False
    first: int | UnsetType = UNSET
    events: list[Raw]
    to: int | UnsetType = UNSET
    more: bool


class ListedMine(Struct, frozen=True, rename={"with_": "with"}):
    room: str
    kind: str
    title: str
    role: str
    seq: int
    with_: Person | UnsetType = UNSET  # the other one of a direct room


class RoomsPage(Reply, frozen=True, kw_only=True, tag="rooms"):
    rooms: list[ListedRoom] | list[ListedMine]
    more: bool


class MembersPage(Reply, frozen=True, kw_only=True, tag="members"):
    room: str
    members: list[Person]
    more: bool


class Status(Reply, frozen=True, kw_only=True, tag="status"):
    fanout: str


class Goodbye(Reply, frozen=True, kw_only=True, tag="goodbye"):
    code: int
    reason: str
    resume_after_ms: int | UnsetType = UNSET


class Caution(Reply, frozen=True, kw_only=True, tag="warning"):
    re: CommandId = None
    code: str
    field: str
    message: str


class Error(Reply, frozen=True, kw_only=True, tag="error"):
    code: str
    message: str
    field: str | UnsetType = UNSET
    room: str | UnsetType = UNSET
    temporary: bool
    retry_after_ms: int | UnsetType = UNSET
    limit: str | UnsetType = UNSET
    head: int | UnsetType = UNSET
    epoch: str | UnsetType = UNSET


def error_of(refusal: Refusal, command_id: CommandId = None, room: str | None = None) -> Error:
    """The `error` that tells of `refusal`; `room` where it is one of several (`resume`)."""
    return Error(
        id=refusal.id if command_id is None else command_id,
        code=refusal.code,
        message=refusal.message,
        field=refusal.field or UNSET,
        room=room or UNSET,
        temporary=ERROR_CODES[refusal.code],
        retry_after_ms=UNSET if refusal.retry_after_ms is None else refusal.retry_after_ms,
        limit=refusal.limit or UNSET,
        head=UNSET if refusal.head is None else refusal.head,
        epoch=refusal.epoch or UNSET,
    )
