"""A call: one request's part in the chat. A short session that gives the very commands of a socket, and hears nothing.

So checks, limits, costs and errors are those of the socket. What a socket has beside them, a call has not: it is
nobody's presence, listens to no room, and is not counted among the connections of its account.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
import trio
from msgspec import Raw, Struct

from trichat.chat.dispatch import dispatch
from trichat.chat.hub import Hub
from trichat.chat.not_taken import store_away
from trichat.chat.session import Session
from trichat.core.closing import LOGGED_OUT, REFUSED_CREDENTIALS, REVOKED, CloseReason
from trichat.core.codec import Frame, payload_of, quote, split_frames
from trichat.core.command import Command
from trichat.core.errors import Refusal
from trichat.core.replies import Error

_ID: Final = 1
_decode_members: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_error: Final = msgspec.json.Decoder(Error).decode


class Answers:
    """What is said to a session that has no connection: kept, up to the end of the call (see session.Outbox)."""

    on_rewired: Callable[[], None] | None = None
    queued = 0

    def __init__(self) -> None:
        self._said: list[Frame] = []

    def take(self) -> Sequence[bytes]:
        """The payloads of all frames since the last time."""
        said, self._said = self._said, []
        return [payload_of(frame) for joined in said for frame in split_frames(joined)]

    @property
    def sink(self) -> Answers:
        return self

    def send(self, frame: Frame, /) -> int:
        return len(frame)  # live events: nobody asked for them

    def post_rest(self, frame: Frame, taken: int) -> bool:
        return True

    def post(self, frame: Frame) -> bool:
        self._said.append(frame)
        return True

    def post_asked(self, frame: Frame) -> None:
        self._said.append(frame)

    def post_ephemeral(self, frame: Frame) -> None:
        pass

    async def refilled(self) -> None:
        await trio.lowlevel.checkpoint()


class Answer(Struct, frozen=True):
    """The reply to a command, by its members: the bytes that a socket gets, but for the `id`."""

    members: Mapping[str, Raw]

    @property
    def body(self) -> bytes:
        return quote(self.members)

    def says(self, member: str) -> bool:
        """Whether the reply has `member`, and it is true."""
        return bytes(self.members.get(member, b"")) == b"true"

    def holds(self, member: str) -> bool:
        """Whether the list `member` has an entry."""
        return bytes(self.members.get(member, b"[]")) != b"[]"

    def text(self, member: str) -> str:
        return msgspec.json.decode(self.members[member], type=str)

    def number(self, member: str) -> int:
        return msgspec.json.decode(self.members[member], type=int)


class Call:
    """One session for one request. Who waits in it is woken when the session is ended from elsewhere, or has to hurry:
    the node stops, or the client is gone."""

    def __init__(self, hub: Hub, start: Callable[..., None], address: str) -> None:
        self.hub = hub
        self.hurried = False
        self.wake: Callable[[], None] = lambda: None
        self._answers = Answers()
        self.session = Session(
            hub, self._answers, dispatch, start=start, on_end=self._ended, address=address, present=False
        )

    async def ask(self, command: type[Command], fields: Mapping[str, object]) -> Answer:
        """Give `command` with these members, as its JSON; the reply. Raises Refusal, as the error says or when
        nothing came in `api_call_s`."""
        frame = {"type": command.__struct_config__.tag, "id": _ID, **fields}
        with trio.move_on_after(self.hub.limits.api_call_s):
            self.session.take(quote(frame))
            await self.session.settled()
            await self.session.all_answered()
        for payload in self._answers.take():
            members = _decode_members(payload)
            if bytes(members.get("id", b"")) == b"%d" % _ID:
                if bytes(members["type"]) == b'"error"':
                    raise _refusal_of(_decode_error(payload))
                return Answer({name: value for name, value in members.items() if name != "id"})
        raise self._unanswered()

    def hurry(self) -> None:
        """An answer that comes later is worth nothing to anybody."""
        self.hurried = True
        self.wake()

    def _ended(self, reason: CloseReason) -> None:
        self.wake()

    def _unanswered(self) -> Refusal:
        if self.session.ended in (REVOKED, LOGGED_OUT, REFUSED_CREDENTIALS):
            return Refusal("unauthenticated", "what this token rests on has ended; log in again", field="token")
        return store_away()


async def run_call(hub: Hub, address: str, work: Callable[[Call], Awaitable[None]]) -> None:
    """Do `work` with a call, which ends with it: what it has begun in rooms leaves nothing behind."""
    async with trio.open_nursery() as nursery:
        call = Call(hub, nursery.start_soon, address)
        try:
            await work(call)
        finally:
            call.session.gone(clean=False)
        nursery.cancel_scope.cancel(reason="answered")


def _refusal_of(error: Error) -> Refusal:
    return Refusal(
        error.code,
        error.message,
        field=error.field or None,
        retry_after_ms=None if error.retry_after_ms is msgspec.UNSET else error.retry_after_ms,
        limit=error.limit or None,
        head=None if error.head is msgspec.UNSET else error.head,
        epoch=error.epoch or None,
    )
