"""Where in a conversation a message may stand: what it replies to, and the thread that it is in."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trichat.core.errors import Refusal


class Place(Struct, frozen=True):
    """A message that another may hang on: the thread that it is in, and whether it was deleted."""

    thread: int | None
    deleted: bool = False


def judge_places(found: Mapping[int, Place], *, reply_to: int | None, thread: int | None) -> None:
    """Raises `bad_field`, which names the field, unless a message may reply to this one and be in this thread.

    `found` are those of the two that are messages of the room and may be seen by who says it.
    """
    if thread is not None:
        check_root(found, thread)
        if found[thread].deleted:
            raise Refusal("bad_field", f"the message {thread} was deleted, and its thread is closed", field="thread")
    if reply_to is None:
        return
    place = _place(found, reply_to, "reply_to")
    if place.deleted:
        raise Refusal("bad_field", f"the message {reply_to} was deleted; reply to another", field="reply_to")
    if thread is not None and thread not in (reply_to, place.thread):
        said = f"the message {reply_to} is not in the thread of {thread}; leave reply_to or thread out"
        raise Refusal("bad_field", said, field="reply_to")


def check_root(found: Mapping[int, Place], root: int) -> None:
    """Raises `bad_field` unless a thread can hang on this message: one that is in no thread itself."""
    place = _place(found, root, "thread")
    if place.thread is not None:
        said = f"the message {root} is in a thread itself; say that one's, {place.thread}"
        raise Refusal("bad_field", said, field="thread")


def _place(found: Mapping[int, Place], seq: int, field: str) -> Place:
    if seq not in found:
        raise Refusal("bad_field", f"there is no message {seq} in this room", field=field)
    return found[seq]
