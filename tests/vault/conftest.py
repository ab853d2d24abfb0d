from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.vault.hashers import CHEAP
from tests.vault.site import SECRET, Outside, jwks
from trichat.chat.vault_port import Vault
from trichat.core.limits import Limits
from trichat.vault import open_vault


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_bytes(jwks())
    return path


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    return path


@pytest.fixture
async def vault(jwks_file: Path, secret_file: Path) -> AsyncIterator[Vault]:
    """A vault that knows all of the site's keys."""
    settings = Outside(jwt_jwks=str(jwks_file), jwt_secret_file=secret_file)
    async with open_vault(settings, Limits(), CHEAP) as opened:
        yield opened
