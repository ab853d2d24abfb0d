"""Whatever was said, edited, deleted, repeated and read, and whoever came and went: what is unread is what a recount
of the whole log says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from random import Random
from typing import Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, field

from tests.properties import steady, steady_few
from tests.store.conftest import LIMITS
from tests.store.governed import ANN, BOB, CAT, actor, joined, made
from trichat.chat.ports import Store
from trichat.core.acts import Act, Remove, Rewrite
from trichat.core.chance import Chance
from trichat.core.changes import Quit
from trichat.core.conversation import Marker
from trichat.core.errors import Refusal
from trichat.core.events import EVERYBODY, Committed, Draft, Event, Person, RoomRecord
from trichat.core.names import UserId
from trichat.store import MemoryStore, open_postgres_store

PEOPLE = [ANN, BOB, CAT]
MENTIONED = [(), (BOB.user_id,), (ANN.user_id, CAT.user_id), (EVERYBODY,), (EVERYBODY, BOB.user_id)]

who = st.sampled_from(PEOPLE)
guests = st.sampled_from([BOB, CAT])  # ann owns the room, and stays
whom = st.sampled_from(MENTIONED)
places = st.integers(0, 30)  # of an event, counted back from the head
said = st.tuples(who, whom, st.sampled_from([None, None, "1", "2"]), st.booleans())
step = st.one_of(
    st.lists(said, min_size=1, max_size=4).map(lambda drafts: ("say", *drafts)),
    st.tuples(st.just("edit"), who, places, whom),
    st.tuples(st.just("delete"), who, places),
    st.tuples(st.just("read"), who, places),
    st.tuples(st.sampled_from(["come", "go"]), guests),
)
Step = tuple[Any, ...]


class Play(Struct):
    """A room, and for each member up to where they have read: told by what they did, not by the store."""

    store: Store
    room: RoomRecord
    read: dict[UserId, int]
    replies: set[int] = field(default_factory=set)
    mentioned: dict[int, set[UserId]] = field(default_factory=dict)  # of a message's `seq`

    async def log(self) -> list[Event]:
        page = await self.store.read_events(self.room.id, after=0, limit=10_000, max_bytes=10_000_000)
        return page.events

    async def take(self, step: Step) -> None:
        match step:
            case ("say", *drafts):
                await self.say(drafts)
            case ("edit", person, back, mentions):
                await self.edit(person, back, mentions)
            case ("delete", person, back):
                await self.act(person, back, Remove())
            case ("read", person, back):
                await self.move(person, back)
            case ("come", person):
                await joined(self.store, self.room, person)
                self.read.setdefault(person.user_id, len(await self.log()))
            case ("go", person):
                await self.store.governance.change(self.room.id, actor(person), Quit())
                self.read.pop(person.user_id, None)

    async def say(self, said: Sequence[Any]) -> None:
        roots = [event.seq for event in await self.log() if event.kind == "message" and event.seq not in self.replies]
        drafts = [
            self.draft(person, whom, cid, roots[0] if reply and roots else None) for person, whom, cid, reply in said
        ]
        for draft, outcome in zip(drafts, await self.store.append(drafts), strict=True):
            if isinstance(outcome, Committed):
                self.mentioned[outcome.seq] = {*draft.mentions} - {draft.user_id}
                if draft.thread is None:
                    self.read[draft.user_id] = outcome.seq
                else:
                    self.replies.add(outcome.seq)

    def draft(self, person: Person, whom: tuple[UserId, ...], cid: str | None, thread: int | None) -> Draft:
        body = b'{"text":"hi"}' if thread is None else b'{"text":"hi","thread":%d}' % thread
        room, me = self.room, person
        return Draft(room.id, room.name, "message", me.user_id, me.user, cid, body, thread=thread, mentions=whom)

    async def edit(self, person: Person, back: int, whom: tuple[UserId, ...]) -> None:
        others = tuple(one for one in whom if one != person.user_id)
        if (seq := await self.act(person, back, Rewrite(f"other words {len(await self.log())}", others))) is not None:
            self.mentioned[seq] = {*others}

    async def act(self, person: Person, back: int, act: Act) -> int | None:
        """The `seq` of the message, if it may be done: it is theirs, not deleted, and they are members."""
        seq = max(1, len(await self.log()) - back)
        try:
            acted = await self.store.acts.act(self.room.id, actor(person), seq, act, cid=None, address="")
        except Refusal:
            return None
        return None if acted.event is None else seq

    async def move(self, person: Person, back: int) -> None:
        if (before := self.read.get(person.user_id)) is None:
            return
        seq = max(0, len(await self.log()) - back)
        moved = await self.store.markers.read(self.room.id, actor(person), seq)
        self.read[person.user_id] = max(before, seq)
        assert moved.moved == (seq > before)
        assert moved.marker == self.recount(await self.log(), person)

    def recount(self, log: list[Event], person: Person) -> Marker | None:
        """What is unread, and what of it mentions this person."""
        read = self.read.get(person.user_id)
        if read is None:
            return None
        gone = {event.target for event in log if event.kind == "deleted"}
        left = {event.seq for event in log if event.kind == "message" and event.seq > read} - gone
        mentioning = [seq for seq in left if self.mentioned[seq] & {EVERYBODY, person.user_id}]
        return Marker(read, len(left - self.replies), len(mentioning))

    async def check(self) -> None:
        log = await self.log()
        for person in PEOPLE:
            access = await self.store.governance.access(self.room.name, person.user_id, marked=True)
            assert access is not None
            assert access.marker == self.recount(log, person)
            listed = await self.store.markers.inbox(person.user_id, after="", limit=1_000)
            assert {one.id: one.read for one in listed}.get(self.room.id) == access.marker


async def play(store: Store, name: str, steps: Sequence[Step]) -> None:
    room = await made(store, name)
    await joined(store, room, BOB)
    playing = Play(store, room, {ANN.user_id: 2, BOB.user_id: 3})
    for step in steps:
        await playing.take(step)
        await playing.check()


def test_the_twin_counts_what_a_recount_counts() -> None:
    async def on_twin(steps: Sequence[Step]) -> None:
        await play(MemoryStore(LIMITS, chance=Chance(Random(1))), "lobby", steps)

    @settings(steady, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(step, min_size=1, max_size=25))
    def law(steps: list[Step]) -> None:
        trio.run(on_twin, steps)

    law()


def test_postgres_counts_what_a_recount_counts(url: str) -> None:
    names = itertools.count()

    async def on_postgres(steps: Sequence[Step]) -> None:
        async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
            await play(store, f"lobby{next(names)}", steps)

    @settings(steady_few, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(step, min_size=10, max_size=25))
    def law(steps: list[Step]) -> None:
        trio.run(on_postgres, steps)

    law()
