"""What the server says about people: profiles, logins, second factors, blocks."""

from __future__ import annotations

from msgspec import Struct

from trichat.core.accounts import LoginSession, ProfileFields, PublicProfile
from trichat.core.codec import format_ts
from trichat.core.errors import CommandId
from trichat.core.events import Person
from trichat.core.replies import Reply


class TotpOffer(Reply, frozen=True, kw_only=True, tag="totp"):
    """A second factor to put into an authenticator; it counts once a code of it was said."""

    secret: str
    uri: str


class OwnProfile(Reply, frozen=True, kw_only=True, tag="profile"):
    user: str
    user_id: str
    display_name: str
    about: str
    avatar: str
    locale: str
    time_zone: str


class Who(Reply, frozen=True, kw_only=True, tag="whois"):
    """The public part of a profile: never the locale, the time zone, or an address."""

    user: str
    user_id: str
    kind: str
    created: str
    display_name: str
    about: str
    avatar: str


class ListedLogin(Struct, frozen=True, kw_only=True):
    session: str
    device: str
    address: str
    created: str
    seen: str
    current: bool


class LoginsPage(Reply, frozen=True, kw_only=True, tag="sessions"):
    sessions: list[ListedLogin]


class BlockedPeople(Reply, frozen=True, kw_only=True, tag="blocks"):
    blocked: list[Person]


class Expiring(Reply, frozen=True, kw_only=True, tag="expiring"):
    """The token of another site ends in so long, and this connection with it, unless a fresh one is said by `auth`."""

    in_ms: int


def own_profile(command_id: CommandId, user: str, user_id: str, fields: ProfileFields) -> OwnProfile:
    return OwnProfile(
        id=command_id,
        user=user,
        user_id=user_id,
        display_name=fields.display_name,
        about=fields.about,
        avatar=fields.avatar,
        locale=fields.locale,
        time_zone=fields.time_zone,
    )


def who(command_id: CommandId, profile: PublicProfile) -> Who:
    return Who(
        id=command_id,
        user=profile.user,
        user_id=profile.user_id,
        kind=profile.kind,
        created=format_ts(profile.created),
        display_name=profile.profile.display_name,
        about=profile.profile.about,
        avatar=profile.profile.avatar,
    )


def listed_login(login: LoginSession, present: str | None) -> ListedLogin:
    """One line of `sessions`; `present` is the login of the connection that asks."""
    return ListedLogin(
        session=login.id,
        device=login.device,
        address=login.address,
        created=format_ts(login.created),
        seen=format_ts(login.seen),
        current=login.id == present,
    )
