"""What tests of markers say and ask."""

from __future__ import annotations

from msgspec import structs

from tests.store.governed import actor, says
from trichat.chat.ports import Store
from trichat.core.conversation import InboxRoom, Marker, Mention
from trichat.core.events import Committed, Draft, Event, Person, RoomRecord
from trichat.core.names import UserId


async def said(store: Store, *drafts: Draft) -> list[int]:
    outcomes = await store.append(drafts)
    return [outcome.seq for outcome in outcomes if isinstance(outcome, Committed)]


def mentioning(person: Person, room: RoomRecord, *whom: UserId, text: str = "hey") -> Draft:
    return structs.replace(says(person, room, text), mentions=whom)


async def marker(store: Store, room: RoomRecord, person: Person) -> Marker | None:
    access = await store.governance.access(room.name, person.user_id, marked=True)
    assert access is not None
    return access.marker


async def reads(store: Store, room: RoomRecord, person: Person, seq: int) -> Marker:
    return (await store.markers.read(room.id, actor(person), seq)).marker


async def inbox(store: Store, person: Person, *, after: str = "", limit: int = 100) -> list[InboxRoom]:
    return await store.markers.inbox(person.user_id, after=after, limit=limit)


async def mentions(store: Store, person: Person, *, before: str = "", limit: int = 100) -> list[Mention]:
    return await store.markers.mentions(person.user_id, before=before, limit=limit)


def places(found: list[Mention]) -> list[tuple[str, int]]:
    return [(mention.room, mention.message.seq) for mention in found]


def last_of(rooms: list[InboxRoom]) -> Event | None:
    (one,) = rooms
    return one.last
