"""What the twins in memory share: one database of Python objects, its clock, and its faults."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

import trio
from msgspec import Struct, field

from trichat.chat.ports import NodeRecord, StoreUnavailable
from trichat.core.account_names import skeleton
from trichat.core.accounts import Account, AuditEntry, Ended, Key, LoginSession, ProfileFields, Reported
from trichat.core.chance import Chance
from trichat.core.conversation import Level, Revision
from trichat.core.events import Event, Person, RoomRecord
from trichat.core.limits import Limits
from trichat.core.names import Epoch, Incarnation, RoomId, RoomName, UserId
from trichat.core.standing import RoomRules, Standing

#: The time at which the clock says 0: 2026-01-01, in milliseconds since 1970.
DAWN_MS: Final = 1_767_225_600_000


class StoredStanding(Struct):
    """A row of `trichat.standings`."""

    name: str  # at the time of the change
    standing: Standing
    read_seq: int = 0
    read_no: int = 0
    level: Level = "all"
    quiet_until: int = 0


class StoredThread(Struct):
    """A row of `trichat.threads`."""

    last_no: int = 0
    last_seq: int = 0


class StoredFollow(Struct):
    """A row of `trichat.follows`."""

    following: bool = True
    read_seq: int = 0
    read_no: int = 0


class StoredOutgoing(Struct):
    """A row of `trichat.outgoing`; `at` in milliseconds since 1970."""

    at: int
    why: str
    user_id: UserId
    room_id: RoomId
    seq: int


class StoredRoom(Struct):
    """A room with its log and all that hangs on it."""

    id: RoomId
    name: RoomName
    epoch: Epoch
    events: list[Event]
    cids: dict[tuple[UserId, str], tuple[int, int]]  # of the author's cid: seq and digest
    rules: RoomRules = RoomRules()
    guests_restrained: bool = False
    standings: dict[UserId, StoredStanding] = field(default_factory=dict)
    spoke_at: dict[UserId, int] = field(default_factory=dict)  # in slow mode, ms since 1970
    edited: dict[int, int] = field(default_factory=dict)  # of a message's seq: when, ms since 1970
    deleted: set[int] = field(default_factory=set)
    revisions: dict[int, list[Revision]] = field(default_factory=dict)
    reactions: dict[int, dict[tuple[str, UserId], str]] = field(default_factory=dict)  # by emoji and person: the name
    pins: dict[int, int] = field(default_factory=dict)  # of a message's seq: of the event that pinned it
    threads: dict[int, StoredThread] = field(default_factory=dict)  # by root
    follows: dict[tuple[int, UserId], StoredFollow] = field(default_factory=dict)  # by root and person
    mentions: dict[int, tuple[UserId, ...]] = field(default_factory=dict)  # of a message's seq
    first: int = 1  # events before it are kept no more; their places in `events` stay

    @property
    def record(self) -> RoomRecord:
        return RoomRecord(
            self.id, self.name, self.epoch, len(self.events), self.rules, self.guests_restrained, self.first
        )

    @property
    def last_no(self) -> int:
        """How many messages there are that are in no thread."""
        return self.events[-1].no if self.events else 0


class StoredName(Struct):
    """A name and who holds it; free for others from `free_at` on (seconds of the clock)."""

    name: str
    user_id: UserId
    free_at: float


class StoredUser(Struct):
    """A row of `trichat.users`; times in milliseconds since 1970."""

    account: Account
    created: int
    password_hash: str | None = None
    totp_secret: str | None = None
    totp_step: int = 0
    profile: ProfileFields = ProfileFields()
    outside: tuple[str, str] | None = None  # issuer and subject
    recovery: tuple[bytes, int] | None = None  # the code's hash, and until when
    last_seen: int | None = None


class StoredLogin(Struct):
    user_id: UserId
    token_hash: bytes
    session: LoginSession
    expires: int


class StoredKey(Struct):
    user_id: UserId
    key_hash: bytes
    key: Key


class StoredInvite(Struct):
    code_hash: bytes
    beginning: str
    room_id: RoomId
    made_by: str
    made_by_id: UserId
    uses_left: int
    expires: int


class StoredReport(Struct):
    room_id: RoomId
    reporter_id: UserId
    report: Reported
    resolved_by_id: UserId | None = None


class StoredAudit(Struct):
    room_id: RoomId | None
    entry: AuditEntry


class StoredNode(Struct):
    record: NodeRecord
    seen_at: float
    here: dict[RoomId, dict[UserId, str]]
    devices: dict[tuple[UserId, str], bool] = field(default_factory=dict)  # whether they are away


class MemoryState:
    """One database. `clock` is in seconds.

    Faults: while `down` every call fails; while `answers_lost` every call takes effect and then fails. Each call takes
    `delay_s`; as with a thread, one that has begun is not cancelled.
    """

    def __init__(self, limits: Limits, *, chance: Chance, clock: Callable[[], float] = trio.current_time) -> None:
        self.limits = limits
        self.chance = chance
        self.clock = clock
        self.rooms: dict[RoomId, StoredRoom] = {}
        self.rooms_made = 0
        self.rooms_by_name: dict[RoomName, StoredRoom] = {}
        self.names: dict[str, StoredName] = {}  # by skeleton
        self.users: dict[UserId, StoredUser] = {}
        self.logins: dict[str, StoredLogin] = {}
        self.keys: dict[str, StoredKey] = {}
        self.ended: list[tuple[int, Ended]] = []  # at, in ms since 1970
        self.blocks: dict[UserId, set[UserId]] = {}
        self.invites: list[StoredInvite] = []
        self.reports: list[StoredReport] = []
        self.audit: list[StoredAudit] = []
        self.outgoing: list[StoredOutgoing] = []
        self.secrets: dict[int, bytes] = {}
        self.changes = 0  # of what nodes keep in memory
        self.nodes: dict[Incarnation, StoredNode] = {}
        self.down = False
        self.answers_lost = False
        self.delay_s = 0.0

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""
        return DAWN_MS + round(self.clock() * 1000)

    async def begin(self) -> None:
        """A call begins: nothing before it is to be seen, nothing after it waits."""
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(shield=True):  # its clock is the sleep
            await trio.sleep(self.delay_s)
        if self.down:
            raise StoreUnavailable("the store is down")

    def end(self) -> None:
        """A call has taken effect."""
        if self.answers_lost:
            raise StoreUnavailable("the store's answer was lost")

    def make_room(self, name: RoomName, rules: RoomRules) -> StoredRoom:
        """A new room; the name is free."""
        self.rooms_made += 1
        room = StoredRoom(RoomId(self.rooms_made), name, self.chance.epoch(), [], {}, rules)
        self.rooms[room.id] = self.rooms_by_name[name] = room
        return room

    def peer_in(self, room: StoredRoom, user_id: UserId) -> Person | None:
        """The other one of a direct room, by present name."""
        if room.rules.kind != "direct":
            return None
        other, stored = next((who, stood) for who, stood in room.standings.items() if who != user_id)
        return Person(self.users[other].account.name if other in self.users else stored.name, other)

    def take_name(self, user_id: UserId, name: str, *, kept_s: float | None) -> bool:
        """Give a name to this person for `kept_s` (None: for good); False when another holds it, or a look-alike."""
        key = skeleton(name)
        held = self.names.get(key)
        if held is not None and held.user_id != user_id and self.kept(held):
            return False
        self.names[key] = StoredName(name, user_id, inf if kept_s is None else self.clock() + kept_s)
        return True

    def kept(self, name: StoredName) -> bool:
        """Whether this name is not free for others yet."""
        return self.clock() <= name.free_at

    def end_login(self, login_id: str) -> None:
        """End a login, so that every node hears of it."""
        login = self.logins.pop(login_id)
        self.ended.append((self.now, Ended(login.user_id, login_id)))
