"""The URLs that are taken, and what is said about the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from trichat.bridge.address import BridgeUnusable, Host, parse_address


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://example.org", "example.org:6379"),
        ("redis://:secret@example.org:7000/2", "example.org:7000"),
        ("redis://user:sec%2Fret@[::1]:7000?socket_timeout=5&client_name=x", "::1:7000"),
        ("rediss://example.org?ssl_cert_reqs=none", "example.org:6379"),
        ("unix:///run/redis.sock?db=1", "/run/redis.sock"),
        ("redis+sentinel://:secret@a:26380,b/main/3", "main of the Sentinels a:26380,b"),
    ],
)
async def test_an_address_names_its_place_and_no_secret(url: str, shown: str) -> None:
    assert str(parse_address(url)) == shown


async def test_sentinels_have_their_own_password() -> None:
    address = parse_address("redis+sentinel://u:secret@a,[::1]:7/main/3?sentinel_password=other&client_name=x")
    assert address.sentinels == (Host("a", 26379), Host("::1", 7))
    assert address.service == "main"
    assert (address.options["username"], address.options["password"], address.options["db"]) == ("u", "secret", 3)
    assert address.sentinel_options["password"] == "other"
    assert "username" not in address.sentinel_options


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "schemes"),
        ("example.org:6379", "schemes"),
        ("http://example.org", "schemes"),
        ("redis://example.org:port", "the port is no number"),
        ("redis://:se/cret@example.org", "the port is no number"),
        ("redis://example.org/main", "'main' is no number"),
        ("redis://example.org?sokcet_timeout=5", "sokcet_timeout"),
        ("rediss://example.org?ssl_cert_reqs=maybe", "maybe"),
        ("rediss://example.org?ssl_ca_certs=/no/such/file", "/no/such/file"),
        ("unix://", "no path"),
        ("redis+sentinel://a,b", "no name of a service"),
        ("redis+sentinel:///main", "no Sentinel"),
        ("redis+sentinel://a:x/main", "Port"),
    ],
)
async def test_a_url_that_makes_no_sense_is_named(url: str, why: str) -> None:
    with pytest.raises(BridgeUnusable, match=why) as caught:
        parse_address(url)
    assert "cret" not in str(caught.value)


async def test_a_ca_that_exists_is_taken(tmp_path: Path) -> None:
    ca = trio.Path(tmp_path / "ca.pem")
    await ca.write_text("")
    assert parse_address(f"rediss://example.org?ssl_ca_certs={ca}").options["ssl_ca_certs"] == str(ca)
