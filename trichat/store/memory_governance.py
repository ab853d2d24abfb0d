"""The twin in memory of `store/governance.py`, `making.py` and `invites.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trichat.chat.people_ports import Access
from trichat.core.accounts import InviteCode, MyRoom
from trichat.core.changes import Change, Changed, Enter, RoomState, Target, fingerprint
from trichat.core.events import Event, Person, RoomRecord
from trichat.core.governance import (
    DIRECT_RULES,
    check_direct,
    check_visible,
    cid_reused,
    judge,
    made_body,
    name_taken,
    no_such_room,
    too_many_codes,
    too_many_opened,
    too_many_owned,
    welcome_direct,
)
from trichat.core.judging import member_body
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import NOBODY, Actor, Role, RoomRules, Standing, is_account
from trichat.store.invites import BEGINNING_CHARS, code_hash
from trichat.store.memory_markers import marker_in
from trichat.store.memory_moderation import MemoryModeration, standing_in
from trichat.store.memory_state import StoredInvite, StoredRoom, StoredStanding


class MemoryGovernance(MemoryModeration):
    """Implements `Governance`."""

    async def access(self, name: RoomName, user_id: UserId, *, marked: bool = False) -> Access | None:
        await self._state.begin()
        found = self._access(self._state.rooms_by_name.get(name), user_id, marked=marked)
        self._state.end()
        return found

    async def access_all(self, names: Sequence[RoomName], user_id: UserId) -> dict[RoomName, Access]:
        await self._state.begin()
        found = {name: self._access(self._state.rooms_by_name.get(name), user_id, marked=True) for name in names}
        self._state.end()
        return {name: access for name, access in found.items() if access is not None}

    async def access_by_id(self, room_id: RoomId, user_id: UserId) -> Access | None:
        await self._state.begin()
        found = self._access(self._state.rooms.get(room_id), user_id)
        self._state.end()
        return found

    def _access(self, room: StoredRoom | None, user_id: UserId, *, marked: bool = False) -> Access | None:
        if room is None:
            return None
        marker = marker_in(room, user_id) if marked else None
        return Access(room.record, standing_in(room, user_id), self._state.now, marker)

    # making

    async def create(self, name: RoomName, rules: RoomRules, maker: Actor, *, address: str) -> Access:
        await self._state.begin()
        most = self._state.limits.owned_rooms
        if sum(standing_in(room, maker.user_id).role is Role.OWNER for room in self._state.rooms.values()) >= most:
            raise too_many_owned(most)
        if name in self._state.rooms_by_name:
            raise name_taken(name)
        room = self._state.make_room(name, rules)
        joined = member_body(maker.user, maker.user_id, "joined", role=Role.OWNER)
        self._add_event(room, "room", maker, made_body(rules))
        self._add_event(room, "member", maker, joined)
        _stand(room, {maker.user_id: Standing(role=Role.OWNER, since=2)}, {maker.user_id: maker.user})
        self._audit(maker, "create", room.id, name, address=address)
        self._state.end()
        return Access(room.record, standing_in(room, maker.user_id), self._state.now)

    async def open_direct(self, name: RoomName, one: Actor, other: Person) -> Access:
        check_direct(one, other)
        await self._state.begin()
        room = self._state.rooms_by_name.get(name) or self._make_direct(name, one)
        if room.rules.kind != "direct":
            raise name_taken(name)
        for person in (Person(one.user, one.user_id), other):
            verdict = welcome_direct(one, person, standing_in(room, person.user_id), len(room.events) + 1)
            if verdict.kind is not None:
                self._add_event(room, verdict.kind, one, verdict.body)
                _stand(room, verdict.standings, {person.user_id: person.user})
        self._state.end()
        return Access(room.record, standing_in(room, one.user_id), self._state.now)

    def _make_direct(self, name: RoomName, one: Actor) -> StoredRoom:
        most = self._state.limits.direct_rooms
        direct = [room for room in self._state.rooms.values() if room.rules.kind == "direct"]
        if sum(room.events[0].user_id == one.user_id for room in direct) >= most:
            raise too_many_opened(most)
        return self._state.make_room(name, DIRECT_RULES)

    # changing

    async def change(
        self,
        room_id: RoomId,
        actor: Actor,
        change: Change,
        *,
        target: Person | None = None,
        cid: str | None = None,
        address: str = "",
    ) -> Changed:
        await self._state.begin()
        changed = self._change(self._room(room_id), actor, change, target, cid=cid, address=address)
        self._state.end()
        return changed

    def _change(
        self, room: StoredRoom, actor: Actor, change: Change, target: Person | None = None, *, cid: str | None = None,
        address: str = "",
    ) -> Changed:  # fmt: skip
        standing = standing_in(room, actor.user_id)
        digest = fingerprint(change, target.user_id if target else None)
        if cid is not None and (before := room.cids.get((actor.user_id, cid))) is not None:
            check_visible(room.rules, standing)
            if before[1] != digest:
                raise cid_reused(before[0])
            return Changed(room.events[before[0] - 1], before[0], repeated=True, standing=standing)
        aimed = Target(target.user_id, target.user, standing_in(room, target.user_id)) if target else None
        verdict = judge(_state(room), actor, standing, change, aimed, now=self._state.now)
        if verdict.kind is None:
            return Changed(None, len(room.events), repeated=False, standing=standing)
        event = self._add_event(room, verdict.kind, actor, verdict.body, cid)
        if cid is not None:
            room.cids[actor.user_id, cid] = (event.seq, digest)
        names = {actor.user_id: actor.user} | ({target.user_id: target.user} if target else {})
        _stand(room, verdict.standings, names)
        room.rules = verdict.rules or room.rules
        if verdict.act:
            self._audit(actor, verdict.act, room.id, room.name, target=target, reason=verdict.reason, address=address)
        return Changed(event, event.seq, repeated=False, standing=standing_in(room, actor.user_id))

    def _add_event(self, room: StoredRoom, kind: str, actor: Actor, body: bytes, cid: str | None = None) -> Event:
        event = Event(
            len(room.events) + 1, kind, actor.user_id, actor.user, self._state.now, cid, body, no=room.last_no
        )
        room.events.append(event)
        return event

    async def delete(self, room_id: RoomId, actor: Actor, *, address: str) -> None:
        await self._state.begin()
        room = self._permitted(room_id, actor, "delete")
        del self._state.rooms[room_id], self._state.rooms_by_name[room.name]
        self._state.invites = [invite for invite in self._state.invites if invite.room_id != room_id]
        self._state.reports = [stored for stored in self._state.reports if stored.room_id != room_id]
        self._audit(actor, "delete", room_id, room.name, address=address)
        self._state.end()

    async def my_rooms(self, user_id: UserId, *, after: str, limit: int) -> list[MyRoom]:
        await self._state.begin()
        rooms = sorted(self._state.rooms.values(), key=lambda room: room.name)
        mine = [
            MyRoom(
                id=room.id, room=room.name, kind=room.rules.kind, title=room.rules.title, role=role,
                seq=len(room.events), peer=self._state.peer_in(room, user_id),
            )
            for room in rooms
            if room.name > after and (role := standing_in(room, user_id).role) is not None
        ]  # fmt: skip
        self._state.end()
        return mine[:limit]

    # invites

    async def make_invite(
        self, room_id: RoomId, actor: Actor, code: str, *, uses: int, for_s: int, address: str
    ) -> InviteCode:
        await self._state.begin()
        room = self._permitted(room_id, actor, "invite")
        if len(self._usable(room_id)) >= self._state.limits.invites:
            raise too_many_codes(self._state.limits.invites)
        beginning, expires = code[:BEGINNING_CHARS], self._state.now + for_s * 1000
        made_by = (actor.user, actor.user_id)
        self._state.invites.append(StoredInvite(code_hash(code), beginning, room_id, *made_by, uses, expires))
        self._audit(actor, "make_invite", room.id, room.name, reason=beginning, address=address)
        self._state.end()
        return InviteCode(code=code, made_by=actor.user, uses_left=uses, expires=expires)

    async def invites(self, room_id: RoomId, actor: Actor) -> list[InviteCode]:
        await self._state.begin()
        self._permitted(room_id, actor, "invite")
        codes = [
            InviteCode(code=i.beginning, made_by=i.made_by, uses_left=i.uses_left, expires=i.expires)
            for i in self._usable(room_id)
        ]
        self._state.end()
        return codes

    async def drop_invite(self, room_id: RoomId, actor: Actor, code: str, *, address: str) -> bool:
        await self._state.begin()
        room = self._permitted(room_id, actor, "invite")
        hashed = code_hash(code)
        dropped = [i for i in self._usable(room_id) if i.code_hash == hashed or i.beginning == code]
        for invite in dropped:
            self._state.invites.remove(invite)
        if dropped:
            self._audit(actor, "drop_invite", room.id, room.name, reason=code[:BEGINNING_CHARS], address=address)
        self._state.end()
        return bool(dropped)

    async def accept(self, code: str, actor: Actor) -> tuple[RoomRecord, Changed]:
        await self._state.begin()
        hashed = code_hash(code)
        invite = next((i for i in self._state.invites if i.code_hash == hashed), None)
        if invite is None:
            raise no_such_room()
        room = self._room(invite.room_id)
        member = standing_in(room, actor.user_id).role is not None
        if not member and invite not in self._usable(room.id):
            raise no_such_room()
        changed = self._change(room, actor, Enter(by_invite=True))
        invite.uses_left -= 0 if member else 1
        self._state.end()
        return room.record, changed

    def _usable(self, room_id: RoomId) -> list[StoredInvite]:
        now = self._state.now
        return [i for i in self._state.invites if i.room_id == room_id and i.uses_left > 0 and i.expires > now]


def _state(room: StoredRoom) -> RoomState:
    roles = [stored.standing.role for stored in room.standings.values() if stored.standing.role is not None]
    return RoomState(room.rules, len(room.events), len(roles), roles.count(Role.OWNER))


def _stand(room: StoredRoom, standings: Mapping[UserId, Standing], names: Mapping[UserId, str]) -> None:
    """Keep how these stand to the room; of who stands as nobody does, nothing is kept."""
    for user_id, standing in standings.items():
        before = room.standings.pop(user_id, None)
        if standing != NOBODY:
            stored = room.standings[user_id] = before or StoredStanding(names[user_id], NOBODY)
            if stored.standing.since != standing.since:  # who becomes a member has nothing unread
                stored.read_seq, stored.read_no = standing.since, room.last_no if standing.since else 0
            stored.name, stored.standing = names[user_id], standing
        if not is_account(user_id) and (standing.banned_until or standing.muted_until):
            room.guests_restrained = True
