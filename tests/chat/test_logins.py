"""Logins and what else a connection of an account rests on: when it ends, connections end at every node."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.chat.guests import Chat, Guest, open_chat
from tests.nodes import LOOSE, Node
from tests.people import make_account, make_bot
from trichat.chat.vault_port import OutsideIdentity
from trichat.core.accounts import Account
from trichat.core.chance import Chance
from trichat.core.names import UserId
from trichat.core.tokens import token_hash
from trichat.store.memory import MemoryStore
from trichat.store.memory_accounts import MemoryAccounts

PASSWORD: Final = "correct horse battery"
#: Seconds within which a connection must be closed when what it rests on ends anywhere: issue 3.
CLOSED_S: Final = 1.0
#: The same while the bridge is away.
CLOSED_WITHOUT_BRIDGE_S: Final = 5.0


async def arrived(chat: Chat, token: str, node: Node | None = None) -> Guest:
    guest = await chat.guest(node)
    reply = await guest.ask("auth", token=token)
    assert reply["type"] == "ok", reply
    return guest


async def login(chat: Chat, name: str, node: Node | None = None, **fields: Any) -> Guest:
    """A new login of an account whose password is PASSWORD."""
    guest = await chat.guest(node)
    reply = await guest.ask("login", name=name, password=PASSWORD, **fields)
    assert reply["type"] == "ok", reply
    return guest


async def registered(chat: Chat, name: str, **fields: Any) -> tuple[Guest, str]:
    guest = await chat.guest()
    reply = await guest.ask("register", name=name, password=PASSWORD, **fields)
    assert reply["type"] == "ok", reply
    return guest, reply["token"]


async def closed(guest: Guest, within_s: float = CLOSED_S, code: int = 4009) -> None:
    await guest.until(lambda: guest.closed is not None, within_s)
    assert guest.closed == code


async def stays(*guests: Guest) -> None:
    """Nobody of these is closed, for longer than any end takes to be heard of."""
    await trio.sleep(40)
    for guest in guests:
        assert (await guest.ask("ping"))["type"] == "pong"


def user_of(chat: Chat, name: str) -> UserId:
    return next(user.account.user_id for user in chat.store.users.values() if user.account.name == name)


# the list


async def test_sessions_are_listed_with_device_address_and_times_and_which_is_this(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await registered(chat, "ann", device="laptop")
        phone = await login(chat, "ann", device="phone")
        listed = (await phone.ask("sessions"))["sessions"]
        assert [list(one) for one in listed] == [["session", "device", "address", "created", "seen", "current"]] * 2
        assert {(one["device"], one["address"], one["current"]) for one in listed} == {
            ("phone", "192.0.2.1", True), ("laptop", "192.0.2.1", False),
        }  # fmt: skip
        assert all(one["session"].startswith("k_") and one["seen"] >= one["created"] for one in listed)
        assert [one["current"] for one in (await ann.ask("sessions"))["sessions"]] != [one["current"] for one in listed]


# ending


async def test_logout_is_answered_and_closes_with_1000_and_the_token_is_worth_nothing(
    autojump_clock: MockClock,
) -> None:
    async with open_chat(nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        twins = [await arrived(chat, token, node) for node in chat.nodes]
        other = await login(chat, "ann")
        assert (await ann.ask("logout"))["for"] == "logout"
        await closed(ann, code=1000)
        assert ann.all_of("goodbye")[-1]["code"] == 1000
        for twin in twins:
            await closed(twin)
        assert (await (await chat.guest()).ask("auth", token=token))["code"] == "unauthenticated"
        await stays(other)


@pytest.mark.parametrize("all_", [True, False])
async def test_who_is_revoked_is_closed_on_every_node_and_nobody_else_is(all_: bool, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=3) as chat:
        ann, _ = await registered(chat, "ann")
        lost, token = await registered(chat, "bob")
        bob = await login(chat, "bob", chat.nodes[1])
        revoked = [lost, *[await arrived(chat, token, node) for node in chat.nodes]]
        listed = (await bob.ask("sessions"))["sessions"]
        (session,) = (one["session"] for one in listed if not one["current"])
        await bob.ask("revoke", **({"all": True} if all_ else {"session": session}))
        for guest in revoked:
            await closed(guest)
        assert [one["current"] for one in (await bob.ask("sessions"))["sessions"]] == [True]
        await stays(ann, bob)


async def test_ones_own_session_can_be_revoked_too(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, token = await registered(chat, "ann")
        (own,) = (await ann.ask("sessions"))["sessions"]
        assert (await ann.ask("revoke", session=own["session"]))["for"] == "revoke"
        await closed(ann, code=1000)
        assert (await (await chat.guest()).ask("auth", token=token))["code"] == "unauthenticated"


@pytest.mark.parametrize("fields", [{}, {"session": "k_nobodys"}, {"session": "k_x", "all": True}, {"session": 3}])
async def test_what_cannot_be_revoked_names_the_field(fields: dict[str, Any], autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await registered(chat, "ann")
        error = await ann.ask("revoke", **fields)
        assert (error["code"], error["field"]) == ("bad_field", "session")


async def test_nobody_ends_the_sessions_of_others(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await registered(chat, "ann")
        bob, _ = await registered(chat, "bob")
        (hers,) = (await ann.ask("sessions"))["sessions"]
        assert (await bob.ask("revoke", session=hers["session"]))["code"] == "bad_field"
        await stays(ann)


async def test_a_changed_password_closes_all_but_the_one_that_changed_it(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        others = [await login(chat, "ann", node) for node in chat.nodes]
        same = await arrived(chat, token, chat.nodes[1])
        assert (await ann.ask("password", old=PASSWORD, new="another horse"))["for"] == "password"
        for other in others:
            await closed(other)
        await stays(ann, same)


async def test_a_deactivated_account_is_closed_everywhere_though_nobody_says_so(autojump_clock: MockClock) -> None:
    """The command line has no bridge."""
    async with open_chat(nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        elsewhere = await arrived(chat, token, chat.nodes[1])
        bob, _ = await registered(chat, "bob")
        await chat.store.administration.set_active(user_of(chat, "ann"), False, operator="test")
        await closed(ann)
        await closed(elsewhere)
        for reply in (
            await (await chat.guest()).ask("auth", token=token),
            await (await chat.guest()).ask("login", name="ann", password=PASSWORD),
        ):
            assert reply["code"] == "unauthenticated"
        await stays(bob)


async def test_who_comes_back_after_an_end_is_not_closed_by_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann, _ = await registered(chat, "ann")
        me = user_of(chat, "ann")
        await chat.store.administration.set_active(me, False, operator="test")
        await closed(ann)
        await chat.store.administration.set_active(me, True, operator="test")
        await stays(await login(chat, "ann"))


async def test_a_key_that_is_ended_closes_its_bot(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        key = await make_bot(chat.store, "robot", ["read"])
        bots = [await arrived(chat, key, node) for node in chat.nodes]
        await chat.store.administration.end_key(next(iter(chat.store.keys)), operator="test")
        for bot in bots:
            await closed(bot)
        assert (await (await chat.guest()).ask("auth", token=key))["code"] == "unauthenticated"


async def test_a_bot_with_a_rotated_key_comes_back_with_the_new_one(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        old = await arrived(chat, await make_bot(chat.store, "robot", ["read"]))
        new, key_id = Chance().token("b"), next(iter(chat.store.keys))
        await chat.store.administration.rotate_key(key_id, "b_new", token_hash(new), operator="test")
        await closed(old)
        await stays(await arrived(chat, new))


async def test_a_bot_is_an_account_but_manages_none(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "ann")
        bot = await arrived(chat, await make_bot(chat.store, "robot", ["read", "send"]))
        assert (await bot.ask("whois", user="robot"))["kind"] == "bot"
        for command, fields in (("logout", {}), ("sessions", {}), ("rename", {"name": "r"}), ("totp", {})):
            assert (await bot.ask(command, **fields))["code"] == "forbidden"
        error = await (await chat.guest()).ask("login", name="robot", password=PASSWORD)
        assert (error["code"], error["field"]) == ("unauthenticated", "password")


@pytest.mark.parametrize("fault", ["cut", "stop", "lose"])
async def test_an_end_is_heard_of_without_the_bridge(fault: str, autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        elsewhere = await arrived(chat, token, chat.nodes[1])
        await trio.sleep(5)
        if fault == "cut":
            chat.bus.cut(chat.nodes[1].hub.incarnation)
        elif fault == "stop":
            chat.bus.stop()
        else:
            chat.bus.lose_next(1)
        assert (await ann.ask("logout"))["type"] == "ok"
        await closed(elsewhere, CLOSED_WITHOUT_BRIDGE_S)


async def test_an_end_is_heard_of_once_the_store_is_back(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann, _ = await registered(chat, "ann")
        await chat.store.accounts.end_logins(user_of(chat, "ann"), None)
        chat.store.down = True
        await trio.sleep(300)
        assert ann.closed is None
        chat.store.down = False
        await closed(ann)


async def test_an_end_is_told_by_the_bridge_and_not_only_found_by_a_look(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, ended_look_s=60.0, heads_slow_s=60.0)
    async with open_chat(limits, nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        elsewhere = await arrived(chat, token, chat.nodes[1])
        await trio.sleep(5)
        assert (await ann.ask("logout"))["type"] == "ok"
        await closed(elsewhere, 0.3)


async def test_an_end_that_was_told_into_a_breaking_link_is_told_again(autojump_clock: MockClock) -> None:
    limits = msgspec.structs.replace(LOOSE, ended_look_s=60.0, heads_slow_s=60.0)
    async with open_chat(limits, nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        elsewhere = await arrived(chat, token, chat.nodes[1])
        await trio.sleep(5)
        chat.bus.lose_next(1)
        assert (await ann.ask("logout"))["type"] == "ok"
        chat.bus.cut(chat.node.hub.incarnation)
        chat.bus.heal(chat.node.hub.incarnation)
        await closed(elsewhere, 0.3)


class SlowAnswers(MemoryAccounts):
    """Says who somebody is, and the answer takes its time."""

    answer_s = 0.0

    async def find_login(self, token_hash: bytes, address: str) -> tuple[Account, str] | None:
        found = await super().find_login(token_hash, address)
        await trio.sleep(self.answer_s)
        return found


@pytest.mark.parametrize("answer_s", [0.2, 1.5])
async def test_a_login_that_ends_while_it_is_looked_up_is_closed_all_the_same(
    answer_s: float, autojump_clock: MockClock
) -> None:
    store = MemoryStore(LOOSE, chance=Chance())
    store.accounts = slow = SlowAnswers(store)
    async with open_chat(store=store, nodes=2) as chat:
        token = await make_account(store, "ann")
        me = user_of(chat, "ann")
        bob, _ = await registered(chat, "bob")  # so that the node looks at what was ended
        await trio.sleep(5)
        slow.answer_s = answer_s
        guest = await chat.guest()
        asked = await guest.tell("auth", token=token)
        await trio.sleep(answer_s / 4)
        assert await store.accounts.end_logins(me, None) == 1
        chat.nodes[1].hub.revocation.ended_here(me)
        assert (await guest.reply_to(asked))["type"] == "ok", "as it was when it was looked up"
        await closed(guest, 0.3)
        assert bob.closed is None


async def test_nobody_looks_for_ends_where_only_guests_are(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        guests = [await chat.guest_in("lobby", node) for node in chat.nodes]
        await trio.sleep(30)
        await guests[0].say("lobby", "hi")
        assert [node.hub.revocation.looks for node in chat.nodes] == [0, 0]
        ann, _ = await registered(chat, "ann")
        await trio.sleep(2)
        looks = [node.hub.revocation.looks for node in chat.nodes]
        assert looks[0] > 0
        assert looks[1] == 0
        await ann.ask("logout")
        await closed(ann, code=1000)
        await trio.sleep(1)
        looks = [node.hub.revocation.looks for node in chat.nodes]
        await trio.sleep(30)
        assert [node.hub.revocation.looks for node in chat.nodes] == looks


async def test_an_account_has_only_so_many_connections_at_a_node(autojump_clock: MockClock) -> None:
    async with open_chat(msgspec.structs.replace(LOOSE, connections_per_account=2), nodes=2) as chat:
        ann, token = await registered(chat, "ann")
        await arrived(chat, token)
        third = await chat.guest()
        assert (await third.ask("auth", token=token))["code"] == "limit_reached"
        assert (await third.ask("login", name="ann", password=PASSWORD))["code"] == "limit_reached"
        assert len((await ann.ask("sessions"))["sessions"]) == 1, "nothing is left of the login that came to nothing"
        await arrived(chat, token, chat.nodes[1])
        await ann.drop()
        await ann.until(lambda: ann.closed is not None)
        assert (await third.ask("auth", token=token))["type"] == "ok"


async def test_who_changes_the_password_during_a_login_with_the_old_one_keeps_it_out(autojump_clock: MockClock) -> None:
    store = MemoryStore(LOOSE, chance=Chance())
    store.accounts = accounts = ChangingAccounts(store)
    async with open_chat(store=store) as chat:
        await registered(chat, "ann")
        accounts.change_before_login = True
        guest = await chat.guest()
        error = await guest.ask("login", name="ann", password=PASSWORD)
        assert (error["code"], error["temporary"]) == ("unavailable", True)
        assert await accounts.logins(user_of(chat, "ann")) == []


class ChangingAccounts(MemoryAccounts):
    """Somebody else changes the password in the moment before a login is kept."""

    change_before_login = False

    async def log_in(self, user_id: UserId, login: Any) -> None:
        if self.change_before_login:
            await self.set_password(user_id, "today's:another horse", None)
        await super().log_in(user_id, login)


# people of another site


def site_token(chat: Chat, token: str, lasts_s: float, *, subject: str = "7", name: str = "Ann Smith") -> str:
    ends = chat.node.hub.wall_clock() + lasts_s
    chat.twins.vault.site[token] = OutsideIdentity("https://id.example.org/", subject, name, name, ends)
    return token


async def test_who_comes_with_a_token_of_another_site_has_an_account_by_it(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await chat.guest()
        reply = await ann.ask("auth", token=site_token(chat, "eyJ1", 600))
        assert (reply["user"], reply["user_id"][:2]) == ("ann-smith", "u_")
        shown = await ann.ask("whois", user="ann-smith")
        assert (shown["kind"], shown["display_name"]) == ("outside", "Ann Smith")
        again = await arrived(chat, site_token(chat, "eyJ2", 600))
        assert (await again.ask("profile"))["user_id"] == reply["user_id"]
        assert (await ann.ask("auth", token="eyJ3"))["code"] == "unauthenticated"
        for command, fields in (("logout", {}), ("password", {"old": PASSWORD, "new": PASSWORD}), ("totp", {})):
            assert (await ann.ask(command, **fields))["code"] == "forbidden"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("ann@example.org", "ann"),
        ("Ann  Smith!", "ann-smith"),
        ("@", "person-"),
        ("admin", "person-"),
        ("名前", "名前"),
    ],
)
async def test_names_of_another_site_become_names_of_ours(theirs: str, ours: str, autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        guest = await arrived(chat, site_token(chat, "eyJ1", 600, name=theirs))
        assert (await guest.ask("profile"))["user"].startswith(ours)


async def test_the_end_of_a_token_is_told_and_closes_the_connection(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        ann = await arrived(chat, site_token(chat, "eyJ1", 600))
        await ann.join("lobby")
        began = trio.current_time()
        await ann.until(lambda: bool(ann.all_of("expiring")), 600)
        assert ann.all_of("expiring") == [{"type": "expiring", "in_ms": 60_000}]
        assert trio.current_time() - began == pytest.approx(540, abs=1)
        await closed(ann, 61)
        assert trio.current_time() - began == pytest.approx(600, abs=1)


async def test_a_fresh_token_of_the_same_person_extends_the_connection_after_joins_too(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        ann = await arrived(chat, site_token(chat, "eyJ1", 90))
        await ann.join("lobby")
        await ann.until(lambda: bool(ann.all_of("expiring")), 90)
        bobs = site_token(chat, "eyJ2", 600, subject="8", name="bob")
        assert (await ann.ask("auth", token=bobs))["code"] == "bad_state"
        assert (await ann.ask("auth", token="eyJ-wrong"))["code"] == "unauthenticated"
        assert (await ann.ask("auth", token=site_token(chat, "eyJ3", 600)))["type"] == "ok"
        await trio.sleep(500)
        assert ann.closed is None
        await ann.say("lobby", "still here")
        await closed(ann, 101)
        assert len(ann.all_of("expiring")) == 2


async def test_who_has_become_somebody_else_is_not_closed_when_the_token_ends(autojump_clock: MockClock) -> None:
    async with open_chat() as chat:
        await registered(chat, "bob")
        ann = await arrived(chat, site_token(chat, "eyJ1", 90))
        assert (await ann.ask("login", name="bob", password=PASSWORD))["type"] == "ok"
        await trio.sleep(120)
        assert not ann.all_of("expiring")
        await stays(ann)


async def test_a_token_that_is_nearly_over_is_told_of_at_once_and_one_that_is_over_is_refused(
    autojump_clock: MockClock,
) -> None:
    async with open_chat() as chat:
        ann = await arrived(chat, site_token(chat, "eyJ1", 10))
        await ann.until(lambda: bool(ann.all_of("expiring")), 1)
        assert ann.all_of("expiring")[0]["in_ms"] == pytest.approx(10_000, abs=100)
        late = await chat.guest()
        assert (await late.ask("auth", token=site_token(chat, "eyJ2", -1)))["code"] == "unauthenticated"


async def test_somebody_of_another_site_who_is_deactivated_is_closed_and_not_let_in(autojump_clock: MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        ann = await arrived(chat, site_token(chat, "eyJ1", 600), chat.nodes[1])
        await chat.store.administration.set_active(user_of(chat, "ann-smith"), False, operator="test")
        await closed(ann)
        assert (await (await chat.guest()).ask("auth", token="eyJ1"))["code"] == "unauthenticated"
