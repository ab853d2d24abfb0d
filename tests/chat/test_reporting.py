"""Messages are reported and reports resolved; what was done in a room stands in its audit."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.chat.persons import done, give_role, hears_of, id_of, make, make_private, person, refused
from tests.nodes import LOOSE


async def garden(chat: Chat, **rules: str) -> tuple[Guest, Guest]:
    """Ann, who owns the room `garden`, and Bob, a member; both listen."""
    ann, bob = await person(chat, "ann"), await person(chat, "bob")
    await make(ann, room="garden", **rules)
    await ann.join("garden")
    await bob.join("garden")
    return ann, bob


async def report(guest: Guest, seq: int, reason: str = "spam") -> int:
    reply = await guest.ask("report", room="garden", seq=seq, reason=reason)
    assert reply["type"] == "reported", reply
    return int(reply["report"])


# reporting


async def test_a_report_waits_for_the_moderators_until_it_is_resolved(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        seq = await ann.say("garden", "buy this")
        number = await report(bob, seq)
        (waiting,) = (await ann.ask("reports", room="garden"))["reports"]
        assert {name: waiting[name] for name in ("report", "seq", "by", "reason")} == {
            "report": number, "seq": seq, "by": "bob", "reason": "spam",
        }  # fmt: skip
        assert waiting["at"].startswith("2026-01-01T")
        assert "resolved_by" not in waiting
        resolved = await ann.ask("resolve", room="garden", report=number, note="it was meant so")
        assert resolved == {"type": "resolved", "id": resolved["id"], "room": "garden", "report": number}
        assert (await ann.ask("reports", room="garden"))["reports"] == []
        (old,) = (await ann.ask("reports", room="garden", all=True))["reports"]
        assert (old["resolved_by"], old["note"]) == ("ann", "it was meant so")
        assert await refused(ann, "resolve", room="garden", report=number) == ("bad_field", "report")


async def test_the_same_report_twice_is_one(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        seq = await ann.say("garden", "buy this")
        assert await report(bob, seq) == await report(bob, seq, "still spam")
        assert len((await ann.ask("reports", room="garden"))["reports"]) == 1


async def test_guests_report_too(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await garden(chat)
        guest = await chat.guest_in("garden")
        seq = await ann.say("garden", "buy this")
        await report(guest, seq)
        assert [one["seq"] for one in (await ann.ask("reports", room="garden"))["reports"]] == [seq]


async def test_what_is_no_message_cannot_be_reported(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        _, bob = await garden(chat)
        for seq in (0, 1, 99):
            assert await refused(bob, "report", room="garden", seq=seq) == ("bad_field", "seq")


async def test_what_one_may_not_read_cannot_be_reported(autojump_clock: MockClock) -> None:
    """The answer is that of a message that never was: nobody finds out so what there is."""
    async with open_chat() as chat:
        ann, bob = await garden(chat, history="joined")
        seq = await ann.say("garden", "before")
        later = await person(chat, "cat")
        await later.join("garden")
        guest, listening = await chat.guest(), await chat.guest_in("garden")
        for who in (later, guest):
            said = await who.ask("report", room="garden", seq=seq)
            assert (said["code"], said["field"]) == ("bad_field", "seq")
        seq = await ann.say("garden", "after")
        for who in (bob, later, listening):
            await report(who, seq)


@pytest.mark.parametrize("act", ["ban", "edit_room"])
async def test_who_may_not_read_the_room_reports_nothing(act: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await garden(chat)
        guest = await chat.guest_in("garden")
        seq = await ann.say("garden", "buy this")
        fields = {"user": id_of(guest)} if act == "ban" else {"guests": False}
        await done(ann, act, room="garden", **fields)
        assert await refused(guest, "report", room="garden", seq=seq) == ("forbidden", "room")


async def test_one_person_has_so_many_open_reports_in_a_room(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        seqs = [await ann.say("garden", f"{number}") for number in range(LOOSE.open_reports + 1)]
        numbers = [await report(bob, seq) for seq in seqs[:-1]]
        assert (await refused(bob, "report", room="garden", seq=seqs[-1]))[0] == "limit_reached"
        await ann.ask("resolve", room="garden", report=numbers[0])
        await report(bob, seqs[-1])


async def test_reports_come_in_pages_oldest_first(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        numbers = [await report(bob, await ann.say("garden", f"{number}")) for number in range(5)]
        first = await ann.ask("reports", room="garden", limit=3)
        assert ([one["report"] for one in first["reports"]], first["more"]) == (numbers[:3], True)
        rest = await ann.ask("reports", room="garden", after=numbers[2], limit=3)
        assert ([one["report"] for one in rest["reports"]], rest["more"]) == (numbers[3:], False)


@pytest.mark.parametrize("command", ["reports", "resolve", "audit"])
async def test_members_see_neither_reports_nor_the_audit(command: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        number = await report(bob, await ann.say("garden", "buy this"))
        fields = {"report": number} if command == "resolve" else {}
        assert await refused(bob, command, room="garden", **fields) == ("forbidden", "room")


# the audit


async def test_the_audit_says_who_did_what_to_whom_why_when_and_from_where(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        await done(ann, "ban", room="garden", user="bob", reason="weeds")
        await hears_of(ann, "garden", "banned", "bob")
        (entry,) = (await ann.ask("audit", room="garden", limit=1))["entries"]
        assert {name: value for name, value in entry.items() if name not in ("entry", "at")} == {
            "by": "ann", "by_id": id_of(ann), "act": "ban", "user": "bob", "user_id": id_of(bob), "reason": "weeds",
            "address": "192.0.2.1",
        }  # fmt: skip
        assert entry["at"].startswith("2026-01-01T")


async def test_the_audit_comes_in_pages_newest_first_without_a_gap(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, bob = await garden(chat)
        await give_role(ann, "garden", bob, "moderator")
        for act in ("mute", "unmute", "kick"):
            await done(ann, act, room="garden", user="bob")
        whole = (await ann.ask("audit", room="garden"))["entries"]
        assert [entry["act"] for entry in whole] == ["kick", "unmute", "mute", "role", "create"]
        first = await ann.ask("audit", room="garden", limit=2)
        rest = await ann.ask("audit", room="garden", before=first["entries"][-1]["entry"], limit=10)
        assert first["more"] is True
        assert rest["more"] is False
        assert first["entries"] + rest["entries"] == whole


async def test_each_room_has_its_own_audit(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await garden(chat)
        room = await make_private(ann)
        await ann.ask("invite", room=room)
        assert [entry["act"] for entry in (await ann.ask("audit", room="garden"))["entries"]] == ["create"]
        assert len((await ann.ask("audit", room=room))["entries"]) == 2
