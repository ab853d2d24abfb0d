"""What is done to messages that were said, and what we have read, heard and want to be told."""

from __future__ import annotations

from contextlib import suppress

from trichat.client.asking import Asking
from trichat.client.errors import ConnectionLost
from trichat.client.replies import Changed, InboxPage, MentionsPage, PinsPage, SearchPage, ThreadsPage
from trichat.core.replies_conversation import (
    FollowReply,
    NotifyReply,
    OwnPresence,
    PresenceState,
    ReactionsPage,
    ReadReply,
    RevisionsPage,
    SeenReply,
)


class Conversing(Asking):
    """The commands of conversations. A message is named by its room and its `seq`."""

    # messages that change

    async def edit(self, room: str, seq: int, text: str, *, cid: str | None = None) -> Changed:
        """Say one of our messages in other words."""
        return await self._change("edit", room, cid, seq=seq, text=text)

    async def delete(self, room: str, seq: int, *, reason: str | None = None, cid: str | None = None) -> Changed:
        """Take a message back, ours or (as a moderator) another's."""
        return await self._change("delete", room, cid, seq=seq, reason=reason)

    async def react(self, room: str, seq: int, emoji: str, *, cid: str | None = None) -> Changed:
        """Put an emoji to a message."""
        return await self._change("react", room, cid, seq=seq, emoji=emoji)

    async def unreact(self, room: str, seq: int, emoji: str, *, cid: str | None = None) -> Changed:
        """Take our emoji back."""
        return await self._change("unreact", room, cid, seq=seq, emoji=emoji)

    async def pin(self, room: str, seq: int, *, cid: str | None = None) -> Changed:
        """Keep a message in sight of everybody, as a moderator."""
        return await self._change("pin", room, cid, seq=seq)

    async def unpin(self, room: str, seq: int, *, cid: str | None = None) -> Changed:
        """Pin it no more."""
        return await self._change("unpin", room, cid, seq=seq)

    async def revisions(self, room: str, seq: int) -> RevisionsPage:
        """The old texts of a message: of ours, or as a moderator."""
        return await self._get(RevisionsPage, "revisions", room=room, seq=seq)

    async def reactions(self, room: str, seq: int, after: str | None = None, limit: int | None = None) -> ReactionsPage:
        """Who has reacted, and how, after the page's `key` `after`."""
        return await self._get(ReactionsPage, "reactions", room=room, seq=seq, after=after, limit=limit)

    async def pins(self, room: str, *, before: int | None = None) -> PinsPage:
        """A page of the pinned messages, the last pinned first."""
        return await self._get(PinsPage, "pins", room=room, before=before)

    # threads

    async def threads(
        self, room: str, *, all: bool | None = None, before: int | None = None, limit: int | None = None
    ) -> ThreadsPage:
        """The threads that we follow (or all), the last replied to first, before the reply `before`."""
        return await self._get(ThreadsPage, "threads", room=room, all=all, before=before, limit=limit)

    async def follow(self, room: str, thread: int) -> FollowReply:
        """Be told of what is unread in a thread."""
        return await self._get(FollowReply, "follow", room=room, thread=thread)

    async def unfollow(self, room: str, thread: int) -> FollowReply:
        """Be told no more."""
        return await self._get(FollowReply, "unfollow", room=room, thread=thread)

    # what is new, for accounts

    async def read(self, room: str, seq: int, *, thread: int | None = None) -> ReadReply:
        """Say that we have read up to `seq`; the answer says where our marker is, which never moves back."""
        return await self._get(ReadReply, "read", room=room, seq=seq, thread=thread)

    async def seen(self, room: str) -> SeenReply:
        """Who has read how far, in a small room."""
        return await self._get(SeenReply, "seen", room=room)

    async def inbox(self, after: str | None = None, limit: int | None = None) -> InboxPage:
        """Our rooms by name, after the name `after`, and what is new in each."""
        return await self._get(InboxPage, "inbox", after=after, limit=limit)

    async def mentions(self, before: str | None = None, limit: int | None = None) -> MentionsPage:
        """The messages that mention us, in all our rooms, the last first, before the one with the key `before`."""
        return await self._get(MentionsPage, "mentions", before=before, limit=limit)

    async def notify(self, room: str, level: str | None = None, *, quiet_s: int | None = None) -> NotifyReply:
        """What we want to be told of a room (all, mentions, none), and for how long nothing; with neither: what is."""
        return await self._get(NotifyReply, "notify", room=room, level=level, quiet_s=quiet_s)

    async def search(
        self, text: str, *, room: str | None = None, before: str | None = None, limit: int | None = None
    ) -> SearchPage:
        """Messages that `text` finds, in a room or in all of ours, the newest first, before the key `before`."""
        return await self._get(SearchPage, "search", text=text, room=room, before=before, limit=limit)

    # who is there

    async def typing(self, room: str) -> None:
        """We are writing something. Nothing is done about it when the connection goes meanwhile."""
        with suppress(ConnectionLost):
            await self._ask_once("typing", room=room)

    async def presence(self, room: str, *, follow: bool | None = None) -> PresenceState:
        """Who of a joined room is there. Changes come as PresenceChanged, on this connection: ask again on another."""
        return await self._get(PresenceState, "presence", room=room, follow=follow)

    async def set_presence(self, state: str | None = None, *, hidden: bool | None = None) -> OwnPresence:
        """Be `away` or `online` on this connection; or hide our presence altogether."""
        return await self._get(OwnPresence, "set_presence", state=state, hidden=hidden)
