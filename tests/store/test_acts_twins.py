"""The twin in memory and PostgreSQL: after the same acts, by whomever and however mixed, both say the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.store.acting import did, log, put, reply
from tests.store.conftest import LIMITS
from tests.store.governed import ANN, BOB, CAT, DAN, GUS, actor, joined, made, refused, says
from trichat.chat.ports import Store
from trichat.core.acts import Act, Remove, Respond, Rewrite, Stick
from trichat.core.chance import Chance
from trichat.core.changes import Mute
from trichat.core.errors import Refusal
from trichat.core.events import Event, Person, RoomRecord
from trichat.core.standing import Role
from trichat.store import MemoryStore, open_postgres_store

#: An owner, a member, a moderator, one who is muted, a guest.
PEOPLE = [ANN, BOB, CAT, DAN, GUS]
STEPS = 200
#: What the muted one said before: other messages are replies to it.
ROOT_OF_THREAD = 7

_ACTS: list[Callable[[Random], Act]] = [
    lambda random: Rewrite(random.choice("abc")),
    lambda random: Rewrite("@ann", (ANN.user_id,), b'[{"user":"ann","user_id":"u_ann"}]'),
    lambda random: Remove(random.choice(["", "weeds"])),
    lambda random: Respond("👍", on=random.random() < 0.5),
    lambda random: Respond(":tada:", on=random.random() < 0.5),
    lambda random: Stick(on=random.random() < 0.6),
]
#: How often each comes: what is deleted is deleted for good.
_WEIGHTS = [3, 3, 1, 6, 3, 3]


async def set_up(store: Store) -> RoomRecord:
    room = await made(store)
    await joined(store, room, BOB)
    await joined(store, room, CAT, Role.MODERATOR)
    await joined(store, room, DAN)
    await put(store, says(DAN, room))
    await store.governance.change(room.id, actor(ANN), Mute(), target=DAN)
    return room


async def step(random: Random, store: Store, room: RoomRecord, places: list[int]) -> object:
    """Something that somebody does: what comes of it, without times."""
    person, seq = random.choice(PEOPLE), random.choice(places)
    cid = random.choice([None, None, f"c{random.randrange(40)}"])
    (make,) = random.choices(_ACTS, _WEIGHTS)
    act = make(random)
    if random.random() < 0.15:
        draft = (
            says(person, room, random.choice("abc")) if random.random() < 0.5 else reply(room, person, ROOT_OF_THREAD)
        )
        return [type(outcome).__name__ for outcome in await store.append([draft])]
    try:
        acted = await did(store, room, person, seq, act, cid=cid)
    except Refusal as refusal:
        return refusal.code, refusal.field, refusal.message
    return acted.seq, acted.repeated, None if acted.event is None else acted.event.body


async def state(store: Store, room: RoomRecord) -> dict[str, Any]:
    """All that can be read of the room, without times."""
    found = await log(store, room)
    events = [_told(event) for event in found]
    of: dict[int, Any] = {}
    for event in found:
        if event.kind == "message":
            old = await store.acts.revisions(room.id, actor(ANN), event.seq)
            put_ = await store.acts.reactions(room.id, actor(BOB), event.seq, after="", limit=999)
            of[event.seq] = [(one.rev, one.text) for one in old], put_
    pins = [(one.pin, _told(one.message)) for one in await store.acts.pins(room.id, actor(BOB))]
    audit = await store.governance.audit(room.id, actor(ANN), before=None, limit=999)
    return {"events": events, "of": of, "pins": pins, "audit": [(one.act, one.target, one.reason) for one in audit]}


def _told(event: Event) -> tuple[object, ...]:
    body = {name: value for name, value in json.loads(event.body).items() if name not in ("edited", "until")}
    return event.seq, event.kind, event.user_id, event.cid, body


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_acts_come_to_the_same_on_both(seed: int, url: str) -> None:
    twin = MemoryStore(LIMITS, chance=Chance())
    async with open_postgres_store(url, LIMITS, chance=Chance()) as real:
        rooms = [await set_up(store) for store in (twin, real)]
        assert rooms[0].head == rooms[1].head
        for number in range(STEPS):
            events = await log(twin, rooms[0])
            said = [event.seq for event in events if event.kind == "message"]
            places = [1, len(events) + 1, *said[-4:]]
            came = [
                await step(Random(f"{seed}.{number}"), store, room, places)
                for store, room in zip((twin, real), rooms, strict=True)
            ]
            assert came[0] == came[1], f"step {number}"
        kept = [await state(store, room) for store, room in zip((twin, real), rooms, strict=True)]
        assert kept[0] == kept[1]
        _are_many_kinds(kept[0])


def _are_many_kinds(kept: dict[str, Any]) -> None:
    """The steps came to something: every kind of event, and old texts, reactions and pins that are left."""
    kinds = {event[1] for event in kept["events"]}
    assert kinds >= {"message", "edited", "deleted", "reacted", "unreacted", "pinned"}
    assert any(reactions for _, reactions in kept["of"].values())


async def test_who_is_refused_writes_nothing(url: str) -> None:
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        room = await set_up(store)
        before = await state(store, room)
        person: Person
        for person in (BOB, DAN, GUS):
            with refused("forbidden"):
                await did(store, room, person, ROOT_OF_THREAD, Stick())
        assert await state(store, room) == before
