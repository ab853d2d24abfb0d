"""The store's contract: nodes and presence. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

import psycopg

from tests.store.conftest import LIMITS, Stage, age, open_room, said
from trichat.chat.ports import NodeRecord, PresenceChange, Store
from trichat.core.chance import Chance
from trichat.core.events import ListedRoom, Person, RoomHead, RoomRecord
from trichat.core.names import Incarnation, RoomId, UserId
from trichat.store import open_postgres_store

ONE, TWO, THREE = Incarnation(1), Incarnation(2**63 - 1), Incarnation(3)


def _person(name: str, called: str = "") -> Person:
    return Person(called or name, UserId(f"g_{name}"))


def _comes(room: RoomRecord, name: str, called: str = "") -> PresenceChange:
    return PresenceChange(room.id, _person(name, called), here=True)


def _goes(room: RoomRecord, name: str) -> PresenceChange:
    return PresenceChange(room.id, _person(name), here=False)


async def _live(store: Store, me: Incarnation, *changes: PresenceChange, degraded: bool = False) -> bool:
    return await store.record_node(NodeRecord(me, f"n{me}", degraded), changes)


async def _with_nodes(store: Store, *nodes: Incarnation) -> RoomRecord:
    for node in nodes:
        assert not await _live(store, node)
    return await open_room(store)


async def _names(store: Store, room: RoomRecord, after: str = "", limit: int = 100) -> list[str]:
    return [person.user for person in await store.list_members(room.id, after=after, limit=limit)]


async def test_a_new_node_says_everybody_again(store: Store) -> None:
    lobby = await open_room(store)
    assert not await _live(store, ONE, _comes(lobby, "ann"))
    assert await _names(store, lobby) == []
    assert await _live(store, ONE, _comes(lobby, "ann"))
    assert await _names(store, lobby) == ["ann"]


async def test_nodes_are_seen_with_their_state(store: Store) -> None:
    await _with_nodes(store, ONE, TWO)
    await _live(store, TWO, degraded=True)
    assert (await store.look([], ONE)).nodes == {ONE: False, TWO: True}
    await _live(store, TWO, degraded=False)
    assert (await store.look([], ONE)).nodes == {ONE: False, TWO: False}


async def test_heads_tell_who_is_connected_elsewhere_only(store: Store) -> None:
    lobby = await _with_nodes(store, ONE, TWO, THREE)
    await _live(store, ONE, _comes(lobby, "ann"), _comes(lobby, "bob"))
    await _live(store, TWO, _comes(lobby, "ann"), _comes(lobby, "cid"))
    await _live(store, THREE, _comes(lobby, "cid"), _comes(lobby, "dan"))
    await store.append([said(lobby), said(lobby)])
    look = await store.look([lobby.id, RoomId(999)], ONE)
    assert look.heads == {lobby.id: RoomHead(2, lobby.epoch, 2)}
    look = await store.look([lobby.id], Incarnation(77))
    assert look.heads[lobby.id].members_elsewhere == 4


async def test_each_person_is_listed_once_by_name(store: Store) -> None:
    lobby = await _with_nodes(store, ONE, TWO)
    await _live(store, ONE, _comes(lobby, "bob"), _comes(lobby, "ann"), _comes(lobby, "über"))
    await _live(store, TWO, _comes(lobby, "ann"), _comes(lobby, "zoe"))
    assert await _names(store, lobby) == ["ann", "bob", "zoe", "über"]
    assert await _names(store, lobby, after="ann", limit=2) == ["bob", "zoe"]
    assert await store.list_members(RoomId(999), after="", limit=10) == []


async def test_one_person_under_two_names_is_one_person(store: Store) -> None:
    lobby = await _with_nodes(store, ONE, TWO)
    await _live(store, ONE, _comes(lobby, "ann", called="ann"))
    await _live(store, TWO, _comes(lobby, "ann", called="anna"))
    assert await store.list_members(lobby.id, after="", limit=10) == [_person("ann")]
    assert await _names(store, lobby, after="ann") == []


async def test_the_last_of_several_changes_counts(store: Store) -> None:
    lobby = await _with_nodes(store, ONE)
    await _live(store, ONE, _comes(lobby, "ann"), _goes(lobby, "ann"), _comes(lobby, "bob"), _goes(lobby, "cid"))
    await _live(store, ONE, _goes(lobby, "bob"), _comes(lobby, "bob", called="bobby"))
    assert await _names(store, lobby) == ["bobby"]
    await _live(store, ONE, _goes(lobby, "bob"))
    assert await _names(store, lobby) == []


async def test_listed_rooms_count_their_people_once(store: Store) -> None:
    lobby = await _with_nodes(store, ONE, TWO)
    await _live(store, ONE, _comes(lobby, "ann"), _comes(lobby, "bob"))
    await _live(store, TWO, _comes(lobby, "ann"))
    assert await store.list_rooms(after="", limit=10) == [ListedRoom(lobby.name, 2, 0)]


async def test_a_silent_node_is_gone_with_its_presence(stage: Stage) -> None:
    store = stage.store
    lobby = await _with_nodes(store, ONE, TWO)
    await _live(store, ONE, _comes(lobby, "ann"))
    await _live(store, TWO, _comes(lobby, "bob"))
    stage.let_pass(LIMITS.node_gone_s - 1)
    assert await _live(store, TWO)
    stage.let_pass(2)
    # nobody has removed it yet, but it no longer counts
    assert (await store.look([lobby.id], TWO)).heads[lobby.id].members_elsewhere == 0
    assert (await store.look([], TWO)).nodes == {TWO: False}
    assert await _names(store, lobby) == ["bob"]
    assert await store.list_rooms(after="", limit=10) == [ListedRoom(lobby.name, 1, 0)]
    # another's record removes it, and it must say everybody again
    assert await _live(store, TWO)
    assert not await _live(store, ONE, _comes(lobby, "cid"))
    assert await _names(store, lobby) == ["bob"]
    assert await _live(store, ONE, _comes(lobby, "cid"))
    assert await _names(store, lobby) == ["bob", "cid"]


async def test_a_node_that_was_silent_too_long_is_told_so_itself(stage: Stage) -> None:
    lobby = await _with_nodes(stage.store, ONE)
    await _live(stage.store, ONE, _comes(lobby, "ann"))
    stage.let_pass(LIMITS.node_gone_s + 1)
    assert not await _live(stage.store, ONE)
    assert await _names(stage.store, lobby) == []


async def test_of_many_nodes_that_are_gone_at_once_each_record_removes_one(url: str) -> None:
    """All of them together might take longer than a call may, for whoever records itself; and none would ever go."""
    async with open_postgres_store(url, LIMITS, chance=Chance()) as store:
        lobby = await _with_nodes(store, ONE, TWO, THREE)
        for node in (ONE, TWO, THREE):
            await _live(store, node, _comes(lobby, f"ann{node}"))
        age(url, LIMITS.node_gone_s + 1)
        left = []
        for known in (False, True, True, True):  # itself first
            assert await _live(store, TWO) == known
            with psycopg.connect(url) as connection:
                left += connection.execute(
                    "SELECT (SELECT count(*) FROM trichat.nodes), (SELECT count(*) FROM trichat.presence)"
                ).fetchall()
        assert left == [(3, 2), (2, 1), (1, 0), (1, 0)]


async def test_a_node_that_stops_is_forgotten_at_once(store: Store) -> None:
    lobby = await _with_nodes(store, ONE, TWO)
    await _live(store, ONE, _comes(lobby, "ann"))
    await _live(store, TWO, _comes(lobby, "bob"))
    await store.forget_node(ONE)
    assert await _names(store, lobby) == ["bob"]
    assert (await store.look([lobby.id], Incarnation(77))).nodes == {TWO: False}
    await store.forget_node(ONE)
    assert not await _live(store, ONE)
