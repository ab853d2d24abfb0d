"""The Python client: resumes by itself, repeats with the same `cid`, comes back as the close codes say.

async with open_client("ws://localhost:8080/ws", name="ann") as client:
    await client.join("lobby")
    await client.send("lobby", "hello")
    async for event in client.events():
        ...
"""

from trichat.client.client import REPEATABLE, Client, open_client
from trichat.client.copied import CopiedMessage
from trichat.client.copy import Missing, RoomCopy
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
    FollowChanged,
    GapEvent,
    GapFilled,
    LogReset,
    MemberChange,
    PresenceChanged,
    ReadMoved,
    RoomEvent,
    RoomLeft,
    RoomLost,
    SeenMoved,
    StatusChanged,
    TypingNow,
    Warned,
)
from trichat.client.options import ClientOptions
from trichat.client.replies import (
    Changed,
    CompactPage,
    EventsPage,
    HistoryPage,
    InboxPage,
    MentionsPage,
    MyRoomsPage,
    RoomsPage,
    SearchPage,
    Sent,
    ThreadsPage,
)
from trichat.client.wire import tls_context

__all__ = [
    "REPEATABLE",
    "Changed",
    "Client",
    "ClientError",
    "ClientEvent",
    "ClientOptions",
    "CompactPage",
    "Connected",
    "ConnectionLost",
    "CopiedMessage",
    "Disconnected",
    "Ended",
    "EventsPage",
    "EventsUnread",
    "Expiring",
    "FollowChanged",
    "GapEvent",
    "GapFilled",
    "HistoryPage",
    "InboxPage",
    "LogReset",
    "MemberChange",
    "MentionsPage",
    "Missing",
    "MyRoomsPage",
    "OutOfOrder",
    "PresenceChanged",
    "ReadMoved",
    "Refused",
    "RoomCopy",
    "RoomEvent",
    "RoomLeft",
    "RoomLost",
    "RoomsPage",
    "SearchPage",
    "SeenMoved",
    "Sent",
    "StatusChanged",
    "ThreadsPage",
    "TypingNow",
    "Unreachable",
    "Warned",
    "open_client",
    "tls_context",
]
