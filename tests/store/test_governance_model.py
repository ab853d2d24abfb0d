"""Whatever people do in rooms, and however time passes: the store does what a model of dictionaries does."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import Struct

from tests.properties import steady
from tests.store import governance_model as model
from tests.store.conftest import BINARIES, LIMITS, Stage, age
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.changes import (
    Archive,
    Ban,
    Change,
    Changed,
    Edit,
    Enter,
    Invite,
    Kick,
    Mute,
    Quit,
    SetRole,
    Transfer,
    Unban,
    Unmute,
)
from trichat.core.errors import Refusal
from trichat.core.events import Committed, Denied, Draft, Outcome, Person
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import FOREVER, Actor, Role, RoomRules
from trichat.store import MemoryStore, open_postgres_store

PEOPLE = ["ann", "bob", "cat", "root", "gus"]
people = st.sampled_from([*PEOPLE, "ann", "ann", "bob"])  # who may do most acts most often
others = st.sampled_from([*PEOPLE, "cat", "cat"])
roles = st.sampled_from([Role.MEMBER, Role.MODERATOR, Role.ADMIN, Role.OWNER])
accounts = st.sampled_from(["ann", "bob", "cat", "root"])
slots = st.sampled_from([0, 0, 0, 0, 1])  # rooms come and go in these; one is where most of it happens
# How long restraints, codes and slow mode last, and how much time passes at once: in no sum do they come within 5 s of
# each other, for on PostgreSQL a little time passes by itself. 0: for ever.
lasting = st.sampled_from([0, 95, 995])
passing = st.sampled_from([20, 50, 100, 1000])
PLAIN_ACTS: dict[str, Change] = {
    "invite": Invite(), "kick": Kick(), "unban": Unban(), "unmute": Unmute(), "transfer": Transfer(),
}  # fmt: skip
NOWHERE = RoomId(2**62)


class Past(Struct):
    """A change with a `cid`, and the event that it wrote."""

    slot: int
    room_id: RoomId
    person: str
    change: Change
    other: str | None
    cid: str
    seq: int


class Playing(Struct):
    """A store in a thread of its own. `shifts`: time passes there by making older what is stored."""

    stage: Stage
    token: trio.lowlevel.TrioToken
    shifts: bool

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        return trio.from_thread.run(partial(function, *args, **kwargs), trio_token=self.token)


class Governed(RuleBasedStateMachine):
    playing: Playing  # set by `_play`
    marks = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.mark = f"m{next(self.marks)}"
        self.store: Store = self.playing.stage.store
        self.numbers = itertools.count()
        self.shift = 0  # ms by which what is stored was made older
        self.rooms: dict[int, model.Room] = {}
        self.ids: dict[int, RoomId] = {}
        self.codes: list[tuple[str, int, RoomId, list[int]]] = []  # code, slot, room, [uses left, expires]
        self.past: list[Past] = []
        self.owned: set[RoomId] = set()
        self.call(self.store.open_rooms, [RoomName(f"{self.mark}-clock")], create=True)

    def call(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        return self.playing.call(function, *args, **kwargs)

    def person(self, name: str) -> Person:
        return Person(name, UserId(f"{'g' if name in model.GUESTS else 'u'}_{self.mark}{name}"))

    def actor(self, name: str) -> Actor:
        person = self.person(name)
        return Actor(person.user_id, person.user, admin=name == "root")

    def now(self) -> int:
        return int(self.call(self.store.governance.access, RoomName(f"{self.mark}-clock"), UserId("u_x")).now)

    def until(self, lasting_s: int) -> tuple[int, int]:
        """When that is over: in the store's time, and in the model's, which no ageing changes."""
        if lasting_s == 0:
            return FOREVER, FOREVER
        until = self.now() + lasting_s * 1000
        return until, until + self.shift

    def model_now(self) -> int:
        return self.now() + self.shift

    def attempt(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """What it returns, or the code of the refusal."""
        try:
            return self.call(function, *args, **kwargs)
        except Refusal as refusal:
            return refusal.code

    def change(
        self, slot: int, person: str, change: Change, expected: Callable[[model.Room], model.Fate],
        other: str | None = None,
    ) -> None:  # fmt: skip
        """The change is made in the store and the model, and the same becomes of it."""
        cid = f"c{next(self.numbers)}"
        target = None if other is None else self.person(other)
        got = self.attempt(
            self.store.governance.change,
            self.ids.get(slot, NOWHERE),
            self.actor(person),
            change,
            target=target,
            cid=cid,
        )
        room = self.rooms.get(slot)
        fate = "no_such_room" if room is None else expected(room)
        self.settle(slot, got, fate)
        self.send(slot, [other or person])  # what it came to is soon seen in what they may send
        if fate is True:
            self.past.append(Past(slot, self.ids[slot], person, change, other, cid, got.seq))

    def settle(self, slot: int, got: str | Changed, fate: model.Fate) -> None:
        if isinstance(fate, str) or isinstance(got, str):
            assert got == fate
            return
        room = self.rooms[slot]
        room.head += fate
        assert (got.event is not None, got.repeated, got.seq) == (fate, False, room.head)

    # what people do

    @initialize(private=st.booleans(), role=st.sampled_from([Role.MODERATOR, Role.ADMIN]))
    def begin(self, private: bool, role: Role) -> None:
        """Somebody of each role, where most of it happens."""
        self.make(0, "ann", private, made=True)
        for name in ("bob", "cat"):
            self.act_on(0, "ann", name, "invite")
            self.enter(0, name)
        self.give_role(0, "ann", "bob", role)

    @rule(slot=slots, person=accounts, private=st.booleans(), made=st.booleans())
    def make(self, slot: int, person: str, private: bool, made: bool) -> None:
        name = RoomName(f"{self.mark}-{slot}")
        if not made and slot not in self.rooms:  # as a guest's join does it: nobody owns it
            self.ids[slot] = self.call(self.store.open_rooms, [name], create=True)[name].id
            self.rooms[slot] = model.Room(private=False)
            return
        rules = RoomRules(kind="private" if private else "public", guests=not private)
        got = self.attempt(self.store.governance.create, name, rules, self.actor(person), address="")
        if slot in self.rooms:
            assert got == "name_taken"
            return
        self.ids[slot] = got.record.id
        self.rooms[slot] = model.Room(private=private, head=2, roles={person: 5})

    @rule(slot=slots, person=people)
    def enter(self, slot: int, person: str) -> None:
        now = self.model_now()
        self.change(slot, person, Enter(), lambda room: model.enter(room, person, now))

    @rule(slot=slots, person=people)
    def leave(self, slot: int, person: str) -> None:
        self.change(slot, person, Quit(), lambda room: model.leave(room, person))

    @rule(
        slot=slots, person=people, other=others, act=st.sampled_from(["invite", "kick", "unban", "unmute", "transfer"])
    )
    def act_on(self, slot: int, person: str, other: str, act: str) -> None:
        changes: dict[str, Change] = {
            "invite": Invite(), "kick": Kick(), "unban": Unban(), "unmute": Unmute(), "transfer": Transfer(),
        }  # fmt: skip
        now = self.model_now()
        self.change(slot, person, changes[act], lambda room: model.act_on(room, person, act, other, now=now), other)

    @rule(slot=slots, person=people, other=others, act=st.sampled_from(["ban", "mute"]), lasting_s=lasting)
    def restrain(self, slot: int, person: str, other: str, act: str, lasting_s: int) -> None:
        until, model_until = self.until(lasting_s)
        change = Ban(until) if act == "ban" else Mute(until)
        now = self.model_now()
        self.change(
            slot, person, change, lambda room: model.act_on(room, person, act, other, now=now, value=model_until), other
        )

    @rule(
        slot=slots,
        person=people,
        other=others,
        role=st.sampled_from([Role.MEMBER, Role.MODERATOR, Role.ADMIN, Role.OWNER]),
    )
    def give_role(self, slot: int, person: str, other: str, role: Role) -> None:
        now = self.model_now()
        self.change(
            slot,
            person,
            SetRole(role),
            lambda room: model.act_on(room, person, "role", other, now=now, value=role),
            other,
        )

    @rule(
        slot=slots,
        person=people,
        said=st.sampled_from(
            [("member_limit", 0), ("member_limit", 2), ("slow_s", 0), ("slow_s", 95), ("send", Role.GUEST),
             ("send", Role.MODERATOR), ("guests", True), ("guests", False), ("archived", True), ("archived", False)]
        ),
    )  # fmt: skip
    def say_rule(self, slot: int, person: str, said: tuple[str, Any]) -> None:
        name, value = said
        change: Change = Archive(value) if name == "archived" else Edit(**{name: value})
        now = self.model_now()
        self.change(slot, person, change, lambda room: model.rule_said(room, person, name, value, now))

    @rule(slot=st.sampled_from([0, 1, 1, 1]), person=people)
    def delete(self, slot: int, person: str) -> None:
        room_id = self.ids.get(slot, NOWHERE)
        got = self.attempt(self.store.governance.delete, room_id, self.actor(person), address="")
        room = self.rooms.get(slot)
        assert got == ("no_such_room" if room is None else room.lacks(person, "owner", self.model_now()))
        if got is None:
            del self.rooms[slot], self.ids[slot]

    @rule(slot=slots, person=people, uses=st.integers(1, 2), lasting_s=st.sampled_from([95, 995]))
    def make_code(self, slot: int, person: str, uses: int, lasting_s: int) -> None:
        code, room_id = f"{self.mark}{next(self.numbers):06}", self.ids.get(slot, NOWHERE)
        expires = self.until(lasting_s)[1]
        got = self.attempt(
            self.store.governance.make_invite, room_id, self.actor(person), code, uses=uses, for_s=lasting_s, address=""
        )
        room = self.rooms.get(slot)
        why = "no_such_room" if room is None else room.lacks(person, "moderator", self.model_now())
        if why is not None:
            assert got == why
            return
        assert got.uses_left == uses
        self.codes.append((code, slot, room_id, [uses, expires]))

    @precondition(lambda self: self.codes)
    @rule(person=people, data=st.data())
    def accept(self, person: str, data: st.DataObject) -> None:
        code, slot, room_id, state = data.draw(st.sampled_from(self.codes))
        got = self.attempt(self.store.governance.accept, code, self.actor(person))
        if self.ids.get(slot) != room_id:
            assert got == "no_such_room"
            return
        room = self.rooms[slot]
        usable = state[0] > 0 and state[1] > self.model_now()
        fate: model.Fate = "no_such_room"
        if usable or person in room.roles:
            fate = model.enter(room, person, self.model_now(), has_code=True)
        state[0] -= fate is True
        self.settle(slot, got if isinstance(got, str) else got[1], fate)

    @rule(slot=slots, senders=st.lists(people, min_size=1, max_size=3))
    def send(self, slot: int, senders: list[str]) -> None:
        room = self.rooms.get(slot)
        if room is None:
            return
        drafts = [
            Draft(self.ids[slot], RoomName("any"), "message", self.person(one).user_id, one, None, b'{"text":"x"}')
            for one in senders
        ]
        outcomes: list[Outcome] = self.call(self.store.append, drafts)
        now = self.model_now()
        for sender, outcome in zip(senders, outcomes, strict=True):
            fate = model.send(room, sender, now)
            if fate is True:
                room.head += 1
                assert isinstance(outcome, Committed)
                assert outcome.seq == room.head
            else:
                assert outcome == Denied(fate)  # type: ignore[arg-type]  # one of them, if the model is right

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Somebody says again what had its effect: it has none, and they hear of the first."""
        past = data.draw(st.sampled_from(self.past))
        target = None if past.other is None else self.person(past.other)
        got = self.attempt(
            self.store.governance.change,
            past.room_id,
            self.actor(past.person),
            past.change,
            target=target,
            cid=past.cid,
        )
        room = self.rooms.get(past.slot)
        if self.ids.get(past.slot) != past.room_id or room is None or room.hides_from(past.person):
            assert got == "no_such_room"
        else:
            assert (got.seq, got.repeated) == (past.seq, True)

    @rule(seconds=passing)
    def let_pass(self, seconds: int) -> None:
        self.playing.stage.let_pass(seconds)
        if self.playing.shifts:
            self.shift += seconds * 1000

    # what holds

    @invariant()
    def everybody_stands_as_in_the_model(self) -> None:
        for slot, room in self.rooms.items():
            now = self.model_now()
            for name in PEOPLE:
                access = self.call(self.store.governance.access_by_id, self.ids[slot], self.person(name).user_id)
                standing = access.standing
                assert access.record.head == room.head
                assert (standing.role, standing.invited) == (room.roles.get(name), name in room.invited)
                assert standing.banned_at(access.now) == room.is_banned(name, now)
                assert (access.now < standing.muted_until) == room.is_muted(name, now)

    @invariant()
    def no_room_that_had_an_owner_is_without_one(self) -> None:
        for slot, room in self.rooms.items():
            owned = 5 in room.roles.values()
            assert owned or self.ids[slot] not in self.owned
            self.owned |= {self.ids[slot]} if owned else set()

    def teardown(self) -> None:
        for slot, room in self.rooms.items():
            page = self.call(self.store.read_events, self.ids[slot], after=0, limit=1000, max_bytes=1_000_000)
            assert [event.seq for event in page.events] == list(range(1, room.head + 1))


