"""What a bot's key lets it do, and where. People and guests have no key, and no such limits."""

from __future__ import annotations

from trichat.chat.session import Session
from trichat.core.errors import Refusal
from trichat.core.governance import no_such_room
from trichat.core.names import RoomName
from trichat.core.standing import SCOPE_OF, Permission, Scope


def demand_scope(session: Session, permission: Permission, room: RoomName) -> None:
    """Refuse what the session's key is not for: `no_such_room` outside its rooms, else `forbidden`. Needs no store."""
    key = session.key
    if key is None:
        return
    if key.rooms is not None and room not in key.rooms:
        raise no_such_room()
    _demand(session, SCOPE_OF[permission])


def demand_scope_everywhere(session: Session, scope: Scope) -> None:
    """Refuse a key without `scope`, and one for certain rooms: for what is done before there is a room."""
    key = session.key
    if key is None:
        return
    if key.rooms is not None:
        raise Refusal("forbidden", "this key is for certain rooms alone")
    _demand(session, scope)


def _demand(session: Session, scope: Scope) -> None:
    assert session.key is not None
    if scope not in session.key.scopes:
        raise Refusal("forbidden", f"that takes a key with the scope {scope}")
