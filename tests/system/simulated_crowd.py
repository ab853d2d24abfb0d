"""A virtual hour of 200 people in 20 rooms over two nodes, in all weathers; the same seed gives the same hour."""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

import msgspec
import trio

from tests.nodes import LOOSE, Node, make_twins, open_twin_node
from tests.system.simulated_people import Person
from trichat.core.chance import Chance
from trichat.core.events import Event
from trichat.core.names import RoomName
from trichat.store.memory import MemoryStore

HOUR_S: Final = 3_600.0
#: Seconds in which everybody has heard and been acknowledged everything, once nothing goes wrong any more.
CALM_S: Final = 120.0

#: Small queues, so that whoever reads slowly is felt; beats and glances less often, for the hour is long.
LIMITS: Final = msgspec.structs.replace(
    LOOSE,
    outbox_bytes=8_192,
    outbox_ephemeral_bytes=1_024,
    outbox_refill_bytes=2_048,
    page_bytes=4_096,
    page=50,
    replay=400,
    ring_events=32,
    ring_bytes=8_192,
    beat_s=1.0,
    beat_missing_s=2.5,
    heads_fast_s=0.5,
)


class SeenStore(MemoryStore):
    """A twin whose logs the test may look at."""

    def log_of(self, room: str) -> list[Event]:
        found = self._by_name.get(RoomName(room))
        return found.events if found else []


class World:
    """All of it. `calm` is when nothing goes wrong any more and nobody says anything new."""

    nodes: list[Node]
    nursery: trio.Nursery

    def __init__(self, seed: int, people: int = 200, rooms: int = 20, seconds: float = HOUR_S) -> None:
        self.rng = random.Random(seed)
        self.seconds = seconds
        self.rooms = [f"room{number}" for number in range(rooms)]
        self.twins = make_twins(LIMITS, Chance(random.Random(seed + 1)))
        self.store = SeenStore(LIMITS, chance=self.twins.chance)
        self.store.delay_s = 0.003
        self.twins.store = self.store
        self.people = [Person(self, number) for number in range(people)]
        self.calm = False
        self.calmed = trio.Event()
        # what happened
        self.losses = self.gaps = self.unavailable = 0
        self.goodbyes: Counter[int] = Counter()
        self.weathers: Counter[str] = Counter()

    def room_for(self, number: int) -> str:
        return self.rooms[number % len(self.rooms)]

    def log_of(self, room: str) -> list[Event]:
        return self.store.log_of(room)

    async def run(self) -> None:
        """The hour, the calm after it, and the reckoning. Raises AssertionError when something is wrong."""
        async with (
            open_twin_node(self.twins, name="n1") as one,
            open_twin_node(self.twins, name="n2") as two,
            trio.open_nursery() as self.nursery,
        ):
            self.nodes = [one, two]
            for person in self.people:
                for part in (person.live, person.talk, person.insist, person.be_restless):
                    self.nursery.start_soon(part)
            with trio.move_on_after(self.seconds):
                await self._run_weather()
            await self._become_calm()
            self.check()
            self.nursery.cancel_scope.cancel(reason="the hour is over")

    async def _run_weather(self) -> None:
        bus, store, incarnations = self.twins.bus, self.store, [node.hub.incarnation for node in self.nodes]
        while True:
            await trio.sleep(self.rng.expovariate(1 / 40))
            weather = self.rng.choice(("one cut off", "bus away", "news lost", "store away", "answers lost"))
            self.weathers[weather] += 1
            pause = self.rng.uniform(0.5, 10.0)
            victim = self.rng.choice(incarnations)
            match weather:
                case "one cut off":
                    bus.cut(victim)
                    await trio.sleep(pause)
                    bus.heal(victim)
                case "bus away":
                    bus.stop()
                    await trio.sleep(pause)
                    bus.start()
                case "news lost":
                    bus.lose_next(self.rng.randrange(1, 6))
                case "store away":
                    store.down = True
                    await trio.sleep(pause / 2)
                    store.down = False
                case "answers lost":
                    store.answers_lost = True
                    await trio.sleep(pause / 5)
                    store.answers_lost = False

    async def _become_calm(self) -> None:
        self.calm = True
        self.calmed.set()
        bus, store = self.twins.bus, self.store
        bus.start()
        for node in self.nodes:
            bus.heal(node.hub.incarnation)
        store.down = store.answers_lost = False
        await trio.sleep(CALM_S)

    def check(self) -> None:
        """Everybody has heard all of their room, and what was acknowledged is in the log, once."""
        said = {event.cid: (room, event.seq) for room in self.rooms for event in self.log_of(room)}
        total = sum(len(self.log_of(room)) for room in self.rooms)
        assert len(said) == total, "no word is in the logs twice"
        for person in self.people:
            assert person.listening, f"{person.number} is not there"
            assert person.position[person.room] == len(self.log_of(person.room)), "heard all"
            assert not person.unacked, (person.number, person.room, list(person.unacked.values())[:3])
            assert len(person.acks) == person.words
            for cid, place in person.acks.items():
                assert said[cid] == place, "acknowledged and stored are the same"
        assert total == sum(person.words for person in self.people)

    def tale(self) -> str:
        """What happened, in a line."""
        heard = sum(person.heard for person in self.people)
        words = sum(person.words for person in self.people)
        return (
            f"{words} words, heard {heard} times; {self.losses} connections lost, goodbyes {dict(self.goodbyes)}, "
            f"{self.gaps} gaps, {self.unavailable} refusals, weather {dict(self.weathers)}"
        )
