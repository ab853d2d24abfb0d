"""The store's contract: devices, who is online or away, and who was last seen when. The twin and PostgreSQL alike."""

from __future__ import annotations

from itertools import count

import pytest

from tests.store.conftest import LIMITS, Stage, open_room
from trichat.chat.people_ports import NewLogin
from trichat.chat.ports import DeviceChange, NodeRecord, PresenceChange, Store
from trichat.core.attendance import Attendee, Device, RoomAttendance, State
from trichat.core.events import Person, RoomRecord
from trichat.core.governance import Enter
from trichat.core.names import Incarnation, RoomId, UserId
from trichat.core.standing import Actor

ONE, TWO = Incarnation(1), Incarnation(2)
MOST = 3
_numbers = count(1)


async def account(store: Store, name: str, device: str = "phone") -> tuple[Person, str]:
    """An account of this name, and its login from this device."""
    person, login = Person(name, UserId(f"u_{name}")), f"k_{next(_numbers)}"
    token_hash = login.encode().ljust(32, b"\0")
    assert await store.accounts.register(
        person.user_id, name, "hash", NewLogin(id=login, token_hash=token_hash, device=device)
    )
    return person, login


async def member(store: Store, room: RoomRecord, name: str) -> tuple[Person, str]:
    person, login = await account(store, name)
    await store.governance.change(room.id, Actor(person.user_id, name), Enter(), address="")
    return person, login


def guest(name: str) -> Person:
    return Person(name, UserId(f"g_{name}"))


def comes(room: RoomRecord, person: Person) -> PresenceChange:
    return PresenceChange(room.id, person, here=True)


def goes(room: RoomRecord, person: Person) -> PresenceChange:
    return PresenceChange(room.id, person, here=False)


def device(person: Person, name: str, state: State | None = "online") -> DeviceChange:
    return DeviceChange(person.user_id, name, state)


async def record(store: Store, node: Incarnation, *changes: PresenceChange | DeviceChange) -> None:
    """Record it at a node that is known, or is from now on."""
    if not await store.record_node(NodeRecord(node, f"n{node}", degraded=False), changes):
        assert await store.record_node(NodeRecord(node, f"n{node}", degraded=False), changes)


async def look(store: Store, room: RoomRecord) -> RoomAttendance:
    return await store.attendance.attendance(room.id, most=MOST)


async def attendee(store: Store, room: RoomRecord, person: Person) -> Attendee | None:
    people = (await look(store, room)).people
    assert people is not None
    return people.get(person.user_id)


async def test_who_listens_is_shown_with_their_devices_at_all_nodes(store: Store) -> None:
    room = await open_room(store)
    ann, phone = await account(store, "ann")
    bot, gus = Person("bot", UserId("u_bot")), guest("gus")
    laptop = "k_laptop"
    await store.accounts.log_in(ann.user_id, NewLogin(id=laptop, token_hash=b"l" * 32, device="laptop"))
    await record(store, ONE, comes(room, ann), device(ann, phone, "away"), comes(room, gus))
    await record(store, TWO, comes(room, bot), device(bot, "bot"), device(ann, laptop))
    assert await look(store, room) == RoomAttendance(
        {
            ann.user_id: Attendee("ann", ann.user_id, (Device("laptop", "online"), Device("phone", "away"))),
            bot.user_id: Attendee("bot", bot.user_id, (Device("bot", "online"),)),
            gus.user_id: Attendee("gus", gus.user_id, (Device("guest", "online"),)),
        },
        online=3,
        away=0,
    )
    assert (await store.attendance.attendance(RoomId(999), most=MOST)) == RoomAttendance({}, 0, 0)


async def test_a_device_at_two_nodes_is_one_and_online_if_it_is_so_at_either(store: Store) -> None:
    room = await open_room(store)
    ann, phone = await account(store, "ann", device="")
    await record(store, ONE, comes(room, ann), device(ann, phone, "away"))
    await record(store, TWO, device(ann, phone, "away"))
    assert await attendee(store, room, ann) == Attendee("ann", ann.user_id, (Device("unknown", "away"),))
    assert (await look(store, room)).away == 1
    for node, other in ((ONE, TWO), (TWO, ONE)):
        await record(store, node, device(ann, phone, "online"))
        await record(store, other, device(ann, phone, "away"))
        assert await attendee(store, room, ann) == Attendee("ann", ann.user_id, (Device("unknown", "online"),))


