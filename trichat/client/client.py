"""The client that applications use: calls that return when the server has answered, and one stream of events."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio

from trichat.client.address import parse_address
from trichat.client.conversing import Conversing
from trichat.client.copy import RoomCopy
from trichat.client.errors import Ended, Refused
from trichat.client.events import ClientEvent, room_event
from trichat.client.governing import Governing
from trichat.client.identity import Identity
from trichat.client.link import Link
from trichat.client.moderating import Moderating
from trichat.client.options import ClientOptions
from trichat.client.people import People
from trichat.client.replies import CompactPage, EventsPage, HistoryPage, RoomsPage, Sent
from trichat.client.state import ClientState
from trichat.client.wire import open_stream
from trichat.core.chance import Chance
from trichat.core.replies import Joined, MembersPage

#: Commands that can be given again after a lost connection without doing harm. Others need a `cid` for that.
REPEATABLE: Final = frozenset({
    "join", "leave", "history", "events", "rooms", "members", "ping", "help", "auth", "rename", "profile", "whois",
    "sessions", "logout", "block", "unblock", "blocks", "room", "direct", "invites", "accept", "roster", "bans",
    "report", "reports", "audit", "revisions", "reactions", "pins", "threads", "follow", "unfollow", "read", "seen",
    "inbox", "mentions", "notify", "presence", "set_presence", "search",
})  # fmt: skip


class Client(Conversing, Governing, Moderating, People):
    """One person's link to the chat, over any number of connections. Made by `open_client`.

    Calls may be made by many tasks at once; each returns when the server has answered. A call that meets a
    lost connection or a temporary error is repeated until it is answered or cancelled; those that must not be
    repeated say so. All raise Refused when the final answer is no, and Ended when the client is over.
    """

    @property
    def user(self) -> str | None:
        """Our name; None where guests are not allowed and nobody has logged in."""
        return self._state.identity.user

    @property
    def user_id(self) -> str | None:
        return self._state.identity.user_id

    @property
    def token(self) -> str | None:
        """What brings the same person back: give it to a later `open_client`. A secret."""
        return self._state.identity.token

    @property
    def connected(self) -> bool:
        """A connection stands, and all joined rooms are heard again."""
        return self._state.connected

    @property
    def welcome(self) -> Mapping[str, Any]:
        """The last `welcome`: the node, its limits and features."""
        return self._state.welcome

    @property
    def repeats(self) -> int:
        """How many events came again and were dropped; 0 on a connection that was never lost."""
        return self._state.rooms.repeats

    def position(self, room: str) -> tuple[str, int] | None:
        """The epoch and the last `seq` put into `events()`, to be given to a later `join`; None if not joined."""
        return self._state.rooms.position_of(room)

    def events(self) -> AsyncIterator[ClientEvent]:
        """Everything that happens, in order; each room's events exactly once and without a hole.

        All iterators share one queue: each event goes to one of them. While nobody takes events, the socket is
        not read. Raises Ended, Refused or OutOfOrder when the client is over, after the last event.
        """
        return self._state.inbox

    async def join(self, room: str, since: int | None = None, epoch: str | None = None) -> Joined:
        """Hear the room from now on, or from what followed `since` (of `epoch`). Repeated joins change nothing.

        Raises Refused, `bad_position` with `frame["head"]` when the position is not of this log.
        """
        return await self._get(Joined, "join", room=room, since=since, epoch=epoch)

    async def leave(self, room: str) -> None:
        """Hear the room no more; an account is no member any more either. No event tells of it."""
        heard = self.position(room) is not None
        with self._state.rooms.leaving(room):
            try:
                await self._ask("leave", room=room)
            except Refused as refusal:
                # out of it all the same: removed meanwhile, or the answer to an earlier attempt was lost
                if refusal.code != "not_joined" or not heard:
                    raise
                self._state.rooms.leave(room)

    async def send(
        self,
        room: str,
        text: str,
        cid: str | None = None,
        *,
        reply_to: int | None = None,
        thread: int | None = None,
    ) -> Sent:
        """Say something in a joined room; returns when it is committed.

        `reply_to` is the `seq` of a message that it answers, `thread` of one in whose thread it is said.

        However often it has to be repeated, it counts once: by its `cid`, which is made when none is given. When
        this is cancelled, it may or may not have been sent.
        """
        self._check_length(text)
        cid = cid or self._new_cid()
        reply = await self._ask("send", room=room, text=text, cid=cid, reply_to=reply_to, thread=thread)
        return Sent(reply["seq"], cid, reply.get("dup", False))

    async def history(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        thread: int | None = None,
        limit: int | None = None,
    ) -> HistoryPage:
        """A page of messages in their present state, of the room or of a thread; the latest when no place is given."""
        place = {"before": before, "after": after, "around": around, "thread": thread}
        return await self._get(HistoryPage, "history", room=room, limit=limit, **place)

    async def events_page(self, room: str, since: int, limit: int | None = None) -> EventsPage:
        """A page of the room's log, of what followed `since`."""
        reply = await self._ask("events", room=room, since=since, limit=limit)
        return EventsPage([room_event(event) for event in reply["events"]], reply["more"], reply.get("first"))

    async def compact_page(self, room: str, since: int, limit: int | None = None) -> CompactPage:
        """What has become of what followed `since`: each message that was touched, once. Go on from `to`."""
        reply = await self._ask("events", room=room, since=since, compact=True, limit=limit)
        return CompactPage(since, reply["events"], reply["to"], reply["more"])

    async def complete(self, copy: RoomCopy) -> None:
        """Ask for what a copy misses after a gap, until nothing is missing."""
        while (missing := copy.missing) is not None:
            copy.take_compact(await self.compact_page(copy.room, missing.since))

    async def rooms(self, after: str | None = None, limit: int | None = None) -> RoomsPage:
        """The public rooms there are, by name, after the name `after`."""
        return await self._get(RoomsPage, "rooms", after=after, limit=limit)

    async def members(self, room: str, after: str | None = None, limit: int | None = None) -> MembersPage:
        """Who is connected to the room, by name, after the name `after`."""
        return await self._get(MembersPage, "members", room=room, after=after, limit=limit)

    async def ping(self) -> None:
        """Returns when the server has answered."""
        await self._ask("ping")

    async def help(self, of: str | None = None) -> Mapping[str, Any]:
        """What the server says of a command, or of all."""
        return await self._ask("help", of=of)

    async def request(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Any command, `type` and all, and its reply; the `id` is ours.

        It is repeated only if it is one of REPEATABLE or has a `cid`; otherwise ConnectionLost is raised when the
        connection goes first, and Refused for all errors but `rate_limited`.
        """
        repeatable = fields.get("type") in REPEATABLE or fields.get("cid") is not None
        return await self._state.ask(fields, repeatable=repeatable)

    def _check_length(self, text: str) -> None:
        """Refuse here what the server would: a text over its frame limit would even end the connection."""
        limit = self.welcome.get("limits", {}).get("text")
        if isinstance(limit, int) and len(text.encode()) > limit:
            raise Refused("too_long", f"text has more than {limit} bytes of UTF-8; say it in parts", "text")


@asynccontextmanager
async def open_client(
    url: str | Sequence[str],
    *,
    name: str | None = None,
    password: str | None = None,
    register: bool = False,
    code: str | None = None,
    device: str | None = None,
    token: str | None = None,
    chance: Chance | None = None,
    connect: Callable[[], Awaitable[trio.abc.Stream]] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    options: ClientOptions = ClientOptions(),  # noqa: B008  # frozen
) -> AsyncIterator[Client]:
    """A client that is connected, and stays so until the block is left.

    `url` may be several: each new connection goes to the next one. `connect` gives streams in place of TCP.
    `ssl_context` is for `wss://`: such as `tls_context("ca.pem")`; without it this machine's authorities are believed.

    Who we are: a guest, called `name` if it is given; or with a `password` the account `name`, which `register` makes
    first unless it is there and the password is its own. The token that we get brings us back on later connections, and
    `token` is such a one of earlier days, a bot's key, or a token of another site: it is tried first, and the password
    when it is refused. `code` is the second factor's, `device` what our list of sessions is to call this one.

    Raises ValueError for an `url` that is none, Unreachable when no first connection can be made, Refused when the
    name, the token or the password is: `unauthenticated` with the field `code` asks for `code`.
    """
    if password is None and (register or code is not None):
        raise ValueError("register and code go with a password")
    if password is not None and name is None:
        raise ValueError("a password goes with a name")
    identity = Identity(name, token, password=password, register=register, code=code, device=device)
    addresses = [parse_address(one) for one in ([url] if isinstance(url, str) else url)]
    nodes = [(address, connect or partial(open_stream, address, ssl_context)) for address in addresses]
    state = ClientState(identity, options, chance or Chance())
    link = Link(nodes, state)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        try:
            await link.wait_opened()
            yield Client(state, link)
        except BaseException as error:  # carried around the nursery, which would wrap it in a group
            failure = error
        link.end(Ended(1000, "the client was closed"))
    try:
        if failure is not None:
            raise failure
    finally:
        del failure  # or it and its traceback would keep each other alive
