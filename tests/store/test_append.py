"""The store's contract: what `append` promises. Run against the twin and PostgreSQL alike."""

from __future__ import annotations

from tests.store.conftest import Stage, open_room, said
from trichat.chat.ports import Store
from trichat.core.events import CidReused, Committed, Draft, Repeated, RoomGone
from trichat.core.names import RoomId, RoomName, UserId


async def _seqs(store: Store, *drafts: Draft) -> list[int]:
    """The numbers given to drafts that are all new."""
    outcomes = await store.append(drafts)
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    return [outcome.seq for outcome in outcomes if isinstance(outcome, Committed)]


async def test_each_room_is_numbered_from_1_without_a_gap_in_the_order_given(store: Store) -> None:
    lobby, dev = await open_room(store, "lobby"), await open_room(store, "dev")
    assert await _seqs(store, said(lobby), said(dev), said(lobby), said(lobby)) == [1, 1, 2, 3]
    assert await _seqs(store, said(dev), said(lobby), said(dev)) == [2, 4, 3]


async def test_events_of_one_batch_have_one_time_and_are_read_as_they_were_given(store: Store) -> None:
    lobby = await open_room(store)
    body = '{"text":"a \\u00e9 \\"b\\" ü 🦊",  "mentions": ["x"]}'.encode()  # spelled as no encoder would
    odd = Draft(lobby.id, lobby.name, "message", UserId("g_ö"), 'Ö"\\🦊', "c{1},\\ü", body, None)
    first, second = await store.append([odd, said(lobby)])
    assert isinstance(first, Committed)
    assert isinstance(second, Committed)
    assert first.ts == second.ts
    page = await store.read_events(lobby.id, after=0, limit=10, max_bytes=10_000)
    event = page.events[0]
    assert (event.kind, event.user_id, event.user, event.cid, event.body) == (
        odd.kind,
        odd.user_id,
        odd.user,
        odd.cid,
        body,
    )
    assert [event.ts for event in page.events] == [first.ts, first.ts]


async def test_time_is_in_milliseconds_since_1970_and_goes_on(stage: Stage) -> None:
    lobby = await open_room(stage.store)
    (before,) = await stage.store.append([said(lobby)])
    stage.let_pass(1)
    (after,) = await stage.store.append([said(lobby)])
    assert isinstance(before, Committed)
    assert isinstance(after, Committed)
    assert 1_700_000_000_000 < before.ts <= after.ts < 4_000_000_000_000


async def test_a_repeated_cid_gets_its_first_number_and_takes_none(store: Store) -> None:
    lobby = await open_room(store)
    assert await _seqs(store, said(lobby), said(lobby, "hi", cid="a1")) == [1, 2]
    outcomes = await store.append([said(lobby, "hi", cid="a1"), said(lobby, "next")])
    assert outcomes[0] == Repeated(2)
    assert isinstance(outcomes[1], Committed)
    assert outcomes[1].seq == 3


async def test_a_cid_repeated_in_one_batch_is_found(store: Store) -> None:
    lobby = await open_room(store)
    drafts = [said(lobby, "hi", cid="a"), said(lobby, "hi", cid="a"), said(lobby, "ho", cid="a"), said(lobby)]
    first, again, other, last = await store.append(drafts)
    assert isinstance(first, Committed)
    assert isinstance(last, Committed)
    assert (first.seq, again, other, last.seq) == (1, Repeated(1), CidReused(1), 2)


async def test_a_cid_with_other_content_is_refused(store: Store) -> None:
    lobby = await open_room(store)
    first = said(lobby, "hi", cid="a")
    await store.append([first])
    other_kind = Draft(lobby.id, lobby.name, "edited", first.user_id, first.user, "a", first.body)
    assert await store.append([said(lobby, "ho", cid="a"), other_kind]) == [CidReused(1), CidReused(1)]


async def test_a_cid_belongs_to_its_author_and_room(store: Store) -> None:
    lobby, dev = await open_room(store, "lobby"), await open_room(store, "dev")
    drafts = [said(lobby, "hi", cid="a"), said(lobby, "hi", cid="a", by="bob"), said(dev, "hi", cid="a")]
    assert await _seqs(store, *drafts) == [1, 2, 1]


async def test_a_cid_is_found_whatever_the_author_is_called_by_then(store: Store) -> None:
    lobby = await open_room(store)
    draft = said(lobby, "hi", cid="a")
    await store.append([draft])
    renamed = Draft(lobby.id, lobby.name, draft.kind, draft.user_id, "anna", "a", draft.body)
    assert await store.append([renamed]) == [Repeated(1)]


async def test_a_room_that_does_not_exist_is_gone_and_the_others_are_not(store: Store) -> None:
    lobby = await open_room(store)
    ghost = Draft(RoomId(999), RoomName("ghost"), "message", UserId("g_ann"), "ann", "a", b'{"text":"hi"}')
    gone, gone_too, stored = await store.append([ghost, ghost, said(lobby)])
    assert (gone, gone_too) == (RoomGone(), RoomGone())
    assert isinstance(stored, Committed)


async def test_nothing_to_append_is_nothing_done(store: Store) -> None:
    assert await store.append([]) == []


async def test_the_head_of_a_room_moves_with_its_log(store: Store) -> None:
    lobby = await open_room(store)
    assert lobby.head == 0
    await store.append([said(lobby, "hi", cid="a"), said(lobby), said(lobby, "hi", cid="a")])
    assert (await open_room(store)).head == 2


async def test_a_thousand_drafts_over_many_rooms_are_numbered_right(store: Store) -> None:
    names = [RoomName(f"room{n}") for n in range(250)]
    rooms = list((await store.open_rooms(names, create=True)).values())
    expected = [1 + n // 250 for n in range(1000)]
    assert await _seqs(store, *(said(rooms[n % 250], cid=str(n)) for n in range(1000))) == expected
