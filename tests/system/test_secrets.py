"""No password, code or token is ever logged: the whole log of a node, at its most talkative, is looked through."""

from __future__ import annotations

import logging

import pytest

from tests.nodes import open_node
from tests.system.accounts import PASSWORD, connected, ok, register
from trichat.core.tokens import token_hash
from trichat.logs import JsonFormatter, TextFormatter

WRONG = "a wrong horse battery"


async def test_no_secret_is_logged(database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD, WRONG, "another horse", "r.code-of-an-administrator", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"]
    async with open_node(database_url, redis_url, prefix="secrets") as node:
        async with connected(node) as ann:
            secrets += [frame["token"] for frame in ann.frames if "token" in frame]
            token = await register(ann, "ann")
            secrets.append(token)
            for _ in range(9):
                assert (await ann.ask("login", name="ann", password=WRONG))["code"] == "unauthenticated"
            offer = await ann.ask("totp")
            secrets += [offer["secret"], offer["uri"]]
            assert (await ann.ask("totp", code="123123"))["code"] == "unauthenticated"
            await ok(ann, "password", old=PASSWORD, new="another horse")
        async with connected(node) as ann:
            await ok(ann, "auth", token=token)
            for wrong in (secrets[4], token[:-1] + "x", "g.1.x"):
                await ann.ask("auth", token=wrong)
            await ann.ask("recover", code=secrets[3], password=PASSWORD)
            secrets.append((await ok(ann, "login", name="ann", password="another horse"))["token"])
            # what nobody expects: the store breaks in the midst of it, and the bug is logged with its traceback
            node.hub.vault = None  # type: ignore[assignment]
            await ann.tell("login", name="ann", password=PASSWORD)
            await ann.until(lambda: ann.closed is not None)
            assert ann.closed == 1011
    assert any("a bug ended a connection" in record.getMessage() for record in caplog.records)
    text = "\n".join(form.format(record) for form in (TextFormatter(), JsonFormatter()) for record in caplog.records)
    hashed = [token_hash(secret).hex() for secret in secrets]
    assert not [secret for secret in [*secrets, *hashed] if secret in text]
