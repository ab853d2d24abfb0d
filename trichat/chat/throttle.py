"""How much anybody may ask for: token buckets of connections, people, addresses and rooms.

The buckets of people, addresses and rooms are the node's: who reconnects finds them as they were. Each node counts
for itself, so that who is connected to two nodes may do twice as much; asking the others would cost more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from trichat.core.addresses import caller_of
from trichat.core.commands import AnyCommand, Send
from trichat.core.costs import REFUSED_COST, REQUEST_COST, cost_of
from trichat.core.errors import Refusal
from trichat.core.limits import LIFTED, Limits
from trichat.core.names import RoomId, RoomName
from trichat.core.rate import BucketTable, RecentCount, TokenBucket, take_ahead, take_from_all

if TYPE_CHECKING:
    from trichat.chat.session import Session

#: Tokens that a connection pays ahead while its buckets are well filled: to look at four of them for every message
#: took a tenth of its time. Below half of a bucket each one is paid by itself.
_AHEAD: Final = 8.0
#: What a client hears, by the limit that refuses the longest.
_SAID: Final = {
    "connection": "too many commands on this connection",
    "account": "too many commands of this account",
    "guest": "too many commands of a guest; accounts may say more",
    "address": "too many commands from your address",
    "room": "too many messages in this room just now",
}


class Throttle:
    """What the connections of one node share: `lifted` when nothing is limited."""

    __slots__ = ("accounts", "addresses", "guests", "lifted", "rooms")

    def __init__(self, limits: Limits) -> None:
        most = limits.buckets
        self.lifted = limits.commands_per_s >= LIFTED
        self.accounts = BucketTable(limits.account_per_s, limits.account_burst, most)
        self.guests = BucketTable(limits.guest_per_s, limits.guest_burst, most)
        self.addresses = BucketTable(limits.address_per_s, limits.address_burst, most)
        self.rooms = BucketTable(limits.room_per_s, limits.room_burst, most)

    def request(self, address: str) -> bool:
        """Pay for a request by HTTP from `address`, whatever it asks for. False when that asks too often."""
        now = trio.current_time()
        return self.lifted or not self.addresses.of(caller_of(address), now).take(now, REQUEST_COST)


class Allowance:
    """What one connection may still ask for. `ignored` once it has not listened for too long: it is to be closed."""

    __slots__ = (
        "_bad_frames", "_caller", "_limits", "_own", "_prepaid", "_prepaid_room", "_refusals", "_throttle", "_told",
        "ignored",
    )  # fmt: skip

    def __init__(self, throttle: Throttle, limits: Limits, address: str) -> None:
        self.ignored = False
        self._throttle = throttle
        self._limits = limits
        self._caller = caller_of(address)
        self._own: TokenBucket | None = None  # of this connection
        self._prepaid = 0.0  # tokens paid to all buckets already, also to that of this room
        self._prepaid_room: RoomId | None = None
        self._bad_frames: RecentCount | None = None
        self._refusals = 0  # in a row, each before the time that the one before it had told
        self._told = 0.0  # when the last one said that it may be tried again

    def take(self, session: Session, command: AnyCommand | None) -> Refusal | None:
        """Pay for what `session` asks (None: for what no command was made of), or the refusal to be said to it."""
        cost = REFUSED_COST if command is None else cost_of(command)
        room = None
        if type(command) is Send:
            membership = session.memberships.get(RoomName(command.room))
            if membership is not None:
                room = membership.room.id
        if cost <= self._prepaid and (room is None or room == self._prepaid_room):
            self._prepaid -= cost
            self._refusals = 0
            return None
        return self._pay(session, cost, room)

    def _pay(self, session: Session, cost: float, room: RoomId | None) -> Refusal | None:
        """Pay to all buckets or to none, and something ahead to those that are well filled."""
        now, prepaid = trio.current_time(), cost <= self._prepaid
        buckets = {} if prepaid else self._buckets_of(session, now)
        if room is not None:
            buckets["room"] = self._throttle.rooms.of(room, now)
        short = take_from_all(buckets.values(), now, cost)
        if short is not None:
            limit = next(name for name, bucket in buckets.items() if bucket is short)
            return self._refused(limit, short.wait_s(now, cost), now)
        self._refusals = 0
        ahead = self._prepaid - cost if prepaid else _AHEAD
        # for messages alone: who sends has joined a room, and stays who they are
        if room is not None and take_ahead(buckets.values(), ahead):
            self._prepaid, self._prepaid_room = ahead, room
        else:
            self._prepaid = ahead if prepaid else 0.0
        return None

    def _buckets_of(self, session: Session, now: float) -> dict[str, TokenBucket]:
        """Those that everything is paid to, by the names of their limits."""
        if self._own is None:
            self._own = TokenBucket(self._limits.commands_per_s, self._limits.command_burst, now)
        shared = self._throttle
        buckets = {"connection": self._own, "address": shared.addresses.of(self._caller, now)}
        if session.user_id is not None and session.account is None:
            buckets["guest"] = shared.guests.of(session.user_id, now)
        elif session.user_id is not None:
            buckets["account"] = shared.accounts.of(session.user_id, now)
        return buckets

    def bad_frame(self) -> bool:
        """A frame was no command at all. True when there were too many."""
        if self._bad_frames is None:
            self._bad_frames = RecentCount(self._limits.bad_frames, self._limits.bad_frames_s)
        return self._bad_frames.add(trio.current_time())

    def _refused(self, limit: str, wait_s: float, now: float) -> Refusal:
        # others empty the shared buckets too: whoever comes back when told to has done nothing wrong
        self._refusals = self._refusals + 1 if now < self._told else 1
        self._told = now + wait_s
        self.ignored = self._refusals >= self._limits.ignored_rate_limits
        after_ms = int(wait_s * 1000) + 1
        said = f"{_SAID[limit]}; try again in {after_ms} ms"
        return Refusal("rate_limited", said, retry_after_ms=after_ms, limit=limit)


def check_account_connections(count: int, limits: Limits) -> None:
    """Whether an account with `count` connections at this node may have one more. Raises Refusal."""
    if count >= limits.connections_per_account:
        said = f"this account has {count} connections here already; close one of them"
        raise Refusal("limit_reached", said)
