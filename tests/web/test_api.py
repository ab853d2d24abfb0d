"""The HTTP API does what the socket does, and says what came of it by HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from msgspec import structs
from trio.testing import MockClock

from tests.chat.guests import open_chat
from tests.chat.persons import acts, make, make_private, person
from tests.nodes import LOOSE
from tests.people import make_account, make_bot
from tests.web.asking import Asker, open_asker, refusal
from trichat.chat.vault_port import OutsideIdentity
from trichat.core.names import RoomName


async def guest_token(asker: Asker) -> str:
    answer = await asker.ask("POST", "/guests")
    assert answer.status_code == 201
    return str(answer.json()["token"])


# who asks


async def test_a_guest_is_made_and_is_who_the_token_says(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        made = await nobody.ask("POST", "/guests", {"name": "gus"})
        assert made.status_code == 201
        assert made.json()["user"] == "gus"
        who = await nobody.as_(made.json()["token"]).get("/token")
        assert who.json() == {"type": "ok", "for": "auth", "user": "gus", "user_id": made.json()["user_id"]}


async def test_a_guest_need_not_say_a_name(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        assert (await nobody.ask("POST", "/guests")).json()["user"].startswith("guest-")
        assert refusal(await nobody.ask("POST", "/guests", {"name": "ad min"})) == (400, "bad_field", "name")


async def test_where_guests_are_refused_none_is_made(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        chat.node.hub.allow_guests = False
        assert refusal(await nobody.ask("POST", "/guests")) == (403, "forbidden", None)


async def test_an_account_logs_in_and_out(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        ann = await chat.guest()
        await ann.ask("register", name="ann", password="a long sentence is best")
        wrong = await nobody.ask("POST", "/token", {"name": "ann", "password": "something else"})
        assert refusal(wrong) == (401, "unauthenticated", "password")
        right = await nobody.ask("POST", "/token", {"name": "ann", "password": "a long sentence is best"})
        assert (right.status_code, right.json()["user"]) == (200, "ann")
        here = nobody.as_(right.json()["token"])
        assert (await here.get("/me")).json()["user"] == "ann"
        assert (await here.ask("DELETE", "/token")).json()["for"] == "logout"
        assert refusal(await here.get("/me")) == (401, "unauthenticated", "token")


@pytest.mark.parametrize("said", [None, "", "Basic YTpi", "Bearer", "Bearer ", "Bearer nonsense", "Bearer u.nonsense"])
async def test_without_a_token_that_counts_nothing_is_told(said: str | None, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        headers = {} if said is None else {"Authorization": said}
        answer = await nobody.ask("GET", "/rooms", headers=headers)
        assert refusal(answer)[:2] == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_cookie_or_a_token_in_the_address_is_nothing(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        token = await make_account(chat.store, "ann")
        answer = await nobody.ask("GET", "/me", headers={"Cookie": f"token={token}; Authorization=Bearer {token}"})
        assert answer.status_code == 401
        assert refusal(await nobody.get("/me", token=token)) == (400, "bad_field", "token")


async def test_a_bot_asks_by_its_key_and_somebody_of_another_site_by_theirs(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        bot = nobody.as_(await make_bot(chat.store, "weather", ["read"]))
        assert (await bot.get("/token")).json()["user"] == "weather"
        assert refusal(await bot.ask("POST", "/rooms", {"room": "garden"})) == (403, "forbidden", None)
        soon = chat.node.hub.wall_clock() + 60
        chat.twins.vault.site["theirs"] = OutsideIdentity("https://id.example", "7", "eve", "Eve", soon)
        eve = nobody.as_("theirs")
        assert (await eve.get("/token")).json()["user"] == "eve"
        assert (await eve.ask("POST", "/rooms", {"room": "garden"})).status_code == 201


# rooms


async def test_a_room_is_made_read_and_listed(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        made = await ann.ask("POST", "/rooms", {"room": "garden", "title": "The garden"})
        assert (made.status_code, made.headers["location"]) == (201, "/api/v1/rooms/garden")
        assert (await ann.get("/rooms/garden")).json() == made.json()
        assert made.json()["role"] == "owner"
        seq = await ann.say("garden", "it rains")
        (listed,) = (await ann.get("/rooms")).json()["rooms"]
        assert (listed["room"], listed["seq"]) == ("garden", seq)
        (mine,) = (await ann.get("/rooms", mine="true")).json()["rooms"]
        assert (mine["room"], mine["last"]["text"]) == ("garden", "it rains")


@pytest.mark.parametrize("room", ["a/b", "100%", "käse", "wo?", "x#y", "a+b", "a&b=c"])
async def test_a_rooms_name_is_percent_encoded_in_a_path(room: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        made = await ann.ask("POST", "/rooms", {"room": room})
        assert made.status_code == 201, made.text
        found = await ann.client.get(made.headers["location"], headers={"Authorization": f"Bearer {ann.token}"})
        assert found.json() == made.json()


async def test_who_joins_is_a_member_and_who_leaves_is_none(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        host = await person(chat, "ann")
        await make(host, room="garden")
        await host.join("garden")
        bob = nobody.as_(await make_account(chat.store, "bob"))
        assert refusal(await bob.ask("POST", "/rooms/garden/messages", {"text": "hi"})) == (409, "not_joined", "room")
        assert (await bob.ask("POST", "/rooms/garden/join")).json()["role"] == "member"
        await bob.say("garden", "hi")
        await host.hears("garden", "hi")
        assert (await bob.ask("POST", "/rooms/garden/leave")).json() == {"type": "left", "room": "garden"}
        assert refusal(await bob.ask("POST", "/rooms/garden/leave")) == (409, "not_joined", "room")
        await host.until(lambda: ("left", "bob") in acts(host, "garden"))
        assert acts(host, "garden") == [("joined", "bob"), ("left", "bob")]


async def test_who_asks_is_nobodys_presence_and_no_member_by_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        host = await chat.guest_in("lobby")
        gus = nobody.as_(await guest_token(nobody))
        joined = await gus.ask("POST", "/rooms/lobby/join")
        assert joined.json()["members"] == 1
        await gus.say("lobby", "hello")
        await host.hears("lobby", "hello")
        members = (await gus.get("/rooms/lobby/members")).json()["members"]
        assert [one["user_id"] for one in members] == [host.frames[0]["user_id"]]
        ann = nobody.as_(await make_account(chat.store, "ann"))
        await ann.ask("POST", "/rooms/lobby/join")
        await ann.say("lobby", "hello")
        await trio.sleep(2 * LOOSE.node_record_s)  # what would be recorded is recorded by then
        assert (await host.ask("members", room="lobby"))["members"] == members
        presence = await host.ask("presence", room="lobby")
        assert presence["online"] == 1
        assert not chat.node.hub.presence.sessions_of((await ann.get("/token")).json()["user_id"])
        assert len(host.all_of("member")) == 1
        assert not chat.node.hub.room("lobby") or len(chat.node.hub.room("lobby").listeners()) == 1  # type: ignore[union-attr]


async def test_calls_are_not_counted_among_the_connections_of_an_account(autojump_clock: MockClock) -> None:
    limits = structs.replace(LOOSE, connections_per_account=1)
    async with open_chat(limits) as chat, open_asker(chat.node.hub) as nobody, trio.open_nursery() as nursery:
        token = await make_account(chat.store, "ann")
        ann = nobody.as_(token)
        await ann.ask("POST", "/rooms", {"room": "garden"})
        seq = (await ann.get("/rooms/garden")).json()["seq"]
        wait = {"since": seq, "wait_s": 20}
        for _ in range(2):
            nursery.start_soon(lambda: ann.get("/rooms/garden/events", **wait))
        await trio.sleep(1)
        guest = await chat.guest()
        assert (await guest.ask("auth", token=token))["type"] == "ok"
        assert (await ann.get("/me")).status_code == 200


# messages


async def test_a_repeat_with_the_same_key_counts_once(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        host = await chat.guest_in("lobby")
        gus = nobody.as_(await guest_token(nobody))
        first = await gus.ask("POST", "/rooms/lobby/messages", {"text": "once"}, headers={"Idempotency-Key": "k1"})
        again = await gus.ask("POST", "/rooms/lobby/messages", {"text": "once"}, headers={"Idempotency-Key": "k1"})
        other = await gus.ask("POST", "/rooms/lobby/messages", {"text": "twice"}, headers={"Idempotency-Key": "k1"})
        assert first.json() == {"type": "ack", "room": "lobby", "seq": 1, "cid": "k1"}
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == {**first.json(), "dup": True}
        assert refusal(other) == (409, "cid_reused", "cid")
        await host.hears("lobby", "once")
        assert host.texts("lobby") == ["once"]


async def test_a_message_is_edited_reacted_to_and_taken_back(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        await ann.ask("POST", "/rooms", {"room": "garden"})
        seq = await ann.say("garden", "helo")
        at = f"/rooms/garden/messages/{seq}"
        assert (await ann.ask("PATCH", at, {"text": "hello"})).json()["type"] == "ack"
        assert (await ann.ask("PUT", f"{at}/reactions/🎉")).json()["type"] == "ack"
        assert (await ann.ask("PUT", f"{at}/reactions/:tada:")).json()["type"] == "ack"
        (message,) = (await ann.get("/rooms/garden/messages")).json()["messages"]
        assert message["text"] == "hello"
        assert message["reactions"] == [
            {"emoji": ":tada:", "count": 1, "mine": True},
            {"emoji": "🎉", "count": 1, "mine": True},
        ]
        assert (await ann.ask("DELETE", f"{at}/reactions/🎉")).status_code == 200
        assert (await ann.ask("DELETE", at, params={"reason": "a slip"})).status_code == 200
        (message,) = (await ann.get("/rooms/garden/messages")).json()["messages"]
        assert message["deleted"]


async def test_a_thread_is_said_and_read(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        await ann.ask("POST", "/rooms", {"room": "garden"})
        root = await ann.say("garden", "what grows?")
        said = await ann.ask("POST", "/rooms/garden/messages", {"text": "weeds", "thread": root, "reply_to": root})
        assert said.status_code == 201
        (reply,) = (await ann.get("/rooms/garden/messages", thread=root)).json()["messages"]
        assert (reply["text"], reply["thread"]) == ("weeds", root)
        read = await ann.ask("PUT", "/rooms/garden/read", {"seq": root})
        assert (read.status_code, read.json()["read"]) == (200, root)


async def test_what_was_said_is_found_and_read_by_places(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        await ann.ask("POST", "/rooms", {"room": "garden"})
        seqs = [await ann.say("garden", f"carrot {number}") for number in range(4)]
        (found,) = (await ann.get("/search", text="carrot", room="garden", limit=1)).json()["found"]
        assert found["message"]["seq"] == seqs[-1]

        async def read(**place: int) -> list[int]:
            page = (await ann.get("/rooms/garden/messages", **place)).json()
            return [one["seq"] for one in page["messages"]]

        assert await read(before=seqs[2]) == seqs[:2]
        assert await read(after=seqs[1]) == seqs[2:]
        assert await read(around=seqs[2], limit=2) == seqs[1:3]
        events = (await ann.get("/rooms/garden/events", since=seqs[0], limit=2)).json()
        assert ([one["seq"] for one in events["events"]], events["more"]) == (seqs[1:3], True)
        compact = (await ann.get("/rooms/garden/events", since=seqs[2], compact="true")).json()
        assert (compact["to"], compact["events"][0]["rev"]) == (seqs[3], seqs[3])


async def test_a_profile_is_changed(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        changed = await ann.ask("PATCH", "/me", {"about": "I water the plants."})
        assert changed.json() == (await ann.get("/me")).json()
        assert changed.json()["about"] == "I water the plants."


# rates, and a node that stops


async def test_the_rates_of_a_person_hold_for_both_ways(autojump_clock: MockClock) -> None:
    limits = structs.replace(LOOSE, commands_per_s=50.0, command_burst=300, account_per_s=1.0, account_burst=100)
    async with open_chat(limits) as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        await ann.ask("POST", "/rooms", {"room": "garden"})
        answers = [await ann.ask("GET", "/rooms/garden") for _ in range(101)]
        refused = answers[-1]
        assert refusal(refused) == (429, "rate_limited", None)
        assert refused.json()["limit"] == "account"
        assert int(refused.headers["retry-after"]) * 1000 >= refused.json()["retry_after_ms"]
        socket = await chat.guest()
        await socket.ask("auth", token=ann.token)
        assert (await socket.ask("room", room="garden"))["code"] == "rate_limited"


async def test_the_rates_of_an_address_hold_for_who_guesses_tokens(autojump_clock: MockClock) -> None:
    limits = structs.replace(LOOSE, commands_per_s=50.0, command_burst=300, address_per_s=1.0, address_burst=100)
    async with open_chat(limits) as chat, open_asker(chat.node.hub) as nobody:
        codes = {(await nobody.as_("u." + "x" * 43).get("/me")).status_code for _ in range(25)}
        assert codes == {401, 429}


async def test_a_node_that_stops_takes_nothing_more(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        await chat.guest_in("lobby")
        gus = nobody.as_(await guest_token(nobody))
        chat.node.hub.draining = True
        answer = await gus.ask("POST", "/rooms/lobby/messages", {"text": "late"})
        assert refusal(answer) == (503, "unavailable", None)
        assert answer.headers["retry-after"] == "1"


async def test_while_the_store_is_away_that_is_said(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub) as nobody:
        gus = nobody.as_(await guest_token(nobody))
        chat.store.down = True
        for answer in (await gus.get("/rooms"), await gus.ask("POST", "/rooms/lobby/messages", {"text": "hi"})):
            assert refusal(answer)[:2] == (503, "unavailable")


async def test_nothing_of_a_call_is_left_behind(autojump_clock: MockClock) -> None:
    async with open_chat() as chat, open_asker(chat.node.hub, await make_account(chat.store, "ann")) as ann:
        hub = chat.node.hub
        await ann.ask("POST", "/rooms/lobby/join")
        await ann.say("lobby", "hello")
        me: Any = (await ann.get("/me")).json()["user_id"]
        room = hub.room(RoomName("lobby"))
        assert room is not None
        assert not room.people
        assert not room.listeners()
        assert not hub.revocation.sessions_of(me)
        assert not hub.sessions
        hidden = await make_private(await person(chat, "bob"))
        assert refusal(await ann.get(f"/rooms/{hidden}")) == (404, "no_such_room", "room")
