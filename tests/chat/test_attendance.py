"""Who is online, away or offline: told when asked, and from then on as it changes, whatever becomes of nodes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, CountingStore, Guest, open_chat
from tests.chat.persons import bot, done, id_of, log_in, make_private, person, refused
from tests.nodes import LOOSE, open_twin_node
from tests.people import make_account
from tests.wire import WireClient
from trichat.chat.people_ports import NewLogin
from trichat.core.attendance import RoomAttendance
from trichat.core.names import RoomId
from trichat.core.tokens import token_hash
from trichat.store.memory import MemoryStore
from trichat.store.memory_attendance import MemoryAttendance

#: Virtual seconds in which a change is told everywhere while all is well: recorded, whispered, looked at.
SOON_S: Final = 2.0
#: The same while Redis is away: every node looks every two seconds.
DEGRADED_S: Final = 0.5 + LOOSE.presence_look_fast_s + 1.0
#: What issue 4 says of a node that was killed.
KILLED_S: Final = 15.0


class Picture:
    """What somebody knows of a room's presence: `presence_state` and what `presence_diff` has changed since."""

    def __init__(self, guest: Guest, room: str, state: dict[str, Any]) -> None:
        self._guest = guest
        self._room = room
        self._state = state
        self._heard = len(guest.frames)

    @property
    def people(self) -> dict[str, dict[str, Any]]:
        people = {one["user_id"]: one for one in self._state.get("people", [])}
        for diff in self.diffs:
            people |= {one["user_id"]: one for one in diff.get("people", [])}
        return people

    @property
    def states(self) -> dict[str, str]:
        """The state of each, by identifier."""
        return {user_id: one["state"] for user_id, one in self.people.items()}

    @property
    def counts(self) -> tuple[int, int]:
        last = [self._state, *self.diffs][-1]
        return last["online"], last["away"]

    @property
    def diffs(self) -> list[dict[str, Any]]:
        frames = self._guest.frames[self._guest.frames.index(self._state) :]
        return [one for one in frames if one["type"] == "presence_diff" and one["room"] == self._room]

    def devices(self, guest: Guest) -> list[tuple[str, str]]:
        return [(one["device"], one["state"]) for one in self.people[id_of(guest)].get("devices", [])]


async def follow(guest: Guest, room: str = "lobby", **fields: Any) -> Picture:
    state = await guest.ask("presence", room=room, **fields)
    assert state["type"] == "presence_state", state
    return Picture(guest, room, state)


async def log_in_from(chat: Chat, guest: Guest, device: str, node: int = 0) -> Guest:
    """Another connection of the same account, by a new login from this device."""
    token = chat.twins.chance.token("u")
    login = NewLogin(id="k_" + chat.twins.chance.label(8), token_hash=token_hash(token), device=device)
    await chat.store.accounts.log_in(id_of(guest), login)
    return await log_in(chat, token, chat.nodes[node])


async def be(guest: Guest, state: str) -> None:
    reply = await guest.ask("set_presence", state=state)
    assert (reply["type"], reply["state"]) == ("set_presence", state), reply


