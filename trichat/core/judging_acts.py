"""Who may do what to a message: each act is judged under the lock of the room's row. Pure, as `core.governance`."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from trichat.core.acts import Act, ActKind, ActVerdict, Message, Remove, Respond, Rewrite, Stick
from trichat.core.codec import quote
from trichat.core.durations import in_words
from trichat.core.errors import Refusal
from trichat.core.governance import check_visible, no_such_message
from trichat.core.judging import Case
from trichat.core.limits import Limits
from trichat.core.standing import SCOPE_OF, Permission, Role


def judge_act(
    case: Case, act: Act, seq: int, message: Message | None, *, head: int, limits: Limits
) -> ActVerdict | None:
    """What `act` about the message `seq` of a room with this `head` comes to; None: all is so already. Raises Refusal.

    `message` is None where there is none, or where it is kept no more.
    """
    check_visible(case.rules, case.standing)
    _demand_writing(case, taking_back=isinstance(act, Remove) and message is not None and _is_mine(case, message))
    check_place(case, seq, message, head=head)
    assert message is not None
    match act:
        case Rewrite():
            return _rewrite(case, act, message, limits)
        case Remove():
            return _remove(case, act, message)
        case Respond():
            return _respond(case, act, message, limits)
        case Stick():
            return _stick(case, act, message, limits)


def check_place(case: Case, seq: int, message: Message | None, *, head: int) -> None:
    """Raises `bad_field` unless `message`, the one at `seq`, is there and may be seen. Missing and hidden are one."""
    if seq > head:
        said = f"there is no message {seq} yet; the last event of the room is {head}"
        raise Refusal("bad_field", said, field="seq")
    if message is None or not _may_see(case, message):
        raise no_such_message(seq)


def check_revisions(case: Case, message: Message) -> None:
    """Raises Refusal unless the old texts are for whoever asks: of one's own messages, or by permission."""
    if not _is_mine(case, message):
        case.demand("revisions")


def _is_mine(case: Case, message: Message) -> bool:
    return message.user_id == case.actor.user_id


def _may_see(case: Case, message: Message) -> bool:
    # a guest sees what comes while they listen, which no store knows, but who said something was there
    own_words = _is_mine(case, message) and not case.actor.is_account
    return own_words or message.seq >= case.standing.first_readable(case.rules)


def _demand_writing(case: Case, *, taking_back: bool) -> None:
    """Who may not send may do nothing to messages either, but who is muted may take back what they said."""
    rules, actor, standing = case.rules, case.actor, case.standing
    if rules.archived:
        raise _forbidden("the room is archived: it can be read, not written")
    case.refuse_banned()
    if actor.is_account and standing.role is None and case.role is not Role.OWNER:
        raise _forbidden(f"you are no member of this room: {_join(case)} comes first")
    if not actor.is_account and not rules.open_to_guests:
        raise _forbidden("guests may not come into this room; register or log in")
    if case.role is Role.MUTED and not taking_back:
        raise _forbidden("you are muted in this room: you can read, and take back what you said")


def _join(case: Case) -> str:
    return "join" if case.rules.kind == "public" else "join, or the code of an invitation,"


def _rewrite(case: Case, act: Rewrite, message: Message, limits: Limits) -> ActVerdict | None:
    if not _is_mine(case, message):
        raise Refusal("forbidden", "you can edit what you said yourself, and nothing else", field="seq")
    if case.role < case.rules.least_sender:
        raise _forbidden("your role in this room may not send, and so not edit")
    _refuse_deleted(message)
    if case.now - message.ts > limits.edit_window_s * 1000:
        raise Refusal("forbidden", _too_late(limits.edit_window_s), field="seq")
    if act.text == message.text:
        return None
    if message.edits >= limits.revisions:
        said = f"a message can be edited {limits.revisions} times; delete it, or send another"
        raise Refusal("limit_reached", said, field="seq")
    return _verdict("edited", message, text=act.text, **said_mentions(act))


def _too_late(window_s: float) -> str:
    if not window_s:
        return "messages cannot be edited on this server; delete it, or send another"
    return f"a message can be edited for {in_words(window_s)} after it was sent; delete it, or send another"


def said_mentions(act: Rewrite) -> dict[str, Any]:
    """The member `mentions` of a body, where there is one."""
    return {"mentions": Raw(act.said_mentions)} if act.said_mentions else {}


def _remove(case: Case, act: Remove, message: Message) -> ActVerdict | None:
    mine = _is_mine(case, message)
    if not (act.own if mine else act.others):
        needed: Permission = "send" if mine else "delete_message"
        raise Refusal("forbidden", f"that takes a key with the scope {SCOPE_OF[needed]}")
    if not mine:
        case.demand("delete_message")
    if message.deleted:
        return None
    more: dict[str, Any] = {} if message.thread is None else {"thread": message.thread}
    if act.reason:
        more["reason"] = act.reason
    return _verdict("deleted", message, audited=not mine, **more)


def _respond(case: Case, act: Respond, message: Message, limits: Limits) -> ActVerdict | None:
    case.demand("react")
    _refuse_deleted(message)
    if act.on == message.mine:
        return None
    if act.on and (
        message.reactions >= limits.reactions or (message.emojis >= limits.emojis and not message.has_emoji)
    ):
        said = f"a message has at most {limits.reactions} reactions, of at most {limits.emojis} kinds; use one it has"
        raise Refusal("limit_reached", said, field="emoji")
    return _verdict("reacted" if act.on else "unreacted", message, emoji=act.emoji)


def _stick(case: Case, act: Stick, message: Message, limits: Limits) -> ActVerdict | None:
    case.demand("pin")
    _refuse_deleted(message)
    if act.on == message.pinned:
        return None
    if act.on and message.pins >= limits.pins:
        raise Refusal("limit_reached", f"the room has {limits.pins} pinned messages; unpin one first", field="seq")
    return _verdict("pinned" if act.on else "unpinned", message)


def _refuse_deleted(message: Message) -> None:
    if message.deleted:
        raise Refusal("bad_state", f"the message {message.seq} was deleted", field="seq")


def _forbidden(said: str) -> Refusal:
    return Refusal("forbidden", said, field="room")


def _verdict(kind: ActKind, message: Message, *, audited: bool = False, **members: Any) -> ActVerdict:
    return ActVerdict(kind, quote({"target": message.seq} | members), audited)


def superseded_body(target: int) -> bytes:
    """Of an `edited` event whose text a later one, or a deletion, has made an old one."""
    return b'{"target":%d,"superseded":true}' % target
