"""The twin in memory of `store/moderation.py`, and what it shares with those of `governance.py` and `invites.py`."""

from __future__ import annotations

from msgspec import structs

from trichat.core.accounts import AuditEntry, Member, Reported, Restrained
from trichat.core.events import Person
from trichat.core.governance import no_such_message, no_such_room, permit, too_many_reports
from trichat.core.names import RoomId, RoomName, UserId
from trichat.core.standing import NOBODY, Actor, Permission, Standing
from trichat.store.memory_state import MemoryState, StoredAudit, StoredReport, StoredRoom
from trichat.store.moderation import SERVER_NAME


class MemoryModeration:
    """Implements the part of `Governance` that lists people, reports and the audit."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def roster(self, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Member]:
        await self._state.begin()
        room = self._permitted(room_id, actor, "roster")
        members = [
            Member(user=name, user_id=user_id, role=standing.role, since=standing.since, muted_until=muted)
            for name, user_id, standing in self._people(room)
            if standing.role is not None and name > after
            for muted in [self._still(standing.muted_until)]
        ]
        self._state.end()
        return members[:limit]

    async def restrained(self, room_id: RoomId, actor: Actor, *, after: str, limit: int) -> list[Restrained]:
        await self._state.begin()
        room = self._permitted(room_id, actor, "ban")
        people = [
            Restrained(user=name, user_id=user_id, banned_until=banned, muted_until=muted, reason=standing.reason)
            for name, user_id, standing in self._people(room)
            for banned, muted in [(self._still(standing.banned_until), self._still(standing.muted_until))]
            if (banned or muted) and name > after
        ]
        self._state.end()
        return people[:limit]

    async def report(self, room_id: RoomId, seq: int, reporter: Actor, reason: str) -> int:
        await self._state.begin()
        room = self._permitted(room_id, reporter, "report")
        hidden = reporter.is_account and seq < standing_in(room, reporter.user_id).first_readable(room.rules)
        if hidden or not any(event.seq == seq and event.kind == "message" for event in room.events):
            raise no_such_message(seq)
        mine = [stored.report for stored in self._reports(room_id) if stored.reporter_id == reporter.user_id]
        number = next((report.number for report in mine if report.seq == seq), None)
        if number is None:
            if sum(report.resolved_by is None for report in mine) >= self._state.limits.open_reports:
                raise too_many_reports(self._state.limits.open_reports)
            number = self._add_report(room_id, seq, reporter, reason)
        self._state.end()
        return number

    def _add_report(self, room_id: RoomId, seq: int, reporter: Actor, reason: str) -> int:
        number = 1 + max((stored.report.number for stored in self._state.reports), default=0)
        report = Reported(number=number, seq=seq, reporter=reporter.user, reason=reason, at=self._state.now)
        self._state.reports.append(StoredReport(room_id, reporter.user_id, report))
        return number

    async def reports(self, room_id: RoomId, actor: Actor, *, resolved: bool, after: int, limit: int) -> list[Reported]:
        await self._state.begin()
        self._permitted(room_id, actor, "reports")
        found = [stored.report for stored in self._reports(room_id)]
        found = [report for report in found if report.number > after and (resolved or report.resolved_by is None)]
        self._state.end()
        return found[:limit]

    async def resolve(self, room_id: RoomId, actor: Actor, number: int, note: str, *, address: str) -> bool:
        await self._state.begin()
        room = self._permitted(room_id, actor, "reports")
        found = [stored for stored in self._reports(room_id) if stored.report.number == number]
        closed = [stored for stored in found if stored.report.resolved_by is None]
        for stored in closed:
            stored.report = structs.replace(stored.report, resolved_by=actor.user, note=note)
            stored.resolved_by_id = actor.user_id
            self._audit(actor, "resolve", room.id, room.name, reason=note, address=address)
        self._state.end()
        return bool(closed)

    async def audit(self, room_id: RoomId, actor: Actor, *, before: int | None, limit: int) -> list[AuditEntry]:
        await self._state.begin()
        self._permitted(room_id, actor, "audit")
        entries = [stored.entry for stored in self._state.audit if stored.room_id == room_id]
        self._state.end()
        return [entry for entry in reversed(entries) if before is None or entry.number < before][:limit]

    def _room(self, room_id: RoomId) -> StoredRoom:
        if (room := self._state.rooms.get(room_id)) is None:
            raise no_such_room()
        return room

    def _permitted(self, room_id: RoomId, actor: Actor, permission: Permission) -> StoredRoom:
        """The room, in which `actor` may do this. Raises Refusal."""
        room = self._room(room_id)
        permit(room.rules, actor, standing_in(room, actor.user_id), permission, now=self._state.now)
        return room

    def _people(self, room: StoredRoom) -> list[tuple[str, UserId, Standing]]:
        """All who stand to the room somehow, by name: accounts by their present one."""
        people = []
        for user_id, stored in room.standings.items():
            user = self._state.users.get(user_id)
            people.append((stored.name if user is None else user.account.name, user_id, stored.standing))
        return sorted(people, key=lambda person: person[:2])

    def _still(self, until: int) -> int:
        return until if until > self._state.now else 0

    def _reports(self, room_id: RoomId) -> list[StoredReport]:
        return [stored for stored in self._state.reports if stored.room_id == room_id]

    def _audit(
        self,
        actor: Actor,
        act: str,
        room_id: RoomId,
        room: RoomName,
        *,
        target: Person | None = None,
        reason: str = "",
        address: str = "",
    ) -> None:
        entry = AuditEntry(
            number=len(self._state.audit) + 1,
            at=self._state.now,
            actor=actor.user,
            actor_id=actor.user_id,
            act=act,
            room=room,
            target=target.user if target else None,
            target_id=target.user_id if target else None,
            reason=reason,
            address=address,
        )
        self._state.audit.append(StoredAudit(room_id, entry))


def standing_in(room: StoredRoom, user_id: UserId) -> Standing:
    stored = room.standings.get(user_id)
    return NOBODY if stored is None else stored.standing


def all_reports(state: MemoryState, *, resolved: bool) -> list[tuple[RoomName, Reported]]:
    """Open reports of all rooms, or all, each with its room."""
    return [
        (state.rooms[stored.room_id].name, stored.report)
        for stored in state.reports
        if stored.room_id in state.rooms and (resolved or stored.report.resolved_by is None)
    ]


def resolve_any(state: MemoryState, number: int, note: str) -> StoredRoom | None:
    """Close an open report of any room; the room, or None when there is no such report."""
    for stored in state.reports:
        room = state.rooms.get(stored.room_id)
        if stored.report.number == number and stored.report.resolved_by is None and room is not None:
            stored.report = structs.replace(stored.report, resolved_by=SERVER_NAME, note=note)
            return room
    return None
