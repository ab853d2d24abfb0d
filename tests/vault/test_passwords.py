"""Passwords: argon2id, the same spelling for everybody, two at once, a bounded queue, nothing told by time."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
import trio
import trio.testing
from argon2 import PasswordHasher, Type, extract_parameters

from tests.conditions import until
from tests.vault.hashers import CHEAP, WatchedHasher
from trichat.chat.figures import Figures
from trichat.chat.vault_port import Vault, VaultBusy
from trichat.core.errors import Refusal
from trichat.core.limits import Limits
from trichat.vault.passwords import COST, Passwords

WORD = "correct horse"


def cheap(limits: Limits | None = None) -> Passwords:
    return Passwords(limits or Limits(), PasswordHasher.from_parameters(CHEAP))


async def test_the_right_password_is_right_and_another_is_not(vault: Vault) -> None:
    stored = await vault.hash_password(WORD)
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await vault.check_password(stored, WORD)
    assert not await vault.check_password(stored, WORD + " ")
    assert not await vault.check_password(None, WORD)


async def test_each_hash_has_its_own_salt(vault: Vault) -> None:
    assert await vault.hash_password(WORD) != await vault.hash_password(WORD)


def test_the_cost_is_that_of_rfc_9106_for_little_memory_in_one_lane() -> None:
    assert (COST.type, COST.time_cost, COST.memory_cost, COST.parallelism) == (Type.ID, 3, 64 * 1024, 1)
    assert (COST.salt_len, COST.hash_len) == (16, 32)


@pytest.mark.parametrize(
    ("set_as", "typed_as"),
    [("caf\u00e9 noir", "cafe\u0301 noir"), ("two\u3000words", "two words"), ("two\u00a0words", "two words")],
)
async def test_two_spellings_of_a_text_are_the_same_password(set_as: str, typed_as: str) -> None:
    passwords = cheap()
    assert await passwords.check(await passwords.hash(set_as), typed_as)


async def test_case_width_and_blanks_at_the_ends_count() -> None:
    passwords = cheap()
    stored = await passwords.hash(" Password ")
    for other in ("Password", " password ", " \uff30assword "):
        assert not await passwords.check(stored, other)


@pytest.mark.parametrize(
    "no_password", ["", "x" * 1025, "\u00e9" * 513, "tab\there it is", "a\x00bcdefgh", "\ud800" * 9]
)
async def test_what_can_be_no_password_is_refused_whoever_it_is_for(no_password: str) -> None:
    passwords = cheap()
    stored = await passwords.hash(WORD)
    told = []
    for work in (passwords.hash(no_password), passwords.check(stored, no_password), passwords.check(None, no_password)):
        with pytest.raises(Refusal) as refused:
            await work
        told.append((refused.value.code, refused.value.field, refused.value.message))
    assert told[0][:2] == ("bad_field", "password")
    assert len(set(told)) == 1


async def test_a_new_password_of_seven_bytes_is_refused_and_an_old_one_still_opens() -> None:
    stored = await cheap(Limits(password_bytes_least=4)).hash("1234567")
    passwords = cheap()
    with pytest.raises(Refusal) as refused:
        await passwords.hash("1234567")
    assert refused.value.field == "password"
    assert await passwords.check(stored, "1234567")
    await passwords.hash("12345678")


async def test_an_unknown_name_costs_one_verification_with_the_same_parameters_as_a_wrong_password() -> None:
    hasher = WatchedHasher()
    hasher.go.set()
    passwords = Passwords(Limits(), hasher)
    stored = await passwords.hash(WORD)
    assert not await passwords.check(stored, "wrong horse")
    assert not await passwords.check(None, WORD)
    known, unknown = hasher.verified
    assert known == stored != unknown
    assert extract_parameters(unknown) == extract_parameters(stored)


async def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    passwords = Passwords(Limits(), PasswordHasher.from_parameters(dataclasses.replace(CHEAP, memory_cost=16_384)))
    stored = await passwords.hash(WORD)

    async def fastest(who: str | None) -> float:
        times = []
        for _ in range(7):
            begun = time.perf_counter()
            assert not await passwords.check(who, "wrong horse")
            times.append(time.perf_counter() - begun)
        return min(times)

    assert 1 / 3 < await fastest(None) / await fastest(stored) < 3


async def test_two_are_hashed_at_once_and_never_three() -> None:
    hasher = WatchedHasher()
    passwords = Passwords(Limits(), hasher)
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(passwords.check, None, WORD)
        await until(lambda: hasher.at_once == 2)
        await trio.testing.wait_all_tasks_blocked()
        hasher.go.set()
    assert (len(hasher.verified), hasher.at_once_most) == (8, 2)


async def test_two_hundred_wait_and_the_next_is_told_at_once_to_come_back() -> None:
    hasher = WatchedHasher()
    passwords = Passwords(Limits(), hasher)
    async with trio.open_nursery() as nursery:
        for _ in range(202):
            nursery.start_soon(passwords.check, None, WORD)
        await trio.testing.wait_all_tasks_blocked()
        for work in (passwords.check(None, WORD), passwords.check("any", WORD), passwords.hash(WORD)):
            with pytest.raises(VaultBusy):
                await work
        hasher.go.set()
    assert len(hasher.verified) == 202
    await passwords.hash(WORD)


async def test_who_leaves_the_queue_makes_room() -> None:
    hasher = WatchedHasher()
    passwords = Passwords(Limits(password_queue=1), hasher)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(passwords.check, None, WORD)
        nursery.start_soon(passwords.check, None, WORD)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.01) as leaving:
            await passwords.check(None, WORD)
        assert leaving.cancelled_caught
        nursery.start_soon(passwords.check, None, WORD)
        await trio.testing.wait_all_tasks_blocked()
        hasher.go.set()
    assert len(hasher.verified) == 3


async def test_who_watches_the_node_sees_how_many_wait() -> None:
    hasher, figures = WatchedHasher(), Figures()
    passwords = Passwords(Limits(), hasher, figures)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(passwords.check, None, WORD)
        await trio.testing.wait_all_tasks_blocked()
        assert figures.passwords == 5
        hasher.go.set()
    assert figures.passwords == 0


async def test_a_hash_of_weaker_parameters_is_outdated() -> None:
    stored = await cheap().hash(WORD)
    assert not cheap().outdated(stored)
    stronger: dict[str, Any] = {"time_cost": 2, "memory_cost": 16, "hash_len": 64, "salt_len": 32}
    for name, value in stronger.items():
        later = PasswordHasher.from_parameters(dataclasses.replace(CHEAP, **{name: value}))
        assert Passwords(Limits(), later).outdated(stored), name
        assert not cheap().outdated(later.hash(WORD)), name
    assert cheap().outdated(PasswordHasher.from_parameters(dataclasses.replace(CHEAP, type=Type.I)).hash(WORD))
    assert cheap().outdated("sha1:1234")


async def test_an_unreadable_hash_opens_to_nobody_and_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert not await cheap().check("sha1:1234", WORD)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "sha1" not in caplog.text
    assert WORD not in caplog.text
