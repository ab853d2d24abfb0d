"""The contract of accounts: names, what a login is checked against, and who is who."""

from __future__ import annotations

import pytest

from tests.store.conftest import LIMITS, Stage
from tests.store.people import ANN, BOB, EVE, GUS, deactivate, new_login, register, token_of
from trichat.chat.ports import Store
from trichat.core.accounts import Account, Credentials, ProfileFields
from trichat.core.events import Person
from trichat.core.names import UserId, given_name

ISSUER = "https://site.example"


async def test_registering_makes_an_account_with_its_first_login(store: Store) -> None:
    assert await store.accounts.register(ANN, "ann", "a hash", new_login("first"))
    ann = Account(user_id=ANN, name="ann", kind="person", admin=False, active=True)
    assert await store.accounts.credentials("ann") == Credentials(ann, "a hash", None, 0)
    assert await store.accounts.credentials_of(ANN) == Credentials(ann, "a hash", None, 0)
    assert await store.accounts.find_login(token_of("first"), "192.0.2.1") == (ann, "first")
    assert await store.accounts.is_active(ANN)


@pytest.mark.parametrize("name", ["erna", "ema", "\uff25rna"])
async def test_a_held_name_or_one_that_looks_like_it_is_not_registered_and_nothing_is_written(
    store: Store, name: str
) -> None:
    await register(store, ANN, "erna")
    assert not await store.accounts.register(BOB, name, "a hash", new_login("second"))
    assert await store.accounts.credentials_of(BOB) is None
    assert await store.accounts.find_login(token_of("second"), "") is None
    assert not await store.accounts.is_active(BOB)


async def test_guests_and_accounts_share_their_names(store: Store) -> None:
    assert await store.claim_name(GUS, "gus")
    assert not await store.accounts.register(ANN, "gus", "a hash", new_login())
    assert not await store.accounts.register(ANN, "\u0261us", "a hash", new_login())
    await register(store, BOB, "erna")
    assert not await store.claim_name(GUS, "ema")
    assert not await store.claim_name(UserId("g_other"), "\u0261us")
    assert await store.name_of(GUS) == "gus"


async def test_a_guests_name_is_free_for_accounts_when_it_is_free(stage: Stage) -> None:
    await stage.store.claim_name(GUS, "gus")
    stage.let_pass(LIMITS.name_kept_s + 60)
    await register(stage.store, ANN, "gus")
    assert await stage.store.name_of(GUS) is None


async def test_an_accounts_name_is_never_free(stage: Stage) -> None:
    await register(stage.store, ANN, "ann")
    await stage.store.touch_names([ANN, GUS])  # which is for guests alone
    stage.let_pass(20 * 365 * 24 * 3600)
    assert not await stage.store.claim_name(GUS, "ann")
    assert await stage.store.accounts.find_person("ann") == Person("ann", ANN)


async def test_credentials_are_found_by_the_name_in_any_spelling_but_not_by_one_that_looks_like_it(
    store: Store,
) -> None:
    await register(store, ANN, "erna")
    for spelling in ("erna", "ERNA", "\uff45\uff52\uff4e\uff41"):
        found = await store.accounts.credentials(spelling)
        assert found is not None
        assert found.account.user_id == ANN
    for other in ("ema", "\u0435rna", "erna ", "", "bob"):  # the second begins with a Cyrillic letter
        assert await store.accounts.credentials(other) is None
    assert await store.accounts.credentials_of(BOB) is None


async def test_a_guests_name_has_no_credentials(store: Store) -> None:
    await store.claim_name(GUS, "gus")
    assert await store.accounts.credentials("gus") is None


async def test_a_deactivated_account_has_credentials_that_say_so(store: Store) -> None:
    await register(store, ANN)
    await deactivate(store, ANN)
    found = await store.accounts.credentials("ann")
    assert found is not None
    assert not found.account.active
    assert not await store.accounts.is_active(ANN)


# names


async def test_after_a_rename_the_new_name_counts_and_the_old_one_says_nothing(store: Store) -> None:
    await register(store, ANN, "ann")
    assert await store.accounts.rename(ANN, "anna")
    assert await store.accounts.credentials("ann") is None
    assert await store.accounts.find_person("ann") is None
    assert await store.accounts.whois("ann") is None
    found = await store.accounts.credentials("anna")
    assert found is not None
    assert found.account == Account(user_id=ANN, name="anna")
    assert await store.name_of(ANN) == "anna"


async def test_the_old_name_is_reserved_for_its_holder_for_a_time(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, "ann")
    await register(store, BOB, "bob")
    await store.accounts.rename(ANN, "anna")
    stage.let_pass(LIMITS.old_name_kept_s - 60)
    assert not await store.accounts.rename(BOB, "ann")
    assert not await store.claim_name(GUS, "ann")
    assert not await store.accounts.register(EVE, "ann", "a hash", new_login())
    stage.let_pass(120)
    assert await store.accounts.rename(BOB, "ann")
    assert await store.accounts.find_person("ann") == Person("ann", BOB)
    assert not await store.accounts.rename(ANN, "ann")


