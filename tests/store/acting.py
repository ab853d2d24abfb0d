"""Messages, and what is done to them, in the tests of the store."""

from __future__ import annotations

import json
from typing import Any

from tests.store.governed import actor, says
from trichat.chat.ports import Store
from trichat.core.acts import Act, Acted
from trichat.core.events import Committed, Draft, Event, Person, RoomRecord
from trichat.core.names import UserId


async def said(store: Store, room: RoomRecord, person: Person, text: str = "hi", *, cid: str | None = None) -> int:
    """What `person` says: its seq."""
    return await put(store, says(person, room, text, cid=cid))


async def put(store: Store, draft: Draft) -> int:
    (outcome,) = await store.append([draft])
    assert isinstance(outcome, Committed), outcome
    return outcome.seq


def reply(room: RoomRecord, person: Person, root: int, text: str = "yes") -> Draft:
    """A reply in the thread of `root`."""
    body = b'{"text":"%b","thread":%d}' % (text.encode(), root)
    return Draft(room.id, room.name, "message", person.user_id, person.user, None, body, thread=root)


async def did(store: Store, room: RoomRecord, person: Person, seq: int, act: Act, *, cid: str | None = None) -> Acted:
    """What comes of `person` doing this to the message `seq`."""
    return await store.acts.act(room.id, actor(person), seq, act, cid=cid, address="192.0.2.1")


async def log(store: Store, room: RoomRecord) -> list[Event]:
    """The whole log, whose numbers are gapless."""
    page = await store.read_events(room.id, after=0, limit=10_000, max_bytes=10_000_000)
    assert [event.seq for event in page.events] == list(range(1, len(page.events) + 1))
    return page.events


async def bodies(store: Store, room: RoomRecord, kind: str) -> list[dict[str, Any]]:
    """The bodies of the log's events of this kind."""
    return [json.loads(event.body) for event in await log(store, room) if event.kind == kind]


async def message(store: Store, room: RoomRecord, seq: int, viewer: UserId | None = None) -> dict[str, Any]:
    """The message in its present state as `viewer` sees it, with its `rev`."""
    page = await store.read_messages(room.id, before=seq + 1, after=None, limit=1, max_bytes=1_000_000, viewer=viewer)
    (found,) = page.messages
    assert found.seq == seq
    members: dict[str, Any] = json.loads(found.body)
    return members | {"rev": found.rev or found.seq}
