"""A room in which everything has been done that can be done, and what a doctor finds in it."""

from __future__ import annotations

from contextlib import aclosing

from msgspec import Struct

from tests.store.acting import did, put
from tests.store.governed import ANN, BOB, CAT, DAN, GUS, actor, joined, made
from trichat.chat.ports import Store
from trichat.core.acts import Remove, Respond, Rewrite, Stick
from trichat.core.changes import Quit
from trichat.core.codec import quote
from trichat.core.doctor import Diagnosis, Finding, RoomFigures
from trichat.core.events import EVERYBODY, Draft, Person, RoomRecord
from trichat.core.names import UserId

UP = "👍"


class Mixed(Struct):
    """The room, and the seqs of some of its messages."""

    room: RoomRecord
    plain: int
    edited: int  # twice, pinned, with reactions of ann and gus
    deleted: int  # after an edit
    root: int  # with two replies, the second of which was deleted
    reply: int
    mentioning: int  # bob and the room


async def examine(store: Store, room: RoomRecord) -> list[Finding]:
    """What a doctor finds in the room."""
    diagnosis: Diagnosis | None = None
    found: list[Finding] = []
    async with aclosing(store.administration.examine(room.name)) as parts:
        async for part in parts:
            if diagnosis is None:
                assert isinstance(part, RoomFigures)
                diagnosis = Diagnosis(part)
            else:
                found += diagnosis.take(part)
    assert diagnosis is not None
    return found + diagnosis.end()


def mentioning(room: RoomRecord, by: Person, *whom: Person, thread: int | None = None) -> Draft:
    """What `by` says to these."""
    body = {"text": "hear", "thread": thread, "mentions": whom}
    return Draft(
        room.id, room.name, "message", by.user_id, by.user, None,
        quote({name: said for name, said in body.items() if said is not None}),
        thread=thread, mentions=tuple(person.user_id for person in whom),
    )  # fmt: skip


ROOM = Person("room", EVERYBODY)


def rewrite(text: str, *whom: Person) -> Rewrite:
    return Rewrite(text, tuple(person.user_id for person in whom), quote(whom) if whom else b"")


async def mixed_room(store: Store, name: str = "lobby") -> Mixed:
    """All that can be done to messages, by accounts and a guest; bob has read half of it, dan has come and gone."""
    room = await made(store, name)
    for person in (BOB, CAT, DAN):
        await joined(store, room, person)
    plain = await put(store, mentioning(room, BOB))
    edited = await put(store, mentioning(room, BOB, ANN))
    await did(store, room, BOB, edited, rewrite("once", ANN, CAT))
    await did(store, room, ANN, edited, Respond(UP))
    await did(store, room, GUS, edited, Respond(UP))
    await did(store, room, CAT, edited, Respond("🎉"))
    await did(store, room, CAT, edited, Respond("🎉", on=False))
    await did(store, room, ANN, edited, Stick())
    await did(store, room, BOB, edited, rewrite("twice", CAT))
    deleted = await put(store, mentioning(room, CAT, BOB))
    await did(store, room, CAT, deleted, rewrite("once", BOB))
    await did(store, room, ANN, deleted, Respond(UP))
    await did(store, room, ANN, deleted, Stick())
    await did(store, room, ANN, deleted, Remove("rude"))
    root = await put(store, mentioning(room, CAT))
    reply = await put(store, mentioning(room, BOB, thread=root))
    await store.markers.read(room.id, actor(BOB), reply)
    second = await put(store, mentioning(room, GUS, ANN, thread=root))
    await did(store, room, GUS, second, Remove())
    mention = await put(store, mentioning(room, ANN, BOB, ROOM, DAN, GUS))
    await did(store, room, ANN, plain, Stick())
    await did(store, room, ANN, plain, Stick(on=False))
    await store.governance.change(room.id, actor(DAN), Quit())
    await put(store, mentioning(room, ANN, DAN))  # who was there when the name was looked up
    await store.threads.read_thread(room.id, actor(CAT), root, reply)
    while await store.searching.index():
        pass
    await put(store, mentioning(room, GUS))  # in no index yet
    return Mixed(room, plain, edited, deleted, root, reply, mention)


async def erased_room(store: Store) -> Mixed:
    """The same, where bob and the guest gus were erased afterwards."""
    mixed = await mixed_room(store)
    for user_id in (BOB.user_id, UserId(GUS.user_id)):
        await store.administration.erase(user_id, operator="root")
    return mixed
