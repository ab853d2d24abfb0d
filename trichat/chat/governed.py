"""What the commands that govern rooms share: find the room and the person, change the room, tell everybody."""

from __future__ import annotations

from trichat.chat.people_ports import Access
from trichat.chat.scopes import demand_scope
from trichat.chat.session import Session
from trichat.core.errors import CommandId, Refusal
from trichat.core.events import Person
from trichat.core.governance import Change, banned, no_such_room
from trichat.core.names import parse_room_name
from trichat.core.replies import Ack
from trichat.core.standing import Permission


def account_needed() -> Refusal:
    """What guests hear of what they cannot do."""
    return Refusal("forbidden", "that takes an account; register or log in")


def no_such_user() -> Refusal:
    return Refusal(
        "no_such_user", "there is nobody of this name or id; guests without a name have an id alone", field="user"
    )


async def find_room(session: Session, text: str, permission: Permission) -> Access:
    """The room, if it exists for this client, and how they stand to it. A bot's key must hold `permission`.

    One statement whether or not there is such a room, and the same refusal: call it when the command's fields are
    checked, and before anything else is looked up.
    """
    name = parse_room_name(text, session.hub.limits.name_bytes)
    demand_scope(session, permission, name)
    await session.all_answered()  # commands take effect in the order sent, and sends go another way
    assert session.user_id is not None
    access = await session.hub.store.governance.access(name, session.user_id)
    if access is None or is_hidden(session, access):
        raise no_such_room()
    return access


def is_hidden(session: Session, access: Access) -> bool:
    """Whether the room does not exist for this client."""
    standing, rules = access.standing, access.record.rules
    if rules.kind == "public" or standing.invited:
        return False
    return not standing.may_read(rules, access.now, account=session.account is not None)


def demand_reading(session: Session, access: Access) -> None:
    """Refuse who may not read a room that exists for them: who is banned, and guests where they may not come in."""
    account = session.account is not None
    if access.standing.may_read(access.record.rules, access.now, account=account) or access.standing.invited:
        return
    if access.standing.banned_at(access.now):
        raise banned(access.standing)
    raise Refusal("forbidden", "guests may not come into this room; register or log in", field="room")


async def find_person(session: Session, text: str) -> Person:
    """Whom `text`, a present name or an id, means."""
    person = await session.hub.store.accounts.find_person(text)
    if person is None:
        raise no_such_user()
    return person


async def change_room(
    session: Session,
    access: Access,
    change: Change,
    *,
    command_id: CommandId,
    cid: str | None = None,
    target: Person | None = None,
) -> None:
    """Have the store judge and write `change`, announce its event to everybody, and answer `ack`."""
    room = access.record
    changed = await session.hub.store.governance.change(
        room.id, session.actor, change, target=target, cid=cid, address=session.address
    )
    # no checkpoint between the commit and the announcement: no cancellation can come between them
    if changed.event is not None and not changed.repeated:
        session.hub.announce_event(room.id, room.name, changed.event)
    session.reply(Ack(id=command_id, room=room.name, seq=changed.seq, cid=cid, dup=changed.repeated))
