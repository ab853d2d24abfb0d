"""Who is connected to this node with what, whether they listen to any room or not. Nothing here waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trichat.core.attendance import BOT_DEVICE, GUEST_DEVICE, UNKNOWN_DEVICE, Device, State
from trichat.core.names import UserId
from trichat.core.standing import is_account

if TYPE_CHECKING:
    from trichat.chat.session import Session


class Connected:
    """The sessions of each person, by which their devices are online or away; and the accounts that hide.

    Where a method returns a device (a person and what `device_of` says), it is to be recorded anew: those of accounts
    always, those of guests once they were away. A guest who is online is recorded in rooms alone.
    """

    def __init__(self) -> None:
        # a tuple for each, as nearly all have but one
        self._sessions: dict[UserId, tuple[Session, ...]] = {}
        self.hidden: set[UserId] = set()
        self.hidings = 0  # how often somebody was said to hide, or not to

    def sessions_of(self, user_id: UserId) -> tuple[Session, ...]:
        return self._sessions.get(user_id, ())

    def accounts(self) -> list[UserId]:
        """The accounts that are connected."""
        return [user_id for user_id in self._sessions if is_account(user_id)]

    def add(self, session: Session) -> tuple[UserId, str] | None:
        """The connection is somebody's, as the session says now; not when it has ended: nobody would take it out."""
        user_id = session.user_id
        if user_id is None or session.ended is not None:
            return None
        others = self.sessions_of(user_id)
        self._sessions[user_id] = (*others, session)
        if session.account is not None:
            self.hide(user_id, session.account.hidden)
        return self._to_record(session, bool(others))

    def remove(self, session: Session) -> tuple[UserId, str] | None:
        """The connection is theirs no more."""
        user_id = session.user_id
        if user_id is None or session not in self.sessions_of(user_id):
            return None
        others = tuple(other for other in self._sessions[user_id] if other is not session)
        if others:
            self._sessions[user_id] = others
        else:
            del self._sessions[user_id]
            self.hidden.discard(user_id)
        return self._to_record(session, bool(others))

    def changed(self, session: Session) -> tuple[UserId, str] | None:
        """Its client is away now, or back."""
        return None if session.user_id is None else (session.user_id, device_of(session))

    def hide(self, user_id: UserId, hidden: bool) -> None:
        """The account hides, or does so no more; nothing when it is not connected."""
        self.hidings += 1
        self.know_hidden([user_id], {user_id} if hidden else set())

    def know_hidden(self, accounts: Iterable[UserId], hidden: set[UserId]) -> None:
        """Of these accounts those in `hidden` hide."""
        for user_id in accounts:
            if user_id in hidden and user_id in self._sessions:
                self.hidden.add(user_id)
            else:
                self.hidden.discard(user_id)

    def devices(self) -> set[tuple[UserId, str]]:
        """All devices that are to be recorded."""
        return {
            (user_id, device_of(session))
            for user_id, sessions in self._sessions.items()
            for session in sessions
            if session.account is not None or session.away
        }

    def devices_of(self, user_id: UserId) -> tuple[Device, ...]:
        """The person's devices, as far as they are known here: of logins the names are not."""
        devices = {device_of(session) for session in self.sessions_of(user_id)}
        names = (GUEST_DEVICE, BOT_DEVICE)
        known = [(device if device in names else UNKNOWN_DEVICE, self._state(user_id, device)) for device in devices]
        return tuple(sorted(Device(name, state) for name, state in known if state is not None))

    def recorded_state(self, user_id: UserId, device: str) -> State | None:
        """How the device is to be recorded; None: not."""
        state = self._state(user_id, device)
        return None if device == GUEST_DEVICE and state == "online" else state

    def _state(self, user_id: UserId, device: str) -> State | None:
        away = [session.away for session in self.sessions_of(user_id) if device_of(session) == device]
        return None if not away else "away" if all(away) else "online"

    def _to_record(self, session: Session, others: bool) -> tuple[UserId, str] | None:
        if session.user_id is None or (session.account is None and not session.away and not others):
            return None
        return session.user_id, device_of(session)


def device_of(session: Session) -> str:
    """What the connection is made with: a login's id, or what has no login."""
    if session.key is not None:
        return BOT_DEVICE
    if session.login_id is not None:
        return session.login_id
    return GUEST_DEVICE if session.account is None else UNKNOWN_DEVICE
