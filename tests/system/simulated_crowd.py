"""A virtual hour of 200 people in 20 rooms over two nodes, in all weathers; the same seed gives the same hour."""

from __future__ import annotations

import math
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

#: When the twin store says that the clock is 0, in milliseconds since 1970: 2026-01-01.
DAWN_MS: Final = 1_767_225_600_000

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
        found = self.rooms_by_name.get(RoomName(room))
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
        self.latest_s = 0.0  # the longest that news took, while the store was there
        self.goodbyes: Counter[int] = Counter()
        self.weathers: Counter[str] = Counter()
        self._store_well_since = 0.0

    def room_for(self, number: int) -> str:
        return self.rooms[number % len(self.rooms)]

    def log_of(self, room: str) -> list[Event]:
        return self.store.log_of(room)

    def heard_after(self, event: Event) -> None:
        """Somebody who reads promptly has just heard this event."""
        delay_s = trio.current_time() - (event.ts - DAWN_MS) / 1000
        if self._store_well_since < trio.current_time() - delay_s:
            self.latest_s = max(self.latest_s, delay_s)

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

    async def _lose_store(self, pause: float, *, answers: bool) -> None:
        self._store_well_since = math.inf
        self.store.down, self.store.answers_lost = not answers, answers
        await trio.sleep(pause)
        self.store.down = self.store.answers_lost = False
        self._store_well_since = trio.current_time()

    async def _run_weather(self) -> None:
        bus, incarnations = self.twins.bus, [node.hub.incarnation for node in self.nodes]
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
                    await self._lose_store(pause / 2, answers=False)
                case "answers lost":
                    await self._lose_store(pause / 5, answers=True)

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
            f"{words} words, heard {heard} times, news after {self.latest_s:.1f} s at most; "
            f"{self.losses} connections lost, goodbyes {dict(self.goodbyes)}, "
            f"{self.gaps} gaps, {self.unavailable} refusals, weather {dict(self.weathers)}"
        )