async def test_a_guest_is_away_while_that_is_recorded(store: Store) -> None:
    room, gus = await open_room(store), guest("gus")
    await record(store, ONE, comes(room, gus), device(gus, "guest", "away"))
    assert await attendee(store, room, gus) == Attendee("gus", gus.user_id, (Device("guest", "away"),))
    await record(store, ONE, device(gus, "guest", None))
    assert await attendee(store, room, gus) == Attendee("gus", gus.user_id, (Device("guest", "online"),))


async def test_the_last_of_several_changes_of_a_device_counts(store: Store) -> None:
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    await record(store, ONE, device(ann, phone), device(ann, phone, None), device(ann, phone, "away"))
    assert await attendee(store, room, ann) == Attendee("ann", ann.user_id, (Device("phone", "away"),))


async def test_members_who_are_not_connected_are_offline_since_their_last_device_went(stage: Stage) -> None:
    store = stage.store
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    assert await attendee(store, room, ann) == Attendee("ann", ann.user_id, ())
    await record(store, ONE, device(ann, phone), device(ann, "k_other"))
    await record(store, ONE, device(ann, "k_other", None))
    assert (await attendee(store, room, ann)) == Attendee("ann", ann.user_id, (Device("phone", "online"),))
    stage.let_pass(5)
    await record(store, ONE, device(ann, phone, None))
    went = await attendee(store, room, ann)
    assert went is not None
    assert went.state == "offline"
    assert went.last_seen is not None
    stage.let_pass(60)
    await record(store, ONE, device(ann, phone), comes(room, guest("gus")))
    await record(store, ONE, device(ann, phone, None))
    later = await attendee(store, room, ann)
    assert later is not None
    assert later.last_seen is not None
    assert later.last_seen >= went.last_seen


async def test_guests_who_went_are_not_shown(store: Store) -> None:
    room, gus = await open_room(store), guest("gus")
    await record(store, ONE, comes(room, gus))
    await record(store, ONE, goes(room, gus))
    assert await look(store, room) == RoomAttendance({}, 0, 0)


async def test_who_was_at_a_node_that_is_gone_was_seen_last_when_it_was(stage: Stage) -> None:
    store = stage.store
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    bob, tablet = await member(store, room, "bob")
    await record(store, ONE, device(ann, phone), device(bob, tablet))
    stage.let_pass(LIMITS.node_gone_s + 60)
    await record(store, TWO)  # sweeps
    assert not await store.record_node(NodeRecord(ONE, "n1", degraded=False), ())
    gone = await attendee(store, room, ann)
    await record(store, TWO, device(bob, tablet))
    await record(store, TWO, device(bob, tablet, None))  # now
    went = await attendee(store, room, bob)
    assert gone is not None
    assert went is not None
    assert gone.last_seen is not None
    assert went.last_seen is not None
    ago_ms = went.last_seen - gone.last_seen
    assert (LIMITS.node_gone_s + 60) * 1000 <= ago_ms <= (LIMITS.node_gone_s + 60 + 10) * 1000


async def test_a_silent_node_counts_no_more_before_it_is_swept(stage: Stage) -> None:
    room = await open_room(stage.store)
    ann, phone = await member(stage.store, room, "ann")
    await record(stage.store, ONE, device(ann, phone), comes(room, ann), comes(room, guest("gus")))
    stage.let_pass(LIMITS.node_gone_s + 1)
    now = await look(stage.store, room)
    assert now.people is not None
    assert list(now.people) == [ann.user_id]
    assert (now.people[ann.user_id].state, now.online, now.away) == ("offline", 0, 0)


