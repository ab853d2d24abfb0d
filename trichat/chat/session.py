"""A session: one client's identity, its rooms, and its commands in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from trichat.chat.committer import Submission
from trichat.chat.membership import Membership
from trichat.chat.not_taken import not_taken, store_away
from trichat.chat.ports import StoreUnavailable
from trichat.chat.replay import Replay
from trichat.chat.room import Room, Sink
from trichat.chat.throttle import Allowance
from trichat.core.accounts import Account, Key
from trichat.core.closing import BAD_FRAMES, GONE, RATE_LIMIT_IGNORED, STATE_LOST, CloseReason
from trichat.core.codec import Frame, encode_reply
from trichat.core.commands import AnyCommand, Help, Leave, Ping
from trichat.core.errors import CommandId, Refusal
from trichat.core.events import CidReused, Denied, RoomGone
from trichat.core.names import RoomName, UserId
from trichat.core.parse import Parsed, parse_command
from trichat.core.replies import Ack, Caution, Left, Reply, error_of
from trichat.core.standing import Actor

if TYPE_CHECKING:
    from trichat.chat.hub import Hub

#: What a command returns that has to wait: run by the session's own task, later commands behind it.
Waiting = Callable[[], Awaitable[None]]
#: Starts a task in the connection's nursery.
Start = Callable[..., None]

#: Commands that are done while the store is away.
_NEED_NO_STORE: Final = (Help, Leave, Ping)
#: Commands handled by the session's task between two checkpoints.
_TURN_COMMANDS: Final = 50


class Outbox(Protocol):
    """Where a client's frames go; what each method promises is said at `edge.outbox.Outbox`."""

    on_rewired: Callable[[], None] | None

    @property
    def sink(self) -> Sink: ...

    @property
    def queued(self) -> int: ...

    def post_rest(self, frame: Frame, taken: int) -> bool: ...

    def post(self, frame: Frame) -> bool: ...

    def post_asked(self, frame: Frame) -> None: ...

    def post_ephemeral(self, frame: Frame) -> None: ...

    async def refilled(self) -> None: ...


