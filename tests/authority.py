"""An authority for certificates, and what it issues, in files: for tests of TLS."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import trustme

from trichat.client import tls_context
from trichat.edge.tls import Certificate


class Authority:
    """Issues certificates into `directory`; who believes it has `context`."""

    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self._directory = directory
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))
        self.context = tls_context(self.file)

    @property
    def cert(self) -> Path:
        return self._directory / "cert.pem"

    @property
    def key(self) -> Path:
        return self._directory / "key.pem"

    def issue(self, *names: str, not_before: datetime | None = None, not_after: datetime | None = None) -> bytes:
        """Write another certificate and its key over those of before; the certificate in DER."""
        issued = self._ca.issue_cert(*names or ("127.0.0.1",), not_before=not_before, not_after=not_after)
        issued.private_key_pem.write_to_path(str(self.key))
        chain = [blob.bytes().decode() for blob in issued.cert_chain_pems]
        self.cert.write_text("".join(chain))
        return ssl.PEM_cert_to_DER_cert(chain[0])

    def certificate(self, *names: str) -> Certificate:
        """A new one, as a node has it."""
        self.issue(*names)
        return Certificate(self.cert, self.key)
