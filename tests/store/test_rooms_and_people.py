"""The store's contract: rooms, names, secrets. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence

from tests.store.conftest import LIMITS, Stage, open_room, said
from trichat.chat.ports import Store
from trichat.core.events import ListedRoom
from trichat.core.names import RoomName, UserId

ANN, BOB = UserId("g_ann"), UserId("g_bob")


def _names(*names: str) -> Sequence[RoomName]:
    return [RoomName(name) for name in names]


async def test_rooms_are_made_once_and_found_again(store: Store) -> None:
    made = await store.open_rooms(_names("lobby", "dev"), create=True)
    assert list(made) == _names("lobby", "dev")
    assert await store.open_rooms(_names("dev", "lobby"), create=True) == made
    assert await store.open_rooms(_names("dev", "none"), create=False) == {RoomName("dev"): made[RoomName("dev")]}
    assert len({room.id for room in made.values()}) == len({room.epoch for room in made.values()}) == 2


async def test_the_same_name_twice_is_one_room(store: Store) -> None:
    rooms = await store.open_rooms(_names("lobby", "lobby"), create=True)
    assert list(rooms) == ["lobby"]


async def test_no_names_are_no_rooms(store: Store) -> None:
    assert await store.open_rooms([], create=True) == {}
    assert await store.open_rooms([], create=False) == {}


async def test_rooms_are_listed_by_code_points(store: Store) -> None:
    await store.open_rooms(_names("ä", "b", "a", "z", "🦊", "-"), create=True)
    listed = await store.list_rooms(after="", limit=100)
    assert [room.room for room in listed] == _names("-", "a", "b", "z", "ä", "🦊")
    listed = await store.list_rooms(after="a", limit=2)
    assert [room.room for room in listed] == _names("b", "z")
    listed = await store.list_rooms(after="ab", limit=1)
    assert [room.room for room in listed] == _names("b")


async def test_a_listed_room_tells_its_head(store: Store) -> None:
    lobby = await open_room(store)
    await store.append([said(lobby), said(lobby)])
    assert await store.list_rooms(after="", limit=1) == [ListedRoom(RoomName("lobby"), 0, 2)]


async def test_a_name_is_held_by_one_guest(store: Store) -> None:
    assert await store.claim_name(ANN, "ann")
    assert not await store.claim_name(BOB, "ann")
    assert await store.name_of(ANN) == "ann"
    assert await store.name_of(BOB) is None


async def test_names_that_look_the_same_are_the_same(store: Store) -> None:
    assert await store.claim_name(ANN, "Straße")
    assert not await store.claim_name(BOB, "STRASSE")
    assert not await store.claim_name(BOB, "ｓｔｒａßｅ")


async def test_the_holder_may_take_the_name_again_in_another_spelling(store: Store) -> None:
    assert await store.claim_name(ANN, "ann")
    assert await store.claim_name(ANN, "Ann")
    assert await store.name_of(ANN) == "Ann"


async def test_taking_another_name_frees_the_first(store: Store) -> None:
    assert await store.claim_name(ANN, "ann")
    assert await store.claim_name(ANN, "anna")
    assert await store.name_of(ANN) == "anna"
    assert await store.claim_name(BOB, "ann")


async def test_a_refused_name_costs_nothing(store: Store) -> None:
    await store.claim_name(ANN, "ann")
    await store.claim_name(BOB, "bob")
    assert not await store.claim_name(BOB, "ann")
    assert await store.name_of(BOB) == "bob"


async def test_a_name_is_free_a_day_after_its_last_use(stage: Stage) -> None:
    store = stage.store
    await store.claim_name(ANN, "ann")
    stage.let_pass(24 * 3600)
    assert not await store.claim_name(BOB, "ann")
    stage.let_pass(LIMITS.name_kept_s - 24 * 3600 + 60)
    assert await store.name_of(ANN) is None
    assert await store.claim_name(BOB, "ann")
    assert await store.name_of(BOB) == "ann"


async def test_a_name_in_use_is_kept(stage: Stage) -> None:
    store = stage.store
    await store.claim_name(ANN, "ann")
    await store.claim_name(BOB, "bob")
    stage.let_pass(LIMITS.name_kept_s - 60)
    await store.touch_names([ANN, UserId("g_nobody")])
    stage.let_pass(120)
    assert not await store.claim_name(UserId("g_eve"), "ann")
    assert await store.claim_name(UserId("g_eve"), "bob")


async def test_a_name_that_was_let_go_is_not_touched_back(stage: Stage) -> None:
    store = stage.store
    await store.claim_name(ANN, "ann")
    stage.let_pass(LIMITS.name_kept_s + 60)
    await store.touch_names([ANN])
    assert await store.name_of(ANN) is None
    assert await store.claim_name(BOB, "ann")


async def test_the_cluster_has_one_secret_from_the_start(store: Store) -> None:
    secrets = await store.signing_secrets()
    assert [(number, len(secret)) for number, secret in secrets.items()] == [(1, 32)]
    assert await store.signing_secrets() == secrets


async def test_the_store_answers_a_ping(store: Store) -> None:
    await store.ping()
