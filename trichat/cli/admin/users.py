"""`trichat admin users` and `sessions`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from trichat.cli.admin.console import Failed, Row
from trichat.core.account_names import parse_account_name
from trichat.core.accounts import Account
from trichat.core.codec import format_ts
from trichat.core.tokens import token_hash

if TYPE_CHECKING:
    from trichat.cli.admin.desk import Desk

#: Characters of a recovery code, 5 bits each: as many as an identifier has.
_CODE_CHARS = 26
#: What an erased account is called; nobody else may be.
_ERASED = "erased"


async def list_users(desk: Desk, arguments: Namespace) -> None:
    """All accounts, by name."""
    accounts: list[Account] = []
    while page := await desk.store.administration.users(
        after=accounts[-1].name if accounts else "", limit=desk.limits.list_page
    ):
        accounts += page
    rows = [_row(account) for account in accounts]
    desk.console.rows(("name", "kind", "admin", "active", "id"), rows, 'nobody yet: "trichat admin users add NAME"')


def _row(account: Account) -> Row:
    return {
        "name": account.name,
        "id": account.user_id,
        "kind": account.kind,
        "admin": account.admin,
        "active": account.active,
    }


async def add_user(desk: Desk, arguments: Namespace) -> None:
    """A person's account, with a password unless a recovery code is to set it."""
    password = None
    name = new_name(desk, arguments.name)
    if not arguments.no_password:
        password = await _hashed(desk, from_input=arguments.password_stdin)
    user_id = desk.chance.account()
    if not await desk.store.administration.add_person(user_id, name, password, operator=desk.operator):
        raise taken(name)
    if arguments.admin:
        await desk.store.administration.set_admin(user_id, True, operator=desk.operator)
    kind = "administrator" if arguments.admin else "user"
    desk.console.done(f"added the {kind} {name} ({user_id})", name=name, id=user_id, admin=arguments.admin)


def new_name(desk: Desk, text: str) -> str:
    """`text` as an account's name in its one spelling; the reserved ones are the operator's to give."""
    name = parse_account_name(text, desk.limits.name_bytes)
    if name == _ERASED:
        raise Failed(f"{name} is what those are called who were erased; take another name")
    return name


def taken(name: str) -> Failed:
    return Failed(f"{name}, or a name that looks like it, is somebody's already")


async def set_password(desk: Desk, arguments: Namespace) -> None:
    """Another password; all their logins end."""
    account = await desk.account(arguments.name)
    hashed = await _hashed(desk, from_input=arguments.password_stdin)
    await desk.store.administration.set_password(account.user_id, hashed, operator=desk.operator)
    desk.console.done(f"{account.name} has a new password and is logged out everywhere", name=account.name)


async def _hashed(desk: Desk, *, from_input: bool) -> str:
    from trichat.settings import Settings  # noqa: PLC0415  the vault is for new passwords alone
    from trichat.vault import open_vault  # noqa: PLC0415

    password = desk.console.new_password(from_input=from_input)
    async with open_vault(Settings(), desk.limits) as vault:  # without the keys of another site
        return await vault.hash_password(password)


async def recover(desk: Desk, arguments: Namespace) -> None:
    """A code with which they set a new password themselves."""
    account = await desk.account(arguments.name)
    if not account.active:
        raise Failed(f"{account.name} is not active; activate it first")
    code = desk.chance.label(_CODE_CHARS)
    await desk.store.administration.set_recovery(account.user_id, token_hash(code), operator=desk.operator)
    hours = desk.limits.recovery_s / 3600
    desk.console.done(
        f"{account.name} can set a new password with this code, once, within {hours:g} hours:\n\n  {code}\n\n"
        f'They say: {{"type":"recover","code":"{code}","password":"…"}}\n'
        "Their other logins end then, and a second factor is gone.",
        name=account.name, code=code, within_s=desk.limits.recovery_s,
    )  # fmt: skip


async def activate(desk: Desk, arguments: Namespace) -> None:
    """They may log in again."""
    account = await desk.account(arguments.name)
    await desk.store.administration.set_active(account.user_id, True, operator=desk.operator)
    desk.console.done(f"{account.name} is active", name=account.name, active=True)


async def deactivate(desk: Desk, arguments: Namespace) -> None:
    """They are out, and cannot come back."""
    account = await desk.account(arguments.name)
    await desk.store.administration.set_active(account.user_id, False, operator=desk.operator)
    said = f"{account.name} is not active any more; all logins and keys have ended"
    desk.console.done(said, name=account.name, active=False)


async def set_admin(desk: Desk, arguments: Namespace) -> None:
    """Whether they administer the server."""
    account = await desk.account(arguments.name)
    admin = not arguments.off
    await desk.store.administration.set_admin(account.user_id, admin, operator=desk.operator)
    said = "administers the server from the next login on" if admin else "does not administer the server any more"
    desk.console.done(f"{account.name} {said}", name=account.name, admin=admin)


async def list_sessions(desk: Desk, arguments: Namespace) -> None:
    """Their logins, the newest first."""
    account = await desk.account(arguments.name)
    rows: list[Row] = [
        {
            "id": login.id,
            "device": login.device,
            "address": login.address,
            "created": format_ts(login.created),
            "seen": format_ts(login.seen),
        }
        for login in await desk.store.accounts.logins(account.user_id)
    ]
    desk.console.rows(("id", "device", "address", "created", "seen"), rows, f"{account.name} is logged in nowhere")


async def revoke(desk: Desk, arguments: Namespace) -> None:
    """End one of their logins, or all."""
    account = await desk.account(arguments.name)
    ended = await desk.store.administration.end_logins(account.user_id, arguments.id, operator=desk.operator)
    if not ended and arguments.id is not None:
        raise Failed(f"{account.name} has no login {arguments.id}")
    desk.console.done(f"{ended} {'login has' if ended == 1 else 'logins have'} ended", name=account.name, ended=ended)
