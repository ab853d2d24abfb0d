"""Where a server is: the ways in which people write it, and the one form that is used."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

_SCHEMES = {"ws": False, "http": False, "wss": True, "https": True}


class Address(Struct, frozen=True):
    """A WebSocket endpoint. `path` is what the request asks for, with the query."""

    host: str
    port: int
    path: str
    tls: bool

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them: without the port that the scheme implies."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://{self.authority}{self.path}"


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def parse_address(text: str) -> Address:
    """`ws://host:8080/ws`, `https://host`, `host:8080`: without a path it is `/ws`. Raises ValueError, for people."""
    text = text.strip()
    whole = text if "://" in text else f"ws://{text}"
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text} is not an address ({error}); say ws://localhost:8080/ws") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or not _is_plain(whole):
        raise ValueError(f"{text} is not an address; say ws://localhost:8080/ws")
    tls = _SCHEMES[parts.scheme]
    path = parts.path if parts.path not in ("", "/") else "/ws"
    return Address(
        host=parts.hostname,
        port=(443 if tls else 80) if port is None else port,
        path=f"{path}?{parts.query}" if parts.query else path,
        tls=tls,
    )
