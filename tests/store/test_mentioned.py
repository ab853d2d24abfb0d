"""The store's contract: whom a name means in a room."""

from __future__ import annotations

import pytest

from tests.store.conftest import Stage
from tests.store.governed import ANN, BOB, CAT, GIL, GUS, actor, joined, made
from tests.store.people import register
from trichat.chat.ports import Store
from trichat.core.changes import Ban, Edit, Quit
from trichat.core.events import Person, RoomRecord
from trichat.core.standing import is_account


@pytest.fixture
async def room(store: Store) -> RoomRecord:
    """A public room that ann owns and bob is a member of."""
    room = await made(store)
    await joined(store, room, BOB)
    return room


async def named(store: Store, *people: Person) -> None:
    """Give these people their names; who is no guest gets an account."""
    for person in people:
        if is_account(person.user_id):
            await register(store, person.user_id)
        else:
            assert await store.claim_name(person.user_id, person.user)


async def test_members_and_guests_are_meant_by_their_names_in_the_order_of_these_once_each(
    store: Store, room: RoomRecord
) -> None:
    await named(store, ANN, BOB, CAT, GUS)
    found = await store.threads.mentioned(room.id, ["gus", "nobody", "bob", "Ann", "cat", "bob"])
    assert found == [GUS, BOB, ANN]


async def test_a_name_is_meant_as_it_is_spelled_and_not_as_it_looks(store: Store, room: RoomRecord) -> None:
    await named(store, BOB)
    assert await store.threads.mentioned(room.id, ["b0b", "b\u03bfb", "BOB"]) == [BOB]
    assert await store.threads.mentioned(room.id, ["b0b", "b\u03bfb"]) == []


async def test_nobody_is_meant_who_may_not_come_in(store: Store, room: RoomRecord) -> None:
    await named(store, BOB, GUS, GIL)
    await store.governance.change(room.id, actor(ANN), Ban(), target=GIL)
    await store.governance.change(room.id, actor(BOB), Quit())
    assert await store.threads.mentioned(room.id, ["bob", "gus", "gil"]) == [GUS]
    await store.governance.change(room.id, actor(ANN), Edit(guests=False))
    assert await store.threads.mentioned(room.id, ["gus"]) == []
    private = await made(store, "~secret", kind="private")
    assert await store.threads.mentioned(private.id, ["bob", "gus"]) == []


async def test_an_old_name_means_nobody_nor_does_a_guests_that_is_free_again(stage: Stage) -> None:
    store = stage.store
    room = await made(store)
    await joined(store, room, BOB)
    await named(store, BOB, GUS)
    assert await store.accounts.rename(BOB.user_id, "bert")
    bert = Person("bert", BOB.user_id)
    assert await store.threads.mentioned(room.id, ["bob"]) == []
    assert await store.threads.mentioned(room.id, ["bob", "bert", "gus"]) == [bert, GUS]
    stage.let_pass(100_000)
    assert await store.threads.mentioned(room.id, ["bob", "bert", "gus"]) == [bert]
