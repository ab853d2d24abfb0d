"""Each command of the protocol has its method: what it says, what it returns, and how often it may be said."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.client.fake_server import URL, FakeServer, Frame, Peer
from tests.client.saying import Call, answer_after_loss, assert_counts_once, the_server_understands
from trichat.client import ConnectionLost, open_client

ACK: Frame = {"type": "ack", "room": "garden", "seq": 7}
ROOM: Frame = {
    "type": "room", "room": "garden", "kind": "public", "title": "", "topic": "", "role": "owner", "member_limit": 0,
    "slow_s": 0, "send": "guest", "history": "all", "guests": True, "archived": False, "language": "simple",
    "retention_days": 0, "seq": 2, "epoch": "k1",
}  # fmt: skip
PROFILE: Frame = {
    "type": "profile", "user": "ann", "user_id": "u_1", "display_name": "Ann", "about": "", "avatar": "",
    "locale": "", "time_zone": "",
}  # fmt: skip
WHOIS: Frame = {
    "type": "whois", "user": "bob", "user_id": "u_2", "kind": "person", "created": "2026-11-24T05:50:00.123Z",
    "display_name": "", "about": "", "avatar": "",
}  # fmt: skip
LOGIN: Frame = {"session": "k_1", "device": "phone", "address": "", "created": "", "seen": "", "current": True}
OK: Frame = {"type": "ok", "for": "", "user": "ann", "user_id": "u_1"}

#: Calls that become an event: each gets a `cid`, and is repeated with it.
CHANGES: dict[str, tuple[Call, Frame]] = {
    "edit_room": (lambda c: c.edit_room("garden", topic="roses", guests=False), {"topic": "roses", "guests": False}),
    "archive": (lambda c: c.archive("garden", archived=False), {"archived": False}),
    "invite": (lambda c: c.invite("garden", "bob"), {"user": "bob"}),
    "kick": (lambda c: c.kick("garden", "bob", reason="enough"), {"user": "bob", "reason": "enough"}),
    "ban": (lambda c: c.ban("garden", "bob", for_s=60, reason="no"), {"user": "bob", "for_s": 60, "reason": "no"}),
    "unban": (lambda c: c.unban("garden", "bob"), {"user": "bob"}),
    "mute": (lambda c: c.mute("garden", "bob", for_s=60), {"user": "bob", "for_s": 60}),
    "unmute": (lambda c: c.unmute("garden", "bob"), {"user": "bob"}),
    "role": (lambda c: c.set_role("garden", "bob", "admin"), {"user": "bob", "role": "admin"}),
    "transfer": (lambda c: c.transfer("garden", "bob"), {"user": "bob"}),
}

#: Calls that do no harm when they are repeated: what they say, the reply, and a part of what they return.
QUESTIONS: list[tuple[Call, Frame, Frame]] = [
    (lambda c: c.room("garden"), {"type": "room", "room": "garden"}, ROOM),
    (lambda c: c.direct("bob"), {"type": "direct", "user": "bob"}, ROOM),
    (lambda c: c.my_rooms(after="a"), {"type": "rooms", "mine": True, "after": "a"},
     {"type": "rooms", "rooms": [{"room": "~x", "kind": "private", "title": "", "role": "owner", "seq": 1}],
      "more": False}),
    (lambda c: c.invites("garden"), {"type": "invites", "room": "garden"},
     {"type": "invites", "room": "garden", "invites": [{"code": "abc", "made_by": "ann", "uses": 1, "expires": ""}]}),
    (lambda c: c.accept("abc"), {"type": "accept", "code": "abc"}, {"type": "accepted", "room": "garden", "seq": 3}),
    (lambda c: c.roster("garden", limit=5), {"type": "roster", "room": "garden", "limit": 5},
     {"type": "roster", "room": "garden", "more": False,
      "members": [{"user": "ann", "user_id": "u_1", "role": "owner", "since": 1}]}),
    (lambda c: c.bans("garden"), {"type": "bans", "room": "garden"},
     {"type": "bans", "room": "garden", "more": False,
      "people": [{"user": "bob", "user_id": "u_2", "banned": True, "muted": False, "reason": ""}]}),
    (lambda c: c.report("garden", 7, reason="spam"), {"type": "report", "room": "garden", "seq": 7, "reason": "spam"},
     {"type": "reported", "room": "garden", "report": 1}),
    (lambda c: c.reports("garden", all=True), {"type": "reports", "room": "garden", "all": True},
     {"type": "reports", "room": "garden", "more": False,
      "reports": [{"report": 1, "seq": 7, "by": "bob", "reason": "spam", "at": ""}]}),
    (lambda c: c.audit("garden", before=9), {"type": "audit", "room": "garden", "before": 9},
     {"type": "audit", "room": "garden", "more": False,
      "entries": [{"entry": 1, "at": "", "by": "ann", "act": "ban", "reason": "", "address": ""}]}),
    (lambda c: c.whois("bob"), {"type": "whois", "user": "bob"}, WHOIS),
    (lambda c: c.profile(display_name="Ann"), {"type": "profile", "display_name": "Ann"}, PROFILE),
    (lambda c: c.rename("anna"), {"type": "rename", "name": "anna"}, OK | {"user": "anna"}),
    (lambda c: c.sessions(), {"type": "sessions"}, {"type": "sessions", "sessions": [LOGIN]}),
    (lambda c: c.revoke_others(), {"type": "revoke", "all": True}, OK),
    (lambda c: c.logout(), {"type": "logout"}, OK),
    (lambda c: c.offer_totp(), {"type": "totp"}, {"type": "totp", "secret": "ABC", "uri": "otpauth://…"}),
    (lambda c: c.drop_totp("secret"), {"type": "totp", "off": True, "password": "secret"}, OK),
    (lambda c: c.block("bob"), {"type": "block", "user": "bob"}, OK),
    (lambda c: c.unblock("bob"), {"type": "unblock", "user": "bob"}, OK),
    (lambda c: c.blocks(), {"type": "blocks"}, {"type": "blocks", "blocked": [{"user": "bob", "user_id": "u_2"}]}),
]  # fmt: skip

#: Calls that are given once: of a lost connection the caller hears.
ONCE: list[tuple[Call, Frame, Frame]] = [
    (lambda c: c.create("garden", title="The garden", slow_s=5),
     {"type": "create", "kind": "public", "room": "garden", "title": "The garden", "slow_s": 5}, ROOM),
    (lambda c: c.create(kind="private"), {"type": "create", "kind": "private"}, ROOM),
    (lambda c: c.delete_room("garden"), {"type": "delete_room", "room": "garden"},
     {"type": "deleted", "room": "garden"}),
    (lambda c: c.invite_code("garden", uses=3), {"type": "invite", "room": "garden", "uses": 3},
     {"type": "invite", "room": "garden", "code": "abc", "uses": 3, "expires": ""}),
    (lambda c: c.uninvite("garden", "abc"), {"type": "uninvite", "room": "garden", "code": "abc"},
     {"type": "uninvited", "room": "garden"}),
    (lambda c: c.resolve("garden", 1, note="done"), {"type": "resolve", "room": "garden", "report": 1, "note": "done"},
     {"type": "resolved", "room": "garden", "report": 1}),
    (lambda c: c.change_password("old", "new"), {"type": "password", "old": "old", "new": "new"}, OK),
    (lambda c: c.recover("abc", "new"), {"type": "recover", "code": "abc", "password": "new"}, OK | {"token": "u.2"}),
    (lambda c: c.revoke("k_1"), {"type": "revoke", "session": "k_1"}, OK),
    (lambda c: c.confirm_totp("123456"), {"type": "totp", "code": "123456"}, OK),
]  # fmt: skip


def kinds_said() -> set[str]:
    return {*CHANGES, *(said["type"] for _, said, _ in (*QUESTIONS, *ONCE))}


@pytest.mark.parametrize("kind", CHANGES)
async def test_a_change_counts_once_however_often_it_is_said(
    nursery: trio.Nursery, autojump_clock: MockClock, kind: str
) -> None:
    call, fields = CHANGES[kind]
    await assert_counts_once(nursery, kind, call, fields)


@pytest.mark.parametrize(("call", "said", "reply"), QUESTIONS)
async def test_what_does_no_harm_is_asked_again_after_a_lost_connection(
    nursery: trio.Nursery, autojump_clock: MockClock, call: Call, said: Frame, reply: Frame
) -> None:
    await answer_after_loss(nursery, call, said, reply)


@pytest.mark.parametrize(("call", "said", "reply"), ONCE)
async def test_what_might_be_done_twice_is_said_once(
    nursery: trio.Nursery, autojump_clock: MockClock, call: Call, said: Frame, reply: Frame
) -> None:
    heard: list[Frame] = []

    async def reply_then_cut(peer: Peer) -> None:
        await peer.let_in("auth")
        heard.append(await peer.hear())
        await peer.answer(heard[0], reply)
        await peer.hear()
        await peer.cut()

    async def stay(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, reply_then_cut, stay).connect) as client:
        await call(client)
        with pytest.raises(ConnectionLost):
            await call(client)
        await client.ping()
    assert heard == [{**said, "id": heard[0]["id"]}]
    assert the_server_understands(heard[0])


async def test_replies_come_as_types(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.answer(await peer.expect("create"), ROOM | {"room": "~abc", "kind": "private"})
        await peer.answer(await peer.expect("whois"), WHOIS)
        await peer.answer(await peer.expect("sessions"), {"type": "sessions", "sessions": [LOGIN]})
        await peer.answer(await peer.expect("rename"), OK | {"user": "anna"})
        await peer.answer(await peer.expect("recover"), OK | {"token": "u.2"})
        await peer.stay()

    async with open_client(URL, token="u.1", connect=FakeServer(nursery, script).connect) as client:
        room = await client.create(kind="private")
        assert (room.room, room.kind, room.role, room.guests) == ("~abc", "private", "owner", True)
        assert (await client.whois("bob")).user_id == "u_2"
        assert [(login.session, login.current) for login in await client.sessions()] == [("k_1", True)]
        await client.rename("anna")
        assert client.user == "anna"
        await client.recover("abc", "a new password")
        assert client.token == "u.2"
