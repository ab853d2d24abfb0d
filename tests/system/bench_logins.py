"""What 200 logins at once do to the chat: the time from a message to its ack, and to a listener, before and during.

    python -m tests.system.bench_logins

One node as a process of its own, on real services; passwords cost what they cost in life.
"""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import trio

from tests.chat.guests import Guest
from tests.nodes import NodeProcess, running_node
from tests.servers import PostgresServer, ValkeyServer
from tests.system.accounts import PASSWORD, connected
from tests.wire import WireClient, open_wire
from trichat.chat.people_ports import NewLogin
from trichat.core.chance import Chance
from trichat.core.limits import Limits
from trichat.core.tokens import token_hash
from trichat.settings import Settings
from trichat.store.postgres import open_postgres_store
from trichat.vault import open_vault

LOGINS: Final = 200
TALKERS: Final = 20
#: Seconds between two messages of one person, and of talk before the logins.
EVERY_S: Final = 0.1
BEFORE_S: Final = 10.0


class Talker:
    """Says something now and then; how long each took to be acknowledged, and to be heard by the next one."""

    def __init__(self, wire: WireClient, number: int) -> None:
        self._wire = wire
        self._number = number
        self._said: dict[str, float] = {}  # when each text was said
        self.listener = self
        self.acks: list[float] = []
        self.hearings: list[float] = []

    async def join(self) -> None:
        await self._wire.send_json({"type": "join", "room": "lobby"})
        await self._wire.receive_until("joined")

    async def listen(self) -> None:
        """Lives until cancelled."""
        while True:
            frame = await self._wire.receive()
            now = trio.current_time()
            if frame["type"] == "ack":
                self.acks.append(now - self._said[frame["cid"]])
            elif (said := self.listener._said.get(frame.get("cid", ""))) is not None:
                self.hearings.append(now - said)

    async def talk(self) -> None:
        """Until cancelled."""
        await trio.sleep(EVERY_S * self._number / TALKERS)
        due = trio.current_time()
        while True:
            text = f"{self._number}-{len(self._said)}"
            self._said[text] = trio.current_time()
            await self._wire.send_json({"type": "send", "room": "lobby", "text": text, "cid": text})
            due += EVERY_S
            await trio.sleep_until(due)


async def make_accounts(database_url: str) -> None:
    """Accounts that share a hash, so that they are made in no time."""
    chance, limits = Chance(), Limits()
    async with (
        open_postgres_store(database_url, limits, chance=chance) as store,
        open_vault(Settings(), limits) as vault,
    ):
        hashed = await vault.hash_password(PASSWORD)
        for number in range(LOGINS):
            first = NewLogin(id=f"k_{number}", token_hash=token_hash(chance.token("u")))
            assert await store.accounts.register(chance.account(), f"person-{number}", hashed, first)


def say(what: str, talkers: list[Talker]) -> None:
    """Print the times since this was last called."""
    for name in ("acks", "hearings"):
        times = sorted(time for talker in talkers for time in getattr(talker, name))
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{what:8} {name:8} {len(times):6} times, p50 {p50 * 1000:6.1f} ms, p99 {p99 * 1000:6.1f} ms, "
              f"worst {times[-1] * 1000:6.1f} ms")  # fmt: skip
    for talker in talkers:
        talker.acks, talker.hearings = [], []


async def measure(node: NodeProcess) -> None:
    async with AsyncExitStack() as stack:
        talkers = [Talker(await stack.enter_async_context(open_wire(node.port)), n) for n in range(TALKERS)]
        arrivals = [await stack.enter_async_context(connected(node)) for _ in range(LOGINS)]
        for talker, listener in zip(talkers, talkers[1:] + talkers[:1], strict=True):
            talker.listener = listener
            await talker.join()
        async with trio.open_nursery() as talk:
            for talker in talkers:
                talk.start_soon(talker.listen)
                talk.start_soon(talker.talk)
            await trio.sleep(BEFORE_S)
            say("before", talkers)
            took = await log_all_in(arrivals)
            say("during", talkers)
            talk.cancel_scope.cancel(reason="measured")
        print(f"{LOGINS} logins took {took:.1f} s: {LOGINS / took:.1f} a second")


async def log_all_in(arrivals: list[Guest]) -> float:
    """All at once; the seconds that it took."""
    began = trio.current_time()
    async with trio.open_nursery() as logins:
        for number, guest in enumerate(arrivals):
            logins.start_soon(log_in_patiently, guest, f"person-{number}")
    return trio.current_time() - began


async def log_in_patiently(guest: Guest, name: str) -> None:
    """A guest's reply is waited for 30 s; this may take longer."""
    asked = await guest.tell("login", name=name, password=PASSWORD)
    await guest.until(lambda: any(frame.get("id") == asked for frame in guest.frames), within_s=300)
    assert guest.frames[-1]["type"] == "ok", guest.frames[-1]


async def main(database_url: str, redis_url: str, directory: Path) -> None:
    await make_accounts(database_url)
    async with running_node(directory, "--database-url", database_url, "--redis-url", redis_url) as node:
        await measure(node)


if __name__ == "__main__":
    with PostgresServer() as postgres, ValkeyServer() as valkey, tempfile.TemporaryDirectory() as folder:
        trio.run(main, postgres.url(postgres.create_database()), valkey.url, Path(folder))
