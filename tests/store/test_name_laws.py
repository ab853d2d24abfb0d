"""What holds of names whatever people do: nobody ever holds one that looks like another's. The twin is held to it, and
PostgreSQL to the twin."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import inf
from random import Random

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tests.properties import steady
from tests.store.conftest import LIMITS
from tests.store.people import new_login
from trichat.chat.ports import Store
from trichat.core.account_names import skeleton
from trichat.core.chance import Chance
from trichat.core.names import UserId, name_key
from trichat.store import MemoryStore, open_postgres_store

# few, so that they meet; the first three look alike, and so do the next two
NAMES = ["erna", "ema", "ERNA", "ann", "\uff41nn", "bob"]
GUESTS = ["g_1", "g_2"]
ACCOUNTS = ["u_1", "u_2", "u_3"]
DAY = 24 * 3600.0


class Act(Struct, frozen=True):
    """What somebody does: `claim`, `register`, `rename`, `outside`; or `pass`, a number of days in `name`."""

    kind: str
    who: str
    name: str


def _acts(*kinds: str, who: Sequence[str]) -> st.SearchStrategy[Act]:
    return st.builds(Act, st.sampled_from(kinds), st.sampled_from(who), st.sampled_from(NAMES))


timeless = _acts("claim", who=GUESTS) | _acts("register", "rename", "rename", "outside", who=ACCOUNTS)
passing = st.builds(Act, st.just("pass"), st.just(""), st.sampled_from(["1", "2", "29", "31"]))


async def _play(store: Store, act: Act, mark: str = "") -> object:
    """What comes of it; `mark` makes other people and names of these, on a store that has some."""
    who, name, accounts = UserId(act.who + mark), act.name + mark, store.accounts
    match act.kind:
        case "claim":
            return await store.claim_name(who, name)
        case "register":
            known = await accounts.credentials_of(who) is not None
            return known or await accounts.register(who, name, "hash", new_login())
        case "rename":
            return await accounts.rename(who, name)
        case _:
            known = await accounts.credentials_of(who) is not None
            account = None if known else await accounts.outside(who, "site", who, name, "")
            return account and account.name.replace(mark, "")


class Model:
    """Who holds what, as a list that is searched: each name with its holder, and until when it is theirs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.held: list[tuple[str, str, float]] = []  # name, holder, until

    def others(self, who: str) -> set[str]:
        """What the names look like that others hold."""
        return {skeleton(name) for name, holder, until in self.held if holder != who and until >= self.now}

    def present(self, who: str) -> str | None:
        names = [name for name, holder, until in self.held if holder == who and until == inf]
        return names[0] if names else None

    def take(self, who: str, name: str) -> None:
        """The name is theirs from now on; what they had before is free (a guest's) or theirs for a while."""
        kept = LIMITS.name_kept_s if who.startswith("g_") else inf
        old = self.now + LIMITS.old_name_kept_s
        mine = [] if who.startswith("g_") else [held for held in self.held if held[1] == who]
        self.held = [held for held in self.held if held[1] != who and skeleton(held[0]) != skeleton(name)]
        self.held += [(n, w, min(until, old)) for n, w, until in mine if skeleton(n) != skeleton(name)]
        self.held.append((name, who, self.now + kept))


@steady
@given(st.lists(timeless | passing, max_size=25))
def test_nobody_ever_holds_a_name_that_looks_like_anothers(acts: list[Act]) -> None:
    async def play() -> None:
        model = Model()
        store = MemoryStore(LIMITS, chance=Chance(Random(1)), clock=lambda: model.now)
        for act in acts:
            if act.kind == "pass":
                model.now += float(act.name) * DAY
                await store.tidy()
                continue
            new = model.present(act.who) is None
            allowed = skeleton(act.name) not in model.others(act.who)
            result = await _play(store, act)
            if act.kind == "outside" and new:
                assert isinstance(result, str)
                assert (result == act.name) == allowed
                assert skeleton(result) not in model.others(act.who)
                model.take(act.who, result)
            elif act.kind == "claim" or (act.kind == "rename") != new:
                assert result == allowed
                if allowed:
                    model.take(act.who, act.name)
            await _agrees(store, model)

    trio.run(play)


async def _agrees(store: Store, model: Model) -> None:
    """Names lead to those who go by them, and to nobody else."""
    by_name = {}
    for name, who, until in model.held:
        if until == inf or (who.startswith("g_") and until >= model.now):
            by_name[name_key(name)] = who
    for name in NAMES:
        found = await store.accounts.find_person(name)
        assert (None if found is None else found.user_id) == by_name.get(name_key(name))


def test_postgres_does_what_the_twin_does(url: str) -> None:
    marks = itertools.count()

    async def on_twin(acts: Sequence[Act]) -> list[object]:
        store = MemoryStore(LIMITS, chance=Chance(Random(1)))
        return [await _play(store, act) for act in acts]

    async def on_postgres(acts: Sequence[Act]) -> list[object]:
        mark = f"-x{next(marks)}"
        async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
            return [await _play(store, act, mark) for act in acts]

    @settings(
        max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(st.lists(timeless, max_size=25))
    def law(acts: list[Act]) -> None:
        assert trio.run(on_postgres, acts) == trio.run(on_twin, acts)

    law()
