"""Logs that take a while to send."""

from __future__ import annotations

from typing import Final

from tests.nodes import Twins
from tests.wire import WireClient
from trichat.core.events import Draft
from trichat.core.names import RoomName, UserId

#: Bytes of each text: as long as a text may be.
TEXT_BYTES: Final = 4_000


def text_of(seq: int) -> str:
    return f"{seq} ".ljust(TEXT_BYTES, "x")


async def fill_lobby(twins: Twins, count: int) -> str:
    """Put a log of `count` long events into the lobby; its epoch."""
    name = RoomName("lobby")
    room = (await twins.store.open_rooms([name], create=True))[name]
    for start in range(1, count + 1, 500):
        drafts = [
            Draft(room.id, name, "message", UserId("g_log"), "log", None, b'{"text":"%b"}' % text_of(n).encode())
            for n in range(start, min(start + 500, count + 1))
        ]
        await twins.store.append(drafts)
    return str(room.epoch)


async def receive_events(client: WireClient, first: int, last: int) -> None:
    """These events come next, and nothing else."""
    for seq in range(first, last + 1):
        event = await client.receive()
        assert (event["type"], event.get("seq"), event.get("text")) == ("message", seq, text_of(seq))
