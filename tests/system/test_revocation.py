"""What ends in the database closes what rests on it, on all nodes: within 1 s, and without Redis within 5 s."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import pytest
import trio
from msgspec import Struct

from tests.chat.guests import Guest
from tests.conditions import until
from tests.nodes import Node, open_node
from tests.servers import ValkeyServer
from tests.system.accounts import PASSWORD, connected, log_in, ok, register
from trichat.core.names import UserId

pytestmark = pytest.mark.slow

#: Within what a connection is closed: issue 3.
CLOSED_S: Final = 1.0
CLOSED_WITHOUT_REDIS_S: Final = 5.0


class Scene(Struct):
    """Ann, who acts, her other logins, one at each of two nodes, and Bob, whom all that does not concern."""

    nodes: list[Node]
    ann: Guest
    ann_id: UserId
    others: list[Guest]
    bob: Guest


@asynccontextmanager
async def open_scene(database_url: str, redis_url: str, prefix: str) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(open_node(database_url, redis_url, name=name, prefix=prefix))
            for name in ("n1", "n2")
        ]
        ann, bob = [await stack.enter_async_context(connected(nodes[0])) for _ in range(2)]
        await register(ann, "ann")
        await register(bob, "bob")
        others = [await stack.enter_async_context(connected(node)) for node in nodes]
        for other in others:
            await log_in(other, "ann")
            await other.join("lobby")
        ann_id = UserId((await ann.ask("profile"))["user_id"])
        yield Scene(nodes, ann, ann_id, others, bob)


async def revoke(scene: Scene) -> None:
    for listed in (await scene.ann.ask("sessions"))["sessions"]:
        if not listed["current"]:
            await ok(scene.ann, "revoke", session=listed["session"])


async def revoke_all(scene: Scene) -> None:
    await ok(scene.ann, "revoke", all=True)


async def change_password(scene: Scene) -> None:
    await ok(scene.ann, "password", old=PASSWORD, new="another horse")


async def deactivate(scene: Scene) -> None:
    await scene.nodes[0].hub.store.administration.set_active(scene.ann_id, False, operator="test")


async def end_in_the_database(scene: Scene) -> None:
    """As another program does that is no node: nobody is told."""
    for listed in await scene.nodes[0].hub.store.accounts.logins(scene.ann_id):
        await scene.nodes[0].hub.store.accounts.end_login(scene.ann_id, listed.id)


ENDS: Final = [revoke, revoke_all, change_password, deactivate, end_in_the_database]
End = Callable[[Scene], Awaitable[None]]


async def closed_in_time(scene: Scene, end: End, within_s: float) -> None:
    await end(scene)
    began = trio.current_time()
    for other in scene.others:
        await other.until(lambda other=other: other.closed is not None, within_s)  # type: ignore[misc]  # a default
        assert other.closed == 4009
    print(f"{end.__name__}: all closed after {trio.current_time() - began:.3f} s")
    assert trio.current_time() - began < within_s
    assert (await scene.bob.ask("ping"))["type"] == "pong"


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_an_end_closes_on_both_nodes_within_a_second(database_url: str, redis_url: str, end: End) -> None:
    async with open_scene(database_url, redis_url, f"revocation-{end.__name__}") as scene:
        await closed_in_time(scene, end, CLOSED_S)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_an_end_closes_within_five_seconds_while_redis_is_away(
    database_url: str, own_valkey: ValkeyServer, end: End
) -> None:
    async with open_scene(database_url, own_valkey.url, "revocation") as scene:
        own_valkey.kill()
        await closed_in_time(scene, end, CLOSED_WITHOUT_REDIS_S)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_an_end_closes_once_it_is_known_that_redis_is_away(
    database_url: str, own_valkey: ValkeyServer, end: End
) -> None:
    async with open_scene(database_url, own_valkey.url, "revocation") as scene:
        own_valkey.kill()
        await until(lambda: not any(node.hub.relay.fanout_ok for node in scene.nodes))
        await closed_in_time(scene, end, CLOSED_S)
