"""The machinery of the matrix: everything is asked as somebody who stands so to a room, at every node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import trio

from tests.chat.guests import Guest
from tests.chat.matrix_law import LABELS, alters, event_of, outcome, shows
from tests.chat.matrix_picture import Picture, left_so, look
from tests.chat.matrix_questions import NEVER, Heard, ask, shown
from tests.chat.matrix_stage import Cast, Somebody, Stage, make_cast, set_stage, somebody
from tests.chat.matrix_talk import WHISPERS, mentions
from tests.chat.matrix_who import Who, hidden, listens
from tests.chat.persons import SOON_S, quiet
from tests.people import make_bot
from trichat.chat.ports import Store
from trichat.core.events import Person
from trichat.core.names import RoomName, UserId
from trichat.core.standing import Role, RoomRules

#: The nodes, by number.
NODES: Final = (0, 1)
#: What leaves the subject a listener, or no more one, or the room gone: a new stage comes after it.
_USING_UP: Final = frozenset({"join", "resume", "leave", "delete_room", "direct"})

#: Virtual seconds in which the other node hears of an event that is announced, whole: before it looks by itself.
AT_ONCE_S: Final = 0.01
#: What is announced without the event: the other node reads the store, in SOON_S.
_BY_LOOKING: Final = frozenset({"direct", "delete_room"})
#: Seconds in which what is said at most once a second is heard.
_WHISPERED_S: Final = 2.0


class Play:
    """One subject and the rooms of one kind, over nodes that share `store`; `connect` gives a client at a node.

    `mark` is the end of all names, so that other plays may have the same store; `within_s` is in what time the other
    node is to hear of something. With a `turn`, a number, what changes something is asked at one node alone, by turns,
    and what others hear that may be lost on the way (typing, seen) is not waited for.
    """

    def __init__(
        self,
        store: Store,
        connect: Callable[[int], Awaitable[Guest]],
        who: Who,
        rules: RoomRules,
        *,
        mark: str = "",
        within_s: float = AT_ONCE_S,
        turn: int | None = None,
    ) -> None:
        self.store = store
        self.who = who
        self.rules = rules
        self.rank = Role.MEMBER  # of whom commands are about
        self.rooms: list[RoomName] = []  # all that were made
        self._mark = mark
        self._within_s = within_s
        self._turn = turn
        self._connect = connect
        self._clients: dict[tuple[UserId, int], Guest] = {}
        self._refusals: dict[str, Heard] = {}
        self._picture: Picture | None = None  # how the stage was at the last look
        self._asked: list[str] = []  # since then, of what is to leave it so

    async def begin(self) -> None:
        self.cast: Cast = await make_cast(self.store, self._mark)
        self.subject: Somebody = await self._make_subject()

    async def wrong(self, labels: Iterable[str] = LABELS) -> list[str]:
        """Ask all of it at each node; where it is not as the law says, in words."""
        stage: Stage | None = None
        wrong: list[str] = []
        self._refusals.clear()
        for place, label in enumerate(labels):
            for node in self._nodes(label, place):
                if stage is not None and label in ("join", "resume") and node in stage.subject_at:
                    wrong += await self._unchanged(stage)
                    stage = None
                stage = stage or await self.stage()
                problems, used_up = await self._cell(stage, label, node)
                wrong += [f"{label} at node {node}: {problem}" for problem in problems]
                stage = None if used_up else stage
        return wrong + (await self._unchanged(stage) if stage is not None else [])

    def _nodes(self, label: str, place: int) -> Iterable[int]:
        return NODES if self._turn is None or not self._changes(label) else [(self._turn + place) % len(NODES)]

    def _changes(self, label: str) -> bool:
        """Whether the command may change anything: it is allowed, and does not only read."""
        allowed = outcome(label, self.who, self.rules, self.rank) == "ok"
        return allowed and alters(label, self.who, self.rules) is not False

    async def stage(self) -> Stage:
        stage = await set_stage(self.store, self.cast, self.subject, self.who, self.rules, rank=self.rank)
        self.rooms.append(stage.name)
        self._picture, self._asked = await self._look(stage), []
        return stage

    # one question

    async def _cell(self, stage: Stage, label: str, node: int) -> tuple[list[str], bool]:
        """What is wrong with what comes of it, and whether the stage is another one now."""
        listeners = [await self.client(stage.host, at, stage) for at in NODES]
        subject = await self.subject_at(node, stage, label)
        if self._changes(label):
            return await self._change(stage, label, subject, listeners[1 - node])
        self._asked.append(f"{label} at node {node}")
        heard_before, expected = len(listeners[1 - node].frames), outcome(label, self.who, self.rules, self.rank)
        heard = await ask(subject, label, stage, stage.name)
        if heard.outcome != expected:
            return [f"expected {expected}, heard {heard.said}"], True
        if expected == "ok":
            problems = self._amiss(label, stage, heard)
            problems += await self._whispered(stage, label, listeners[1 - node], heard_before)
        else:
            problems = await self._refused(stage, label, subject, heard)
        used_up = bool(problems) or label in _USING_UP
        return problems + (await self._unchanged(stage) if used_up else []), used_up

    async def _unchanged(self, stage: Stage) -> list[str]:
        """What is wrong with what was refused, or is only read, since the last look: one look for all of it."""
        asked, self._asked = self._asked, []
        now = await self._look(stage) if asked else self._picture
        return [] if now == self._picture else [f"{self._picture} became {now} by one of {asked}"]

    async def _refused(self, stage: Stage, label: str, subject: Guest, heard: Heard) -> list[str]:
        if (elsewhere := self._refusals.setdefault(label, heard)) != heard:
            return [f"heard {heard.said}, at the other node {elsewhere.said}"]
        if not hidden(self.who, self.rules):
            return []
        never = await ask(subject, label, stage, NEVER[self.rules.kind])
        return [] if never == heard else [f"of a room that never was is said {never.said}, here {heard.said}"]

    async def _change(self, stage: Stage, label: str, subject: Guest, listener: Guest) -> tuple[list[str], bool]:
        problems = await self._unchanged(stage)
        if label in _BY_LOOKING:
            await quiet()
        before, heard_before = self._picture, len(listener.frames)
        heard = await ask(subject, label, stage, stage.name)
        if heard.outcome != "ok":
            return [*problems, f"expected ok, heard {heard.said}"], True
        after = self._picture = await self._look(stage)
        problems += self._amiss(label, stage, heard) + await self._effect(stage, label, before, after, listener)
        problems += await self._whispered(stage, label, listener, heard_before)
        return problems, before != after or label in _USING_UP

    def _amiss(self, label: str, stage: Stage, heard: Heard) -> list[str]:
        """What is shown to somebody who is not to see it, or not shown to somebody who is."""
        expected = shows(label, self.who, self.rules)
        return [] if expected in (None, shown(label, stage) in heard.said) else [f"expected {expected}, {heard.said}"]

    async def _effect(
        self, stage: Stage, label: str, before: Picture | None, after: Picture | None, listener: Guest
    ) -> list[str]:
        """What is wrong with what an allowed command did, in the log and at the other node."""
        assert before is not None
        if label == "delete_room":
            with trio.move_on_after(SOON_S):
                await listener.until(lambda: listener.closed is not None)
            self._clients.clear()
            return [] if after is None and listener.closed == 4202 else [f"{after}, closed with {listener.closed}"]
        assert after is not None
        event = event_of(label, self.who, self.rules)
        if after.head != before.head + (event is not None):
            return [f"the head went from {before.head} to {after.head}"]
        if alters(label, self.who, self.rules) not in (None, before != after) or not left_so(label, stage, after):
            return [f"{before} became {after}"]
        if event is None:
            return []
        within_s = SOON_S if label in _BY_LOOKING else self._within_s
        try:
            await listener.until(lambda: _event(listener, stage, after.head) is not None, within_s)
        except trio.TooSlowError:
            return [f"nothing is heard of it at the other node in {within_s} s"]
        frame = _event(listener, stage, after.head) or {}
        found = (frame["type"], frame.get("change", ""))
        mentioning = mentions(label, self.who, self.rules)
        right = found == event and mentioning in (None, "mentions" in frame)
        return [] if right else [f"the other node hears {frame}"]

    async def _whispered(self, stage: Stage, label: str, listener: Guest, since: int) -> list[str]:
        """What is wrong with what the other node hears of a command without an event."""
        if (kind := WHISPERS.get(label)) is None or self._turn is not None:
            return []

        def heard() -> list[str]:
            about = [one for one in listener.frames[since:] if one["type"] == kind and one["room"] == stage.name]
            return [person["user_id"] for one in about for person in one["people"]]

        with trio.move_on_after(_WHISPERED_S + self._within_s):
            await listener.until(lambda: bool(heard()))
        me = self.subject.person.user_id
        return [] if heard() == [me] else [f"the other node hears of {heard()}, and not of {me}"]

    async def _look(self, stage: Stage) -> Picture | None:
        people = {one.user_id: one for one in (*self.cast.everybody(), stage.host.person, self.subject.person)}
        return await look(self.store, stage, list(people.values()), self.subject)

    # clients

    async def subject_at(self, node: int, stage: Stage, label: str = "") -> Guest:
        """The subject's connection to this node; it listens if they may, unless the question is whether they may."""
        joins = label not in ("join", "resume") and listens(self.who, self.rules)
        client = await self.client(self.subject, node, stage if joins else None)
        if joins:
            stage.subject_at.add(node)
        return client

    async def client(self, one: Somebody, node: int, stage: Stage | None = None) -> Guest:
        """Their connection to this node, which listens to the stage's room if there is one."""
        key = (one.person.user_id, node)
        client = self._clients.get(key)
        if client is None or client.closed is not None:
            client = self._clients[key] = await self._connect(node)
            assert (await client.ask("auth", token=one.token))["type"] == "ok"
        if stage is not None and stage.name not in _joined(client):
            await client.join(stage.name)
        return client

    async def _make_subject(self) -> Somebody:
        if self.who.guest:
            welcome = (await self._connect(0)).frames[0]
            return Somebody(Person(welcome["user"], welcome["user_id"]), welcome["token"])
        name = "subject" + self._mark
        if self.who.scopes is None:
            return await somebody(self.store, name, admin=self.who.admin)
        only = ["elsewhere"] if self.who.elsewhere else None
        key = await make_bot(self.store, name, list(self.who.scopes), only)
        person = await self.store.accounts.find_person(name)
        assert person is not None
        return Somebody(person, key)


def _event(listener: Guest, stage: Stage, seq: int) -> dict[str, Any] | None:
    return next(
        (
            frame
            for frame in listener.frames
            if frame.get("seq") == seq and frame.get("room") == stage.name and "from" in frame
        ),
        None,
    )


def _joined(client: Guest) -> set[str]:
    """The rooms that this client listens to, as it was told."""
    joined: set[str] = set()
    for frame in client.frames:
        if frame["type"] == "joined":
            joined.add(frame["room"])
        elif frame["type"] == "left":
            joined.discard(frame["room"])
    return joined
