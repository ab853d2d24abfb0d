"""The twin in memory of `store/export.py` and `erasure.py`: all about one person, read and erased."""

from __future__ import annotations

from math import inf

from msgspec import structs

from trichat.core.accounts import ERASED
from trichat.core.conversation import Told
from trichat.core.names import RoomId, RoomName, UserId
from trichat.store import personal_rows
from trichat.store.erased import becomes_tombstone, concerns, erased
from trichat.store.memory_state import DAWN_MS, MemoryState, StoredName, StoredRoom, StoredUser
from trichat.store.personal_rows import Row


def read_section(state: MemoryState, section: str, user_id: UserId) -> list[Row]:
    """All rows of one of the sections."""
    match section:
        case "account":
            return _account(state, user_id)
        case "names":
            held = sorted((name for name in state.names.values() if name.user_id == user_id), key=lambda one: one.name)
            return [personal_rows.name_row(name.name, _kept_until(name)) for name in held]
        case "logins":
            logins = [login for login in state.logins.values() if login.user_id == user_id]
            return [personal_rows.login_row(login.session, login.expires) for login in logins]
        case "keys":
            return [personal_rows.key_row(key.key) for key in state.keys.values() if key.user_id == user_id]
        case "blocks":
            return [personal_rows.block_row(other) for other in sorted(state.blocks.get(user_id, ()))]
        case "memberships":
            return _memberships(state, user_id)
        case "threads":
            return _threads(state, user_id)
        case "invites":
            made = sorted((one for one in state.invites if one.made_by_id == user_id), key=lambda one: one.expires)
            return [personal_rows.invite_row(_room(state, i.room_id), i.uses_left, i.expires) for i in made]
        case "reports":
            mine = [report for report in state.reports if report.reporter_id == user_id]
            return [personal_rows.report_row(_room(state, one.room_id), one.report) for one in mine]
        case "audit":
            entries = [stored.entry for stored in state.audit]
            return [personal_rows.audit_row(e, user_id) for e in entries if user_id in (e.actor_id, e.target_id)]
        case _:
            assert section == "events"
            return _events(state, user_id)


def _account(state: MemoryState, user_id: UserId) -> list[Row]:
    if (user := state.users.get(user_id)) is None:
        return []
    row = personal_rows.account_row(
        user.account,
        user.created,
        user.profile,
        user.outside or (None, None),
        password=user.password_hash is not None,
        second_factor=user.totp_secret is not None,
    )
    return [row]


def _kept_until(name: StoredName) -> int | None:
    return None if name.free_at == inf else DAWN_MS + round(name.free_at * 1000)


def _memberships(state: MemoryState, user_id: UserId) -> list[Row]:
    return [
        personal_rows.membership_row(
            room.name, stored.name, stored.standing, stored.read_seq, Told(stored.level, stored.quiet_until)
        )
        for room in state.rooms.values()
        if (stored := room.standings.get(user_id)) is not None
    ]


def _threads(state: MemoryState, user_id: UserId) -> list[Row]:
    return [
        personal_rows.thread_row(room.name, root, follow.following, follow.read_seq)
        for room in state.rooms.values()
        for (root, who), follow in sorted(room.follows.items())
        if who == user_id
    ]


def _events(state: MemoryState, user_id: UserId) -> list[Row]:
    return [
        personal_rows.event_row(room.name, event, room.revisions.get(event.seq, []))
        for room in state.rooms.values()
        for event in room.events
        if concerns(event, user_id)
    ]


def _room(state: MemoryState, room_id: RoomId) -> RoomName | None:
    room = state.rooms.get(room_id)
    return None if room is None else room.name


def erase(state: MemoryState, user_id: UserId) -> None:
    """Names and texts go; the account, if there is one, is inactive."""
    state.blocks.pop(user_id, None)
    for blocked in state.blocks.values():
        blocked.discard(user_id)
    for invite in state.invites:
        invite.made_by = ERASED if invite.made_by_id == user_id else invite.made_by
    _erase_reports(state, user_id)
    _erase_rooms(state, user_id)
    _erase_audit(state, user_id)
    state.names = {key: name for key, name in state.names.items() if name.user_id != user_id}
    if (user := state.users.get(user_id)) is not None:
        account = structs.replace(user.account, name=ERASED, active=False, admin=False, hidden=False)
        state.users[user_id] = StoredUser(account, user.created, totp_step=user.totp_step)


def _erase_reports(state: MemoryState, user_id: UserId) -> None:
    for stored in state.reports:
        if stored.reporter_id == user_id:
            stored.report = structs.replace(stored.report, reporter=ERASED, reason="")
        if stored.resolved_by_id == user_id:
            stored.report = structs.replace(stored.report, resolved_by=ERASED)


def _erase_rooms(state: MemoryState, user_id: UserId) -> None:
    state.outgoing = [row for row in state.outgoing if row.user_id != user_id]
    for room in state.rooms.values():
        _erase_messages(room, user_id)
        room.spoke_at.pop(user_id, None)
        room.follows = {key: follow for key, follow in room.follows.items() if key[1] != user_id}
        if (stored := room.standings.get(user_id)) is not None:
            stored.name, stored.level, stored.quiet_until = ERASED, "all", 0


def _erase_messages(room: StoredRoom, user_id: UserId) -> None:
    for event in room.events:
        if becomes_tombstone(event, user_id):
            room.deleted.add(event.seq)
            for kept in (room.edited, room.revisions, room.reactions, room.pins, room.mentions):
                kept.pop(event.seq, None)
    for put in room.reactions.values():
        put.update({key: ERASED for key in put if key[1] == user_id})
    mentioned = {seq: tuple(who for who in them if who != user_id) for seq, them in room.mentions.items()}
    room.mentions = {seq: them for seq, them in mentioned.items() if them}
    room.events[:] = [erased(event, user_id) for event in room.events]


def _erase_audit(state: MemoryState, user_id: UserId) -> None:
    for stored in state.audit:
        if stored.entry.actor_id == user_id:
            stored.entry = structs.replace(stored.entry, actor=ERASED, address="")
        if stored.entry.target_id == user_id:
            stored.entry = structs.replace(stored.entry, target=ERASED)