async def test_who_has_just_come_is_shown_themselves_and_everybody_else(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann = await person(chat, "ann", chat.nodes[0])
        await ann.join("lobby")
        bob, gus = await chat.guest_in("lobby", chat.nodes[1]), await chat.guest_in("lobby", chat.nodes[0])
        await trio.sleep(SOON_S)
        cat = await chat.guest_in("lobby", chat.nodes[0])
        for one in (ann, cat):
            picture = await follow(one)
            assert picture.states == {id_of(who): "online" for who in (ann, bob, gus, cat)}
            assert picture.counts == (4, 0)
        assert (await follow(ann)).people[id_of(bob)] == {
            "user": bob.frames[0]["user"],
            "user_id": id_of(bob),
            "state": "online",
            "devices": [{"device": "guest", "state": "online"}],
        }


async def test_each_device_is_online_or_away_and_a_person_is_online_if_any_is(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        bob = await chat.guest_in("lobby", chat.nodes[1])
        ann = await person(chat, "ann", chat.nodes[0])
        await ann.join("lobby")
        picture = await follow(bob)
        phone = await log_in_from(chat, ann, "phone", 1)
        await phone.join("lobby")
        await trio.sleep(SOON_S)
        assert picture.devices(ann) == [("phone", "online"), ("unknown", "online")]
        await be(ann, "away")
        await trio.sleep(SOON_S)
        assert picture.devices(ann) == [("phone", "online"), ("unknown", "away")]
        assert picture.states[id_of(ann)] == "online"
        await be(phone, "away")
        await trio.sleep(SOON_S)
        assert picture.states[id_of(ann)] == "away"
        assert picture.counts == (1, 1)
        await be(phone, "online")
        await phone.drop()
        await trio.sleep(SOON_S)
        assert picture.devices(ann) == [("unknown", "away")]


async def test_guests_and_bots_are_devices_too(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        gus, robot = await chat.guest_in("lobby"), await bot(chat, "robot", ["read"])
        await robot.join("lobby")
        picture = await follow(gus)
        await trio.sleep(SOON_S)
        assert picture.devices(robot) == [("bot", "online")]
        for state in ("away", "online", "away"):
            await be(gus, state)
            await trio.sleep(SOON_S)
            assert picture.devices(gus) == [("guest", state)]
        again = await chat.guest()
        await again.ask("auth", token=gus.frames[0]["token"])
        await again.join("lobby")
        await trio.sleep(SOON_S)
        assert picture.devices(gus) == [("guest", "online")]
        await again.drop()
        await trio.sleep(SOON_S)
        assert picture.devices(gus) == [("guest", "away")]


async def test_who_goes_is_offline_and_a_member_was_last_seen_then(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        bob = await chat.guest_in("lobby", chat.nodes[0])
        ann, gus = await person(chat, "ann", chat.nodes[1]), await chat.guest_in("lobby", chat.nodes[1])
        await ann.join("lobby")
        await trio.sleep(SOON_S)
        picture = await follow(bob)
        await ann.drop()
        await gus.drop()
        await trio.sleep(SOON_S)
        assert picture.states == {id_of(bob): "online", id_of(ann): "offline", id_of(gus): "offline"}
        assert picture.counts == (1, 0)
        assert picture.people[id_of(ann)].keys() == {"user", "user_id", "state", "last_seen"}
        assert picture.people[id_of(gus)].keys() == {"user", "user_id", "state"}
        # who asks later finds the same, but for the guest, who is no member of anything
        assert (await follow(bob)).states == {id_of(bob): "online", id_of(ann): "offline"}


async def test_a_member_who_listens_elsewhere_is_online(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await person(chat, "ann"), await chat.guest_in("lobby")
        await ann.join("lobby")
        picture = await follow(bob)
        tablet = await log_in_from(chat, ann, "tablet")
        await tablet.join("dev")
        await ann.drop()
        await trio.sleep(SOON_S)
        assert picture.devices(ann) == [("tablet", "online")]
        await tablet.drop()
        await trio.sleep(LOOSE.presence_look_s + SOON_S)  # of the lobby nobody has said anything
        assert picture.states[id_of(ann)] == "offline"


async def test_only_what_changed_is_told_and_only_to_who_follows(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob, cat = await chat.guests_in("lobby", 3, chat.nodes[0])
        dan = await chat.guest_in("lobby", chat.nodes[1])
        await trio.sleep(SOON_S)
        followed, once = await follow(ann), await follow(bob, follow=False)
        await follow(cat)
        ended = await follow(cat, follow=False)
        await be(dan, "away")
        await trio.sleep(SOON_S)
        (diff,) = followed.diffs
        assert [one["user_id"] for one in diff["people"]] == [id_of(dan)]
        assert (diff["online"], diff["away"]) == (3, 1)
        await trio.sleep(3 * LOOSE.presence_look_s)
        assert len(followed.diffs) == 1
        assert not once.diffs
        assert not ended.diffs


async def test_who_left_the_room_is_told_no_more(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await chat.guests_in("lobby", 2)
        picture = await follow(ann)
        await ann.ask("leave", room="lobby")
        await trio.sleep(SOON_S)
        await be(bob, "away")
        await trio.sleep(SOON_S)
        assert not picture.diffs
        assert await refused(ann, "presence", room="lobby") == ("not_joined", "room")
        await trio.sleep(3 * LOOSE.presence_look_s)
        assert not chat.node.hub.watching._watches


async def test_who_was_removed_is_told_no_more(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann = await person(chat, "ann", chat.nodes[0])
        room = await make_private(ann)
        await ann.join(room)
        bob = await person(chat, "bob", chat.nodes[1])
        await done(ann, "invite", room=room, user="bob")
        await bob.join(room)
        picture = await follow(bob, room)
        await trio.sleep(SOON_S)
        await done(ann, "kick", room=room, user="bob")
        await trio.sleep(SOON_S)
        before = len(picture.diffs)
        await be(ann, "away")
        await trio.sleep(LOOSE.presence_look_s + SOON_S)
        assert len(picture.diffs) == before


async def test_who_hides_is_as_if_they_were_not_there(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await person(chat, "ann", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await ann.join("lobby")
        await trio.sleep(SOON_S)
        picture = await follow(bob)
        assert picture.counts == (2, 0)
        hidden = await ann.ask("set_presence", hidden=True)
        assert hidden == {"type": "set_presence", "id": hidden["id"], "state": "online", "hidden": True}
        await trio.sleep(SOON_S)
        assert picture.counts == (1, 0)
        assert picture.people[id_of(ann)] == {"user": "ann", "user_id": id_of(ann), "state": "offline"}
        for one in (ann, bob):  # on either node
            members = (await one.ask("members", room="lobby"))["members"]
            assert [member["user_id"] for member in members] == [id_of(bob)]
        told = len(picture.diffs)
        await be(ann, "away")
        await ann.drop()
        await trio.sleep(LOOSE.presence_look_s + SOON_S)
        assert len(picture.diffs) == told
        assert (await follow(await chat.guest_in("lobby"))).people[id_of(ann)].keys() == {"user", "user_id", "state"}


async def test_of_a_crowd_there_are_counts_and_when_it_goes_everybody_again(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, presence=4)) as chat:
        guests = await chat.guests_in("lobby", 4)
        await trio.sleep(SOON_S)
        ann, *others = guests
        picture = await follow(ann)
        assert len(picture.people) == 4
        last = await chat.guest_in("lobby")
        await trio.sleep(SOON_S)
        assert "people" not in picture.diffs[-1]
        assert picture.counts == (5, 0)
        crowd = await follow(last)
        assert crowd.people == {}
        await be(others[0], "away")
        await trio.sleep(SOON_S)
        assert crowd.counts == picture.counts == (4, 1)
        assert crowd.people == {}
        for guest in others[1:]:
            await guest.drop()
        await trio.sleep(SOON_S)
        assert crowd.states == {id_of(ann): "online", id_of(others[0]): "away", id_of(last): "online"}


async def test_a_crowd_of_as_many_as_were_online_before_is_told_all_the_same(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, presence=2)) as chat:
        ann = await person(chat, "ann")
        await ann.join("lobby")
        await log_in_from(chat, ann, "phone")
        await ann.drop()  # she is a member still, and connected
        gus = (await chat.guests_in("lobby", 2))[0]
        await trio.sleep(SOON_S)
        picture = await follow(gus)
        assert picture.counts == (3, 0)
        assert id_of(ann) in picture.people
        await chat.guest_in("lobby")
        await trio.sleep(SOON_S)
        assert picture.diffs == [{"type": "presence_diff", "room": "lobby", "online": 3, "away": 0}]


async def test_people_at_a_node_that_was_killed_are_offline_in_time(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        bob = await chat.guest_in("lobby")
        token = await make_account(chat.store, "ann")
        async with open_twin_node(chat.twins, name="n2") as doomed, trio.open_nursery() as nursery:
            ann = Guest(await WireClient(await doomed.connect()).shake_hands())
            nursery.start_soon(ann.run)
            await ann.ask("auth", token=token)
            await ann.join("lobby")
            await trio.sleep(SOON_S)
            picture = await follow(bob)
            assert picture.counts == (2, 0)
            doomed_incarnation = doomed.hub.incarnation
            nursery.cancel_scope.cancel()
        assert doomed_incarnation in chat.store.nodes, "nothing was said to the store: as after SIGKILL"
        await trio.sleep(KILLED_S)
        assert picture.states == {id_of(bob): "online", id_of(ann): "offline"}
        await trio.sleep(LOOSE.presence_look_s + SOON_S)
        assert "last_seen" in picture.people[id_of(ann)]


@pytest.mark.parametrize("fault", ["cut", "stop"])
async def test_while_redis_is_away_what_changes_is_told_all_the_same(fault: str, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await trio.sleep(SOON_S)
        picture = await follow(bob)
        if fault == "stop":
            chat.bus.stop()
        else:
            chat.bus.cut(chat.nodes[0].hub.incarnation)
        await trio.sleep(SOON_S)
        await be(ann, "away")
        await trio.sleep(DEGRADED_S)
        assert picture.states == {id_of(ann): "away", id_of(bob): "online"}


async def test_a_nudge_that_was_lost_costs_ten_seconds(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await trio.sleep(SOON_S)
        picture = await follow(bob)
        chat.bus.carry_whisper = lambda *_: None  # type: ignore[method-assign]  # a bus that loses them all
        await be(ann, "away")
        await trio.sleep(LOOSE.presence_look_s + SOON_S)
        assert picture.states[id_of(ann)] == "away"


@pytest.mark.parametrize("away_s", [1.0, LOOSE.node_gone_s + 5])
@pytest.mark.parametrize("fault", ["down", "answers_lost"])
async def test_when_the_store_was_away_presence_is_true_soon_after(
    fault: str, away_s: float, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bob = await person(chat, "ann", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await ann.join("lobby")
        other = await log_in_from(chat, ann, "phone", 0)
        await trio.sleep(SOON_S)
        picture = await follow(bob)
        setattr(chat.store, fault, True)
        await be(ann, "away")
        await other.drop()
        assert await refused(bob, "presence", room="lobby") == ("unavailable", None)
        await trio.sleep(away_s)
        setattr(chat.store, fault, False)
        await trio.sleep(LOOSE.node_record_s + SOON_S + DEGRADED_S)
        assert picture.devices(ann) == [("unknown", "away")]


class Looks(MemoryAttendance):
    """Counts the looks at a room's presence."""

    count = 0

    async def attendance(self, room_id: RoomId, *, most: int) -> RoomAttendance:
        self.count += 1
        return await super().attendance(room_id, most=most)


async def test_one_look_a_second_serves_all_who_follow_a_room(autojump_clock: MockClock) -> None:
    store: MemoryStore = CountingStore()
    store.attendance = looks = Looks(store)
    async with open_chat(store=store) as chat:
        guests = await chat.guests_in("lobby", 30)
        for guest in guests:
            await follow(guest)
        assert looks.count == 1
        began = trio.current_time()
        while trio.current_time() < began + 10:
            for guest in guests[:5]:
                await be(guest, "away" if (trio.current_time() - began) % 1 < 0.5 else "online")
            await trio.sleep(0.2)
        assert looks.count <= 12


@pytest.mark.parametrize(
    ("fields", "field"),
    [({}, "state"), ({"state": "offline"}, "state"), ({"state": ""}, "state"), ({"state": "busy", "hidden": 1}, None)],
)
async def test_what_makes_no_sense_is_refused(fields: dict[str, Any], field: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        code, named = await refused(await chat.guest(), "set_presence", **fields)
        assert code == "bad_field"
        assert field in (named, None)


async def test_guests_do_not_hide(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        assert (await refused(await chat.guest(), "set_presence", hidden=True, state="away"))[0] == "forbidden"
