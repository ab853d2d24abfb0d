"""Who we are to others, and where we are logged in."""

from __future__ import annotations

from typing import TypedDict, Unpack

import msgspec

from trichat.client.asking import Asking
from trichat.client.errors import Refused
from trichat.core.events import Person
from trichat.core.replies_people import ListedLogin, OwnProfile, TotpOffer, Who


class ProfileTexts(TypedDict, total=False):
    """What one says of oneself; an empty text takes it back."""

    display_name: str
    about: str
    avatar: str  # an https address
    locale: str  # such as de-CH; for oneself alone
    time_zone: str  # such as Europe/Zurich; for oneself alone


class People(Asking):
    """The commands about people; all but `whois` are for accounts. `user` is a present name or a `user_id`."""

    async def whois(self, user: str) -> Who:
        """What an account says of itself."""
        return await self._get(Who, "whois", user=user)

    async def profile(self, **texts: Unpack[ProfileTexts]) -> OwnProfile:
        """Change what stands in our profile, and read it; what is not named stays."""
        return await self._get(OwnProfile, "profile", **texts)

    async def rename(self, name: str) -> None:
        """Take another name."""
        self._state.identity.learn(await self._ask("rename", name=name))

    async def change_password(self, old: str, new: str) -> None:
        """All other logins end. Raises ConnectionLost when the connection goes before the answer."""
        await self._ask_once("password", old=old, new=new)
        self._state.identity.use_password(new)

    async def recover(self, code: str, password: str) -> None:
        """Be an account by an administrator's one-time code, with a new password; before the first join."""
        self._state.identity.learn(await self._ask_once("recover", code=code, password=password))

    async def renew(self, token: str) -> None:
        """Go on with a fresh token, when Expiring told that the present one ends."""
        identity = self._state.identity
        before, identity.token = identity.token, token  # a connection that is lost meanwhile comes back with it
        try:
            identity.learn(await self._ask("auth", token=token))
        except Refused:
            identity.token = before
            raise

    async def logout(self) -> None:
        """End this login and with it the client: its token is worth nothing any more."""
        self._state.identity.use_password(None)
        await self._ask("logout")

    async def sessions(self) -> list[ListedLogin]:
        """Where we are logged in, newest first."""
        return msgspec.convert((await self._ask("sessions"))["sessions"], list[ListedLogin])

    async def revoke(self, session: str) -> None:
        """End one of our logins, as `sessions` lists it. Raises ConnectionLost when the connection goes before that."""
        await self._ask_once("revoke", session=session)

    async def revoke_others(self) -> None:
        """End all our logins but this one."""
        await self._ask("revoke", all=True)

    async def offer_totp(self) -> TotpOffer:
        """A second factor for an authenticator; it counts when `confirm_totp` has shown a code of it."""
        return await self._get(TotpOffer, "totp")

    async def confirm_totp(self, code: str) -> None:
        """From now on a login takes a code."""
        await self._ask_once("totp", code=code)

    async def drop_totp(self, password: str) -> None:
        """A login takes no code any more."""
        await self._ask("totp", off=True, password=password)

    async def block(self, user: str) -> None:
        """Hear nothing more from somebody in our direct room."""
        await self._ask("block", user=user)

    async def unblock(self, user: str) -> None:
        """Let them write again."""
        await self._ask("unblock", user=user)

    async def blocks(self) -> list[Person]:
        """Whom we have blocked, by name."""
        return msgspec.convert((await self._ask("blocks"))["blocked"], list[Person])
