"""People and rooms for the tests of governance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec import structs

from trichat.chat.ports import Store
from trichat.core.changes import Enter, SetRole
from trichat.core.errors import Refusal
from trichat.core.events import Draft, Person, RoomRecord
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Actor, Role, RoomKind, RoomRules, Standing

ANN, BOB, CAT, DAN = (Person(name, UserId(f"u_{name}")) for name in ("ann", "bob", "cat", "dan"))
GUS, GIL = (Person(name, UserId(f"g_{name}")) for name in ("gus", "gil"))
ROOT = Person("root", UserId("u_root"))  # administers the server


def actor(person: Person) -> Actor:
    return Actor(person.user_id, person.user, admin=person == ROOT)


@contextmanager
def refused(code: str, field: str | None = None, words: str = "") -> Iterator[None]:
    """What is done in this block is refused so; `field` and `words` of the message only where they are given."""
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.code == code
    assert field in (None, caught.value.field)
    assert words in caught.value.message


async def made(
    store: Store, name: str = "lobby", *, kind: RoomKind = "public", rules: RoomRules | None = None
) -> RoomRecord:
    """A new room that ann owns."""
    rules = rules or RoomRules(kind=kind, guests=kind == "public")
    return (await store.governance.create(RoomName(name), rules, actor(ANN), address="192.0.2.1")).record


async def joined(store: Store, room: RoomRecord, person: Person, role: Role = Role.MEMBER) -> Standing:
    """How `person` stands, who comes in and is given `role` by ann."""
    standing = (await store.governance.change(room.id, actor(person), Enter())).standing
    if role is Role.MEMBER:
        return standing
    await store.governance.change(room.id, actor(ANN), SetRole(role), target=person)
    return structs.replace(standing, role=role)


async def roles(store: Store, room: RoomRecord) -> dict[str, Role]:
    """The roster as ann sees it."""
    return {
        member.user: member.role for member in await store.governance.roster(room.id, actor(ANN), after="", limit=99)
    }


def says(person: Person, room: RoomRecord, text: str = "hi", *, cid: str | None = None) -> Draft:
    body = b'{"text":"%b"}' % text.encode()
    return Draft(room.id, room.name, "message", person.user_id, person.user, cid, body)
