"""A simulated world: two twin nodes, people who talk, and the weather; the same seed gives the same world.

Every person checks what it is told as it comes; `World.check` compares what all have seen with the log.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio
import trio._core._run as trio_run  # where Trio keeps its source of chance
from trio.testing import MockClock

from tests.chat.simulated_people import ROOMS, Person
from tests.nodes import LOOSE, Node, Twins, make_twins, open_twin_node
from trichat.chat.ports import StoreUnavailable
from trichat.core.chance import Chance
from trichat.core.events import Event
from trichat.core.names import RoomName
from trichat.store.memory import MemoryStore

#: Virtual seconds of talk and weather.
TALK_S: Final = 12.0


class SimulatedStore(MemoryStore):
    """A twin whose log can be looked at."""

    def log_of(self, room: str) -> list[Event]:
        found = self.rooms_by_name.get(RoomName(room))
        return found.events if found else []


class Slot:
    """A place for a node, which may die and come back as another one."""

    def __init__(self) -> None:
        self.node: Node | None = None
        self.life = trio.CancelScope()
        self.died = trio.Event()

    def kill(self) -> None:
        self.node = None
        self.life.cancel(reason="the node is killed")
        self.died.set()


class World:
    """All of it. `trace` is what happened, in order."""

    def __init__(self, seed: int, people: int = 6) -> None:
        self.rng = random.Random(seed)
        self.twins: Twins = make_twins(LOOSE, Chance(random.Random(seed + 1)))
        self.store = SimulatedStore(LOOSE, chance=self.twins.chance)
        self.twins.store = self.store
        self.slots = [Slot(), Slot()]
        self.people = [Person(self, number) for number in range(people)]
        self.over = False  # nobody says anything new, and the weather is fine for ever
        self.quiet = 0  # how many have nothing more to say
        self.trace: list[str] = []

    def note(self, what: str) -> None:
        self.trace.append(f"{trio.current_time():.4f} {what}")

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for number, slot in enumerate(self.slots):
                nursery.start_soon(self._run_node, slot, f"n{number}")
            async with trio.open_nursery() as talk:
                for person in self.people:
                    talk.start_soon(person.run)
                with trio.move_on_after(TALK_S):
                    await self._run_weather()
                self._clear_up()
                self.over = True
            nursery.cancel_scope.cancel(reason="all is said and heard")
        self.check()

    def check(self) -> None:
        """What all have seen is the log; what was acknowledged is in it, once."""
        for room in ROOMS:
            log = self.store.log_of(room)
            assert [event.seq for event in log] == list(range(1, len(log) + 1))
            said = [(event.user_id, event.cid) for event in log]
            assert len(said) == len(set(said)), "a word is there twice"
            bodies = {event.seq: event.body for event in log}
            for person in self.people:
                for seq, text in person.seen[room].items():
                    assert bodies[seq] == b'{"text":"%b"}' % text.encode()
                assert not person.owed

    def a_node(self) -> Slot | None:
        alive = [slot for slot in self.slots if slot.node is not None]
        return self.rng.choice(alive) if alive else None

    async def _run_node(self, slot: Slot, name: str) -> None:
        while True:
            slot.life, slot.died = trio.CancelScope(), trio.Event()
            try:
                with slot.life:
                    async with open_twin_node(self.twins, name=name) as slot.node:
                        await trio.sleep_forever()
            except* StoreUnavailable:
                assert slot.node is None, "only a node that has not begun may fail for want of a store"
            await trio.sleep(self.rng.uniform(0.0, 2.0))

    async def _run_weather(self) -> None:
        while True:
            await trio.sleep(self.rng.expovariate(1.0))
            slot = self.a_node()
            if slot is None or slot.node is None:
                continue
            incarnation, bus = slot.node.hub.incarnation, self.twins.bus
            weather = self.rng.choice(
                (
                    "cut",
                    "heal",
                    "heal",
                    "stop",
                    "start",
                    "start",
                    "lose",
                    "down",
                    "lost",
                    "slow",
                    "fine",
                    "fine",
                    "kill",
                )
            )
            self.note(weather)
            match weather:
                case "cut":
                    bus.cut(incarnation)
                case "heal":
                    bus.heal(incarnation)
                case "stop":
                    bus.stop()
                case "start":
                    bus.start()
                case "lose":
                    bus.lose_next(self.rng.randrange(1, 4))
                case "down":
                    self.store.down = True
                case "lost":
                    self.store.answers_lost = True
                case "slow":
                    self.store.delay_s = self.rng.choice((0.01, 0.3, 1.5))
                case "fine":
                    self._mend_store()
                case "kill" if self.store.down is False:
                    slot.kill()

    def _clear_up(self) -> None:
        self._mend_store()
        self.twins.bus.start()
        for slot in self.slots:
            if slot.node is not None:
                self.twins.bus.heal(slot.node.hub.incarnation)

    def _mend_store(self) -> None:
        self.store.down, self.store.answers_lost, self.store.delay_s = False, False, 0.0


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Trio's tasks run in an order that the seed alone decides."""
    inside = vars(trio_run)  # where Trio's own tests set them too
    names = ("_ALLOW_DETERMINISTIC_SCHEDULING", "_r")
    before = {name: inside[name] for name in names}
    inside.update(zip(names, (True, random.Random(seed)), strict=True))
    try:
        yield
    finally:
        inside.update(before)


def simulate(seed: int) -> World:
    """Run the world of this seed to its end. Raises AssertionError when something in it was wrong."""

    async def run() -> World:
        world = World(seed)
        await world.run()
        return world

    with deterministic(seed):
        return trio.run(run, clock=MockClock(autojump_threshold=0))
