"""Accounts for tests: made in the store at once, without the hashing of a password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from trichat.chat.people_ports import NewLogin
from trichat.chat.ports import Store
from trichat.core.chance import Chance
from trichat.core.names import RoomName
from trichat.core.standing import Scope
from trichat.core.tokens import token_hash

_CHANCE = Chance()


async def make_account(store: Store, name: str, *, admin: bool = False) -> str:
    """A person's account of this name, which is free; the token of its first login."""
    user_id, token = _CHANCE.account(), _CHANCE.token("u")
    login = NewLogin(id="k_" + _CHANCE.label(10), token_hash=token_hash(token))
    assert await store.accounts.register(user_id, name, "$argon2id$none", login)
    if admin:
        await store.administration.set_admin(user_id, True, operator="test")
    return token


async def make_bot(store: Store, name: str, scopes: Sequence[str], rooms: Sequence[str] | None = None) -> str:
    """A bot of this name, and a key of it with these scopes."""
    user_id, key = _CHANCE.account(), _CHANCE.token("b")
    assert await store.administration.add_bot(user_id, name, operator="test")
    await store.administration.add_key(
        "b_" + _CHANCE.label(10),
        user_id,
        token_hash(key),
        [cast(Scope, scope) for scope in scopes],
        None if rooms is None else [RoomName(room) for room in rooms],
        operator="test",
    )
    return key
