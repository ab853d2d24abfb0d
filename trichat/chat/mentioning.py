"""Whom a text mentions: names become people, as the store knows them at that moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from trichat.chat.people_ports import Access
from trichat.chat.session import Session
from trichat.core.codec import quote
from trichat.core.events import EVERYBODY, Person
from trichat.core.judging import Case
from trichat.core.mentions import means_room, names_in
from trichat.core.names import UserId, name_key
from trichat.core.standing import PERMISSIONS


class Mentioned(Struct, frozen=True):
    """Whom a text mentions, each once, in its order; EVERYBODY: the room.

    `said` is the same as an event's body says it: a JSON array of [user, user_id], nothing when it is nobody.
    """

    user_ids: tuple[UserId, ...] = ()
    said: bytes = b""


_ROOM = Person("room", EVERYBODY)


async def mentioned_in(session: Session, access: Access, text: str) -> Mentioned:
    """Whom `text` mentions in this room, said by the session's person, who stands to it as `access` says.

    A name that means nobody, or nobody who may read the room, is text; so is @room of who may not mention it. Raises
    StoreUnavailable.
    """
    mentions = names_in(text, session.hub.limits.mentions) if "@" in text else []
    names = [name for mention in mentions for name in mention if not means_room(name)]
    found = await session.hub.store.threads.mentioned(access.record.id, names) if names else []
    people = {name_key(person.user): person for person in found}
    whom = [_whom(mention, people, room=_may_mention_room(session, access)) for mention in mentions]
    each = {person.user_id: person for person in whom if person is not None}
    return Mentioned(tuple(each), quote(list(each.values()))) if each else Mentioned()


def _whom(mention: Sequence[str], people: Mapping[str, Person], *, room: bool) -> Person | None:
    for name in mention:
        if means_room(name):
            return _ROOM if room else None
        if (person := people.get(name_key(name))) is not None:
            return person
    return None


def _may_mention_room(session: Session, access: Access) -> bool:
    case = Case(access.record.rules, session.actor, access.standing, access.now)
    return case.role >= PERMISSIONS["mention_room"]
