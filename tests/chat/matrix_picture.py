"""How a room of the matrix is at a moment, with all that a command can change of it: to be compared."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tests.chat.matrix_stage import IN_OTHER_WORDS, Somebody, Stage
from trichat.chat.ports import Store
from trichat.core.conversation import Marker, Thread, Told
from trichat.core.errors import Refusal
from trichat.core.events import Event, Person
from trichat.core.standing import RoomRules, Standing

T = TypeVar("T")


class Kept(Struct, frozen=True):
    """What is kept for one person of the room; None where nothing is, or not for them."""

    read: Marker | None
    told: Told | None
    threads: list[Thread] | None  # with the markers of those that they follow


class Picture(Struct, frozen=True):
    head: int
    rules: RoomRules
    standings: tuple[Standing, ...]
    acts: int  # the number of the last act in the room's audit
    reports: int
    codes: int
    messages: tuple[Event, ...]  # in their present state, those of threads too: texts, reactions, pins, tombstones
    kept: tuple[Kept, ...]  # for the host and the subject


def left_so(label: str, stage: Stage, now: Picture) -> bool:
    """Whether what the command of this label was to change is so; true where that is not looked at here."""
    own, message = _members(now, stage.own or stage.seq), _members(now, stage.seq)
    kept = now.kept[-1]
    threads = {one.root.seq: one for one in kept.threads or []}
    match label:
        case "edit-own":
            return bool(own["text"] == IN_OTHER_WORDS)
        case "delete-own" | "delete-other":
            return (own if label == "delete-own" else message) == {"deleted": True}
        case "react":
            return {"emoji": "🎉", "count": 1} in message["reactions"]
        case "unreact":
            return "reactions" not in own
        case "pin" | "unpin":
            return [seq for seq in (stage.seq, stage.pinned) if "pinned" in _members(now, seq)] == (
                [stage.seq, stage.pinned] if label == "pin" else []
            )
        case "follow" | "unfollow":
            return threads[stage.seq if label == "follow" else stage.own].following is (label == "follow")
        case "read":
            return kept.read is not None and kept.read.seq == stage.seq
        case "read-thread":
            return threads[stage.seq].following and threads[stage.seq].read == Marker(stage.reply, 0)
        case "notify":
            return kept.told == Told("none", 0)
        case _:
            return True


def _members(now: Picture, seq: int) -> dict[str, Any]:
    """Of the message's body, but for how many replies it has."""
    (event,) = [event for event in now.messages if event.seq == seq]
    members: dict[str, Any] = msgspec.json.decode(event.body)
    return {name: value for name, value in members.items() if name not in ("replies", "last_reply")}


async def look(store: Store, stage: Stage, people: list[Person], subject: Somebody) -> Picture | None:
    """How the room is now, by the store; None when it is gone."""
    seen = [await store.governance.access_by_id(stage.record.id, one.user_id) for one in people]
    found = [access for access in seen if access is not None]
    if not found:
        return None
    acts, reports, codes = await _lists(store, stage) if found[0].record.rules.kind != "direct" else (0, 0, 0)
    return Picture(
        head=found[0].record.head,
        rules=found[0].record.rules,
        standings=tuple(access.standing for access in found),
        acts=acts,
        reports=reports,
        codes=codes,
        messages=await _messages(store, stage),
        kept=(await _kept(store, stage, stage.host), await _kept(store, stage, subject)),
    )


async def _messages(store: Store, stage: Stage) -> tuple[Event, ...]:
    """Of no thread, and of the two that there are."""
    found: list[Event] = []
    for thread in (None, stage.seq, stage.own):
        page = await store.read_messages(
            stage.record.id, before=None, after=None, limit=100, max_bytes=1_000_000,
            viewer=stage.host.person.user_id, thread=thread,
        )  # fmt: skip
        found += page.messages
    return tuple(found)


async def _kept(store: Store, stage: Stage, one: Somebody) -> Kept:
    room, actor = stage.record.id, one.actor
    moved = await _unless_refused(store.markers.read(room, actor, 0))
    return Kept(
        read=None if moved is None else moved.marker,
        told=await _unless_refused(store.markers.notify(room, actor, None, None)),
        threads=await _unless_refused(store.threads.threads(room, actor, every=True, before=None, limit=100)),
    )


async def _unless_refused(asked: Awaitable[T]) -> T | None:
    try:
        return await asked
    except Refusal:
        return None


async def _lists(store: Store, stage: Stage) -> tuple[int, int, int]:
    room, actor, owner = stage.record.id, stage.host.actor, stage.owner.actor
    reports = await store.governance.reports(room, actor, resolved=True, after=0, limit=100)
    codes = await store.governance.invites(room, actor)
    acts = await _unless_refused(store.governance.audit(room, owner, before=None, limit=1))
    # without: the owner is another one now
    return acts[0].number if acts else 0, len(reports), len(codes)
