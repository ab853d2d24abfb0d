"""What moderators and owners do about people, and what members tell them."""

from __future__ import annotations

from trichat.client.asking import Asking
from trichat.client.replies import Changed
from trichat.core.replies_rooms import AuditPage, BansPage, ReportedReply, ReportsPage, RosterPage


class Moderating(Asking):
    """The commands about people in rooms. `user` is a present name or a `user_id`, `for_s` seconds (None: for ever)."""

    async def kick(self, room: str, user: str, *, reason: str | None = None, cid: str | None = None) -> Changed:
        """Remove somebody; they may come back as the room's kind allows."""
        return await self._change("kick", room, cid, user=user, reason=reason)

    async def ban(
        self, room: str, user: str, *, for_s: int | None = None, reason: str | None = None, cid: str | None = None
    ) -> Changed:
        """Remove somebody and keep them out."""
        return await self._change("ban", room, cid, user=user, for_s=for_s, reason=reason)

    async def unban(self, room: str, user: str, *, cid: str | None = None) -> Changed:
        """Let somebody come in again."""
        return await self._change("unban", room, cid, user=user)

    async def mute(
        self, room: str, user: str, *, for_s: int | None = None, reason: str | None = None, cid: str | None = None
    ) -> Changed:
        """Let somebody read but not send."""
        return await self._change("mute", room, cid, user=user, for_s=for_s, reason=reason)

    async def unmute(self, room: str, user: str, *, cid: str | None = None) -> Changed:
        """Let somebody send again."""
        return await self._change("unmute", room, cid, user=user)

    async def set_role(self, room: str, user: str, role: str, *, cid: str | None = None) -> Changed:
        """Make a member a member, moderator or admin."""
        return await self._change("role", room, cid, user=user, role=role)

    async def transfer(self, room: str, user: str, *, cid: str | None = None) -> Changed:
        """Make a member the owner in our place."""
        return await self._change("transfer", room, cid, user=user)

    async def roster(self, room: str, after: str | None = None, limit: int | None = None) -> RosterPage:
        """The accounts that are members, by name, after the name `after`, with their roles."""
        return await self._get(RosterPage, "roster", room=room, after=after, limit=limit)

    async def bans(self, room: str, after: str | None = None, limit: int | None = None) -> BansPage:
        """Who is banned or muted, by name, after the name `after`."""
        return await self._get(BansPage, "bans", room=room, after=after, limit=limit)

    async def report(self, room: str, seq: int, *, reason: str | None = None) -> ReportedReply:
        """Tell the moderators of a message. Telling it again in other words changes nothing."""
        return await self._get(ReportedReply, "report", room=room, seq=seq, reason=reason)

    async def reports(
        self, room: str, *, all: bool | None = None, after: int | None = None, limit: int | None = None
    ) -> ReportsPage:
        """The open reports (or all), oldest first, after the report `after`."""
        return await self._get(ReportsPage, "reports", room=room, all=all, after=after, limit=limit)

    async def resolve(self, room: str, report: int, *, note: str | None = None) -> None:
        """Close a report."""
        await self._ask_once("resolve", room=room, report=report, note=note)

    async def audit(self, room: str, before: int | None = None, limit: int | None = None) -> AuditPage:
        """Who did what in the room, newest first, before the entry `before`."""
        return await self._get(AuditPage, "audit", room=room, before=before, limit=limit)
