"""The store's contract: messages that are edited, deleted, reacted to and pinned. Twin and PostgreSQL alike."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.store.acting import bodies, did, log, message, put, reply, said
from tests.store.conftest import LIMITS, Stage
from tests.store.governed import ANN, BOB, CAT, GIL, GUS, ROOT, actor, joined, made, refused, says
from trichat.chat.ports import Store
from trichat.core.acts import Act, Remove, Respond, Rewrite, Stick
from trichat.core.changes import Archive, Ban, Edit, Mute, Quit
from trichat.core.conversation import Reaction, Revision
from trichat.core.events import CidReused, Person, Repeated, RoomRecord
from trichat.core.names import UserId
from trichat.core.standing import Role, RoomRules

UP = "👍"
EVERY_ACT: list[Act] = [Rewrite("new"), Remove(), Respond(UP), Respond(UP, on=False), Stick(), Stick(on=False)]


async def garden(store: Store, **rules: object) -> tuple[RoomRecord, int]:
    """A room of ann's with bob and the moderator cat in it, and the seq of what bob says."""
    room = await made(store, rules=RoomRules(**rules))  # type: ignore[arg-type]  # names of fields
    await joined(store, room, BOB)
    await joined(store, room, CAT, Role.MODERATOR)
    return room, await said(store, room, BOB, "a tree")


# editing


async def test_an_edit_is_an_event_and_the_message_says_the_new_text(store: Store) -> None:
    room, seq = await garden(store)
    acted = await did(store, room, BOB, seq, Rewrite("a bush"), cid="e1")
    assert acted.event is not None
    assert (acted.event.kind, acted.event.target, acted.event.cid, acted.repeated) == ("edited", seq, "e1", False)
    assert acted.seq == acted.event.seq == seq + 1
    assert await bodies(store, room, "edited") == [{"target": seq, "text": "a bush"}]
    assert (await log(store, room))[seq - 1].body == b'{"text":"a bush"}'
    (again,) = (await store.read_messages(room.id, before=None, after=None, limit=9, max_bytes=9_999)).messages
    assert (again.rev, again.ts <= acted.event.ts) == (acted.seq, True)
    shown = await message(store, room, seq)
    assert (shown["text"], shown["rev"]) == ("a bush", acted.seq)
    assert shown["edited"].endswith("Z")


async def test_of_several_edits_the_last_one_alone_has_a_text_in_the_log(store: Store) -> None:
    room, seq = await garden(store)
    for text in ("b", "c", "d"):
        await did(store, room, BOB, seq, Rewrite(text))
    old = {"target": seq, "superseded": True}
    assert await bodies(store, room, "edited") == [old, old, {"target": seq, "text": "d"}]


async def test_the_old_texts_are_kept_with_the_event_that_brought_each(store: Store) -> None:
    room, seq = await garden(store)
    sent_at = (await log(store, room))[seq - 1].ts
    first = (await did(store, room, BOB, seq, Rewrite("b"))).event
    assert first is not None
    await did(store, room, BOB, seq, Respond(UP))
    await did(store, room, BOB, seq, Rewrite("c"))
    old = [Revision(seq, sent_at, "a tree"), Revision(first.seq, first.ts, "b")]
    for person in (BOB, CAT, ANN, ROOT):
        assert await store.acts.revisions(room.id, actor(person), seq) == old
    other = await said(store, room, CAT)
    with refused("forbidden", words="moderator"):
        await store.acts.revisions(room.id, actor(BOB), other)
    assert await store.acts.revisions(room.id, actor(CAT), other) == []


async def test_an_edit_keeps_what_the_message_replies_to_and_replaces_whom_it_mentions(store: Store) -> None:
    room, seq = await garden(store)
    said_ann, said_cat = b'[{"user":"ann","user_id":"u_ann"}]', b'[{"user":"cat","user_id":"u_cat"}]'
    draft = structs.replace(
        says(BOB, room), body=b'{"text":"@ann","reply_to":%d,"mentions":%b}' % (seq, said_ann),
        mentions=(ANN.user_id,),
    )  # fmt: skip
    answer = await put(store, draft)
    await did(store, room, BOB, answer, Rewrite("@cat", (CAT.user_id,), said_cat))
    shown = await message(store, room, answer)
    assert (shown["text"], shown["reply_to"], shown["mentions"]) == ("@cat", seq, [{"user": "cat", "user_id": "u_cat"}])
    assert (await bodies(store, room, "edited"))[0]["mentions"] == [{"user": "cat", "user_id": "u_cat"}]
    await did(store, room, BOB, answer, Rewrite("nobody"))
    shown = await message(store, room, answer)
    assert (shown["text"], shown["reply_to"], "mentions" in shown) == ("nobody", seq, False)


