"""What accounts say of themselves, and whom they have blocked."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from msgspec import UNSET, structs

from trichat.chat.accounts import demand_person
from trichat.chat.governed import no_such_user
from trichat.chat.making import mute_in_direct_room
from trichat.chat.session import Session
from trichat.core.accounts import ProfileFields
from trichat.core.commands_people import Block, Blocks, Profile, Unblock, Whois
from trichat.core.errors import Refusal
from trichat.core.events import Person
from trichat.core.limits import Limits
from trichat.core.lines import parse_line
from trichat.core.profile_fields import parse_avatar, parse_locale
from trichat.core.replies import Ok
from trichat.core.replies_people import BlockedPeople, own_profile, who
from trichat.core.standing import is_account


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones. The first call reads them from the disk, in about 50 ms."""
    return frozenset(available_timezones())


async def profile(session: Session, command: Profile) -> None:
    """Change what is given, and show all of it."""
    account, accounts = demand_person(session), session.hub.store.accounts
    changes = _parse_changes(command, session.hub.limits)
    fields = await accounts.profile(account.user_id) or ProfileFields()
    if changes:
        fields = structs.replace(fields, **changes)
        await accounts.set_profile(account.user_id, fields)
    session.reply(own_profile(command.id, account.name, account.user_id, fields))


def _parse_changes(command: Profile, limits: Limits) -> dict[str, str]:
    changes: dict[str, str] = {}
    if command.display_name is not UNSET:
        changes["display_name"] = parse_line(command.display_name, "display_name", limits.title_bytes)
    if command.about is not UNSET:
        changes["about"] = parse_line(command.about, "about", limits.topic_bytes)
    if command.avatar is not UNSET:
        changes["avatar"] = parse_avatar(command.avatar, limits.avatar_bytes)
    if command.locale is not UNSET:
        changes["locale"] = parse_locale(command.locale)
    if command.time_zone is not UNSET:
        changes["time_zone"] = _parse_time_zone(command.time_zone)
    return changes


def _parse_time_zone(text: str) -> str:
    if text and text not in time_zones():
        raise Refusal("bad_field", "time_zone is no time zone; say one such as Europe/Zurich", field="time_zone")
    return text


async def whois(session: Session, command: Whois) -> None:
    """Show the public part of an account's profile; guests may ask too."""
    found = await session.hub.store.accounts.whois(_parse_user(session, command.user))
    if found is None:
        raise Refusal("no_such_user", "no account has this name or id", field="user")
    session.reply(who(command.id, found))


async def block(session: Session, command: Block) -> None:
    """Let somebody not write to one in direct rooms any more."""
    account, hub = demand_person(session), session.hub
    other = await _find_other(session, command.user)
    most = hub.limits.blocks
    if not await hub.store.accounts.block(account.user_id, other.user_id, most=most):
        raise Refusal("limit_reached", f"you have blocked {most} people; unblock somebody first")
    await mute_in_direct_room(session, other, muted=True)
    session.reply(Ok(id=command.id, for_="block", user=other.user, user_id=other.user_id))


async def unblock(session: Session, command: Unblock) -> None:
    """Let them again; somebody who was not blocked stays so."""
    account = demand_person(session)
    other = await _find_other(session, command.user)
    await session.hub.store.accounts.unblock(account.user_id, other.user_id)
    await mute_in_direct_room(session, other, muted=False)
    session.reply(Ok(id=command.id, for_="unblock", user=other.user, user_id=other.user_id))


async def blocks(session: Session, command: Blocks) -> None:
    """List whom one has blocked."""
    account = demand_person(session)
    blocked = await session.hub.store.accounts.blocked(account.user_id)
    session.reply(BlockedPeople(id=command.id, blocked=blocked))


async def _find_other(session: Session, text: str) -> Person:
    """Another account. Raises Refusal."""
    other = await session.hub.store.accounts.find_person(_parse_user(session, text))
    if other is None:
        raise no_such_user()
    if other.user_id == session.user_id:
        raise Refusal("bad_field", "user is yourself; say somebody else", field="user")
    if not is_account(other.user_id):
        raise Refusal("bad_field", "user is a guest; guests have no direct rooms", field="user")
    return other


def _parse_user(session: Session, text: str) -> str:
    most = session.hub.limits.name_bytes
    if not 0 < len(text) <= most:
        raise Refusal("bad_field", f"user is a name or an id, 1 to {most} bytes", field="user")
    return text