async def test_a_rename_can_be_taken_back(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, "ann")
    assert await store.accounts.rename(ANN, "anna")
    assert await store.accounts.rename(ANN, "ann")
    assert await store.accounts.find_person("ann") == Person("ann", ANN)
    assert await store.accounts.find_person("anna") is None
    stage.let_pass(LIMITS.old_name_kept_s + 60)
    assert not await store.claim_name(GUS, "ann")
    assert await store.claim_name(GUS, "anna")


async def test_a_name_that_looks_like_ones_own_can_be_taken(store: Store) -> None:
    await register(store, ANN, "erna")
    assert await store.accounts.rename(ANN, "ema")
    assert await store.accounts.find_person("ema") == Person("ema", ANN)
    assert await store.accounts.find_person("erna") is None
    assert not await store.claim_name(GUS, "erna")


async def test_a_refused_rename_changes_nothing(stage: Stage) -> None:
    store = stage.store
    await register(store, ANN, "erna")
    await register(store, BOB, "bob")
    assert not await store.accounts.rename(BOB, "ema")
    stage.let_pass(LIMITS.old_name_kept_s + 60)
    assert await store.accounts.find_person("bob") == Person("bob", BOB)
    assert not await store.claim_name(GUS, "bob")


async def test_nobody_cannot_be_renamed(store: Store) -> None:
    assert not await store.accounts.rename(EVE, "eve")
    assert await store.claim_name(GUS, "eve")


# the second factor, and hashes


async def test_the_second_factor_is_set_and_removed(store: Store) -> None:
    await register(store, ANN)
    for secret in ("a secret", None):
        await store.accounts.set_totp(ANN, secret)
        found = await store.accounts.credentials_of(ANN)
        assert found is not None
        assert found.totp_secret == secret


async def test_a_time_step_counts_once_and_none_before_it(store: Store) -> None:
    await register(store, ANN)
    assert [await store.accounts.use_totp_step(ANN, step) for step in (5, 5, 4, 6)] == [True, False, False, True]
    found = await store.accounts.credentials_of(ANN)
    assert found is not None
    assert found.totp_step == 6
    assert not await store.accounts.use_totp_step(BOB, 1)


async def test_a_used_step_stays_used_when_the_secret_changes(store: Store) -> None:
    await register(store, ANN)
    await store.accounts.use_totp_step(ANN, 5)
    await store.accounts.set_totp(ANN, "another")
    assert not await store.accounts.use_totp_step(ANN, 5)


async def test_a_hash_is_refreshed_unless_the_password_was_changed_meanwhile(store: Store) -> None:
    first = await register(store, ANN)
    await store.accounts.refresh_hash(ANN, "hash of u_ann", "stronger")
    await store.accounts.refresh_hash(ANN, "hash of u_ann", "late")
    found = await store.accounts.credentials_of(ANN)
    assert found is not None
    assert found.password_hash == "stronger"
    assert [login.id for login in await store.accounts.logins(ANN)] == [first.id]


# those whom another site vouches for


async def test_an_outside_identity_has_one_account(store: Store) -> None:
    made = await store.accounts.outside(ANN, ISSUER, "1", "ann", "Ann Lee")
    assert made == Account(user_id=ANN, name="ann", kind="outside")
    assert await store.accounts.outside(BOB, ISSUER, "1", "other", "Other") == made
    assert await store.accounts.profile(ANN) == ProfileFields(display_name="Ann Lee")
    assert await store.accounts.credentials_of(ANN) == Credentials(made, None, None, 0)
    assert not await store.accounts.is_active(BOB)


async def test_the_same_subject_of_another_issuer_is_somebody_else(store: Store) -> None:
    await store.accounts.outside(ANN, ISSUER, "1", "ann", "")
    other = await store.accounts.outside(BOB, "https://other.example", "1", "ann", "")
    assert other == Account(user_id=BOB, name="ann-2", kind="outside")


async def test_an_outside_name_that_is_held_gets_a_number(store: Store) -> None:
    await register(store, ANN, "ema")
    await store.claim_name(GUS, "erna-2")
    names = []
    for number in range(25):
        made = await store.accounts.outside(UserId(f"u_{number}"), ISSUER, str(number), "erna", "")
        assert made is not None
        names.append(made.name)
    assert names[:18] == [f"erna-{number}" for number in range(3, 21)]
    assert len(set(names)) == 25


