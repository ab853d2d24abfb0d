"""The Python client: resumes by itself, repeats with the same `cid`, comes back as the close codes say.

async with open_client("ws://localhost:8080/ws", name="ann") as client:
    await client.join("lobby")
    await client.send("lobby", "hello")
    async for event in client.events():
        ...
"""

from trichat.client.client import REPEATABLE, Client, open_client
from trichat.client.errors import (
    ClientError,
    ConnectionLost,
    Ended,
    EventsUnread,
    OutOfOrder,
    Refused,
    Unreachable,
)
from trichat.client.events import (
    ClientEvent,
    Connected,
    Disconnected,
    Expiring,
    GapEvent,
    GapFilled,
    LogReset,
    MemberChange,
    RoomEvent,
    RoomLeft,
    RoomLost,
    StatusChanged,
    Warned,
)
from trichat.client.options import ClientOptions
from trichat.client.replies import Changed, EventsPage, HistoryPage, MyRoomsPage, RoomsPage, Sent

__all__ = [
    "REPEATABLE",
    "Changed",
    "Client",
    "ClientError",
    "ClientEvent",
    "ClientOptions",
    "Connected",
    "ConnectionLost",
    "Disconnected",
    "Ended",
    "EventsPage",
    "EventsUnread",
    "Expiring",
    "GapEvent",
    "GapFilled",
    "HistoryPage",
    "LogReset",
    "MemberChange",
    "MyRoomsPage",
    "OutOfOrder",
    "Refused",
    "RoomEvent",
    "RoomLeft",
    "RoomLost",
    "RoomsPage",
    "Sent",
    "StatusChanged",
    "Unreachable",
    "Warned",
    "open_client",
]
