"""A room's life over two nodes with PostgreSQL and Valkey: each command about rooms is given once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from tests.chat.guests import Guest
from tests.chat.persons import acts, done, hears_of, id_of, make, refused
from tests.nodes import Node, open_node
from tests.people import make_account
from tests.wire import open_wire

#: Seconds for all of it: ten times the typical.
WITHIN_S = 20.0


@asynccontextmanager
async def people(nodes: list[Node], names: list[str]) -> AsyncIterator[list[Guest]]:
    """People with accounts of these names, the first at the first node, the second at the second …"""
    async with trio.open_nursery() as nursery:
        everybody: list[Guest] = []
        for number, name in enumerate(names):
            node = nodes[number % len(nodes)]
            assert node.port is not None
            wire = await nursery.start(_connected, node.port)
            everybody.append(Guest(wire))
            nursery.start_soon(everybody[-1].run)
            ok = await everybody[-1].ask("auth", token=await make_account(node.hub.store, name))
            assert ok["type"] == "ok", ok
        yield everybody
        nursery.cancel_scope.cancel(reason="the test is over")


async def _connected(port: int, task_status: trio.TaskStatus[object]) -> None:
    async with open_wire(port) as wire:
        task_status.started(wire)
        await trio.sleep_forever()


async def test_a_room_is_made_governed_and_deleted_over_two_nodes(database_url: str, redis_url: str) -> None:
    async with (
        open_node(database_url, redis_url, name="a", prefix="governed") as a,
        open_node(database_url, redis_url, name="b", prefix="governed") as b,
        people([a, b], ["ann", "bob", "cat"]) as (ann, bob, cat),
    ):
        with trio.fail_after(WITHIN_S):
            room = (await make(ann, kind="private", title="Plans"))["room"]
            await ann.join(room)
            code = (await ann.ask("invite", room=room, uses=2))["code"]
            assert (await bob.ask("accept", code=code))["type"] == "accepted"
            await done(ann, "invite", room=room, user="cat")
            await bob.join(room)
            await cat.join(room)
            await done(ann, "role", room=room, user="bob", role="moderator")
            await done(ann, "edit_room", room=room, topic="What now?", cid="c1")
            assert (await ann.ask("edit_room", room=room, topic="What now?", cid="c1"))["dup"] is True
            seq = await cat.say(room, "buy this")
            await bob.hears(room, "buy this")
            number = (await bob.ask("report", room=room, seq=seq, reason="spam"))["report"]
            assert [one["report"] for one in (await ann.ask("reports", room=room))["reports"]] == [number]
            assert (await bob.ask("resolve", room=room, report=number, note="banned"))["type"] == "resolved"
            await done(bob, "mute", room=room, user="cat", for_s=60)
            assert await refused(cat, "send", room=room, text="no") == ("forbidden", "room")
            await done(bob, "unmute", room=room, user="cat")
            await done(bob, "kick", room=room, user="cat")
            await cat.until(lambda: bool(cat.all_of("left")))
            await done(bob, "ban", room=room, user=id_of(cat), for_s=3_600, reason="spam", cid="c2")
            assert (await bob.ask("ban", room=room, user=id_of(cat), for_s=3_600, reason="spam", cid="c2"))["dup"]
            assert await refused(cat, "room", room=room) == ("no_such_room", "room")
            assert [one["user"] for one in (await bob.ask("bans", room=room))["people"]] == ["cat"]
            await done(bob, "unban", room=room, user="cat")
            assert [one["user"] for one in (await bob.ask("roster", room=room))["members"]] == ["ann", "bob"]
            assert [one["uses"] for one in (await bob.ask("invites", room=room))["invites"]] == [1]
            assert (await bob.ask("uninvite", room=room, code=code[:6]))["type"] == "uninvited"
            await done(ann, "archive", room=room)
            await done(ann, "archive", room=room, archived=False)
            await done(ann, "transfer", room=room, user="bob")
            await hears_of(ann, room, "unbanned", "cat")
            assert [change for change, user in acts(ann, room) if user == "cat"] == [
                "invited", "joined", "muted", "unmuted", "kicked", "banned", "unbanned",
            ]  # fmt: skip
            audit = [entry["act"] for entry in (await bob.ask("audit", room=room))["entries"]]
            assert audit[:3] == ["transfer", "unarchive", "archive"]
            assert audit[-1] == "create"
            assert (await bob.ask("delete_room", room=room))["type"] == "deleted"
            await ann.until(lambda: ann.closed == 4202)


async def test_two_people_talk_in_their_direct_room_until_one_blocks_the_other(
    database_url: str, redis_url: str
) -> None:
    async with (
        open_node(database_url, redis_url, name="a", prefix="direct") as a,
        open_node(database_url, redis_url, name="b", prefix="direct") as b,
        people([a, b], ["ann", "bob"]) as (ann, bob),
    ):
        with trio.fail_after(WITHIN_S):
            room = (await ann.ask("direct", user="bob"))["room"]
            assert (await bob.ask("direct", user="ann"))["room"] == room
            await ann.join(room)
            await bob.join(room)
            await ann.say(room, "psst")
            await bob.hears(room, "psst")
            assert (await bob.ask("block", user="ann"))["type"] == "ok"
            assert await refused(ann, "send", room=room, text="why?") == ("forbidden", "room")
            assert await refused(ann, "direct", user="bob") == ("forbidden", "user")
            assert (await bob.ask("unblock", user="ann"))["type"] == "ok"
            await ann.say(room, "thanks")
