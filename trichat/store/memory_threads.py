"""The twin in memory of `store/threads.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf

from trichat.core.account_names import skeleton
from trichat.core.conversation import Marker, Moved, Thread
from trichat.core.errors import Refusal
from trichat.core.events import Person
from trichat.core.governance import no_such_room, permit
from trichat.core.names import RoomId, UserId
from trichat.core.places import Place, check_root, judge_places
from trichat.core.standing import Actor, is_account
from trichat.store.markers import beyond, demand_member
from trichat.store.memory_moderation import standing_in
from trichat.store.memory_present import deleted_between, present_in
from trichat.store.memory_state import MemoryState, StoredFollow, StoredRoom, StoredThread
from trichat.store.threads import people_of


class MemoryThreads:
    """Implements `Threads`."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def check_places(
        self, room_id: RoomId, viewer: Actor, *, reply_to: int | None, thread: int | None, cid: str | None = None
    ) -> None:
        await self._state.begin()
        room = self._state.rooms.get(room_id)
        try:
            room = self._readable(room_id, viewer)
            seqs = [seq for seq in (reply_to, thread) if seq is not None]
            judge_places(_places(room, viewer, seqs), reply_to=reply_to, thread=thread)
        except Refusal:
            if room is None or cid is None or (viewer.user_id, cid) not in room.cids:
                raise
        self._state.end()

    async def mentioned(self, room_id: RoomId, names: Sequence[str]) -> list[Person]:
        await self._state.begin()
        room = self._state.rooms.get(room_id)
        keys = {name: skeleton(name) for name in names}
        held = {key: self._holder(room, key) for key in keys.values()} if room is not None else {}
        self._state.end()
        return people_of(names, keys, {key: person for key, person in held.items() if person is not None})

    def _holder(self, room: StoredRoom, key: str) -> Person | None:
        held = self._state.names.get(key)
        if held is None or not self._state.kept(held):
            return None
        if is_account(held.user_id) and held.free_at < inf:
            return None
        return Person(held.name, held.user_id) if may_hear(room, held.user_id, self._state.now) else None

    async def threads(
        self, room_id: RoomId, viewer: Actor, *, every: bool, before: int | None, limit: int
    ) -> list[Thread]:
        await self._state.begin()
        room = self._readable(room_id, viewer)
        first = _first_seen(room, viewer)
        latest = sorted(room.threads, key=lambda root: room.threads[root].last_seq, reverse=True)
        found = [self._thread(room, viewer, root) for root in latest if root >= first]
        self._state.end()
        wanted = [one for one in found if (every or one.following) and (before is None or one.last_seq < before)]
        return wanted[:limit]

    async def follow(self, room_id: RoomId, viewer: Actor, root: int, *, following: bool) -> Thread:
        await self._state.begin()
        room = self._with_root(room_id, viewer, root)
        begun = room.threads.get(root, StoredThread(0, root))
        follow = room.follows.setdefault((root, viewer.user_id), StoredFollow(not following))
        if follow.following != following:
            follow.following = following
            follow.read_seq = max(follow.read_seq, begun.last_seq)
            follow.read_no = max(follow.read_no, begun.last_no)
        thread = self._thread(room, viewer, root)
        self._state.end()
        return thread

    async def read_thread(self, room_id: RoomId, viewer: Actor, root: int, seq: int) -> Moved:
        await self._state.begin()
        room = self._with_root(room_id, viewer, root)
        if seq > len(room.events):
            raise beyond(len(room.events))
        follow = room.follows.setdefault((root, viewer.user_id), StoredFollow(following=False))
        moved = follow.read_seq < seq or not follow.following
        follow.following = True
        follow.read_seq = max(follow.read_seq, seq)
        follow.read_no = max(follow.read_no, sum(event.thread == root for event in room.events[:seq]))
        marker = self._thread(room, viewer, root).read
        self._state.end()
        return Moved(marker, moved)

    def _readable(self, room_id: RoomId, viewer: Actor) -> StoredRoom:
        room = self._state.rooms.get(room_id)
        if room is None:
            raise no_such_room()
        permit(room.rules, viewer, standing_in(room, viewer.user_id), "read", now=self._state.now)
        return room

    def _with_root(self, room_id: RoomId, viewer: Actor, root: int) -> StoredRoom:
        """The room, in which a thread can hang on the message `root`. Raises Refusal."""
        room = self._readable(room_id, viewer)
        demand_member(room.rules, viewer, standing_in(room, viewer.user_id), self._state.now)
        check_root(_places(room, viewer, [root]), root)
        return room

    def _thread(self, room: StoredRoom, viewer: Actor, root: int) -> Thread:
        begun = room.threads.get(root, StoredThread())
        follow = room.follows.get((root, viewer.user_id))
        read = Marker(0, 0)
        if follow is not None:
            unread = begun.last_no - follow.read_no - deleted_between(room, root, follow.read_seq)
            read = Marker(follow.read_seq, unread)
        return Thread(
            present_in(room, root, viewer.user_id),
            begun.last_no - deleted_between(room, root, 0),
            begun.last_seq,
            follow is not None and follow.following,
            read,
        )


def may_hear(room: StoredRoom, user_id: UserId, now: int) -> bool:
    """Whether a mention is for them: a member, or a guest where guests may come in."""
    standing = standing_in(room, user_id)
    if is_account(user_id):
        return standing.role is not None
    return room.rules.open_to_guests and not standing.banned_at(now)


def _first_seen(room: StoredRoom, viewer: Actor) -> int:
    return max(room.first, standing_in(room, viewer.user_id).first_readable(room.rules))


def _places(room: StoredRoom, viewer: Actor, seqs: Collection[int]) -> dict[int, Place]:
    first = _first_seen(room, viewer)
    events = [room.events[seq - 1] for seq in seqs if first <= seq <= len(room.events)]
    return {one.seq: Place(one.thread, one.seq in room.deleted) for one in events if one.kind == "message"}