class Session:
    """One connection's part in the chat. No method waits, except the tasks that it starts in the connection.

    `take` is given each text frame. Most commands are done at once; one that waits for the store is given to
    a task of the session's, and what comes behind it waits for it: commands take effect in the order sent.
    `on_end` is called once, when the session decides to close the connection.
    """

    __slots__ = (
        "_allowance", "_dispatch", "_failing", "_on_end", "_pending", "_pending_bytes", "_relief", "_replays", "_start",
        "_unlimited", "account", "address", "away", "ended", "failed_auths", "hub", "id", "key", "login_id",
        "memberships", "named", "offered_totp", "outbox", "present", "unacked", "user", "user_id", "withdrawn",
    )  # fmt: skip

    def __init__(
        self,
        hub: Hub,
        outbox: Outbox,
        dispatch: Callable[[Session, Any], Waiting | None],
        *,
        start: Start,
        on_end: Callable[[CloseReason], None],
        address: str = "",
        present: bool = True,
    ) -> None:
        self.hub = hub
        self.outbox = outbox
        outbox.on_rewired = self._rewired
        self.id = "s_" + hub.chance.label(8)
        self.user_id: UserId | None = None
        self.user: str | None = None
        self.present = present  # not of one request alone, which is nobody's presence and hears nothing
        self.address = address  # from where the client comes, as far as is known
        self.account: Account | None = None  # None: a guest, or nobody yet
        self.login_id: str | None = None  # the login or key that this rests on: it ends, and so does this
        self.key: Key | None = None  # a bot's key, with what it may do
        self.offered_totp: str | None = None  # the secret of a second factor that is not confirmed yet
        self.away = False  # says the client: nobody sits at this device
        self.named = False  # holds a reserved name, which its use keeps reserved
        self.memberships: dict[RoomName, Membership] = {}
        self.unacked = 0  # sends that are not answered
        self.ended: CloseReason | None = None
        self.withdrawn = False  # the connection broke: see committer.Sender
        self.failed_auths = 0
        self._dispatch = dispatch
        self._start = start
        self._on_end = on_end
        self._pending: deque[bytes] | None = None  # frames behind a command that waits; None: none does
        self._pending_bytes = 0
        self._failing = 0  # how many of those stood behind a command that the store failed: they fail with it
        self._replays: deque[Replay] | None = None
        self._relief: trio.Event | None = None
        self._unlimited = hub.throttle.lifted
        self._allowance: Allowance | None = None  # made when it is needed: with rates lifted, hardly ever

    # what comes in

    def take(self, frame: bytes) -> None:
        """Handle a text frame, or put it behind the command that waits."""
        if self.ended is not None:
            return
        if self._pending is not None:
            self._pending.append(frame)
            self._pending_bytes += len(frame)
            return
        waiting = self._begin(frame)
        if waiting is not None:
            self._pending = deque()
            self._start(self._run_pending, waiting)

    def bad_frame(self, refusal: Refusal) -> None:
        """A frame that is no command at all: an error, and the tenth in a minute ends the connection."""
        if self.ended is not None:
            return
        self.refuse(refusal)
        if self._allowed().bad_frame():
            self.close(BAD_FRAMES)

    @property
    def congested(self) -> bool:
        """So much waits that nothing more should be read from the client for now."""
        limits = self.hub.limits
        return self.unacked >= limits.unacked_sends or (
            self._pending is not None
            and (len(self._pending) >= limits.pending_commands or self._pending_bytes >= limits.pending_bytes)
        )

    @property
    def waits(self) -> bool:
        """A command of the client's is not done yet: it waits for the store, or for a password to be looked at."""
        return self._pending is not None

    async def relieved(self) -> None:
        """Wait until the session is congested no more, or has ended."""
        while self.congested and self.ended is None:
            await self._relieved_once()

    async def all_answered(self) -> None:
        """Wait until the sends before this moment are answered: who reads sees what they have said."""
        while self.unacked and self.ended is None:
            await self._relieved_once()

    async def settled(self) -> None:
        """Wait until every command that came has been handled."""
        while self._pending is not None and self.ended is None:
            await self._relieved_once()

    async def _relieved_once(self) -> None:
        if self._relief is None:
            self._relief = trio.Event()  # one for all who wait
        await self._relief.wait()

    @property
    def actor(self) -> Actor:
        """Who acts, once somebody is identified."""
        assert self.user_id is not None
        assert self.user is not None
        return Actor(self.user_id, self.user, self.account is not None and self.account.admin)

    # what goes out

    def post(self, frame: Frame) -> None:
        """Send what answers the client; a client that lets answers pile up is not slow but asks too much: see
        `congested`."""
        self.outbox.post_asked(frame)

    def reply(self, reply: Reply) -> None:
        self.post(encode_reply(reply))

    def refuse(self, refusal: Refusal, command_id: CommandId = None, room: str | None = None) -> None:
        self.reply(error_of(refusal, command_id, room))

    def close(self, reason: CloseReason) -> None:
        """End the connection for `reason`; the first one counts."""
        if self.ended is None:
            self.ended = reason
            self._relieve()
            self._on_end(reason)

    def gone(self, *, clean: bool) -> None:
        """The connection has ended: leave all rooms. Unless `clean`, what waits to be stored is withdrawn."""
        self.ended = self.ended or GONE  # a command that waits for the store finds nobody when it goes on
        self.withdrawn = not clean
        self._relieve()
        for membership in list(self.memberships.values()):
            self.leave(membership)
        self.hub.presence.depart(self)
        if self.account is not None:
            self.hub.revocation.leave(self)
            self.hub.expiry.forget(self)

    # rooms

    def enter(self, room: Room, as_of: int) -> Membership:
        """Become a listener of `room`, who might as of the `seq` `as_of`; nothing comes before `attach` or a replay."""
        assert self.user_id is not None
        assert self.user is not None
        membership = self.memberships[room.name] = Membership(room, as_of)
        if self.present:
            self.hub.presence.come(room, self.user_id, self.user)
        return membership

    def leave(self, membership: Membership) -> None:
        """Be a listener of the room no more."""
        assert self.user_id is not None
        membership.left = True
        membership.room.detach(self)
        del self.memberships[membership.room.name]
        if self.present:
            self.hub.presence.go(membership.room, self.user_id)

    def as_of(self, room: Room) -> int:
        """The `seq` as of which they were let in (see room.Listener)."""
        membership = self.memberships.get(room.name)
        return 0 if membership is None or membership.room is not room else membership.as_of

    def removed(self, room: Room) -> None:
        """The room's log says that this client listens no more (see room.Listener): say so, after that event."""
        membership = self.memberships.get(room.name)
        if membership is not None and membership.room is room:
            self.leave(membership)
            self.reply(Left(room=room.name))

    def may_no_more(self, membership: Membership) -> bool:
        """Whether they were removed from the room after they were let in."""
        assert self.user_id is not None
        return membership.room.removals.since(self.user_id, membership.as_of)

    def lose(self, room: Room) -> None:
        """If this connection listens to `room`: it has to come back and resume."""
        membership = self.memberships.get(room.name)
        if membership is not None and membership.room is room:
            self.leave(membership)  # now, so that nobody is counted in the old room beside the new one
            self.close(STATE_LOST)

    def start_replay(self, replay: Replay) -> None:
        """Have the room's missing events sent as the connection drains, one room after the other."""
        if self._replays is None:
            self._replays = deque((replay,))
            self._start(self._run_replays)
        else:
            self._replays.append(replay)

    def pull(self, room: Room, position: int) -> None:
        """See room.Listener: more came at once than is pushed."""
        self.start_replay(Replay(self.memberships[room.name], position, live=True))

    def _rewired(self) -> None:
        for membership in self.memberships.values():
            membership.room.rewired(self)

    # the committer's answers (committer.Sender)

    def acknowledged(self, submission: Submission, seq: int, *, repeated: bool) -> bytes:
        draft = submission.draft
        ack = Ack(id=submission.command_id, room=draft.room, seq=seq, cid=draft.cid, dup=repeated)
        return encode_reply(ack)

    def post_acks(self, frames: Sequence[bytes]) -> None:
        self._answered(len(frames))
        self.post(Frame(b"".join(frames)))

    def refused(self, submission: Submission, outcome: CidReused | RoomGone | Denied) -> None:
        self._answered(1)
        room = self.hub.room(submission.draft.room)
        self.refuse(not_taken(outcome, room.rules.slow_s if room else 0), submission.command_id)

    def unavailable(self, submission: Submission) -> None:
        self._answered(1)
        self.refuse(store_away(), submission.command_id)

    # tasks and details

    def _answered(self, count: int) -> None:
        self.unacked -= count
        self._relieve()

    def _relieve(self) -> None:
        if self._relief is not None:
            self._relief.set()
            self._relief = None

    def _begin(self, frame: bytes) -> Waiting | None:
        """Parse and handle one frame; what has to wait is returned."""
        try:
            parsed = parse_command(frame, self.hub.limits.id_chars)
        except Refusal as refusal:
            if refusal.code == "bad_frame":
                self.bad_frame(refusal)
            elif self._unlimited or self._may(None, refusal.id):
                self.refuse(refusal)
            return None
        if not self._unlimited and not self._may(parsed.command, parsed.command.id):
            return None
        return self._handle(parsed)

    def _handle(self, parsed: Parsed) -> Waiting | None:
        unacked = self.unacked
        try:
            if self._failing and not isinstance(parsed.command, _NEED_NO_STORE):
                raise store_away()  # it has waited its time already; another for each would add up
            waiting = self._dispatch(self, parsed.command)
        except Refusal as refusal:
            self.refuse(refusal, parsed.command.id)
            waiting = None
        if waiting is None and parsed.unknown:
            if self.unacked == unacked:
                self._warn(parsed)
            else:
                waiting = self.all_answered  # the warning comes after the reply, and that is an ack to come
        if waiting is not None:
            return lambda: self._finish(waiting, parsed)
        return None

    async def _finish(self, waiting: Waiting, parsed: Parsed) -> None:
        try:
            await waiting()
        except Refusal as refusal:
            self.refuse(refusal, parsed.command.id)
        except StoreUnavailable:
            self.refuse(store_away(), parsed.command.id)
            self._failing = len(self._pending or ())
        if parsed.unknown:
            await self.all_answered()  # the reply to a send is an ack to come
            self._warn(parsed)

    def _warn(self, parsed: Parsed) -> None:
        for field in parsed.unknown:
            said = f"{parsed.command.__struct_config__.tag} has no field {field}; it was ignored"
            self.reply(Caution(re=parsed.command.id, code="unknown_field", field=field, message=said))

    def _may(self, command: AnyCommand | None, command_id: CommandId) -> bool:
        """Whether no rate is too high for `command`; says so otherwise."""
        allowance = self._allowed()
        refusal = allowance.take(self, command)
        if refusal is None:
            return True
        self.refuse(refusal, command_id)
        if allowance.ignored:
            self.close(RATE_LIMIT_IGNORED)
        return False

    def _allowed(self) -> Allowance:
        if self._allowance is None:
            self._allowance = Allowance(self.hub.throttle, self.hub.limits, self.address)
        return self._allowance

    async def _run_pending(self, waiting: Waiting) -> None:
        await waiting()
        handled = 0
        while self._pending and self.ended is None:
            frame = self._pending.popleft()
            self._pending_bytes -= len(frame)
            self._relieve()
            next_waiting = self._begin(frame)
            self._failing = max(0, self._failing - 1)
            if next_waiting is not None:
                await next_waiting()
            handled += 1
            if handled % _TURN_COMMANDS == 0:
                await trio.lowlevel.checkpoint()
                await self.outbox.refilled()
        self._pending = None
        self._relieve()

    async def _run_replays(self) -> None:
        while self._replays:
            await self._replays.popleft().run(self)
        self._replays = None