async def test_the_same_text_changes_nothing(store: Store) -> None:
    room, seq = await garden(store)
    head = len(await log(store, room))
    acted = await did(store, room, BOB, seq, Rewrite("a tree"), cid="e1")
    assert (acted.event, acted.seq, acted.repeated) == (None, head, False)
    assert len(await log(store, room)) == head


async def test_nobody_edits_what_another_said(store: Store) -> None:
    room, seq = await garden(store)
    for person in (ANN, CAT, GUS):
        with refused("forbidden", "seq"):
            await did(store, room, person, seq, Rewrite("a weed"))


async def test_an_edit_needs_what_sending_needs(store: Store) -> None:
    room, seq = await garden(store)
    guests = await said(store, room, GUS)
    await store.governance.change(room.id, actor(ANN), Edit(send=Role.MEMBER))
    with refused("forbidden", "room"):
        await did(store, room, GUS, guests, Rewrite("new"))
    await did(store, room, BOB, seq, Rewrite("new"))


async def test_a_message_can_be_edited_for_a_while(stage: Stage) -> None:
    store = stage.store
    room, seq = await garden(store)
    stage.let_pass(LIMITS.edit_window_s - 60)
    await did(store, room, BOB, seq, Rewrite("in time"))
    stage.let_pass(120)
    with refused("forbidden", "seq", "for 24 hours after"):
        await did(store, room, BOB, seq, Rewrite("too late"))
    await did(store, room, BOB, seq, Remove())


async def test_a_message_can_be_edited_a_limited_number_of_times(store: Store) -> None:
    room, seq = await garden(store)
    for number in range(LIMITS.revisions):
        await did(store, room, BOB, seq, Rewrite(f"text {number}"))
    with refused("limit_reached", "seq"):
        await did(store, room, BOB, seq, Rewrite("once more"))
    assert len(await store.acts.revisions(room.id, actor(BOB), seq)) == LIMITS.revisions


# deleting


async def test_a_deleted_message_is_a_tombstone_without_anything_that_hung_on_it(store: Store) -> None:
    room, seq = await garden(store)
    await did(store, room, BOB, seq, Rewrite("a bush"))
    await did(store, room, ANN, seq, Respond(UP))
    await did(store, room, ANN, seq, Stick())
    acted = await did(store, room, BOB, seq, Remove("mine"))
    assert await bodies(store, room, "deleted") == [{"target": seq, "reason": "mine"}]
    assert await bodies(store, room, "edited") == [{"target": seq, "superseded": True}]
    assert await message(store, room, seq, ANN.user_id) == {"deleted": True, "rev": acted.seq}
    assert await store.acts.revisions(room.id, actor(BOB), seq) == []
    assert await store.acts.reactions(room.id, actor(BOB), seq, after="", limit=9) == []
    assert await store.acts.pins(room.id, actor(BOB)) == []


async def test_what_is_deleted_can_be_deleted_again_and_nothing_else(store: Store) -> None:
    room, seq = await garden(store)
    await did(store, room, BOB, seq, Remove())
    head = len(await log(store, room))
    again = await did(store, room, CAT, seq, Remove())
    assert (again.event, again.seq) == (None, head)
    for act in (Respond(UP), Respond(UP, on=False), Stick(), Stick(on=False)):
        with refused("bad_state", "seq"):
            await did(store, room, ANN, seq, act)
    with refused("bad_state", "seq"):
        await did(store, room, BOB, seq, Rewrite("back"))
    assert len(await log(store, room)) == head


async def test_moderators_delete_what_others_said_and_it_is_audited(store: Store) -> None:
    room, seq = await garden(store)
    with refused("forbidden", "room", "moderator"):
        await did(store, room, BOB, await said(store, room, ANN), Remove())
    await did(store, room, CAT, seq, Remove("weeds"))
    entry = (await store.governance.audit(room.id, actor(ANN), before=None, limit=1))[0]
    assert (entry.act, entry.actor, entry.target, entry.target_id) == ("delete_message", "cat", "bob", "u_bob")
    assert (entry.reason, entry.address) == ("weeds", "192.0.2.1")


