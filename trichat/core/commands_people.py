"""The commands about people: who one is, what others may know of one, and on which devices one is logged in."""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, UnsetType

from trichat.core.command import Command


class Register(Command, frozen=True, kw_only=True, tag="register"):
    """Make an account, and be it."""

    name: str
    password: str
    device: str = ""

    anonymous: ClassVar[bool] = True


class Login(Command, frozen=True, kw_only=True, tag="login"):
    """Be an account, by its password and, where it has one, the second factor's code."""

    name: str
    password: str
    code: str = ""
    device: str = ""

    anonymous: ClassVar[bool] = True


class Recover(Command, frozen=True, kw_only=True, tag="recover"):
    """Set a new password with a one-time code that an administrator has given, and be the account."""

    code: str
    password: str

    anonymous: ClassVar[bool] = True


class Logout(Command, frozen=True, kw_only=True, tag="logout"):
    """End this login; its token is worth nothing any more."""


class Password(Command, frozen=True, kw_only=True, tag="password"):
    """Change one's password; all other logins end."""

    old: str
    new: str


class Totp(Command, frozen=True, kw_only=True, tag="totp"):
    """Set up a second factor: without fields a secret is given, with `code` it is confirmed, with `off` removed."""

    code: str = ""
    off: bool = False
    password: str = ""


class Rename(Command, frozen=True, kw_only=True, tag="rename"):
    """Take another name; the old one stays reserved for a time."""

    name: str


class Profile(Command, frozen=True, kw_only=True, tag="profile"):
    """Change what stands in one's profile; without fields it is only read."""

    display_name: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    avatar: str | UnsetType = UNSET
    locale: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


class Whois(Command, frozen=True, kw_only=True, tag="whois"):
    """Read the public part of somebody's profile."""

    user: str


class Sessions(Command, frozen=True, kw_only=True, tag="sessions"):
    """List one's logins."""


class Revoke(Command, frozen=True, kw_only=True, tag="revoke"):
    """End one of one's logins, or `all` but this one."""

    session: str = ""
    all: bool = False


class Block(Command, frozen=True, kw_only=True, tag="block"):
    """Hear nothing more from somebody in direct rooms."""

    user: str


class Unblock(Command, frozen=True, kw_only=True, tag="unblock"):
    """Let somebody write in direct rooms again."""

    user: str


class Blocks(Command, frozen=True, kw_only=True, tag="blocks"):
    """List whom one has blocked."""
