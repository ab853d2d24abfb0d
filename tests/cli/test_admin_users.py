"""`trichat admin users` and `sessions`, on a real PostgreSQL."""

from __future__ import annotations

from functools import partial

import pytest

from tests.cli.operators import Operator, on_store
from tests.store.people import new_login
from trichat.chat.ports import Store
from trichat.core.accounts import Account
from trichat.core.limits import Limits
from trichat.core.names import UserId
from trichat.core.tokens import token_hash
from trichat.settings import Settings
from trichat.vault import open_vault

GOOD = "a long enough password"


async def _password_is(name: str, password: str, store: Store) -> bool:
    stored = await store.accounts.credentials(name)
    async with open_vault(Settings(), Limits()) as vault:
        return await vault.check_password(None if stored is None else stored.password_hash, password)


def test_the_first_administrator_is_made_with_a_password_that_is_asked_for(op: Operator) -> None:
    op.hidden = [GOOD, GOOD]
    assert op.does("users", "add", "Ann", "--admin").out.startswith("added the administrator ann (u_")
    header, ann = op.does("users", "list").lines
    assert (header, ann[:4]) == (["name", "kind", "admin", "active", "id"], ["ann", "person", "yes", "yes"])
    assert on_store(op, partial(_password_is, "ann", GOOD))
    assert op.acts() == ["add_user", "admin"]


def test_an_administrator_is_made_of_a_user_and_back(op: Operator) -> None:
    op.does("users", "add", "ann", "--no-password")
    assert op.does("users", "admin", "ann").out == "ann administers the server from the next login on\n"
    assert op.reads("users", "list")[0]["admin"] is True
    assert op.reads("users", "admin", "ann", "--off") == {"name": "ann", "admin": False}
    assert op.reads("users", "list")[0]["admin"] is False


def test_nobody_is_a_list_too(op: Operator) -> None:
    ran = op.run("users", "list")
    assert (ran.code, ran.out, ran.err) == (0, "", 'nobody yet: "trichat admin users add NAME"\n')
    assert op.reads("users", "list") == []


def test_users_are_listed_over_many_pages(op: Operator) -> None:
    names = [f"user{n:03}" for n in range(2 * Limits().list_page + 1)]

    async def add(store: Store) -> None:
        for name in names:
            await store.administration.add_person(UserId(f"u_{name}"), name, None, operator="test")

    on_store(op, add)
    assert [user["name"] for user in op.reads("users", "list")] == names


def test_a_password_comes_from_the_input(op: Operator) -> None:
    added = op.reads("users", "add", "ann", "--password-stdin", inp=f"{GOOD}\nnot this line")
    assert (added["name"], added["admin"]) == ("ann", False)
    assert on_store(op, partial(_password_is, "ann", GOOD))
    op.does("users", "passwd", "ann", "--password-stdin", inp="another good one\r\n")
    assert not on_store(op, partial(_password_is, "ann", GOOD))
    assert on_store(op, partial(_password_is, "ann", "another good one"))
    assert op.acts() == ["add_user", "password"]


@pytest.mark.parametrize(
    ("inp", "why"),
    [
        ("", "no password came on standard input"),
        ("short\n", "a password has at least 8 bytes; take a longer one"),
        ("x" * 2000, "a password has at most 1024 bytes; take a shorter one"),
        ("with a \x07 bell in it\n", "a password is made of letters, digits, signs and blanks; take another"),
    ],
)
def test_what_is_no_password_is_not_taken(op: Operator, inp: str, why: str) -> None:
    assert op.fails("users", "add", "ann", "--password-stdin", inp=inp) == why
    assert op.reads("users", "list") == []


def test_a_password_is_typed_twice_alike(op: Operator) -> None:
    op.hidden = [GOOD, "another good one"]
    assert op.fails("users", "add", "ann") == "the two are not the same: nothing was done"
    assert op.reads("users", "list") == []


@pytest.mark.parametrize("name", ["ann", "ANN", "\uff41nn", "\u0430nn"])
def test_a_name_that_is_taken_or_looks_like_it_is_not_given(op: Operator, name: str) -> None:
    op.does("users", "add", "ann", "--no-password")
    why = op.fails("users", "add", name, "--no-password")
    assert why.endswith(", or a name that looks like it, is somebody's already")


def test_what_is_no_name_is_refused_and_nothing_of_it_reaches_the_terminal(op: Operator) -> None:
    assert op.fails("users", "add", "a b", "--no-password").startswith("name has a blank")
    assert "\x1b" not in op.fails("users", "add", "\x1b[31mred", "--no-password")
    assert "\x1b" not in op.fails("users", "passwd", "\x1b[31mred", "--password-stdin", inp=GOOD)
    assert "\n" not in op.fails("users", "activate", "two\nlines")