async def test_deleting_ones_own_is_not_audited(store: Store) -> None:
    room, seq = await garden(store)
    await did(store, room, BOB, seq, Remove())
    acts = [entry.act for entry in await store.governance.audit(room.id, actor(ANN), before=None, limit=99)]
    assert "delete_message" not in acts


async def test_the_deletion_of_a_reply_names_the_thread_and_changes_its_root(store: Store) -> None:
    room, root = await garden(store)
    answer = await put(store, reply(room, ANN, root))
    acted = await did(store, room, ANN, answer, Remove())
    assert await bodies(store, room, "deleted") == [{"target": answer, "thread": root}]
    assert (await log(store, room))[answer - 1].body == b'{"deleted":true,"thread":%d}' % root
    assert (await message(store, room, root))["rev"] == acted.seq


# reacting


async def test_reactions_are_counted_and_listed_by_emoji_and_person(store: Store) -> None:
    room, seq = await garden(store)
    for person, emoji in ((CAT, UP), (ANN, UP), (GUS, ":tada:")):
        acted = await did(store, room, person, seq, Respond(emoji))
    assert (await bodies(store, room, "reacted"))[0] == {"target": seq, "emoji": UP}
    shown = await message(store, room, seq, ANN.user_id)
    assert shown["reactions"] == [{"emoji": ":tada:", "count": 1}, {"emoji": UP, "count": 2, "mine": True}]
    assert shown["rev"] == acted.seq
    listed = [
        Reaction(":tada:", "gus", GUS.user_id),
        Reaction(UP, "ann", ANN.user_id),
        Reaction(UP, "cat", CAT.user_id),
    ]
    assert await store.acts.reactions(room.id, actor(BOB), seq, after="", limit=9) == listed
    assert await store.acts.reactions(room.id, actor(BOB), seq, after="", limit=2) == listed[:2]
    assert await store.acts.reactions(room.id, actor(BOB), seq, after=f"{UP}/u_ann", limit=9) == listed[2:]
    assert await store.acts.reactions(room.id, actor(BOB), seq, after="nonsense\U0010ffff", limit=9) == listed[1:]


async def test_a_reaction_is_put_and_taken_back_once(store: Store) -> None:
    room, seq = await garden(store)
    assert (await did(store, room, ANN, seq, Respond(UP, on=False))).event is None
    assert (await did(store, room, ANN, seq, Respond(UP))).event is not None
    assert (await did(store, room, ANN, seq, Respond(UP))).event is None
    assert (await did(store, room, ANN, seq, Respond(UP, on=False))).event is not None
    assert "reactions" not in await message(store, room, seq)


async def test_a_message_has_a_limited_number_of_different_reactions(store: Store) -> None:
    room, seq = await garden(store)
    for number in range(LIMITS.emojis):
        await did(store, room, ANN, seq, Respond(f":e{number}:"))
    with refused("limit_reached", "emoji"):
        await did(store, room, BOB, seq, Respond(":more:"))
    await did(store, room, BOB, seq, Respond(":e0:"))


