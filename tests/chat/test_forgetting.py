"""What nodes keep in memory, and must not keep: secrets that were changed, texts that were erased."""

from __future__ import annotations

import trio

from tests.chat.guests import open_chat
from tests.chat.persons import id_of, person


async def test_a_new_secret_logs_nobody_out(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        early = await chat.guest()
        token = early.frames[0]["token"]
        number = await chat.store.administration.add_secret(b"2" * 32, operator="test")
        await trio.sleep(5)
        late = await chat.guest()
        assert late.frames[0]["token"].startswith(f"g.{number}.")
        for node in chat.nodes:
            for guest, its_token in ((early, token), (late, late.frames[0]["token"])):
                again = await chat.guest(node)
                ok = await again.ask("auth", token=its_token)
                assert ok["user_id"] == guest.frames[0]["user_id"]
                renewed = ok.get("token")
                assert (renewed is not None) == (guest is early), "a token of an older secret is replaced"


async def test_a_token_of_a_secret_that_this_node_has_not_heard_of_yet_counts(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_chat(nodes=2) as chat:
        await chat.store.administration.add_secret(b"2" * 32, operator="test")
        await chat.nodes[1].hub.read_secrets()  # as a node that has just started
        there = await chat.guest(chat.nodes[1])
        here = await chat.guest(chat.nodes[0])
        assert (await here.ask("auth", token=there.frames[0]["token"]))["type"] == "ok"


async def test_a_dropped_secret_counts_no_more(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat() as chat:
        token = (await chat.guest()).frames[0]["token"]
        number = await chat.store.administration.add_secret(b"2" * 32, operator="test")
        assert await chat.store.administration.drop_secret(number - 1, operator="test")
        await trio.sleep(5)
        assert (await (await chat.guest()).ask("auth", token=token))["code"] == "unauthenticated"


async def test_an_erased_text_is_not_replayed_from_memory(autojump_clock: trio.testing.MockClock) -> None:
    async with open_chat(nodes=2) as chat:
        bob = await person(chat, "bob")
        bob_id = id_of(bob)
        listeners = [await chat.guest_in("lobby", node) for node in chat.nodes]  # so that no node forgets the room
        await bob.join("lobby")
        await bob.say("lobby", "my secret")
        for listener in listeners:
            await listener.hears("lobby", "my secret")
        for node in chat.nodes:
            before = await chat.guest(node)
            await before.join("lobby", since=0)
            await before.hears("lobby", "my secret")
        await chat.store.administration.erase(bob_id, operator="test")
        await trio.sleep(5)
        for node in chat.nodes:
            after = await chat.guest(node)
            head = (await after.join("lobby", since=0))["seq"]
            await after.until(lambda after=after, head=head: after.seqs("lobby")[-1:] == [head])  # type: ignore[misc]
            (message,) = after.events("lobby")
            assert message["deleted"] is True
            assert "text" not in message
            assert "bob" not in str(after.frames)
