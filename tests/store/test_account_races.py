"""Accounts and logins, changed by many at once over two stores on PostgreSQL: who is first has it, and nobody fails.

A deadlock would fail these tests: PostgreSQL resolves one only after longer than a call of the store may take.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

import psycopg
import pytest
import trio

from tests.store.people import ANN, BOB, OPERATOR, new_login, register
from trichat.chat.ports import Store
from trichat.core.account_names import skeleton
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.names import UserId
from trichat.store import open_postgres_store

FEW = Limits(account_sessions=5)
T = TypeVar("T")


@pytest.fixture
async def stores(url: str) -> AsyncIterator[Sequence[Store]]:
    """Two nodes' stores on one new database."""
    with psycopg.connect(url) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET deadlock_timeout = '60s'".encode())
    async with (
        open_postgres_store(url, FEW, chance=Chance()) as one,
        open_postgres_store(url, FEW, chance=Chance()) as other,
    ):
        yield one, other


async def at_once(stores: Sequence[Store], acts: Sequence[Callable[[Store], Awaitable[T]]]) -> list[T]:
    """The results of `acts`, in their order; they run at the same time, on each store in turn."""
    results: dict[int, T] = {}

    async def act(place: int) -> None:
        results[place] = await acts[place](stores[place % len(stores)])

    async with trio.open_nursery() as nursery:
        for place in range(len(acts)):
            nursery.start_soon(act, place)
    return [results[place] for place in range(len(acts))]


def registering(number: int, name: str) -> Callable[[Store], Awaitable[bool]]:
    return lambda store: store.accounts.register(UserId(f"u_{number}"), name, "a hash", new_login())


@pytest.mark.parametrize("names", [("ann",), ("erna", "ema", "ern\u0430")])
async def test_of_many_who_register_the_same_name_one_gets_it(stores: Sequence[Store], names: Sequence[str]) -> None:
    acts = [registering(number, names[number % len(names)]) for number in range(20)]
    results = await at_once(stores, acts)
    assert sorted(results) == [False] * 19 + [True]
    made = [number for number in range(20) if await stores[0].accounts.credentials_of(UserId(f"u_{number}"))]
    assert made == [results.index(True)]


async def test_of_guests_and_accounts_at_one_name_one_gets_it(stores: Sequence[Store]) -> None:
    for number in range(10):
        await register(stores[0], UserId(f"u_old{number}"))
    acts: list[Callable[[Store], Awaitable[bool]]] = []
    for number in range(10):
        guest, old = UserId(f"g_{number}"), UserId(f"u_old{number}")
        acts += [
            lambda store, guest=guest: store.claim_name(guest, "ann"),  # type: ignore[misc]  # of a default
            lambda store, old=old: store.accounts.rename(old, "ann"),  # type: ignore[misc]
            registering(number, "ann"),
        ]
    assert sum(await at_once(stores, acts)) == 1


async def test_an_outside_identity_that_comes_many_times_at_once_has_one_account(stores: Sequence[Store]) -> None:
    acts = [
        lambda store, number=number: store.accounts.outside(UserId(f"u_{number}"), "site", "1", "ann", "")
        for number in range(20)
    ]
    accounts = await at_once(stores, acts)
    assert len(set(accounts)) == 1
    assert await stores[0].accounts.find_person("ann-2") is None


async def test_outside_identities_of_one_name_all_get_an_account(stores: Sequence[Store]) -> None:
    acts = [
        lambda store, number=number: store.accounts.outside(UserId(f"u_{number}"), "site", str(number), "ann", "")
        for number in range(20)
    ]
    accounts = await at_once(stores, acts)
    names = {account.name for account in accounts if account is not None}
    assert names == {"ann", *(f"ann-{number}" for number in range(2, 21))}


async def test_an_account_that_is_renamed_many_times_at_once_has_one_name(stores: Sequence[Store]) -> None:
    await register(stores[0], ANN)
    names = [f"name{number}" for number in range(20)]
    acts = [lambda store, name=name: store.accounts.rename(ANN, name) for name in names]
    assert all(await at_once(stores, acts))
    found = [name for name in ("ann", *names) if await stores[0].accounts.find_person(name) is not None]
    person = await stores[0].accounts.find_person(ANN)
    assert person is not None
    assert found == [person.user]


