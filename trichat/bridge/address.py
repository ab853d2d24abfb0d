"""Where Redis is: the URLs that we take, checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

#: Options that redis-py takes from a URL and that the bridge decides itself: it owns deadlines and reconnecting.
_OURS: Final = frozenset(
    {"socket_timeout", "socket_connect_timeout", "health_check_interval", "retry_on_timeout", "protocol",
     "max_connections", "timeout", "legacy_responses", "decode_responses"}
)  # fmt: skip
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SENTINEL_PORT: Final = 26379
_EXAMPLES: Final = (
    "redis://[user:password@]host[:6379][/db], rediss://… with ?ssl_ca_certs=FILE for TLS, unix:///path/to/socket, "
    "or redis+sentinel://[user:password@]host1:26379,host2:26379/service[/db]"
)


class BridgeUnusable(Exception):
    """Redis cannot be used as it is (a bad URL, a wrong password, a missing permission). Says what to do."""


class Host(Struct, frozen=True):
    """Where a server listens."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


class Address(Struct, frozen=True):
    """One Redis, or the Sentinels that know which it is. `str()` of it names no credentials."""

    kind: type[AbstractConnection]
    options: Mapping[str, Any]
    shown: str
    service: str | None = None
    sentinels: tuple[Host, ...] = ()
    sentinel_options: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return self.shown

    def connection(self, host: Host | None = None) -> AbstractConnection:
        """A connection, not yet connected, to the Redis (at `host`, where the Sentinels said so)."""
        return _make(self.kind, self.options, host)

    def sentinel_connection(self, sentinel: Host) -> AbstractConnection:
        """The same, to a Sentinel."""
        return _make(self.kind, self.sentinel_options, sentinel)


def parse_address(url: str) -> Address:
    """The address in `url`. Raises BridgeUnusable, which names what is wrong and never a password."""
    try:
        scheme = _check_port(url)
        address = _parse_sentinels(url) if scheme.endswith("+sentinel") else _parse_plain(url)
        address.connection(address.sentinels[0] if address.sentinels else None)
    except BridgeUnusable:
        raise
    except (ValueError, TypeError, RedisError) as error:
        raise BridgeUnusable(f"the Redis URL cannot be used: {error}. Say {_EXAMPLES}") from None
    for name in _FILES:
        path = address.options.get(name)
        if path and not Path(path).is_file():
            raise BridgeUnusable(f"the Redis URL names the file {path} as {name}, and there is no such file")
    return address


def _check_port(url: str) -> str:
    """The scheme of `url`. Its port is looked at here, because Python's own error would show half a password."""
    parts = urlsplit(url)
    if not parts.scheme.endswith("+sentinel"):
        try:
            _ = parts.port
        except ValueError:
            raise ValueError(
                "the port is no number (characters such as / @ : in a password are written %2F…)"
            ) from None
    return parts.scheme


def _make(kind: type[AbstractConnection], options: Mapping[str, Any], host: Host | None) -> AbstractConnection:
    """`kind` with redis-py's own retries, timeouts and health checks off, in RESP2 (pushes come as plain arrays)."""
    place = {} if host is None else {"host": host.name, "port": host.port}
    return kind(
        **{**options, **place},
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=None,
        socket_connect_timeout=None,
    )


def _parse_plain(url: str) -> Address:
    options: dict[str, Any] = {**parse_url(url)}
    kind = options.pop("connection_class", Connection)
    kept = {name: value for name, value in options.items() if name not in _OURS}
    if urlsplit(url).scheme == "unix":
        if not kept.get("path"):
            raise ValueError("no path of a socket in it")
        return Address(kind, kept, kept["path"])
    _check_database(url)
    return Address(kind, kept, str(Host(kept.get("host", "localhost"), kept.get("port", 6379))))


def _check_database(url: str) -> None:
    """redis-py ignores a database that is no number; a typing error should not be ignored."""
    database = urlsplit(url).path.strip("/")
    if database and not database.isdecimal():
        raise ValueError(f"the database {database!r} is no number")


def _parse_sentinels(url: str) -> Address:
    parts = urlsplit(url)
    credentials, _, places = parts.netloc.rpartition("@")
    sentinels = tuple(_parse_host(place) for place in places.split(",") if place)
    service, _, database = parts.path.strip("/").partition("/")
    if not sentinels or not service:
        raise ValueError("no Sentinel or no name of a service in it")
    query = dict(parse_qsl(parts.query))
    sentinel_user, sentinel_password = query.pop("sentinel_username", None), query.pop("sentinel_password", None)
    scheme = parts.scheme.removesuffix("+sentinel")
    base = _parse_plain(f"{scheme}://{credentials}@0.0.0.0/{database}?{urlencode(query)}")
    return Address(
        kind=base.kind,
        options=base.options,
        shown=f"{service} of the Sentinels {places}",
        service=service,
        sentinels=sentinels,
        sentinel_options=_for_sentinels(base.options, sentinel_user, sentinel_password),
    )


def _for_sentinels(options: Mapping[str, Any], user: str | None, password: str | None) -> dict[str, Any]:
    """The options of Redis without its credentials: a Sentinel has its own, or none."""
    own = {name: value for name, value in options.items() if name not in {"username", "password", "db"}}
    return own | ({"username": user} if user else {}) | ({"password": password} if password else {})


def _parse_host(place: str) -> Host:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError(f"{place!r} is no host")
    return Host(parts.hostname, parts.port or _SENTINEL_PORT)
