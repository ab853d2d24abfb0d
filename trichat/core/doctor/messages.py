"""What has become of one message: as its row says it, and as the events about it say it."""

from __future__ import annotations

from msgspec import Struct, field

from trichat.core.accounts import ERASED
from trichat.core.doctor.examined import Difference, Key, LogEntry, TableRow, Value
from trichat.core.names import UserId
from trichat.core.present import tombstone


class _Named(Struct, frozen=True):
    user_id: UserId


class Said(Struct, frozen=True):
    """The members of bodies that figures follow from."""

    text: str = ""
    mentions: list[_Named] = []
    emoji: str = ""
    thread: int | None = None
    superseded: bool = False
    user_id: UserId = UserId("")  # of a member event: whom it is about
    change: str = ""

    @property
    def mentioned(self) -> tuple[UserId, ...]:
        return tuple(dict.fromkeys(named.user_id for named in self.mentions))

    @property
    def print(self) -> int:
        """A fingerprint of what is said, the same as long as this process lives."""
        return hash((self.text, self.mentioned))


class MessageState(Struct):
    """A message that was changed, or mentions somebody. Of texts the fingerprints are kept."""

    # as the row says it
    rev: int = 0
    edited: int | None = None
    deleted: bool = False
    tombstone: bool = False
    erased: bool = False  # its author was
    text: int | None = None  # None: the row was not kept, for it says that nothing has changed
    author: UserId = UserId("")
    mentions: tuple[UserId, ...] = ()
    # as the events say it
    told_rev: int = 0
    told_edited: int | None = None
    told_text: int | None = None  # None: the last event that edited it has no text any more
    edits: list[int] = field(default_factory=list)
    removed: bool = False
    reactions: dict[tuple[str, UserId], int] = field(default_factory=dict)
    pin: int = 0
    heard: tuple[UserId, ...] = ()  # who is mentioned, and surely could read it then

    @classmethod
    def of(cls, entry: LogEntry, said: Said) -> MessageState:
        return cls(
            rev=entry.rev, edited=entry.edited, deleted=entry.deleted, tombstone=entry.body == tombstone(entry.thread),
            erased=entry.user == ERASED, text=said.print, author=entry.user_id,
            mentions=said.mentioned,
        )  # fmt: skip

    @property
    def gone(self) -> bool:
        """It was taken back, or its author erased: nothing but the tombstone is kept."""
        return self.removed or self.erased

    def edit(self, entry: LogEntry, said: Said) -> int | None:
        """The next event that edited it. The `seq` of the one before, if that still has its text."""
        forgotten = self.edits[-1] if self.told_text is not None else None
        self.edits.append(entry.seq)
        self.told_edited = entry.ts
        self.told_text = None if said.superseded else said.print
        return forgotten

    def differences(self, seq: int) -> list[Difference]:
        """Where the row of the message `seq`, and its last edit, are not as they should be."""
        found: list[Difference] = []
        if self.rev != self.told_rev:
            found.append(("rev", (seq,), (self.rev,), (self.told_rev,)))
        if self.deleted != self.gone:
            found.append(("deleted", (seq,), (int(self.deleted),), (int(self.gone),)))
        if self.tombstone != self.gone:
            found.append(("body", (seq,), (int(self.tombstone),), (int(self.gone),)))
        edited = None if self.gone else self.told_edited
        if self.edited != edited:
            found.append(("edited", (seq,), _or_none(self.edited), _or_none(edited)))
        return found + self._last_edit(seq)

    def _last_edit(self, seq: int) -> list[Difference]:
        if not self.edits:
            return []
        last, superseded = self.edits[-1], self.told_text is None
        if superseded != self.gone:
            return [("superseded", (last,), (int(superseded),), (int(self.gone),))]
        if self.gone or self.text in (None, self.told_text):
            return []
        return [("text", (seq,), (), (last,))]

    def rows(self, seq: int) -> list[TableRow]:
        """The rows that the tables must have of the message `seq`."""
        if self.gone:
            return []
        rows = [TableRow("reactions", (seq, emoji, user_id)) for emoji, user_id in self.reactions]
        rows += [TableRow("mentions", (seq, user_id)) for user_id in self.heard]
        if self.edits:
            rows += [TableRow("revisions", (seq, rev)) for rev in (seq, *self.edits[:-1])]
        if self.pin:
            rows.append(TableRow("pins", (seq,), (self.pin,)))
        return rows

    def allowed(self, seq: int) -> list[Key]:
        """The keys of rows that `mentions` may have of it and may lack: who may read a message is known to the store
        alone, and it was asked before the message was numbered."""
        return [] if self.gone else [(seq, user_id) for user_id in self.mentions if user_id not in self.heard]


def _or_none(value: int | None) -> Value | None:
    return None if value is None else (value,)