async def test_a_number_fits_behind_the_longest_name(store: Store) -> None:
    name = "ä" * (LIMITS.name_bytes // 2)
    for number in (1, 2):
        made = await store.accounts.outside(UserId(f"u_{number}"), ISSUER, str(number), name, "")
    assert made is not None
    assert made.name == "ä" * (LIMITS.name_bytes // 2 - 1) + "-2"


async def test_a_deactivated_outside_identity_gets_no_account(store: Store) -> None:
    await store.accounts.outside(ANN, ISSUER, "1", "ann", "")
    await deactivate(store, ANN)
    assert await store.accounts.outside(BOB, ISSUER, "1", "ann", "") is None
    assert await store.accounts.credentials_of(BOB) is None


# who is who


async def test_a_profile_is_kept_and_its_public_part_is_told(store: Store) -> None:
    fields = ProfileFields(
        display_name="Ann ☕", about="a\nb", avatar="https://a.example/1", locale="de", time_zone="Europe/Berlin"
    )
    await register(store, ANN)
    assert await store.accounts.profile(ANN) == ProfileFields()
    await store.accounts.set_profile(ANN, fields)
    assert await store.accounts.profile(ANN) == fields
    public = ProfileFields(display_name="Ann ☕", about="a\nb", avatar="https://a.example/1")
    for user in ("ann", "ANN", ANN):
        told = await store.accounts.whois(user)
        assert told is not None
        assert (told.user, told.user_id, told.kind, told.profile) == ("ann", ANN, "person", public)
        assert abs(told.created - (await store.accounts.logins(ANN))[0].created) < 1_000


async def test_nothing_is_told_of_who_is_no_active_account(store: Store) -> None:
    await store.claim_name(GUS, "gus")
    await register(store, ANN, "erna")
    await register(store, BOB)
    await deactivate(store, BOB)
    for user in ("gus", GUS, "nobody", "u_nobody", "ema", "bob", BOB):
        assert await store.accounts.whois(user) is None
    assert await store.accounts.profile(EVE) is None


async def test_a_person_is_found_by_name_or_identifier(store: Store) -> None:
    await store.claim_name(GUS, "Gus")
    await register(store, ANN, "erna")
    for user in ("gus", "GUS", GUS):
        assert await store.accounts.find_person(user) == Person("Gus", GUS)
    for user in ("erna", "Erna", ANN):
        assert await store.accounts.find_person(user) == Person("erna", ANN)
    for user in ("ema", "nobody", "u_nobody", ""):
        assert await store.accounts.find_person(user) is None


async def test_of_a_guest_without_a_name_the_given_one_is_said(stage: Stage) -> None:
    guest = UserId("g_abcdefghijklmnopqrstuvwxyz")
    assert await stage.store.accounts.find_person(guest) == Person(given_name(guest), guest)
    await stage.store.claim_name(guest, "abe")
    assert await stage.store.accounts.find_person(guest) == Person("abe", guest)
    stage.let_pass(LIMITS.name_kept_s + 60)
    assert await stage.store.accounts.find_person("abe") is None
    assert await stage.store.accounts.find_person(guest) == Person(given_name(guest), guest)


async def test_nobody_hides_another_by_a_name_that_is_an_identifier(store: Store) -> None:
    await register(store, ANN, "ann")
    await register(store, EVE, ANN)
    assert await store.accounts.find_person(ANN) == Person("ann", ANN)
    told = await store.accounts.whois(ANN)
    assert told is not None
    assert told.user == "ann"


# blocks


async def test_blocks_are_noted_listed_and_taken_back(store: Store) -> None:
    await register(store, ANN)
    await register(store, BOB)
    await store.claim_name(GUS, "gus")
    for other in (GUS, BOB, UserId("g_unnamed")):
        assert await store.accounts.block(ANN, other, most=3)
    unnamed = UserId("g_unnamed")
    assert await store.accounts.blocked(ANN) == [
        Person("bob", BOB),
        Person(given_name(unnamed), unnamed),
        Person("gus", GUS),
    ]
    assert await store.accounts.blocked(BOB) == []
    assert await store.accounts.unblock(ANN, BOB)
    assert not await store.accounts.unblock(ANN, BOB)
    assert await store.accounts.blocked(ANN) == [Person(given_name(unnamed), unnamed), Person("gus", GUS)]


async def test_a_block_counts_for_both(store: Store) -> None:
    assert await store.accounts.block(ANN, BOB, most=1)
    assert await store.accounts.blocks_between(ANN, BOB)
    assert await store.accounts.blocks_between(BOB, ANN)
    assert not await store.accounts.blocks_between(ANN, EVE)


async def test_no_more_than_so_many_are_blocked_and_the_same_one_counts_once(store: Store) -> None:
    assert await store.accounts.block(ANN, BOB, most=1)
    assert await store.accounts.block(ANN, BOB, most=1)
    assert not await store.accounts.block(ANN, EVE, most=1)
    assert not await store.accounts.blocks_between(ANN, EVE)
