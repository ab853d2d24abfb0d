"""A conversation on a store, for the tests of what is read of it: guests in an open room."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from tests.store.conftest import open_room
from trichat.chat.ports import Store
from trichat.core.acts import Act, Remove, Respond, Rewrite, Stick
from trichat.core.codec import quote
from trichat.core.events import EVERYBODY, Committed, Draft, Event, RoomRecord
from trichat.core.names import UserId
from trichat.core.standing import Actor

#: More than any page here has.
MUCH = 10_000_000


class Talk(Struct):
    """A room, and what is said and done in it: each gives the `seq` of its event."""

    store: Store
    room: RoomRecord

    async def say(self, text: str, *, by: str = "ann", thread: int | None = None, to_all: bool = False) -> int:
        body = {"text": text} if thread is None else {"text": text, "thread": thread}
        draft = Draft(
            self.room.id, self.room.name, "message", UserId(f"g_{by}"), by, None, quote(body), thread=thread,
            mentions=(EVERYBODY,) if to_all else (),
        )  # fmt: skip
        (outcome,) = await self.store.append([draft])
        assert isinstance(outcome, Committed)
        return outcome.seq

    async def act(self, seq: int, act: Act, *, by: str = "ann", admin: bool = False) -> int:
        actor = Actor(UserId(f"g_{by}"), by, admin)
        return (await self.store.acts.act(self.room.id, actor, seq, act, cid=None, address="")).seq

    async def edit(self, seq: int, text: str) -> int:
        return await self.act(seq, Rewrite(text))

    async def delete(self, seq: int, *, by: str = "ann") -> int:
        return await self.act(seq, Remove(), by=by)

    async def react(self, seq: int, emoji: str, *, by: str = "ann", on: bool = True) -> int:
        return await self.act(seq, Respond(emoji, on), by=by)

    async def pin(self, seq: int) -> int:
        return await self.act(seq, Stick(), admin=True)

    async def history(
        self, *, limit: int = 200, before: int | None = None, after: int | None = None, thread: int | None = None,
        viewer: str = "ann", max_bytes: int = MUCH,
    ) -> tuple[list[Event], bool]:  # fmt: skip
        page = await self.store.read_messages(
            self.room.id, before=before, after=after, limit=limit, max_bytes=max_bytes, viewer=UserId(f"g_{viewer}"),
            thread=thread,
        )  # fmt: skip
        return page.messages, page.more


async def talk_in(store: Store, name: str = "lobby") -> Talk:
    """A new room."""
    return Talk(store, await open_room(store, name))


def body(event: Event) -> dict[str, object]:
    """The members of the event's body."""
    members: dict[str, object] = msgspec.json.decode(event.body)
    return members


def seqs(events: list[Event]) -> list[int]:
    return [event.seq for event in events]
