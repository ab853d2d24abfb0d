"""Pages of messages: in their present state, of the room or of a thread, whatever lies between. On both stores."""

from __future__ import annotations

from tests.store.conversing import body, seqs, talk_in
from trichat.chat.ports import Store
from trichat.core.present import TOMBSTONE


async def test_a_message_is_shown_as_it_is_now_with_its_last_change(store: Store) -> None:
    talk = await talk_in(store)
    plain, edited, deleted = [await talk.say(text) for text in ("plain", "first", "gone")]
    await talk.react(edited, "👍", by="bob")
    await talk.react(edited, "🎉")
    changed, gone = await talk.edit(edited, "second"), await talk.delete(deleted)
    messages, more = await talk.history()
    assert (seqs(messages), more) == ([plain, edited, deleted], False)
    assert [message.rev for message in messages] == [0, changed, gone]
    assert body(messages[0]) == {"text": "plain"}
    shown = body(messages[1])
    assert shown.pop("edited")
    assert shown == {
        "text": "second",
        "reactions": [{"emoji": "🎉", "count": 1, "mine": True}, {"emoji": "👍", "count": 1}],
    }
    assert messages[2].body == TOMBSTONE


async def test_what_is_mine_depends_on_who_looks(store: Store) -> None:
    talk = await talk_in(store)
    seq = await talk.say("hello")
    await talk.react(seq, "👍", by="bob")
    (message,), _ = await talk.history(viewer="bob")
    assert body(message)["reactions"] == [{"emoji": "👍", "count": 1, "mine": True}]
    (message,), _ = await talk.history(viewer="eve")
    assert body(message)["reactions"] == [{"emoji": "👍", "count": 1}]


async def test_a_pinned_message_says_so(store: Store) -> None:
    talk = await talk_in(store)
    seq = await talk.say("keep this")
    pin = await talk.pin(seq)
    (message,), _ = await talk.history()
    assert (message.rev, body(message)["pinned"]) == (pin, True)


async def test_replies_are_in_their_thread_alone(store: Store) -> None:
    talk = await talk_in(store)
    first, second = await talk.say("a"), await talk.say("b")
    replies = [await talk.say(f"reply {n}", thread=first) for n in range(5)]
    other = await talk.say("another thread", thread=second)
    last = await talk.say("c")
    assert seqs((await talk.history())[0]) == [first, second, last]
    assert seqs((await talk.history(thread=first))[0]) == replies
    assert seqs((await talk.history(thread=second))[0]) == [other]
    assert await talk.history(thread=last) == ([], False)
    root = body((await talk.history(limit=1, after=0))[0][0])
    assert (root["replies"], root["last_reply"]) == (5, replies[-1])


async def test_a_thread_is_paged_both_ways(store: Store) -> None:
    talk = await talk_in(store)
    root = await talk.say("root")
    replies = []
    for n in range(6):
        replies.append(await talk.say(f"reply {n}", thread=root))
        await talk.say(f"between {n}")

    async def page(*, before: int | None = None, after: int | None = None) -> tuple[list[int], bool]:
        messages, more = await talk.history(thread=root, limit=2, before=before, after=after)
        return seqs(messages), more

    assert await page() == (replies[4:], True)
    assert await page(before=replies[4]) == (replies[2:4], True)
    assert await page(before=replies[2]) == (replies[:2], False)
    assert await page(before=replies[0]) == ([], False)
    assert await page(after=0) == (replies[:2], True)
    assert await page(after=replies[3]) == (replies[4:], False)
    assert await page(after=replies[5]) == ([], False)


async def test_a_page_is_found_however_much_was_said_of_few_messages(store: Store) -> None:
    """More events between messages than are looked through at once: they are found by their numbers."""
    talk = await talk_in(store)
    messages = []
    for n in range(4):
        messages.append(await talk.say(f"message {n}"))
        for turn in range(250):
            await talk.react(messages[-1], "👍", on=turn % 2 == 0)
    tail = await talk.say("last")
    messages.append(tail)

    async def page(limit: int, *, before: int | None = None, after: int | None = None) -> tuple[list[int], bool]:
        found, more = await talk.history(limit=limit, before=before, after=after)
        return seqs(found), more

    assert await page(10) == (messages, False)
    assert await page(5) == (messages, False)
    assert await page(4) == (messages[1:], True)
    assert await page(2, before=tail) == (messages[2:4], True)
    assert await page(2, before=messages[2] + 100) == (messages[1:3], True)
    assert await page(9, before=messages[2]) == (messages[:2], False)
    assert await page(1, before=messages[0] + 1) == (messages[:1], False)
    assert await page(1, before=messages[0]) == ([], False)
    assert await page(3, after=messages[0]) == (messages[1:4], True)
    assert await page(4, after=messages[0]) == (messages[1:], False)
    assert await page(1, after=messages[3] + 5) == ([tail], False)
    assert await page(1, after=tail) == ([], False)
    assert await page(9, after=tail + 1_000) == ([], False)


async def test_what_a_message_got_counts_in_the_bytes_of_a_page(store: Store) -> None:
    talk = await talk_in(store)
    first = await talk.say("first")
    second = await talk.say("second")
    for n in range(5):
        await talk.react(second, f":e{n}:")
    everything, _ = await talk.history()
    size = sum(len(message.body) for message in everything)
    messages, more = await talk.history(max_bytes=size)
    assert (seqs(messages), more) == ([first, second], False)
    messages, more = await talk.history(max_bytes=size - 1)
    assert (seqs(messages), more) == ([second], True)