async def test_a_message_has_a_limited_number_of_reactions(store: Store) -> None:
    room, seq = await garden(store)
    crowd = [Person(f"p{n}", UserId(f"g_p{n}")) for n in range(LIMITS.reactions // LIMITS.emojis)]
    for person in crowd:
        for number in range(LIMITS.emojis):
            await did(store, room, person, seq, Respond(f":e{number}:"))
    with refused("limit_reached", "emoji"):
        await did(store, room, BOB, seq, Respond(":e0:"))
    assert len(await store.acts.reactions(room.id, actor(BOB), seq, after="", limit=9_999)) == LIMITS.reactions


# pinning


async def test_pins_are_listed_the_last_pinned_first(store: Store) -> None:
    room, one = await garden(store)
    two, three = await said(store, room, BOB, "two"), await said(store, room, BOB, "three")
    for seq in (two, one, three):
        acted = await did(store, room, CAT, seq, Stick())
    assert (await bodies(store, room, "pinned"))[0] == {"target": two}
    assert (await message(store, room, three))["pinned"] is True
    assert [(pin.message.seq, pin.message.rev) for pin in await store.acts.pins(room.id, actor(BOB))] == [
        (three, acted.seq), (one, acted.seq - 1), (two, acted.seq - 2)
    ]  # fmt: skip
    assert (await did(store, room, CAT, one, Stick())).event is None
    await did(store, room, CAT, one, Stick(on=False))
    assert (await did(store, room, CAT, one, Stick(on=False))).event is None
    assert [pin.message.seq for pin in await store.acts.pins(room.id, actor(BOB))] == [three, two]
    with refused("forbidden", "room", "moderator"):
        await did(store, room, BOB, one, Stick())


async def test_a_room_has_a_limited_number_of_pins(store: Store) -> None:
    room, seq = await garden(store)
    for _ in range(LIMITS.pins):
        await did(store, room, ANN, await said(store, room, ANN), Stick())
    with refused("limit_reached", "seq"):
        await did(store, room, ANN, seq, Stick())
    assert len(await store.acts.pins(room.id, actor(BOB))) == LIMITS.pins


# repeating


@pytest.mark.parametrize("act", [Rewrite("new"), Remove("why"), Respond(UP), Stick()])
async def test_a_repeated_cid_gives_the_event_of_then(act: Act, store: Store) -> None:
    room = (await garden(store))[0]
    seq = await said(store, room, ANN)
    first = await did(store, room, ANN, seq, act, cid="c1")
    await said(store, room, BOB)
    again = await did(store, room, ANN, seq, act, cid="c1")
    assert (again.seq, again.repeated) == (first.seq, True)
    assert again.event is not None
    assert (again.event.seq, again.event.kind) == (first.seq, first.event.kind if first.event else None)
    other = await said(store, room, ANN)
    with refused("cid_reused", "cid", str(first.seq)):
        await did(store, room, ANN, other, act, cid="c1")
    (outcome,) = await store.append([says(ANN, room, cid="c1")])
    assert outcome == CidReused(first.seq)


async def test_whom_an_edit_mentions_does_not_count_when_it_is_repeated(store: Store) -> None:
    room, seq = await garden(store)
    first = await did(
        store, room, BOB, seq, Rewrite("@ann", (ANN.user_id,), b'[{"user":"ann","user_id":"u_ann"}]'), cid="c1"
    )
    again = await did(store, room, BOB, seq, Rewrite("@ann"), cid="c1")
    assert (again.seq, again.repeated) == (first.seq, True)


async def test_the_cid_of_a_message_is_known_after_its_edit_and_its_deletion(store: Store) -> None:
    room, _ = await garden(store)
    seq = await said(store, room, BOB, "once", cid="m1")
    await did(store, room, BOB, seq, Rewrite("twice"))
    await did(store, room, BOB, seq, Remove())
    assert await store.append([says(BOB, room, "once", cid="m1")]) == [Repeated(seq)]
    with refused("cid_reused", "cid"):
        await did(store, room, BOB, seq, Remove(), cid="m1")


# who may, and about what


@pytest.mark.parametrize("act", EVERY_ACT)
async def test_what_is_no_message_cannot_be_acted_on(act: Act, store: Store) -> None:
    room, _ = await garden(store)
    head = len(await log(store, room))
    for seq in (0, -1, 1, 2**63):
        with refused("bad_field", "seq"):
            await did(store, room, ANN, seq, act)
    with refused("bad_field", "seq", f"no message {head + 1} yet"):
        await did(store, room, ANN, head + 1, act)


@pytest.mark.parametrize("act", EVERY_ACT)
async def test_who_may_not_see_a_room_finds_none(act: Act, store: Store) -> None:
    room = await made(store, kind="private")
    seq = await said(store, room, ANN)
    for person in (BOB, GUS, ROOT):
        with refused("no_such_room", "room"):
            await did(store, room, person, seq, act)
        with refused("no_such_room", "room"):
            await store.acts.reactions(room.id, actor(person), seq, after="", limit=9)
        with refused("no_such_room", "room"):
            await store.acts.pins(room.id, actor(person))
        with refused("no_such_room", "room"):
            await store.acts.revisions(room.id, actor(person), seq)


@pytest.mark.parametrize("act", EVERY_ACT)
async def test_an_account_that_is_no_member_acts_on_nothing(act: Act, store: Store) -> None:
    room, seq = await garden(store)
    mine = await said(store, room, BOB)
    await store.governance.change(room.id, actor(BOB), Quit())
    for place in (seq, mine):
        with refused("forbidden", "room", "no member"):
            await did(store, room, BOB, place, act)


@pytest.mark.parametrize("act", EVERY_ACT)
async def test_nothing_is_done_in_an_archived_room(act: Act, store: Store) -> None:
    room, _ = await garden(store)
    seq = await said(store, room, ANN)
    await store.governance.change(room.id, actor(ANN), Archive())
    with refused("forbidden", "room", "archived"):
        await did(store, room, ANN, seq, act)
    assert await store.acts.pins(room.id, actor(BOB)) == []


@pytest.mark.parametrize("act", EVERY_ACT)
async def test_who_is_banned_does_and_sees_nothing(act: Act, store: Store) -> None:
    room, _ = await garden(store)
    seq = await said(store, room, GUS)
    for person in (BOB, GUS):
        await store.governance.change(room.id, actor(ANN), Ban(reason="weeds"), target=person)
        with refused("forbidden", "room", "weeds"):
            await did(store, room, person, seq, act)
        with refused("forbidden", "room", "weeds"):
            await store.acts.reactions(room.id, actor(person), seq, after="", limit=9)


@pytest.mark.parametrize("person", [BOB, GUS])
async def test_who_is_muted_may_take_back_what_they_said_and_nothing_else(person: Person, store: Store) -> None:
    room, _ = await garden(store)
    seq, others = await said(store, room, person), await said(store, room, ANN)
    await store.governance.change(room.id, actor(ANN), Mute(), target=person)
    for act in EVERY_ACT:
        with refused("forbidden", "room", "muted"):
            await did(store, room, person, others, act)
        if not isinstance(act, Remove):
            with refused("forbidden", "room", "muted"):
                await did(store, room, person, seq, act)
    await did(store, room, person, seq, Remove())


async def test_guests_act_where_they_may_come_in(store: Store) -> None:
    room, seq = await garden(store)
    mine = await said(store, room, GUS)
    await did(store, room, GUS, seq, Respond(UP))
    await did(store, room, GUS, mine, Rewrite("hello"))
    with refused("forbidden", "room"):
        await did(store, room, GUS, seq, Stick())
    await store.governance.change(room.id, actor(ANN), Edit(guests=False))
    with refused("forbidden", "room", "guests"):
        await did(store, room, GUS, mine, Remove())
    with refused("forbidden"):
        await store.acts.pins(room.id, actor(GUS))


async def test_what_was_said_before_one_came_is_as_if_it_were_not(store: Store) -> None:
    room, early = await garden(store, history="joined")
    await did(store, room, CAT, early, Stick())
    late = Person("late", UserId("u_late"))
    await joined(store, room, late)
    seq = await said(store, room, BOB)
    missing = f"no message {early} in"
    for act in EVERY_ACT:
        with refused("bad_field", "seq", missing):
            await did(store, room, late, early, act)
    with refused("bad_field", "seq", missing):
        await store.acts.reactions(room.id, actor(late), early, after="", limit=9)
    with refused("bad_field", "seq", missing):
        await store.acts.revisions(room.id, actor(late), early)
    assert await store.acts.pins(room.id, actor(late)) == []
    await did(store, room, late, seq, Respond(UP))


async def test_who_came_back_where_history_is_for_members_does_not_see_their_own_words_of_before(store: Store) -> None:
    room, seq = await garden(store, history="joined")
    await store.governance.change(room.id, actor(BOB), Quit())
    await joined(store, room, BOB)
    for act in EVERY_ACT:
        with refused("bad_field", "seq"):
            await did(store, room, BOB, seq, act)


async def test_a_guest_where_history_is_for_members_acts_on_their_own_words_alone(store: Store) -> None:
    room, seq = await garden(store, history="joined")
    mine = await said(store, room, GIL)
    with refused("bad_field", "seq"):
        await did(store, room, GIL, seq, Respond(UP))
    await did(store, room, GIL, mine, Rewrite("hello"))
    await did(store, room, GIL, mine, Remove())


async def test_who_administers_the_server_acts_as_an_owner_in_public_rooms(store: Store) -> None:
    room, seq = await garden(store)
    await did(store, room, ROOT, seq, Stick())
    await did(store, room, ROOT, seq, Remove("abuse"))


async def test_a_key_takes_back_the_messages_that_it_is_for(store: Store) -> None:
    room, seq = await garden(store)
    mine = await said(store, room, CAT)
    with refused("forbidden", words="moderate"):
        await did(store, room, CAT, seq, Remove(others=False))
    with refused("forbidden", words="send"):
        await did(store, room, CAT, mine, Remove(own=False))
    await did(store, room, CAT, seq, Remove(own=False))
    await did(store, room, CAT, mine, Remove(others=False))
