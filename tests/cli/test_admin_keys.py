"""`trichat admin bots`, `keys` and `secrets`, on a real PostgreSQL."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests.cli.operators import Operator, on_store
from trichat.chat.ports import Store
from trichat.core.accounts import Account, Key
from trichat.core.names import RoomName
from trichat.core.tokens import token_hash


async def _whose(key: str, store: Store) -> tuple[Account, Key] | None:
    return await store.accounts.find_key(token_hash(key), "")


def _key_in(shown: str) -> str:
    (key,) = re.findall(r"^  (b\.[A-Za-z0-9_-]{43})$", shown, re.MULTILINE)
    return str(key)


def test_a_bot_gets_a_key_that_is_shown_once(op: Operator) -> None:
    assert op.does("bots", "add", "beep").out.startswith("added the bot beep (u_")
    shown = op.does("keys", "add", "beep", "--scope", "read", "--scope", "send", "--room", "lobby").out
    key = _key_in(shown)
    found = on_store(op, partial(_whose, key))
    assert found is not None
    assert (found[0].name, found[0].kind) == ("beep", "bot")
    assert found[1].scopes == {"read", "send"}
    assert found[1].rooms == frozenset({RoomName("lobby")})
    header, row = op.does("keys", "list", "beep").lines
    assert (header, row) == (["id", "scopes", "where"], [found[1].id, "read,", "send", "lobby"])
    for words in (("keys", "list", "beep"), ("audit",), ("export", "beep")):
        assert key not in op.does(*words).out


def test_a_key_without_rooms_is_for_all_of_them(op: Operator) -> None:
    op.does("bots", "add", "beep")
    added = op.reads("keys", "add", "beep", "--scope", "moderate")
    assert re.fullmatch(r"b_[a-z2-7]{16}", added["id"])
    assert op.reads("keys", "list", "beep") == [
        {"id": added["id"], "scopes": ["moderate"], "rooms": None, "where": "everywhere"}
    ]


def test_a_key_is_rotated_and_revoked(op: Operator) -> None:
    op.does("bots", "add", "beep")
    old = op.reads("keys", "add", "beep", "--scope", "read", "--room", "lobby")
    new = op.reads("keys", "rotate", old["id"])
    assert on_store(op, partial(_whose, old["key"])) is None
    assert on_store(op, partial(_whose, new["key"])) is not None
    assert op.does("keys", "rotate", new["id"]).out.startswith(f"{new['id']} has ended; in its place is b_")
    (last,) = op.reads("keys", "list", "beep")
    assert (last["scopes"], last["rooms"]) == (["read"], ["lobby"])
    assert op.does("keys", "revoke", last["id"]).out == f"the key {last['id']} has ended\n"
    ran = op.run("keys", "list", "beep")
    assert (ran.code, ran.out, ran.err) == (0, "", "beep has no keys\n")
    assert op.acts() == ["add_bot", "add_key", "rotate_key", "rotate_key", "end_key"]


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_told_so(op: Operator, verb: str) -> None:
    assert op.fails("keys", verb, "b_none").startswith("there is no key b_none; ")


def test_only_bots_have_keys(op: Operator) -> None:
    op.does("users", "add", "ann", "--no-password")
    assert op.fails("keys", "add", "ann", "--scope", "read") == "ann is no bot"
    assert op.fails("keys", "list", "ann") == "ann is no bot"
    op.does("bots", "add", "beep")
    op.does("users", "deactivate", "beep")
    assert op.fails("keys", "add", "beep", "--scope", "read") == "beep is not active; activate it first"


def test_a_room_that_cannot_be_is_refused(op: Operator) -> None:
    op.does("bots", "add", "beep")
    assert op.fails("keys", "add", "beep", "--scope", "read", "--room", "The Lobby").endswith("say thelobby")


def test_a_bots_name_that_is_taken_is_not_given(op: Operator) -> None:
    op.does("bots", "add", "beep")
    assert op.fails("bots", "add", "beep") == "beep, or a name that looks like it, is somebody's already"


def test_secrets_are_rotated_and_old_ones_dropped_but_not_the_newest(op: Operator) -> None:
    assert op.does("secrets", "list").lines == [["number", "signs"], ["1", "yes"]]
    assert op.does("secrets", "rotate").out.startswith("secret 2 signs guests' tokens")
    assert op.reads("secrets", "rotate") == {"number": 3}
    rows = [{"number": number, "signs": number == 3} for number in (1, 2, 3)]
    assert op.reads("secrets", "list") == rows
    assert op.does("secrets", "drop", "1").out.startswith("secret 1 is dropped")
    assert op.fails("secrets", "drop", "1") == "there is no secret 1 that could be dropped; the newest one stays"
    assert op.fails("secrets", "drop", "3") == "there is no secret 3 that could be dropped; the newest one stays"
    assert op.reads("secrets", "list") == rows[1:]


def test_a_new_secret_is_random_and_the_first_stays_where_no_server_ever_ran(op: Operator) -> None:
    op.does("secrets", "rotate")

    async def read(store: Store) -> dict[int, bytes]:
        return await store.signing_secrets()

    secrets = on_store(op, read)
    assert (set(secrets), len(secrets[1]), len(secrets[2])) == ({1, 2}, 32, 32)
    assert secrets[1] != secrets[2]