async def test_names_that_are_taken_back_and_forth_by_many_end_with_one_holder_each(
    url: str, stores: Sequence[Store]
) -> None:
    """Ten people, guests and accounts, take any of six names, three of them look-alikes; old ones are free at once."""
    names = ["erna", "ema", "ern\u0430", "a", "b", "c"]
    accounts, guests = [UserId(f"u_{n}") for n in range(5)], [UserId(f"g_{n}") for n in range(5)]
    for account in accounts:
        await register(stores[0], account, f"name-of-{account}")
    chance = Random(3)

    async def churn(place: int) -> None:
        for _ in range(20):
            name, store = chance.choice(names), stores[place % 2]
            if place < 5:
                await store.accounts.rename(accounts[place], name)
                await store.accounts.rename(accounts[place], f"name-of-{accounts[place]}")
            else:
                await store.claim_name(guests[place - 5], name)
                await store.touch_names(guests)

    async def free_names() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while True:
                await trio.to_thread.run_sync(
                    connection.execute, b"UPDATE trichat.names SET free_at = now() - interval '1 s' WHERE"
                    b" name_key = ANY (ARRAY(SELECT name_key FROM trichat.names WHERE free_at <> 'infinity'"
                    b" ORDER BY 1 FOR UPDATE))",
                )  # fmt: skip
                await stores[0].tidy()

    async with trio.open_nursery() as outer:
        outer.start_soon(free_names)
        async with trio.open_nursery() as nursery:
            for place in range(10):
                nursery.start_soon(churn, place)
        outer.cancel_scope.cancel(reason="all have what they have")
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT name_key, name, user_id FROM trichat.names").fetchall()
    assert all(key == skeleton(name) for key, name, _ in rows)
    present = {user_id: name for _, name, user_id in rows if name.startswith("name-of-")}
    assert present == {account: f"name-of-{account}" for account in accounts}


async def test_an_account_never_has_more_logins_than_it_may(stores: Sequence[Store]) -> None:
    await register(stores[0], ANN)
    acts = [lambda store: store.accounts.log_in(ANN, new_login()) for _ in range(30)]
    await at_once(stores, acts)
    assert len(await stores[0].accounts.logins(ANN)) == FEW.account_sessions
    assert len(await stores[0].accounts.ended_since(60)) == 31 - FEW.account_sessions


async def test_each_login_that_ends_is_told_once(stores: Sequence[Store]) -> None:
    await register(stores[0], ANN, login="first")
    acts = [lambda store: store.accounts.end_login(ANN, "first") for _ in range(10)]
    assert sum(await at_once(stores, acts)) == 1
    assert len(await stores[0].accounts.ended_since(60)) == 1


async def test_a_code_and_a_step_and_the_last_block_count_once(stores: Sequence[Store]) -> None:
    await register(stores[0], ANN)
    assert sum(await at_once(stores, [lambda store: store.accounts.use_totp_step(ANN, 5)] * 10)) == 1
    blocks = [
        lambda store, number=number: store.accounts.block(ANN, UserId(f"u_{number}"), most=3) for number in range(10)
    ]
    assert sum(await at_once(stores, blocks)) == 3
    await stores[0].administration.set_recovery(ANN, b"code", operator=OPERATOR)
    codes = [lambda store: store.accounts.recover(b"code", "hash", new_login()) for _ in range(10)]
    assert sum(account is not None for account in await at_once(stores, codes)) == 1
    assert len(await stores[0].accounts.logins(ANN)) == 1


async def test_logins_that_come_and_end_and_are_used_at_once_disturb_nobody(stores: Sequence[Store]) -> None:
    await register(stores[0], ANN, login="first")
    await register(stores[0], BOB)

    async def stay(store: Store) -> None:
        await store.accounts.touch_logins([login.id for login in await store.accounts.logins(ANN)])

    acts: list[Callable[[Store], Awaitable[object]]] = [
        stay,
        lambda store: store.accounts.log_in(ANN, new_login()),
        lambda store: store.accounts.set_password(ANN, "hash", "first"),
        lambda store: store.accounts.end_logins(ANN, "first"),
        lambda store: store.accounts.find_login(new_login("first").token_hash, ""),
        lambda store: store.tidy(),
        lambda store: store.administration.set_password(ANN, "hash", operator=OPERATOR),
    ]
    await at_once(stores, acts * 10)
    assert len(await stores[0].accounts.logins(BOB)) == 1
