"""Who is connected: in the cluster, at most fifteen seconds late, whatever becomes of nodes and of the store."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import bot, id_of, log_in
from tests.nodes import LOOSE, open_twin_node
from tests.people import make_account
from trichat.chat.people_ports import NewLogin
from trichat.core.tokens import token_hash

#: Virtual seconds after which a count is right, as the protocol promises; usually it is a few.
STALE_S: Final = 15.0
#: Virtual seconds in which a change is known everywhere while all is well: it is recorded, and looked at.
SOON_S: Final = 4.0
#: The same when a record has just failed: the next one comes after `node_record_s`.
HEALED_S: Final = SOON_S + LOOSE.node_record_s


async def members(guest: Guest, room: str = "lobby") -> list[str]:
    page = await guest.ask("members", room=room)
    assert page["more"] is False
    return [member["user"] for member in page["members"]]


async def count(guest: Guest, room: str = "lobby") -> int:
    """How many the list of rooms says are in the room."""
    page = await guest.ask("rooms")
    return next(int(listed["members"]) for listed in page["rooms"] if listed["room"] == room)


async def name_of(guest: Guest) -> str:
    return str(guest.frames[0]["user"])


async def names(guests: list[Guest]) -> list[str]:
    return sorted([await name_of(guest) for guest in guests])


async def test_joined_counts_everybody_who_is_here(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        for number in range(1, 6):
            assert (await (await chat.guest()).join("lobby"))["members"] == number


async def test_joined_counts_those_at_other_nodes_too(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        await chat.guests_in("lobby", 3, chat.nodes[0])
        await chat.guests_in("lobby", 2, chat.nodes[1])
        await trio.sleep(SOON_S)
        for node in chat.nodes:
            bob = await chat.guest(node)
            assert (await bob.join("lobby"))["members"] == 6
            await bob.ask("leave", room="lobby")
            await trio.sleep(SOON_S)


async def test_members_and_rooms_show_everybody_at_both_nodes(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        people = await chat.guests_in("lobby", 3, chat.nodes[0]) + await chat.guests_in("lobby", 2, chat.nodes[1])
        await trio.sleep(SOON_S)
        for guest in people:
            assert await members(guest) == await names(people)
            assert await count(guest) == 5


async def test_who_has_just_come_is_shown_at_once_at_their_node(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        assert await members(ann) == [await name_of(ann)]
        assert await count(ann) == 1


async def test_a_person_with_many_connections_is_one_member(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann = await chat.guest_in("lobby")
        token = ann.frames[0]["token"]
        again = [await chat.guest(node) for node in (*chat.nodes, *chat.nodes)]
        for one in again:
            assert (await one.ask("auth", token=token))["user"] == await name_of(ann)
            assert (await one.join("lobby"))["members"] == 1
        await trio.sleep(SOON_S)
        assert await members(ann) == [await name_of(ann)]
        assert await count(ann) == 1
        for one in again:
            await one.drop()
        await trio.sleep(SOON_S)
        assert await members(ann) == [await name_of(ann)]


@pytest.mark.parametrize("how", ["leave", "close", "drop"])
async def test_who_goes_is_gone_for_everybody(how: str, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, bea = await chat.guest_in("lobby", chat.nodes[0]), await chat.guest_in("lobby", chat.nodes[1])
        await trio.sleep(SOON_S)
        if how == "leave":
            await bea.ask("leave", room="lobby")
        elif how == "close":
            await bea.wire.send_frame(0x8, (1000).to_bytes(2, "big"))
        else:
            await bea.drop()
        await trio.sleep(SOON_S)
        assert await members(ann) == [await name_of(ann)]
        assert await count(ann) == 1


async def test_people_at_a_node_that_vanished_are_gone_within_fifteen_seconds(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest_in("lobby")
        async with open_twin_node(chat.twins, name="n2") as doomed:
            await chat.guests_in("lobby", 3, doomed)
            await trio.sleep(SOON_S)
            assert await count(ann) == 4
        # nothing was said to the store: as after SIGKILL
        assert await count(ann) == 4
        await trio.sleep(STALE_S)
        assert await members(ann) == [await name_of(ann)]
        assert await count(ann) == 1
        assert (await (await chat.guest()).join("lobby"))["members"] == 2


@pytest.mark.parametrize("fault", ["down", "answers_lost"])
@pytest.mark.parametrize("away_s", [1.0, 5.0, 30.0])
async def test_when_the_store_was_away_presence_is_right_soon_after(
    fault: str, away_s: float, autojump_clock: MockClock
) -> None:
    async with open_chat(nodes=2) as chat:
        stayed = await chat.guests_in("lobby", 3, chat.nodes[0]) + await chat.guests_in("lobby", 2, chat.nodes[1])
        gone = await chat.guests_in("lobby", 2, chat.nodes[0])
        came = await chat.guests_in("dev", 2, chat.nodes[1])
        await trio.sleep(SOON_S)
        setattr(chat.store, fault, True)
        for guest in gone:
            await guest.drop()
        for guest in came:
            await guest.tell("join", room="lobby")  # the nodes know the room
        await trio.sleep(away_s)
        setattr(chat.store, fault, False)
        await trio.sleep(HEALED_S)
        for guest in (stayed[0], stayed[-1]):
            assert await members(guest) == await names(stayed + came)
            assert await count(guest) == 7


async def test_a_record_that_is_written_in_part_is_made_whole(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        people = await chat.guests_in("lobby", 3, chat.nodes[0])
        ann = await chat.guest(chat.nodes[1])
        await trio.sleep(SOON_S)
        await be_taken_for_gone(chat)
        # the node is recorded anew, its answer is lost, and so nobody has said who is here
        chat.store.answers_lost = True
        await trio.sleep(LOOSE.node_record_s)
        chat.store.answers_lost = False
        await trio.sleep(HEALED_S)
        assert await members(ann) == await names(people)


async def be_taken_for_gone(chat: Chat) -> None:
    for node in chat.nodes:
        await chat.store.forget_node(node.hub.incarnation)


async def test_pages_of_members_go_on_after_a_name_and_hold_everybody_once(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        people = await chat.guests_in("lobby", 7, chat.nodes[0]) + await chat.guests_in("lobby", 6, chat.nodes[1])
        await trio.sleep(SOON_S)
        for reader in (people[0], people[-1]):
            shown: list[str] = []
            page: dict[str, Any] = {"more": True}
            while page["more"]:
                page = await reader.ask("members", room="lobby", after=shown[-1] if shown else "", limit=3)
                assert 0 < len(page["members"]) <= 3
                shown += [member["user"] for member in page["members"]]
            assert shown == await names(people)


# what expires without use


#: A login lasts for eight hours; what nodes do again and again they do seldom, for the clock has far to go.
FAR: Final = msgspec.structs.replace(
    LOOSE, session_s=28_800.0, node_record_s=60.0, node_gone_s=240.0, ended_look_s=60.0, heads_slow_s=60.0,
    ping_s=900.0, beat_s=60.0, beat_missing_s=150.0,
)  # fmt: skip


async def test_who_stays_connected_keeps_their_login_and_not_that_of_a_device_they_do_not_use(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(FAR) as chat:
        token = await make_account(chat.store, "ann")
        ann = await log_in(chat, token)
        unused = NewLogin(id="k_unused", token_hash=token_hash("u.unused"))
        await chat.store.accounts.log_in(id_of(ann), unused)
        await trio.sleep(2 * FAR.session_s)
        assert ann.closed is None
        await ann.drop()
        assert id_of(await log_in(chat, token)) == id_of(ann)
        assert await chat.store.accounts.find_login(unused.token_hash, "") is None


async def test_a_login_lasts_from_when_its_last_connection_went(autojump_clock: MockClock) -> None:
    async with open_chat(FAR) as chat:
        token = await make_account(chat.store, "ann")
        ann = await log_in(chat, token)
        await trio.sleep(FAR.session_s - 60)
        await ann.drop()
        await trio.sleep(FAR.session_s - 7_200)
        assert len(await chat.store.accounts.logins(id_of(ann))) == 1
        await trio.sleep(7_200)
        assert await chat.store.accounts.logins(id_of(ann)) == []


async def test_logins_that_are_used_are_told_once_each_and_no_keys(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        token = await make_account(chat.store, "ann")
        ann = await log_in(chat, token)
        await log_in(chat, token)
        await bot(chat, "bot", ["read"])
        await chat.guest()
        (login,) = await chat.store.accounts.logins(id_of(ann))
        assert chat.node.hub.used_logins() == [login.id]
