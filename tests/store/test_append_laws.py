"""What holds of `append` for any batches: laws for the twin, and PostgreSQL held to the twin."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.conftest import LIMITS
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.events import CidReused, Committed, Draft, Event, Outcome, Repeated, RoomGone
from trichat.core.names import RoomId, RoomName, UserId
from trichat.store import MemoryStore, open_postgres_store

ROOMS = ["a", "b", "c"]
GHOST = RoomId(2**62)

# few values, so that they meet; the room 3 does not exist
drafts = st.tuples(
    st.integers(0, 3), st.sampled_from(["ann", "bob"]), st.sampled_from([None, "1", "2", "3"]), st.sampled_from("xy")
)
batches = st.lists(st.lists(drafts, max_size=8), max_size=5)
Choice = tuple[int, str, str | None, str]


def _draft(choice: Choice, rooms: Sequence[RoomId]) -> Draft:
    room, user, cid, text = choice
    return Draft(
        rooms[room], RoomName("any"), "message", UserId(f"g_{user}"), user, cid, b'{"text":"%b"}' % text.encode()
    )


Played = tuple[list[Outcome], dict[int, list[Event]]]


async def _play(store: Store, choices: Sequence[Sequence[Choice]], mark: str = "") -> Played:
    """The outcomes, and in the end the log of each room by its place in ROOMS; without the times.

    `mark` makes the names of rooms new ones.
    """
    opened = await store.open_rooms([RoomName(name + mark) for name in ROOMS], create=True)
    rooms = [*(record.id for record in opened.values()), GHOST]
    outcomes: list[Outcome] = []
    for batch in choices:
        outcomes += await store.append([_draft(choice, rooms) for choice in batch])
    logs = {}
    for place, room in enumerate(rooms):
        page = await store.read_events(room, after=0, limit=1000, max_bytes=1_000_000)
        logs[place] = [Event(e.seq, e.kind, e.user_id, e.user, 0, e.cid, e.body) for e in page.events]
    return [Committed(o.seq, 0) if isinstance(o, Committed) else o for o in outcomes], logs


def _twin() -> MemoryStore:
    return MemoryStore(LIMITS, chance=Chance(Random(1)))


@given(batches)
def test_the_log_is_gapless_and_holds_what_was_committed_once(choices: list[list[Choice]]) -> None:
    outcomes, logs = trio.run(_play, _twin(), choices)
    committed: dict[int, list[int]] = defaultdict(list)
    first_seq: dict[tuple[int, str, str], tuple[int, str]] = {}
    for (room, user, cid, text), outcome in zip((c for batch in choices for c in batch), outcomes, strict=True):
        before = None if cid is None else first_seq.get((room, user, cid))
        if room == len(ROOMS):
            assert outcome == RoomGone()
        elif before is not None:
            assert outcome == (Repeated(before[0]) if text == before[1] else CidReused(before[0]))
        else:
            assert isinstance(outcome, Committed)
            committed[room].append(outcome.seq)
            event = logs[room][outcome.seq - 1]
            assert (event.seq, event.user, event.cid) == (outcome.seq, user, cid)
            if cid is not None:
                first_seq[room, user, cid] = outcome.seq, text
    for room, events in logs.items():
        assert [event.seq for event in events] == committed[room] == list(range(1, len(events) + 1))


@given(batches)
def test_how_drafts_are_batched_makes_no_difference(choices: list[list[Choice]]) -> None:
    singly = [[choice] for batch in choices for choice in batch]
    assert trio.run(_play, _twin(), singly) == trio.run(_play, _twin(), choices)


def test_postgres_does_what_the_twin_does(url: str) -> None:
    marks = itertools.count()

    async def on_postgres(choices: list[list[Choice]]) -> Played:
        async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
            return await _play(store, choices, mark=str(next(marks)))

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(batches)
    def law(choices: list[list[Choice]]) -> None:
        assert trio.run(on_postgres, choices) == trio.run(_play, _twin(), choices)

    law()
