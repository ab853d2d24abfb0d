"""The certificate: what is wrong with its files, and how it is read again while people chat."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.authority import Authority
from tests.edge.secure import SecureNode, open_secure_node
from trichat.edge.tls import Certificate, TlsUnusable, open_certificate


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path)
    authority.issue()
    return authority


def no_cert(authority: Authority) -> str:
    authority.cert.unlink()
    return f"{authority.cert} cannot be read: No such file or directory"


def a_folder_as_key(authority: Authority) -> str:
    authority.key.unlink()
    authority.key.mkdir()
    return f"{authority.key} cannot be read: Is a directory"


def an_empty_cert(authority: Authority) -> str:
    authority.cert.write_text("")
    return f"{authority.cert} holds no certificate in PEM"


def a_cert_in_the_place_of_the_key(authority: Authority) -> str:
    authority.key.write_bytes(authority.cert.read_bytes())
    return f"{authority.key} holds no key in PEM that can be used"


def the_key_of_another(authority: Authority) -> str:
    cert = authority.cert.read_bytes()
    authority.issue()
    authority.cert.write_bytes(cert)
    return f"the key in {authority.key} is not that of the certificate in {authority.cert}"


Spoil = Callable[[Authority], str]
SPOILED = [no_cert, a_folder_as_key, an_empty_cert, a_cert_in_the_place_of_the_key, the_key_of_another]


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_is_wrong_with_a_file_is_said_with_its_name(spoil: Spoil, authority: Authority) -> None:
    said = spoil(authority)
    with pytest.raises(TlsUnusable, match=re.escape(said)):
        Certificate(authority.cert, authority.key)


def test_a_key_with_a_password_asks_nobody(authority: Authority) -> None:
    key = load_pem_private_key(authority.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    authority.key.write_bytes(locked)
    with pytest.raises(TlsUnusable, match="is encrypted, and there is nobody to ask"):
        Certificate(authority.cert, authority.key)


def test_one_in_order_says_until_when(authority: Authority) -> None:
    authority.issue("chat.test", not_after=datetime(2090, 1, 2, 3, 4, 5))
    certificate = Certificate(authority.cert, authority.key)
    assert certificate.doubt is None
    assert certificate.state == f"the certificate in {authority.cert} holds until 2090-01-02 03:04:05+00:00"


@pytest.mark.parametrize(
    ("not_before", "not_after", "doubt"),
    [
        (datetime(2020, 1, 1), datetime(2020, 2, 1), "certificate has expired"),
        (datetime(2090, 1, 1), datetime(2091, 1, 1), "certificate is not yet valid"),
    ],
)
def test_one_that_clients_refuse_can_be_used_with_a_warning(
    not_before: datetime, not_after: datetime, doubt: str, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    authority.issue(not_before=not_before, not_after=not_after)
    certificate = open_certificate(authority.cert, authority.key)
    assert certificate is not None
    assert certificate.doubt == doubt
    assert caplog.messages == [f"clients will refuse the certificate in {authority.cert}: {doubt}"]


def test_without_files_there_is_none() -> None:
    assert open_certificate(None, None) is None


async def test_one_read_again_is_for_new_connections_and_the_old_ones_go_on(authority: Authority) -> None:
    async with open_secure_node(authority) as secure, secure.undisturbed():
        seen = [await _shown(secure)]
        fresh = authority.issue()
        seen.append(await _shown(secure))
        await secure.certificate.renew()
        seen.append(await _shown(secure))
        assert seen[0] == seen[1]
        assert seen[2] == fresh != seen[0]


@pytest.mark.parametrize("spoil", SPOILED)
async def test_files_that_are_broken_leave_the_one_before(
    spoil: Spoil, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_secure_node(authority) as secure, secure.undisturbed():
        before = await _shown(secure)
        said = spoil(authority)
        await secure.certificate.renew()
        assert await _shown(secure) == before
    (error,) = [record for record in caplog.records if record.name == "trichat.tls"]
    assert error.levelname == "ERROR"
    assert error.getMessage().startswith(f"the certificate stays as it was: {said}")


async def test_a_handshake_under_way_ends_with_what_it_began_with(authority: Authority) -> None:
    async with open_secure_node(authority) as secure, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(_shown, secure)
            nursery.start_soon(secure.certificate.renew)


async def _shown(secure: SecureNode) -> bytes:
    """The certificate that a new client is shown."""
    async with secure.stream() as stream:
        shown: bytes = stream.getpeercert(binary_form=True)
        return shown
