"""The other site changes its keys: new ones are found, old ones go, and nobody can make us ask too often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
import trio
import trio.testing

from tests.conditions import until
from tests.vault.hashers import CHEAP
from tests.vault.jwks_server import JwksServer, open_jwks_server
from tests.vault.site import EC_KEY, Outside, claims, jwks, signed
from trichat.core.limits import Limits
from trichat.vault import open_vault
from trichat.vault.outside import OutsideTokens, open_outside_tokens

#: Signed with the right key under a name that nobody has heard of.
UNKNOWN = jwt.encode(claims(), EC_KEY, "ES256", headers={"kid": "e9"})

Clock = trio.testing.MockClock


@pytest.fixture
async def server() -> AsyncIterator[JwksServer]:
    async with open_jwks_server(jwks(["e1"])) as opened:
        yield opened


async def reader(place: str | Path) -> OutsideTokens:
    return await open_outside_tokens(Outside(jwt_jwks=str(place)), Limits())


async def test_keys_are_fetched_at_the_start(server: JwksServer) -> None:
    tokens = await reader(server.url)
    assert server.asked == 1
    assert await tokens.read(signed("e1")) is not None
    assert server.asked == 1


async def test_an_unknown_key_makes_us_look_again_but_once_in_ten_seconds(
    server: JwksServer, mock_clock: Clock
) -> None:
    tokens = await reader(server.url)
    server.body = jwks(["d1"])
    mock_clock.jump(9.9)
    assert await tokens.read(signed("d1")) is None
    assert server.asked == 1
    mock_clock.jump(0.1)
    assert await tokens.read(signed("d1")) is not None
    assert await tokens.read(signed("e1")) is None  # withdrawn
    assert server.asked == 2


async def test_many_tokens_with_unknown_keys_at_once_are_one_question(server: JwksServer, mock_clock: Clock) -> None:
    tokens = await reader(server.url)
    server.body = jwks(["d1"])
    mock_clock.jump(10)
    found = []

    async def read(token: str) -> None:
        found.append(await tokens.read(token) is not None)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(read, signed("d1"))
            nursery.start_soon(read, signed("r1"))
    assert (sum(found), len(found), server.asked) == (50, 100, 2)


async def test_every_ten_minutes_a_withdrawn_key_is_forgotten(server: JwksServer) -> None:
    limits = Limits(jwks_renew_s=0.05)  # in place of 600: the thread that fetches takes real time
    async with open_vault(Outside(jwt_jwks=server.url), limits, CHEAP) as vault:
        assert await vault.read_outside_token(signed("e1")) is not None
        server.body = jwks(["d1"])
        seen = server.asked
        await until(lambda: server.asked >= seen + 2)  # the answer to the first of them has arrived
        assert await vault.read_outside_token(signed("e1")) is None
        assert await vault.read_outside_token(signed("d1")) is not None


def test_ten_seconds_ten_minutes_and_three_seconds_are_the_defaults() -> None:
    limits = Limits()
    assert (limits.jwks_rest_s, limits.jwks_renew_s, limits.jwks_fetch_s) == (10, 600, 3)


async def test_a_file_is_read_again_for_an_unknown_key(jwks_file: Path, mock_clock: Clock) -> None:
    await trio.Path(jwks_file).write_bytes(jwks(["e1"]))
    tokens = await reader(jwks_file)
    await trio.Path(jwks_file).write_bytes(jwks(["r1"]))
    mock_clock.jump(10)
    assert await tokens.read(signed("r1")) is not None


VICES: Final[dict[str, dict[str, Any]]] = {
    "an error": {"status": "500 Oh"},
    "elsewhere": {"status": "302 Found", "headers": ("Location: /keys?elsewhere",)},
    "no key set": {"body": b"<html>"},
    "no key": {"body": b'{"keys": []}'},
    "too much": {"body": jwks(["d1"]) + b" " * 300_000},
    "no HTTP": {"status": "x" * 70_000},
}


@pytest.mark.parametrize("vice", VICES)
async def test_keys_that_cannot_be_had_leave_the_old_ones_and_one_warning(
    server: JwksServer, vice: str, mock_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await reader(server.url)
    for name, value in VICES[vice].items():
        setattr(server, name, value)
    for again in range(3):
        mock_clock.jump(10)
        assert await tokens.read(UNKNOWN) is None
        assert await tokens.read(signed("e1")) is not None
        assert server.asked == 2 + again  # a redirect is not followed
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert server.url not in caplog.text


async def test_keys_that_come_back_are_taken_and_the_next_outage_is_another_warning(
    server: JwksServer, mock_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    tokens = await reader(server.url)
    for status in ("500 Oh", "200 OK", "500 Oh"):
        server.status, server.body = status, jwks(["d1"])
        mock_clock.jump(10)
        assert await tokens.read(UNKNOWN) is None
    assert await tokens.read(signed("d1")) is not None
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


async def test_a_file_that_is_gone_leaves_its_keys(
    jwks_file: Path, mock_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await reader(jwks_file)
    await trio.Path(jwks_file).unlink()
    mock_clock.jump(10)
    assert await tokens.read(UNKNOWN) is None
    assert await tokens.read(signed("e1")) is not None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_site_that_is_away_at_the_start_is_found_later(server: JwksServer, mock_clock: Clock) -> None:
    server.status = "503 Later"
    tokens = await reader(server.url)
    assert tokens.taken
    assert await tokens.read(signed("e1")) is None
    server.status = "200 OK"
    mock_clock.jump(10)
    assert await tokens.read(signed("e1")) is not None


@pytest.mark.parametrize("vice", ["silent", "dripping"])
async def test_a_site_that_is_too_slow_is_waited_for_no_longer_than_the_limit(server: JwksServer, vice: str) -> None:
    setattr(server, vice, True)
    limits = Limits(jwks_fetch_s=0.2)
    with trio.fail_after(2):
        tokens = await open_outside_tokens(Outside(jwt_jwks=server.url), limits)
    assert await tokens.read(signed("e1")) is None
    assert server.asked == 1