async def test_who_was_at_a_silent_node_is_told_the_same_before_and_after_it_is_swept(stage: Stage) -> None:
    store = stage.store
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    await record(store, ONE, device(ann, phone))
    stage.let_pass(LIMITS.node_gone_s + 1)
    before = await attendee(store, room, ann)
    await record(store, TWO)  # sweeps
    assert before is not None
    assert before.last_seen is not None
    swept = await attendee(store, room, ann)
    assert swept is not None
    assert swept.last_seen is not None
    assert abs(before.last_seen - swept.last_seen) <= 1  # PostgreSQL subtracts seconds and adds them again


@pytest.mark.parametrize("how", ["stops", "was taken for gone"])
async def test_the_devices_of_a_node_go_with_it(stage: Stage, how: str) -> None:
    store = stage.store
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    await record(store, ONE, device(ann, phone))
    if how == "stops":
        await store.forget_node(ONE)
    else:
        stage.let_pass(LIMITS.node_gone_s + 1)
    assert not await store.record_node(NodeRecord(ONE, "n1", degraded=False), ())
    gone = await attendee(store, room, ann)
    assert gone is not None
    assert gone.devices == ()
    assert gone.last_seen is not None


async def test_who_hides_is_offline_and_was_never_seen(store: Store) -> None:
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    cat, tablet = await account(store, "cat")
    await record(store, ONE, *(device(ann, phone), comes(room, ann), device(cat, tablet), comes(room, cat)))
    for person in (ann, cat):
        await store.attendance.set_hidden(person.user_id, True)
    assert await look(store, room) == RoomAttendance({ann.user_id: Attendee("ann", ann.user_id, ())}, 0, 0)
    assert await store.list_members(room.id, after="", limit=10) == []
    assert await store.attendance.hidden_among([ann.user_id, UserId("u_bob")]) == {ann.user_id}
    await record(store, ONE, device(ann, phone, None), goes(room, ann))
    assert await attendee(store, room, ann) == Attendee("ann", ann.user_id, ())
    await store.attendance.set_hidden(cat.user_id, False)
    assert await attendee(store, room, cat) == Attendee("cat", cat.user_id, (Device("phone", "online"),))
    assert await store.list_members(room.id, after="", limit=10) == [cat]
    assert await store.attendance.hidden_among([cat.user_id]) == set()


async def test_an_account_says_whether_it_hides(store: Store) -> None:
    ann, _ = await account(store, "ann")
    await store.attendance.set_hidden(ann.user_id, True)
    credentials = await store.accounts.credentials_of(ann.user_id)
    assert credentials is not None
    assert credentials.account.hidden


async def test_of_a_room_with_many_members_those_who_listen_are_shown(store: Store) -> None:
    room = await open_room(store)
    members = [await member(store, room, f"ann{number}") for number in range(MOST + 1)]
    (ann, phone), (bob, tablet), *_ = members
    await record(store, ONE, comes(room, ann), device(ann, phone), device(bob, tablet))
    assert await look(store, room) == RoomAttendance(
        {ann.user_id: Attendee("ann0", ann.user_id, (Device("phone", "online"),))}, 1, 0
    )


async def test_of_a_crowd_that_listens_there_are_counts_alone(store: Store) -> None:
    room = await open_room(store)
    ann, phone = await member(store, room, "ann")
    bob, tablet = await account(store, "bob")
    cat, hers = await account(store, "cat")
    guests = [guest(f"gus{number}") for number in range(MOST - 1)]
    changes = [comes(room, person) for person in (ann, bob, cat, *guests)]
    await record(store, ONE, *changes, device(ann, phone), device(bob, tablet, "away"), device(cat, hers))
    await store.attendance.set_hidden(cat.user_id, True)
    assert await look(store, room) == RoomAttendance(None, online=MOST, away=1)
    await record(store, TWO, comes(room, guests[0]), device(guests[0], "guest", "away"))
    assert await look(store, room) == RoomAttendance(None, online=MOST, away=1)  # online at the other node
    await record(store, ONE, device(guests[0], "guest", "away"), device(ann, phone, "away"))
    await record(store, TWO, device(bob, "k_other"))
    assert await look(store, room) == RoomAttendance(None, online=MOST - 1, away=2)
