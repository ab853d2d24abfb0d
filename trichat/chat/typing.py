"""The command `typing`: fire and forget, stored nowhere."""

from __future__ import annotations

from trichat.chat.joining import membership_of
from trichat.chat.scopes import demand_scope
from trichat.chat.session import Session
from trichat.core.commands_conversation import Typing
from trichat.core.errors import Refusal
from trichat.core.events import Person
from trichat.core.replies_conversation import TypingPush
from trichat.core.standing import Role, is_account


def typing(session: Session, command: Typing) -> None:
    """Tell the room's listeners that this client is writing, where it may: as far as this node knows. Never waits."""
    membership = membership_of(session, command.room)
    room, hub = membership.room, session.hub
    demand_scope(session, "send", room.name)
    assert session.user_id is not None
    assert session.user is not None
    if room.rules.archived:
        raise Refusal("forbidden", "the room is archived: it can be read, not written", field="room")
    if room.rules.least_sender > Role.GUEST and not is_account(session.user_id):
        raise Refusal("forbidden", "your role in this room may not send", field="room")
    if not hub.presence.hides(session.user_id) and not session.may_no_more(membership):
        hub.typists.note(room, Person(session.user, session.user_id))
    session.reply(TypingPush(id=command.id, room=room.name))
