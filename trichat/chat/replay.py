"""Replays: what a client missed of a room, pulled as its outbox drains, until it has caught up and attaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from trichat.chat.ports import StoreUnavailable
from trichat.core.codec import Frame
from trichat.core.control import holds_controls, read_control
from trichat.core.errors import CommandId
from trichat.core.replies import Gap, Resumed

if TYPE_CHECKING:
    from trichat.chat.membership import Membership
    from trichat.chat.session import Session

#: Seconds until a replay tries again to read from a store that was away.
_RETRY_S: Final = 0.25


class Tally:
    """The rooms of one `resume`; when the last of them has caught up, `resumed` is sent."""

    def __init__(self, command_id: CommandId) -> None:
        self._command_id = command_id
        self._rooms = 0
        self._under_way = 1  # the command itself, until all have begun

    def begin(self) -> None:
        self._rooms += 1
        self._under_way += 1

    def all_begun(self, session: Session) -> None:
        self.end(session)

    def end(self, session: Session) -> None:
        self._under_way -= 1
        if not self._under_way:
            session.reply(Resumed(id=self._command_id, rooms=self._rooms))


class Replay:
    """One room's events after `position` for one session.

    Of a join, which may skip what is too much with a `gap`; or `live`, of a listener to whom too much came at once.
    """

    def __init__(
        self, membership: Membership, position: int, tally: Tally | None = None, *, live: bool = False
    ) -> None:
        self.membership = membership
        self.position = position
        self.tally = tally
        self._begun = live  # whether a gap may come no more

    async def run(self, session: Session) -> None:
        """Send what is missing, then attach; ends early when the room is left. Never raises StoreUnavailable."""
        room = self.membership.room
        while not self.membership.left:
            # in one step with the check: nothing can come between the last event sent and the first live one
            if room.attach(session, self.position):
                break
            try:
                await self._step(session)
            except StoreUnavailable:
                await trio.sleep(_RETRY_S)
        if self.tally is not None:
            self.tally.end(session)

    async def _step(self, session: Session) -> None:
        room, hub = self.membership.room, session.hub
        if self.position > room.delivered:
            # the client has heard more (at another node) than has reached this one
            await hub.relay.catch_up(room, self.position)
            await trio.lowlevel.checkpoint()
            return
        await session.outbox.refilled()
        if await self._skip_what_is_too_much(session):
            return
        frames = room.recent(self.position, hub.limits.page_bytes)
        if frames is None:
            page = await hub.pages.read(room, self.position)
            self._pass_what_is_kept_no_more(session, page.first)
            frames = page.frames
        if frames and not self.membership.left:
            self._post(session, frames)
        if not frames:
            await trio.lowlevel.checkpoint()

    def _post(self, session: Session, frames: list[Frame]) -> None:
        """Send the next events, and no more of them than up to the one that removes this client.

        They may come from the store, and be ahead of what the room has delivered here.
        """
        joined = b"".join(frames)
        removed = False
        if holds_controls(joined):
            for index, frame in enumerate(frames):
                if self._removed_by(session, frame):
                    frames, removed = frames[: index + 1], True
                    joined = b"".join(frames)
                    break
        self.position += len(frames)
        session.hub.figures.replayed += len(frames)
        session.outbox.post_asked(Frame(joined))
        if removed:
            session.removed(self.membership.room)

    def _removed_by(self, session: Session, frame: Frame) -> bool:
        assert session.user_id is not None
        control = read_control(frame)
        return control is not None and control.seq > self.membership.as_of and control.removes(session.user_id)

    async def _skip_what_is_too_much(self, session: Session) -> bool:
        """At the start of a long replay: a `gap` in the place of all but the last `limits.replay` events."""
        room, limit = self.membership.room, session.hub.limits.replay
        last = room.delivered - limit
        if self._begun or last <= self.position:
            self._begun = True
            return False
        assert session.user_id is not None
        between = await session.hub.store.between(room.id, self.position + 1, last, session.user_id)
        self._begun = True
        if session.may_no_more(self.membership):  # the event that says so may be among those that are skipped
            session.removed(room)
            return True
        self._pass_what_is_kept_no_more(session, between.first)
        if self.position < last and not self.membership.left:
            account = session.account is not None
            session.reply(
                Gap(
                    room=room.name, from_=self.position + 1, to=last, messages=between.messages,
                    mentions=between.mentions if account else 0, first_unread=between.first_unread,
                )
            )  # fmt: skip
        self.position = max(self.position, last)
        return True

    def _pass_what_is_kept_no_more(self, session: Session, first: int) -> None:
        """A `gap` in the place of what came before the `seq` `first`."""
        if first <= self.position + 1:
            return
        if not self.membership.left:
            room = self.membership.room.name
            session.reply(Gap(room=room, from_=self.position + 1, to=first - 1, messages=0, expired=True))
        self.position = first - 1