def test_the_operator_gives_reserved_names_but_not_that_of_the_erased(op: Operator) -> None:
    op.does("users", "add", "support", "--no-password")
    op.does("bots", "add", "help")
    assert op.fails("users", "add", "erased", "--no-password").startswith("erased is what those are called")
    assert op.fails("bots", "add", "Erased").startswith("erased is what those are called")


@pytest.mark.parametrize(
    "words",
    [
        ("users", "passwd", "eve", "--password-stdin"), ("users", "recover", "eve"), ("users", "activate", "eve"),
        ("users", "deactivate", "eve"), ("users", "admin", "eve"), ("sessions", "list", "eve"),
        ("sessions", "revoke", "eve", "--all"), ("keys", "list", "eve"), ("keys", "add", "eve", "--scope", "read"),
        ("export", "eve"), ("erase", "eve", "--yes"),
    ],
)  # fmt: skip
def test_of_nobody_nothing_can_be_done(op: Operator, words: tuple[str, ...]) -> None:
    assert op.fails(*words, inp=GOOD) == "there is no account eve"
    assert op.acts() == []


def test_a_recovery_code_is_shown_and_sets_a_password_once(op: Operator) -> None:
    op.does("users", "add", "ann", "--no-password")
    shown = op.does("users", "recover", "ann").out
    assert "once, within 24 hours" in shown
    code = op.reads("users", "recover", "ann")["code"]
    assert len(code) == 26

    async def recover(store: Store) -> list[Account | None]:
        return [await store.accounts.recover(token_hash(code), "a hash", new_login()) for _ in range(2)]

    first, second = on_store(op, recover)
    assert first is not None
    assert (first.name, second) == ("ann", None)
    assert code not in op.run("audit").out


def test_a_bot_has_no_password_and_is_no_administrator(op: Operator) -> None:
    op.does("bots", "add", "beep")
    only = "beep is of the kind bot, and only people have passwords"
    assert op.fails("users", "passwd", "beep", "--password-stdin", inp=GOOD) == only
    assert op.fails("users", "recover", "beep") == only
    assert op.fails("users", "admin", "beep") == "beep is a bot, and no bot administers the server"


def test_an_account_is_deactivated_and_activated(op: Operator) -> None:
    op.does("users", "add", "ann", "--no-password")
    assert op.does("users", "deactivate", "ann").out.startswith("ann is not active any more")
    assert op.reads("users", "list")[0]["active"] is False
    assert op.fails("users", "recover", "ann") == "ann is not active; activate it first"
    assert op.reads("users", "activate", "ann") == {"name": "ann", "active": True}
    assert op.reads("users", "list")[0]["active"] is True
    assert op.acts() == ["add_user", "deactivate", "activate"]


def test_an_account_goes_by_its_id_too(op: Operator) -> None:
    user_id = op.reads("users", "add", "ann", "--no-password")["id"]
    assert op.does("users", "deactivate", user_id).out.startswith("ann is not active")


# sessions


def _log_in(op: Operator, *logins: str) -> None:
    async def log_in(store: Store) -> None:
        account = await store.administration.find("ann")
        assert account is not None
        for login in logins:
            device = "phone\x1b[2J"  # which no command lets in; if one ever did
            await store.accounts.log_in(account.user_id, new_login(login, device=device))

    on_store(op, log_in)


def test_sessions_are_listed_and_nothing_in_them_steers_the_terminal(op: Operator) -> None:
    op.does("users", "add", "ann", "--no-password")
    assert op.run("sessions", "list", "ann").err == "ann is logged in nowhere\n"
    _log_in(op, "k_1")
    ran = op.does("sessions", "list", "ann")
    assert ran.lines[0] == ["id", "device", "address", "created", "seen"]
    assert ran.lines[1][:3] == ["k_1", "phone\\x1b[2J", "192.0.2.1"]
    (row,) = op.reads("sessions", "list", "ann")
    assert (row["id"], row["device"]) == ("k_1", "phone\x1b[2J")


def test_one_session_or_all_are_revoked(op: Operator) -> None:
    op.does("users", "add", "ann", "--no-password")
    _log_in(op, "k_1", "k_2", "k_3")
    assert op.does("sessions", "revoke", "ann", "k_2").out == "1 login has ended\n"
    assert op.fails("sessions", "revoke", "ann", "k_2") == "ann has no login k_2"
    assert op.reads("sessions", "revoke", "ann", "--all") == {"name": "ann", "ended": 2}
    assert op.reads("sessions", "revoke", "ann", "--all") == {"name": "ann", "ended": 0}
    assert op.reads("sessions", "list", "ann") == []
