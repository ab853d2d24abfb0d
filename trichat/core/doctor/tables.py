"""The tables beside the log: each row that there must be, and each that is there."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from trichat.core.doctor.examined import Difference, Key, RoomFigures, Table, TableRow, Value
from trichat.core.doctor.messages import MessageState
from trichat.core.doctor.numbers import Numbers


class Tables:
    """Compares them with what the whole log says."""

    def __init__(
        self,
        figures: RoomFigures,
        numbers: Numbers,
        states: Mapping[int, MessageState],
        replies: Mapping[int, array[int]],
        head: int,
    ) -> None:
        self._figures = figures
        self._numbers = numbers
        self._states = states
        self._replies = replies
        self._head = head
        self._missing: dict[tuple[Table, Key], Value] = {
            (row.table, row.key): row.value for seq, state in states.items() for row in state.rows(seq)
        }
        self._allowed = {key for seq, state in states.items() for key in state.allowed(seq)}
        for root, seqs in replies.items():
            self._missing["threads", (root,)] = (len(seqs), seqs[-1])
        self._index = 0  # so many of the messages were looked for in the index

    def compare(self, row: TableRow) -> list[Difference]:
        """A row that is stored."""
        match row.table:
            case "markers":
                return self._marker(row, self._read_no(row.value[0]))
            case "follows":
                if self._goes(row):
                    return []
                return self._marker(row, bisect_right(self._replies.get(_seq(row.key), array("q")), row.value[0]))
            case table:
                wanted = self._missing.pop((table, row.key), None)
                right = wanted == row.value or (table == "mentions" and row.key in self._allowed)
                return [] if right or self._goes(row) else [(table, row.key, row.value, wanted)]

    def _goes(self, row: TableRow) -> bool:
        """Whether it hung on a message that is kept no more: what may be much goes after it, in portions."""
        return row.table not in ("mentions", "pins") and _seq(row.key) < self._figures.first_seq

    def compare_index(self, seqs: Sequence[int]) -> list[Difference]:
        """The next messages that are in the index of the search."""
        found: list[Difference] = []
        messages = self._numbers.messages
        for seq in seqs:
            found += self._not_indexed(before=seq)
            if seq < self._figures.first_seq:
                continue  # goes in the background, as the index comes
            there = self._index < len(messages) and messages[self._index] == seq
            self._index += there
            if not there or self._gone(seq):
                found.append(("search", (seq,), (), None))
        return found

    def missing(self) -> list[Difference]:
        """The rows that were not there, when all have come."""
        found: list[Difference] = [(table, key, None, value) for (table, key), value in self._missing.items()]
        indexed = self._figures.indexed_seq
        if indexed is None:
            return found
        if indexed > self._head:  # then it says nothing of what is in it
            return [*found, ("search", (), (indexed,), (self._head,))]
        return [*found, *self._not_indexed(before=indexed + 1)]

    # markers

    def _marker(self, row: TableRow, read_no: int) -> list[Difference]:
        read_seq, stored = row.value
        if read_seq > self._head:
            return [(row.table, row.key, row.value, (self._head, read_no))]
        if read_seq < self._figures.first_seq and stored <= read_no:
            return []  # it was read up to what is kept no more
        return [] if stored == read_no else [(row.table, row.key, row.value, (read_seq, read_no))]

    def _read_no(self, seq: int) -> int:
        if seq == 0:
            return 0
        return self._numbers.base if seq < self._figures.first_seq else self._numbers.no_at(seq)

    # the index

    def _not_indexed(self, *, before: int) -> Iterator[Difference]:
        messages, indexed = self._numbers.messages, self._figures.indexed_seq or 0
        while self._index < len(messages) and messages[self._index] < before:
            seq = messages[self._index]
            self._index += 1
            if seq <= indexed and not self._gone(seq):
                yield ("search", (seq,), None, ())

    def _gone(self, seq: int) -> bool:
        state = self._states.get(seq)
        return state is not None and state.gone


def _seq(key: Key) -> int:
    assert isinstance(key[0], int)
    return key[0]
