"""The store's contract: what the operator does. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.store.conftest import LIMITS, Stage, open_room, said
from tests.store.people import ANN, BOB, EVE, GUS, OPERATOR, new_login, register, token_of
from trichat.chat.ports import Store
from trichat.core.accounts import Account, Ended, Key
from trichat.core.errors import Refusal
from trichat.core.events import RoomGone
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Role
from trichat.core.tokens import token_hash

BEEP = UserId("u_beep")
LOBBY = RoomName("lobby")


async def _add_bot(store: Store) -> None:
    assert await store.administration.add_bot(BEEP, "beep", operator=OPERATOR)


async def _add_key(store: Store, key_id: str = "b_1") -> None:
    await store.administration.add_key(key_id, BEEP, token_hash(key_id), ["send", "read"], [LOBBY], operator=OPERATOR)


async def _acts(store: Store) -> list[tuple[str, str | None, str]]:
    """What the audit says was done, to whom, and why: oldest first."""
    entries = await store.administration.audit(before=None, limit=100)
    assert all(
        (entry.actor, entry.actor_id, entry.room, entry.address) == (OPERATOR, None, None, "") for entry in entries
    )
    return [(entry.act, entry.target_id, entry.reason) for entry in reversed(entries)]


# accounts


async def test_a_person_and_a_bot_are_added_and_found_by_name_and_id(store: Store) -> None:
    assert await store.administration.add_person(ANN, "ann", "a hash", operator=OPERATOR)
    await _add_bot(store)
    ann = Account(user_id=ANN, name="ann")
    assert await store.administration.find("ann") == await store.administration.find(ANN) == ann
    assert await store.administration.find("\uff21nn") == ann
    assert await store.administration.find("beep") == Account(user_id=BEEP, name="beep", kind="bot")
    assert await store.administration.find("eve") is None
    credentials = await store.accounts.credentials("ann")
    assert credentials is not None
    assert credentials.password_hash == "a hash"
    assert await _acts(store) == [("add_user", ANN, ""), ("add_bot", BEEP, "")]


async def test_an_account_is_not_found_by_a_name_that_looks_like_its_own_or_that_it_had_before(store: Store) -> None:
    await register(store, ANN, "erna")
    assert await store.administration.find("ema") is None
    assert await store.accounts.rename(ANN, "anna")
    assert await store.administration.find("erna") is None
    assert await store.administration.find("anna") == Account(user_id=ANN, name="anna")


async def test_a_name_that_is_held_is_not_given_and_nothing_is_written(store: Store) -> None:
    await store.claim_name(GUS, "gus")
    await register(store, ANN, "erna")
    for name in ("gus", "erna", "ema"):
        assert not await store.administration.add_person(BOB, name, None, operator=OPERATOR)
        assert not await store.administration.add_bot(BOB, name, operator=OPERATOR)
    assert await store.administration.find(BOB) is None
    assert await _acts(store) == []


async def test_a_new_password_ends_all_logins_and_forgets_the_recovery_code(store: Store) -> None:
    await register(store, ANN, login="k_ann")
    await store.administration.set_recovery(ANN, b"code", operator=OPERATOR)
    await store.administration.set_password(ANN, "another hash", operator=OPERATOR)
    credentials = await store.accounts.credentials_of(ANN)
    assert credentials is not None
    assert credentials.password_hash == "another hash"
    assert await store.accounts.logins(ANN) == []
    assert await store.accounts.ended_since(10) == [Ended(ANN, "k_ann")]
    assert await store.accounts.recover(b"code", "a third", new_login()) is None
    assert await _acts(store) == [("recovery", ANN, ""), ("password", ANN, "")]


async def test_a_recovery_code_counts_once_and_for_a_time(stage: Stage) -> None:
    store = stage.store
    await store.administration.add_person(ANN, "ann", None, operator=OPERATOR)
    await store.administration.set_recovery(ANN, b"first", operator=OPERATOR)
    await store.administration.set_recovery(ANN, b"second", operator=OPERATOR)
    assert await store.accounts.recover(b"first", "a hash", new_login()) is None
    assert await store.accounts.recover(b"second", "a hash", new_login()) == Account(user_id=ANN, name="ann")
    assert await store.accounts.recover(b"second", "a hash", new_login()) is None
    await store.administration.set_recovery(ANN, b"third", operator=OPERATOR)
    stage.let_pass(LIMITS.recovery_s + 60)
    assert await store.accounts.recover(b"third", "a hash", new_login()) is None


async def test_deactivating_ends_all_that_an_account_has(store: Store) -> None:
    await register(store, ANN, login="k_ann")
    await _add_bot(store)
    await _add_key(store)
    for user_id in (ANN, BEEP):
        await store.administration.set_active(user_id, False, operator=OPERATOR)
        assert not await store.accounts.is_active(user_id)
    assert await store.accounts.find_login(token_of("k_ann"), "") is None
    assert await store.administration.keys(BEEP) == []
    assert await store.accounts.find_key(token_hash("b_1"), "") is None
    ended = await store.accounts.ended_since(10)
    assert ended == [Ended(ANN, "k_ann"), Ended(ANN, None), Ended(BEEP, "b_1"), Ended(BEEP, None)]
    assert await store.administration.find("ann") == Account(user_id=ANN, name="ann", active=False)


async def test_who_is_activated_again_has_the_name_but_not_the_logins_and_new_ones_last(store: Store) -> None:
    await register(store, ANN, login="k_old")
    await store.administration.set_active(ANN, False, operator=OPERATOR)
    assert not await store.administration.add_person(BOB, "ann", None, operator=OPERATOR)
    await store.administration.set_active(ANN, True, operator=OPERATOR)
    assert await store.accounts.find_login(token_of("k_old"), "") is None
    await store.accounts.log_in(ANN, new_login("k_new"))
    assert await store.accounts.find_login(token_of("k_new"), "") is not None
    assert await store.accounts.ended_since(10) == [Ended(ANN, "k_old")]  # and not all of ann
    assert await _acts(store) == [("deactivate", ANN, ""), ("activate", ANN, "")]


async def test_who_administers_no_longer_is_logged_out(store: Store) -> None:
    await register(store, ANN, login="k_ann")
    await store.administration.set_admin(ANN, True, operator=OPERATOR)
    assert await store.administration.find("ann") == Account(user_id=ANN, name="ann", admin=True)
    assert await store.accounts.find_login(token_of("k_ann"), "") is not None
    await store.administration.set_admin(ANN, False, operator=OPERATOR)
    assert await store.administration.find("ann") == Account(user_id=ANN, name="ann")
    assert await store.accounts.find_login(token_of("k_ann"), "") is None
    assert await store.accounts.ended_since(10) == [Ended(ANN, "k_ann"), Ended(ANN, None)]
    assert await _acts(store) == [("admin", ANN, ""), ("unadmin", ANN, "")]


async def test_one_login_or_all_are_ended(store: Store) -> None:
    await register(store, ANN, login="k_1")
    await register(store, BOB, login="k_bob")
    for name in ("k_2", "k_3"):
        await store.accounts.log_in(ANN, new_login(name))
    assert await store.administration.end_logins(ANN, "k_2", operator=OPERATOR) == 1
    assert await store.administration.end_logins(ANN, "k_2", operator=OPERATOR) == 0
    assert await store.administration.end_logins(ANN, "k_bob", operator=OPERATOR) == 0
    assert await store.administration.end_logins(ANN, None, operator=OPERATOR) == 2
    assert {ended.session_id for ended in await store.accounts.ended_since(10)} == {"k_1", "k_2", "k_3"}
    assert [login.id for login in await store.accounts.logins(BOB)] == ["k_bob"]
    assert await _acts(store) == [("revoke", ANN, "k_2"), ("revoke", ANN, "all")]


async def test_of_nobody_nothing_is_changed(store: Store) -> None:
    admin = store.administration
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: admin.set_password(EVE, "a hash", operator=OPERATOR),
        lambda: admin.set_recovery(EVE, b"code", operator=OPERATOR),
        lambda: admin.set_active(EVE, False, operator=OPERATOR),
        lambda: admin.set_admin(EVE, True, operator=OPERATOR),
        lambda: admin.end_logins(EVE, None, operator=OPERATOR),
        lambda: admin.add_key("b_1", EVE, b"hash", [], None, operator=OPERATOR),
        lambda: admin.erase(EVE, operator=OPERATOR),
    ]
    for act in acts:
        with pytest.raises(Refusal) as refused:
            await act()
        assert refused.value.code == "no_such_user"
    assert await _acts(store) == []


async def test_what_only_people_have_bots_cannot_get_and_keys_are_for_bots(store: Store) -> None:
    admin = store.administration
    await _add_bot(store)
    await register(store, ANN)
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: admin.set_password(BEEP, "a hash", operator=OPERATOR),
        lambda: admin.set_recovery(BEEP, b"code", operator=OPERATOR),
        lambda: admin.set_admin(BEEP, True, operator=OPERATOR),
        lambda: admin.add_key("b_1", ANN, b"hash", [], None, operator=OPERATOR),
    ]
    for act in acts:
        with pytest.raises(Refusal) as refused:
            await act()
        assert refused.value.code == "bad_state"
    assert await _acts(store) == [("add_bot", BEEP, "")]


# lists


async def test_users_are_listed_by_name_and_inactive_ones_too(store: Store) -> None:
    for name in ("eve", "ann", "bob"):
        await register(store, UserId(f"u_{name}"))
    await store.administration.set_active(BOB, False, operator=OPERATOR)
    users = await store.administration.users(after="", limit=10)
    assert [(user.name, user.active) for user in users] == [("ann", True), ("bob", False), ("eve", True)]
    assert [user.name for user in await store.administration.users(after="ann", limit=1)] == ["bob"]


async def test_rooms_are_listed_by_name(store: Store) -> None:
    lobby = await open_room(store)
    await open_room(store, "dev")
    await store.append([said(lobby), said(lobby)])
    rooms = await store.administration.rooms(after="", limit=10)
    assert [(room.room, room.kind, room.role, room.seq) for room in rooms] == [
        ("dev", "public", Role.OWNER, 0), ("lobby", "public", Role.OWNER, 2),
    ]  # fmt: skip
    assert [room.id for room in await store.administration.rooms(after="dev", limit=10)] == [lobby.id]
    assert len(await store.administration.rooms(after="", limit=1)) == 1


async def test_a_room_of_any_kind_is_deleted_and_its_name_free(store: Store) -> None:
    assert not await store.administration.delete_room(LOBBY, operator=OPERATOR)
    old = await open_room(store)
    await store.append([said(old)])
    assert await store.administration.delete_room(LOBBY, operator=OPERATOR)
    assert await store.append([said(old)]) == [RoomGone()]
    assert await store.open_rooms([LOBBY], create=False) == {}
    new = await open_room(store)
    assert (new.head, new.id == old.id, new.epoch == old.epoch) == (0, False, False)
    (entry,) = await store.administration.audit(before=None, limit=10)
    assert (entry.actor, entry.actor_id, entry.act, entry.room) == (OPERATOR, None, "delete", LOBBY)


async def test_the_audit_is_read_from_the_newest_on(store: Store) -> None:
    await register(store, ANN)
    for admin in (True, False, True):
        await store.administration.set_admin(ANN, admin, operator=OPERATOR)
    entries = await store.administration.audit(before=None, limit=2)
    assert [entry.act for entry in entries] == ["admin", "unadmin"]
    earlier = await store.administration.audit(before=entries[-1].number, limit=2)
    assert [(entry.act, entry.target) for entry in earlier] == [("admin", "ann")]


# keys and secrets


async def test_a_key_is_kept_found_rotated_and_ended(store: Store) -> None:
    await _add_bot(store)
    await _add_key(store, "b_1")
    await store.administration.add_key("b_2", BEEP, token_hash("b_2"), ["moderate"], None, operator=OPERATOR)
    first = Key(id="b_1", scopes=frozenset({"read", "send"}), rooms=frozenset({LOBBY}))
    second = Key(id="b_2", scopes=frozenset({"moderate"}), rooms=None)
    assert await store.administration.keys(BEEP) == [first, second]

    assert await store.administration.rotate_key("b_1", "b_3", token_hash("b_3"), operator=OPERATOR)
    assert await store.accounts.find_key(token_hash("b_1"), "") is None
    beep = Account(user_id=BEEP, name="beep", kind="bot")
    third = Key(id="b_3", scopes=first.scopes, rooms=first.rooms)
    assert await store.accounts.find_key(token_hash("b_3"), "") == (beep, third)
    assert await store.administration.keys(BEEP) == [third, second]

    assert await store.administration.end_key("b_2", operator=OPERATOR)
    assert await store.administration.keys(BEEP) == [third]
    assert await store.accounts.ended_since(10) == [Ended(BEEP, "b_1"), Ended(BEEP, "b_2")]
    acts = [("add_key", BEEP, "b_1"), ("add_key", BEEP, "b_2"), ("rotate_key", BEEP, "b_1"), ("end_key", BEEP, "b_2")]
    assert (await _acts(store))[1:] == acts


async def test_a_key_that_is_not_there_is_not_rotated_or_ended(store: Store) -> None:
    assert not await store.administration.rotate_key("b_1", "b_2", b"hash", operator=OPERATOR)
    assert not await store.administration.end_key("b_1", operator=OPERATOR)
    assert await _acts(store) == []


async def test_a_bot_that_is_not_active_gets_no_key(store: Store) -> None:
    await _add_bot(store)
    await store.administration.set_active(BEEP, False, operator=OPERATOR)
    with pytest.raises(Refusal):
        await _add_key(store)


async def test_the_newest_secret_stays_and_older_ones_can_be_dropped(store: Store) -> None:
    first = (await store.signing_secrets())[1]
    assert await store.administration.add_secret(b"2" * 32, operator=OPERATOR) == 2
    assert await store.administration.add_secret(b"3" * 32, operator=OPERATOR) == 3
    assert await store.signing_secrets() == {1: first, 2: b"2" * 32, 3: b"3" * 32}
    assert await store.administration.drop_secret(1, operator=OPERATOR)
    assert not await store.administration.drop_secret(1, operator=OPERATOR)
    assert not await store.administration.drop_secret(3, operator=OPERATOR)
    assert await store.signing_secrets() == {2: b"2" * 32, 3: b"3" * 32}
    assert await store.administration.add_secret(b"4" * 32, operator=OPERATOR) == 4
    assert [act for act, _, _ in await _acts(store)] == ["add_secret", "add_secret", "drop_secret", "add_secret"]


async def test_the_first_secret_may_be_the_operators(store: Store) -> None:
    assert await store.administration.add_secret(b"1" * 32, operator=OPERATOR) == 1
    assert await store.signing_secrets() == {1: b"1" * 32}
