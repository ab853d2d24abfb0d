"""The contract of logins and keys: kept, found by the hash of their token, ended for all nodes to hear."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.store.conftest import LIMITS, Stage
from tests.store.people import ANN, BOB, OPERATOR, deactivate, new_login, register, token_of
from trichat.chat.ports import Store
from trichat.core.accounts import Account, Ended, Key
from trichat.core.names import RoomName, UserId
from trichat.core.tokens import token_hash

HOUR = 3600.0


async def login_ids(store: Store, user_id: UserId = ANN) -> list[str]:
    return [login.id for login in await store.accounts.logins(user_id)]


async def lasts(store: Store, login: str) -> bool:
    """Whether the login lasts, by its token; that is no use of it worth recording."""
    return await store.accounts.find_login(token_of(login), "192.0.2.1") is not None


async def ended(store: Store, seconds: float = 60.0) -> Sequence[Ended]:
    return sorted(await store.accounts.ended_since(seconds), key=lambda one: (one.user_id, one.session_id or ""))


async def add_bot(store: Store, user_id: UserId, rooms: Sequence[RoomName] | None = None) -> None:
    await store.administration.add_bot(user_id, user_id[2:], operator=OPERATOR)
    await store.administration.add_key("b_1", user_id, token_hash("b.1"), ["read", "send"], rooms, operator=OPERATOR)


async def test_a_login_is_found_by_its_token_alone(store: Store) -> None:
    await register(store, ANN, login="first")
    await store.accounts.log_in(ANN, new_login("second"))
    ann = Account(user_id=ANN, name="ann")
    assert await store.accounts.find_login(token_of("first"), "") == (ann, "first")
    assert await store.accounts.find_login(token_of("second"), "") == (ann, "second")
    assert await store.accounts.find_login(token_of("third"), "") is None
    assert await store.accounts.find_login(b"", "") is None


async def test_logins_are_listed_newest_first_with_where_they_come_from(stage: Stage) -> None:
    await register(stage.store, ANN, login="first")
    stage.let_pass(HOUR)
    await stage.store.accounts.log_in(ANN, new_login("second", device="laptop", address="2001:db8::1"))
    await register(stage.store, BOB)
    second, first = await stage.store.accounts.logins(ANN)
    assert (second.id, second.device, second.address) == ("second", "laptop", "2001:db8::1")
    assert (first.id, first.device, first.address) == ("first", "phone", "192.0.2.1")
    assert first.created == first.seen
    assert 0 <= second.created - first.created - HOUR * 1000 < 60_000


async def test_a_login_ends_when_it_is_not_used_for_too_long(stage: Stage) -> None:
    await register(stage.store, ANN, login="first")
    stage.let_pass(LIMITS.session_s - 60)
    assert await login_ids(stage.store) == ["first"]
    stage.let_pass(120)
    assert not await lasts(stage.store, "first")
    assert await login_ids(stage.store) == []


async def test_use_extends_a_login(stage: Stage) -> None:
    await register(stage.store, ANN, login="first")
    for _ in range(3):
        stage.let_pass(LIMITS.session_s - 60)
        assert await lasts(stage.store, "first")


async def test_the_use_of_a_login_is_recorded_once_in_a_while(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, login="first")
    stage.let_pass(LIMITS.session_touch_s - 60)
    await store.accounts.find_login(token_of("first"), "198.51.100.7")
    (login,) = await store.accounts.logins(ANN)
    assert (login.seen, login.address) == (login.created, "192.0.2.1")
    stage.let_pass(120)
    await store.accounts.find_login(token_of("first"), "198.51.100.7")
    (login,) = await store.accounts.logins(ANN)
    assert login.seen >= login.created + LIMITS.session_touch_s * 1000
    assert login.address == "198.51.100.7"


async def test_logins_that_are_in_use_last_on_and_others_do_not(stage: Stage) -> None:
    await register(stage.store, ANN, login="first")
    await stage.store.accounts.log_in(ANN, new_login("second"))
    await register(stage.store, BOB, login="other")
    for _ in range(3):
        stage.let_pass(LIMITS.session_s - 60)
        await stage.store.accounts.touch_logins(["other", "k_nobody", "first"])
    assert [await lasts(stage.store, login) for login in ("first", "second", "other")] == [True, False, True]
    stage.let_pass(LIMITS.session_s + 60)
    assert not await lasts(stage.store, "first")


async def test_a_login_that_has_ended_is_not_brought_back_by_use(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, login="first")
    stage.let_pass(LIMITS.session_s + 60)
    await store.accounts.log_in(ANN, new_login("second"))
    await store.accounts.end_login(ANN, "second")
    await store.accounts.touch_logins(["first", "second"])
    await store.accounts.touch_logins([])
    assert not await lasts(store, "first")
    assert not await lasts(store, "second")
    assert await login_ids(store) == []


async def test_a_login_in_use_is_not_the_longest_unused_and_its_next_address_is_recorded(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, login="first")
    stage.let_pass(5 * HOUR)
    await store.accounts.log_in(ANN, new_login("second"))
    stage.let_pass(2 * HOUR)
    await store.accounts.touch_logins(["first"])
    second, first = await store.accounts.logins(ANN)
    assert second.seen == second.created
    assert 0 <= first.seen - second.seen - HOUR * 1000 < 60_000
    await store.accounts.find_login(token_of("first"), "198.51.100.7")
    assert (await store.accounts.logins(ANN))[1].address == "198.51.100.7"


async def test_a_login_that_was_used_a_moment_ago_is_not_made_older_by_use(store: Store) -> None:
    await register(store, ANN, login="first")
    (before,) = await store.accounts.logins(ANN)
    await store.accounts.touch_logins(["first"])
    assert await store.accounts.logins(ANN) == [before]


async def test_the_login_longest_unused_ends_when_there_are_too_many(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, login="first")
    stage.let_pass(HOUR)
    for number in range(2, LIMITS.account_sessions + 1):
        await store.accounts.log_in(ANN, new_login(f"k_{number}"))
        stage.let_pass(60)
    stage.let_pass(HOUR)
    assert await lasts(store, "first")  # which is a use of it
    await register(store, BOB, login="other")
    await store.accounts.log_in(ANN, new_login("last"))
    assert len(await login_ids(store)) == LIMITS.account_sessions
    assert not await lasts(store, "k_2")
    assert [await lasts(store, login) for login in ("first", "k_3", "last", "other")] == [True] * 4
    assert await ended(store) == [Ended(ANN, "k_2")]


async def test_one_login_is_ended(store: Store) -> None:
    await register(store, ANN, login="first")
    await store.accounts.log_in(ANN, new_login("second"))
    assert await store.accounts.end_login(ANN, "first")
    assert not await store.accounts.end_login(ANN, "first")
    assert await login_ids(store) == ["second"]
    assert not await lasts(store, "first")
    assert await ended(store) == [Ended(ANN, "first")]


async def test_nobody_ends_the_login_of_another(store: Store) -> None:
    await register(store, ANN, login="first")
    await register(store, BOB)
    assert not await store.accounts.end_login(BOB, "first")
    assert await lasts(store, "first")
    assert await ended(store) == []


@pytest.mark.parametrize("keep", [None, "second", "none of them"])
async def test_all_logins_but_one_are_ended(store: Store, keep: str | None) -> None:
    await register(store, ANN, login="first")
    await register(store, BOB, login="other")
    for login in ("second", "third"):
        await store.accounts.log_in(ANN, new_login(login))
    gone = [login for login in ("first", "second", "third") if login != keep]
    assert await store.accounts.end_logins(ANN, keep) == len(gone)
    assert await login_ids(store) == (["second"] if keep == "second" else [])
    assert await lasts(store, "other")
    assert await ended(store) == [Ended(ANN, login) for login in gone]


async def test_what_was_ended_is_heard_for_as_long_as_one_asks_for(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, login="first")
    await store.accounts.log_in(ANN, new_login("second"))
    await store.accounts.end_login(ANN, "first")
    stage.let_pass(30)
    await store.accounts.end_login(ANN, "second")
    assert await store.accounts.ended_since(60) == [Ended(ANN, "first"), Ended(ANN, "second")]
    assert await store.accounts.ended_since(20) == [Ended(ANN, "second")]
    stage.let_pass(60)
    assert await store.accounts.ended_since(60) == []


async def test_a_new_password_ends_all_other_logins_and_any_recovery(store: Store) -> None:
    await register(store, ANN, login="first")
    await store.accounts.log_in(ANN, new_login("second"))
    await store.administration.set_recovery(ANN, b"code", operator=OPERATOR)
    await store.accounts.set_password(ANN, "another", "second")
    assert await login_ids(store) == ["second"]
    assert await ended(store) == [Ended(ANN, "first")]
    found = await store.accounts.credentials("ann")
    assert found is not None
    assert found.password_hash == "another"
    assert await store.accounts.recover(b"code", "stolen", new_login("third")) is None
    assert await login_ids(store) == ["second"]


# recovery


async def test_a_recovery_code_opens_the_account_once_and_closes_it_for_others(store: Store) -> None:
    await register(store, ANN, login="first")
    await store.accounts.set_totp(ANN, "a secret")
    await store.accounts.use_totp_step(ANN, 7)
    await store.administration.set_recovery(ANN, b"code", operator=OPERATOR)
    assert await store.accounts.recover(b"other", "hash", new_login("second")) is None
    assert await login_ids(store) == ["first"]
    ann = Account(user_id=ANN, name="ann")
    assert await store.accounts.recover(b"code", "hash", new_login("second")) == ann
    assert await login_ids(store) == ["second"]
    assert await ended(store) == [Ended(ANN, "first")]
    found = await store.accounts.credentials_of(ANN)
    assert found is not None
    assert (found.password_hash, found.totp_secret, found.totp_step) == ("hash", None, 7)
    assert await store.accounts.recover(b"code", "again", new_login("third")) is None


async def test_a_recovery_code_is_good_for_a_day(stage: Stage) -> None:
    await register(stage.store, ANN)
    await stage.store.administration.set_recovery(ANN, b"code", operator=OPERATOR)
    stage.let_pass(LIMITS.recovery_s + 60)
    assert await stage.store.accounts.recover(b"code", "hash", new_login("second")) is None
    assert not await lasts(stage.store, "second")


async def test_a_deactivated_account_has_no_logins_and_is_not_recovered(store: Store) -> None:
    await register(store, ANN, login="first")
    await store.administration.set_recovery(ANN, b"code", operator=OPERATOR)
    await deactivate(store, ANN)
    assert not await lasts(store, "first")
    await store.accounts.log_in(ANN, new_login("second"))  # by a password that was checked a moment before
    assert not await lasts(store, "second")
    assert await store.accounts.recover(b"code", "hash", new_login("third")) is None
    assert Ended(ANN, None) in await store.accounts.ended_since(60)


# keys


async def test_a_key_is_found_with_what_it_may_do(store: Store) -> None:
    bot = UserId("u_bot")
    await add_bot(store, bot, [RoomName("dev"), RoomName("lobby")])
    scopes, rooms = frozenset({"read", "send"}), frozenset({"lobby", "dev"})
    found = await store.accounts.find_key(token_hash("b.1"), "192.0.2.1")
    assert found == (
        Account(user_id=bot, name="bot", kind="bot"),
        Key(id="b_1", scopes=scopes, rooms=rooms),  # type: ignore[arg-type]  # NewTypes and literals
    )
    assert await store.accounts.find_key(token_hash("b.2"), "") is None


async def test_a_key_without_rooms_is_for_all_of_them(store: Store) -> None:
    await add_bot(store, UserId("u_bot"))
    found = await store.accounts.find_key(token_hash("b.1"), "")
    assert found is not None
    assert found[1].rooms is None


async def test_a_key_of_a_deactivated_bot_is_none(store: Store) -> None:
    await add_bot(store, UserId("u_bot"))
    await deactivate(store, UserId("u_bot"))
    assert await store.accounts.find_key(token_hash("b.1"), "") is None


# what has expired


async def test_who_listens_by_a_login_that_expires_hears_of_it(stage: Stage) -> None:
    await register(stage.store, ANN, login="first")
    stage.let_pass(HOUR)
    await stage.store.accounts.log_in(ANN, new_login("second"))
    stage.let_pass(LIMITS.session_s - HOUR + 60)
    assert await ended(stage.store) == []
    await stage.store.tidy()
    assert await ended(stage.store) == [Ended(ANN, "first")]
    assert await login_ids(stage.store) == ["second"]


async def test_what_was_ended_is_forgotten_in_time(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, login="first")
    await store.accounts.end_login(ANN, "first")
    stage.let_pass(LIMITS.revoked_kept_s - 60)
    await store.tidy()
    assert await ended(store, 2 * LIMITS.revoked_kept_s) == [Ended(ANN, "first")]
    stage.let_pass(120)
    await store.tidy()
    assert await ended(store, 2 * LIMITS.revoked_kept_s) == []


async def test_tidying_frees_no_name_that_is_held(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, "ann")
    await store.accounts.rename(ANN, "anna")
    await store.claim_name(UserId("g_gus"), "gus")
    await store.tidy()
    assert [await store.claim_name(UserId("g_eve"), name) for name in ("ann", "anna", "gus")] == [False] * 3
    stage.let_pass(LIMITS.old_name_kept_s + 60)
    await store.tidy()
    assert [await store.claim_name(UserId("g_eve"), name) for name in ("ann", "anna", "gus")] == [True, False, True]