#: Opens a store, plays on it, and closes it.
Run = Callable[[Callable[[Stage], Awaitable[None]]], Awaitable[None]]


@contextmanager
def _playing(
    run: Callable[[Callable[[Stage], Awaitable[None]]], Awaitable[None]], *, shifts: bool
) -> Iterator[Playing]:
    """A store that `run` opens, in a Trio loop of its own thread."""
    ready, ended = threading.Event(), trio.Event()
    playing: list[Playing] = []

    async def play(stage: Stage) -> None:
        playing.append(Playing(stage, trio.lowlevel.current_trio_token(), shifts))
        ready.set()
        await ended.wait()

    thread = threading.Thread(target=partial(trio.run, run, play), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield playing[0]
    finally:
        playing[0].token.run_sync_soon(ended.set)
        thread.join(30)


def _play(playing: Playing, examples: int, steps: int) -> None:
    class Machine(Governed):
        pass

    Machine.playing = playing
    run_state_machine_as_test(
        Machine,
        settings=settings(
            steady, max_examples=examples, stateful_step_count=steps, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.slow
def test_the_twin_does_what_the_model_does() -> None:
    time = [1000.0]

    def pass_time(seconds: float) -> None:
        time[0] += seconds

    async def run(play: Callable[[Stage], Awaitable[None]]) -> None:
        await play(Stage(MemoryStore(LIMITS, chance=Chance(), clock=lambda: time[0]), pass_time))

    with _playing(run, shifts=False) as playing:
        _play(playing, examples=200, steps=50)


@pytest.mark.slow
@pytest.mark.parametrize("binaries", BINARIES)
def test_postgres_does_what_the_model_does(databases: Callable[[str], str], binaries: str) -> None:
    url = databases(binaries)

    async def run(play: Callable[[Stage], Awaitable[None]]) -> None:
        async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
            await play(Stage(store, partial(age, url)))

    with _playing(run, shifts=True) as playing:
        _play(playing, examples=40, steps=50)
