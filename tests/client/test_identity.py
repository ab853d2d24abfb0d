"""Who a client is: how an account is entered, how it comes back, and when the client gives up."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from tests.client.fake_server import URL, FakeServer, Peer
from tests.client.test_events import NEVER_S
from trichat.client import Client, ClientEvent, Ended, Expiring, Refused, open_client


async def events_of(client: Client, count: int) -> list[ClientEvent]:
    events = client.events()
    with trio.fail_after(NEVER_S):
        return [await anext(events) for _ in range(count)]


async def test_a_password_is_said_once_and_then_the_token_counts(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def log_in(peer: Peer) -> None:
        assert await peer.let_in("login", "u.1") == {"name": "Ann", "password": "secret", "device": "phone"}
        await peer.expect("ping")
        await peer.cut()

    async def come_back(peer: Peer) -> None:
        assert await peer.let_in("auth") == {"token": "u.1"}
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    server = FakeServer(nursery, log_in, come_back)
    async with open_client(URL, name="Ann", password="secret", device="phone", connect=server.connect) as client:
        assert (client.user, client.user_id, client.token) == ("ann", "u_1", "u.1")
        await client.ping()
        assert (client.user, client.user_id, client.token) == ("ann", "u_1", "u.1")


async def test_an_account_is_made_once(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def register(peer: Peer) -> None:
        assert await peer.let_in("register", "u.1") == {"name": "ann", "password": "secret"}
        await peer.expect("ping")
        await peer.cut()

    async def refuse_the_token(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated", field="token")
        command = await peer.expect("login")
        await peer.reply(command, "ok", for_="login", user="ann", user_id="u_1", token="u.2")
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    server = FakeServer(nursery, register, refuse_the_token)
    async with open_client(URL, name="ann", password="secret", register=True, connect=server.connect) as client:
        await client.ping()
        assert client.token == "u.2"


async def test_an_account_whose_making_was_not_confirmed_is_logged_in(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def made_but_the_answer_is_lost(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("register"), "unavailable", temporary=True)
        await peer.refuse(await peer.expect("register"), "name_taken", field="name")
        command = await peer.expect("login")
        assert (command["name"], command["password"]) == ("ann", "secret")
        await peer.reply(command, "ok", for_="login", user="ann", user_id="u_1", token="u.1")
        await peer.stay()

    server = FakeServer(nursery, made_but_the_answer_is_lost)
    async with open_client(URL, name="ann", password="secret", register=True, connect=server.connect) as client:
        assert client.token == "u.1"


async def test_a_name_of_somebody_else_cannot_be_registered(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("register"), "name_taken", field="name")
        await peer.refuse(await peer.expect("login"), "unauthenticated", field="password")
        await peer.stay()

    server = FakeServer(nursery, script)
    with pytest.raises(Refused) as refusal:
        async with open_client(URL, name="ann", password="secret", register=True, connect=server.connect):
            pytest.fail("opened")
    assert (refusal.value.code, refusal.value.field) == ("name_taken", "name")


async def test_a_wrong_password_is_refused_at_the_door(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("login"), "unauthenticated", field="password")
        await peer.stay()

    with pytest.raises(Refused, match="unauthenticated"):
        async with open_client(URL, name="ann", password="wrong", connect=FakeServer(nursery, script).connect):
            pytest.fail("opened")


async def test_where_guests_are_refused_an_account_comes_in(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.say("welcome", v=1, session="s", user=None, node="n1", limits={}, features=[])
        command = await peer.expect("login")
        await peer.reply(command, "ok", for_="login", user="ann", user_id="u_1", token="u.1")
        await peer.stay()

    async with open_client(URL, name="ann", password="x", connect=FakeServer(nursery, script).connect) as client:
        assert client.user == "ann"


@pytest.mark.parametrize("token", ["u.abc", "b.abc", "eyJh.eyJz.c2ln"])
async def test_an_account_has_its_name_and_never_says_hello(nursery: trio.Nursery, token: str) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.let_in("auth", user="ann") == {"token": token}
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    server = FakeServer(nursery, script)
    async with open_client(URL, name="another", token=token, connect=server.connect) as client:
        await client.ping()
        assert (client.user, client.token) == ("ann", token)


async def test_a_guest_still_takes_another_name(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        command = await peer.expect("auth")
        await peer.reply(command, "ok", for_="auth", user="ann", user_id="g_1")
        command = await peer.expect("hello")
        await peer.reply(command, "ok", for_="hello", user=command["name"], user_id="g_1", token="g.1.g_1.mac")
        await peer.stay()

    server = FakeServer(nursery, script)
    async with open_client(URL, name="anna", token="g.1.g_1.mac", connect=server.connect) as client:
        assert client.user == "anna"


async def test_with_a_password_a_guests_token_of_earlier_days_is_not_said(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("login", "u.1")
        await peer.stay()

    server = FakeServer(nursery, script)
    async with open_client(URL, name="ann", password="x", token="g.1.g_1.mac", connect=server.connect) as client:
        assert client.token == "u.1"


async def test_a_token_is_tried_before_the_password(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.let_in("auth") == {"token": "u.0"}
        await peer.stay()

    server = FakeServer(nursery, script)
    async with open_client(URL, name="ann", password="x", token="u.0", connect=server.connect) as client:
        assert client.token == "u.0"


async def test_a_second_factor_that_is_wanted_is_told_to_the_caller(nursery: trio.Nursery) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        command = await peer.expect("login")
        assert "code" not in command
        await peer.refuse(command, "unauthenticated", field="code")
        await peer.stay()

    with pytest.raises(Refused) as refusal:
        async with open_client(URL, name="ann", password="x", connect=FakeServer(nursery, script).connect):
            pytest.fail("opened")
    assert refusal.value.field == "code"


async def test_a_code_is_said_once(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def log_in(peer: Peer) -> None:
        assert (await peer.let_in("login"))["code"] == "123456"
        await peer.goodbye(4200, "draining")

    async def want_another(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated")
        command = await peer.expect("login")
        assert "code" not in command
        await peer.refuse(command, "unauthenticated", field="code")
        await peer.stay()

    server = FakeServer(nursery, log_in, want_another)
    async with open_client(URL, name="ann", password="x", code="123456", connect=server.connect) as client:
        with pytest.raises(Refused, match="unauthenticated"):
            await client.ping()


async def test_a_short_pause_before_the_next_login_is_waited_for_a_long_one_is_told(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def short_then_long(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("login"), "rate_limited", temporary=True, retry_after_ms=900)
        await peer.refuse(await peer.expect("login"), "rate_limited", temporary=True, retry_after_ms=60_000)
        await peer.stay()

    began = trio.current_time()
    with pytest.raises(Refused, match="rate_limited") as refusal:
        async with open_client(URL, name="ann", password="x", connect=FakeServer(nursery, short_then_long).connect):
            pytest.fail("opened")
    assert 0.9 <= trio.current_time() - began < 2
    assert refusal.value.frame["retry_after_ms"] == 60_000


async def test_a_long_pause_before_a_later_login_is_tried_again(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def drain(peer: Peer) -> None:
        await peer.let_in("login", "u.1")
        await peer.goodbye(4200, "draining")

    async def pause(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated")
        await peer.refuse(await peer.expect("login"), "rate_limited", temporary=True, retry_after_ms=60_000)
        await peer.stay()

    async def log_in(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated")
        await peer.reply(await peer.expect("login"), "ok", for_="login", user="ann", user_id="u_1", token="u.2")
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    server = FakeServer(nursery, drain, pause, log_in)
    async with open_client(URL, name="ann", password="x", connect=server.connect) as client:
        await client.ping()
        assert client.token == "u.2"


async def test_a_revoked_session_ends_the_client(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def revoke(peer: Peer) -> None:
        await peer.let_in("auth")
        await peer.expect("ping")
        await peer.goodbye(4009, "session revoked")

    server = FakeServer(nursery, revoke)
    async with open_client(URL, token="u.1", connect=server.connect) as client:
        with pytest.raises(Ended, match=r"session revoked \(4009\)"):
            await client.ping()
    assert len(server.attempts) == 1


async def test_a_revoked_session_is_not_begun_anew_though_a_password_is_known(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def revoke(peer: Peer) -> None:
        await peer.let_in("login", "u.1")
        await peer.goodbye(4009, "session revoked")

    server = FakeServer(nursery, revoke)
    async with open_client(URL, name="ann", password="secret", connect=server.connect) as client:
        with trio.fail_after(NEVER_S), pytest.raises(Ended, match="4009"):
            await client.ping()
    assert len(server.attempts) == 1


async def test_after_a_logout_the_password_is_not_used(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.let_in("login", "u.1")
        await peer.reply(await peer.expect("logout"), "ok", for_="logout", user="ann", user_id="u_1")
        await peer.goodbye(4009, "session revoked")

    server = FakeServer(nursery, script)
    async with open_client(URL, name="ann", password="secret", connect=server.connect) as client:
        await client.logout()
        with trio.fail_after(NEVER_S), pytest.raises(Ended):
            await client.ping()
    assert len(server.attempts) == 1


async def test_after_a_change_of_the_password_the_new_one_is_used(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def change(peer: Peer) -> None:
        await peer.let_in("login", "u.1")
        command = await peer.expect("password")
        assert (command["old"], command["new"]) == ("secret", "better")
        await peer.reply(command, "ok", for_="password", user="ann", user_id="u_1")
        await peer.expect("ping")
        await peer.goodbye(4200, "draining")

    async def log_in(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.expect("auth"), "unauthenticated")
        command = await peer.expect("login")
        assert command["password"] == "better"
        await peer.reply(command, "ok", for_="login", user="ann", user_id="u_1", token="u.2")
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    server = FakeServer(nursery, change, log_in)
    async with open_client(URL, name="ann", password="secret", connect=server.connect) as client:
        await client.change_password("secret", "better")
        await client.ping()


async def test_a_token_that_ends_soon_is_told_and_renewed(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.let_in("auth") == {"token": "a.b.old"}
        await peer.say("expiring", in_ms=60_000)
        await peer.reply(await peer.expect("auth"), "ok", for_="auth", user="ann", user_id="u_1")
        await peer.refuse(await peer.expect("auth"), "unauthenticated", field="token")
        await peer.expect("ping")
        await peer.cut()

    async def come_back(peer: Peer) -> None:
        assert await peer.let_in("auth") == {"token": "a.b.fresh"}
        await peer.reply_ping(await peer.expect("ping"))
        await peer.stay()

    server = FakeServer(nursery, script, come_back)
    async with open_client(URL, token="a.b.old", connect=server.connect) as client:
        assert (await events_of(client, 2))[1] == Expiring(60_000)
        await client.renew("a.b.fresh")
        with pytest.raises(Refused):
            await client.renew("a.b.nonsense")
        assert client.token == "a.b.fresh"
        await client.ping()


async def test_what_does_not_go_together_is_said_at_once() -> None:
    for wrong in ({"password": "x"}, {"name": "ann", "register": True}, {"name": "ann", "code": "123456"}):
        with pytest.raises(ValueError, match="go"):
            async with open_client(URL, **wrong):
                pytest.fail("opened")
