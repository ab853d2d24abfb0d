"""People for the tests of accounts: who has which name, and the logins they come with."""

from __future__ import annotations

import itertools

from trichat.chat.people_ports import NewLogin
from trichat.chat.ports import Store
from trichat.core.names import UserId
from trichat.core.tokens import token_hash

ANN, BOB, EVE = UserId("u_ann"), UserId("u_bob"), UserId("u_eve")
#: A guest.
GUS = UserId("g_gus")
OPERATOR = "op"

_numbers = itertools.count(1)


def new_login(name: str = "", *, device: str = "phone", address: str = "192.0.2.1") -> NewLogin:
    """A login of this name (a new one when none is given), with a token of which `token_of` gives the hash."""
    name = name or f"k_{next(_numbers)}"
    return NewLogin(id=name, token_hash=token_of(name), device=device, address=address)


def token_of(login: str) -> bytes:
    """The hash of the login's token."""
    return token_hash(f"u.{login}")


async def register(store: Store, user_id: UserId, name: str | None = None, *, login: str = "") -> NewLogin:
    """An account; its name is what follows u_ unless one is given."""
    first = new_login(login)
    assert await store.accounts.register(user_id, name or user_id[2:], f"hash of {user_id}", first)
    return first


async def deactivate(store: Store, user_id: UserId) -> None:
    await store.administration.set_active(user_id, False, operator=OPERATOR)
