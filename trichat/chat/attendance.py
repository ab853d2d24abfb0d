"""The commands about who is online, away or gone."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, UnsetType

from trichat.chat.access import demand_access
from trichat.chat.governed import account_needed
from trichat.chat.joining import membership_of
from trichat.chat.scopes import demand_scope
from trichat.chat.session import Session
from trichat.chat.watching import state_frame
from trichat.core.attendance import State
from trichat.core.commands_conversation import Presence, SetPresence
from trichat.core.errors import Refusal
from trichat.core.replies_conversation import OwnPresence

_STATES: Final[dict[str, State]] = {"online": "online", "away": "away"}
_HOW: Final = 'say a "state", online or away, or "hidden", true or false'


async def presence(session: Session, command: Presence) -> None:
    """Who of a joined room is online, away or offline, and from now on (or no more) what changes of it."""
    room, hub = membership_of(session, command.room).room, session.hub
    demand_scope(session, "read", room.name)
    await session.outbox.refilled()
    now = await hub.watching.attendance(room)
    await demand_access(session, room.name)
    membership = membership_of(session, room.name)  # they may have been removed meanwhile
    # in one step: what changes is told of what they were told
    if command.follow:
        now = hub.watching.follow(session, membership) or now
    else:
        hub.watching.unfollow(session, room)
    session.post(state_frame(command.id, room, now))


async def set_presence(session: Session, command: SetPresence) -> None:
    """Be away or back with this connection; or hide, as an account, whose connections are as if they were not."""
    state = _parse_state(command.state)
    if state is None and command.hidden is UNSET:
        raise Refusal("bad_field", _HOW, field="state")
    hub, user_id = session.hub, session.user_id
    assert user_id is not None
    if command.hidden is not UNSET:
        if session.account is None:
            raise account_needed()
        await hub.store.attendance.set_hidden(user_id, command.hidden)
        hub.presence.hide(user_id, command.hidden)
        hub.whispers.hidden(user_id, command.hidden)
        hub.tell_presence(hub.presence.rooms_of(user_id))
    if state is not None:
        hub.presence.set_away(session, state == "away")
    shown: State = "away" if session.away else "online"
    session.reply(OwnPresence(id=command.id, state=shown, hidden=hub.presence.hides(user_id)))


def _parse_state(state: str | UnsetType) -> State | None:
    if state is UNSET:
        return None
    if state not in _STATES:
        raise Refusal("bad_field", _HOW, field="state")
    return _STATES[state]
