"""Every setting of `trichat serve`, declared once: flags, variables, the TOML file and the documentation follow."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Struct, field, structs

from trichat.core.limits import LIFTED, Limits
from trichat.settings import checks

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

_DEFAULTS: Final = Limits()


class Setting(Struct, frozen=True, kw_only=True):
    """What a field of Settings means, beside its type and its default.

    `check` looks at a text (at each, in a list) and raises ValueError that says what is right. `least` and
    `most` bound a number, both included. `otherwise` says the default in words, where its value does not.
    `off` is the flag for false, if it is not `--no-` and the name.
    """

    means: str
    metavar: str = ""
    check: Callable[[str], None] = checks.check_text
    least: float | None = None
    most: float | None = None
    otherwise: str = ""
    off: str = ""
    secret: bool = False  # a URL that may hold a password: never shown as it is


def default_node_id() -> str:
    """This machine's short name, as far as a node's name may hold it."""
    short = socket.gethostname().partition(".")[0]
    return "".join(c for c in short if c.isascii() and (c.isalnum() or c == "-"))[:64] or "node"


class Settings(Struct, frozen=True, kw_only=True):
    """What the operator decides; immutable once loaded. `repr` shows no password."""

    host: Annotated[
        str,
        Setting(means="the address to listen on", metavar="HOST", check=checks.check_host),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Setting(means="the port to listen on; 0: any free one", metavar="PORT", least=0, most=65_535),
    ] = 8080
    workers: Annotated[
        int,
        Setting(means="how many nodes serve that port, each a process of its own", metavar="N", least=1, most=128),
    ] = 1
    tls_cert: Annotated[
        Path | None,
        Setting(
            means="a PEM file with the certificate and its chain: the port speaks https and wss then",
            metavar="FILE",
            check=checks.check_file,
            otherwise="none: http and ws",
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        Setting(
            means="the PEM file with that certificate's private key",
            metavar="FILE",
            check=checks.check_file,
            otherwise="none",
        ),
    ] = None
    admin_host: Annotated[
        str,
        Setting(means="the address of the port for operators", metavar="HOST", check=checks.check_host),
    ] = "127.0.0.1"
    admin_port: Annotated[
        int | None,
        Setting(
            means="a port of its own for `/metrics`, which the public one then does not serve; 0: any free one",
            metavar="PORT",
            least=0,
            most=65_535,
            otherwise="none: the public port serves it",
        ),
    ] = None
    otlp_endpoint: Annotated[
        str | None,
        Setting(
            means="where traces go, as OTLP over HTTP: `http://127.0.0.1:4318`",
            metavar="URL",
            check=checks.check_otlp_endpoint,
            otherwise="nowhere",
        ),
    ] = None
    database_url: Annotated[
        str | None,
        Setting(
            means="PostgreSQL 14 or newer: `postgresql://…`",
            metavar="URL",
            check=checks.check_database_url,
            otherwise="the embedded PostgreSQL",
            secret=True,
        ),
    ] = None
    redis_url: Annotated[
        str | None,
        Setting(
            means="Redis 6.2 or newer, or Valkey: `redis://…`, `rediss://…`, `unix://…`, `redis+sentinel://…`",
            metavar="URL",
            check=checks.check_redis_url,
            otherwise="the embedded Valkey",
            secret=True,
        ),
    ] = None
    data_dir: Annotated[
        Path,
        Setting(means="the folder of the embedded services' data", metavar="DIR", check=checks.check_path),
    ] = Path("trichat-data")
    node_id: Annotated[
        str,
        Setting(
            means="this node's name, for people",
            metavar="NAME",
            check=checks.check_node_id,
            otherwise="the machine's name",
        ),
    ] = field(default_factory=default_node_id)
    allow_guests: Annotated[
        bool | None,
        Setting(
            means="whether who has no account may come in",
            otherwise="only where the host is a loopback address",
            off="--no-guests",
        ),
    ] = None
    allow_registration: Annotated[
        bool,
        Setting(means="whether anybody may make an account", off="--no-registration"),
    ] = True
    rate_limit: Annotated[
        bool,
        Setting(
            means="whether commands are limited by connection, person, address and room, "
            "and connections by address and account"
        ),
    ] = True
    allow_origin: Annotated[
        tuple[str, ...],
        Setting(
            means="another origin whose pages may connect, `https://chat.example.org`",
            metavar="ORIGIN",
            check=checks.check_origin,
            otherwise="none but the server's own",
        ),
    ] = ()
    allowed_host: Annotated[
        tuple[str, ...],
        Setting(
            means="a name that this server answers to, as `Host` has it, `chat.example.org`, beside this machine's own",
            metavar="NAME",
            check=checks.check_allowed_host,
            otherwise="this machine's own names where the host is a loopback address, elsewhere any",
        ),
    ] = ()
    trusted_proxy: Annotated[
        tuple[str, ...],
        Setting(
            means="an address or network of proxies, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed",
            metavar="NETWORK",
            check=checks.check_trusted_proxy,
            otherwise="none",
        ),
    ] = ()
    jwt_jwks: Annotated[
        str | None,
        Setting(
            means="the public keys (JWKS) of another site, whose tokens log in here: for RS256, ES256, EdDSA",
            metavar="FILE|URL",
            check=checks.check_jwks,
            otherwise="none",
        ),
    ] = None
    jwt_secret_file: Annotated[
        Path | None,
        Setting(
            means="a file with the secret that another site signs tokens with: for HS256",
            metavar="FILE",
            check=checks.check_file,
            otherwise="none",
        ),
    ] = None
    jwt_issuer: Annotated[
        str | None,
        Setting(means="that site, as its tokens' `iss` has it", metavar="ISSUER", otherwise="none"),
    ] = None
    jwt_audience: Annotated[
        str | None,
        Setting(means="this chat, as those tokens' `aud` has it", metavar="AUDIENCE", otherwise="none"),
    ] = None
    jwt_name_claim: Annotated[
        str,
        Setting(means="which claim of a token is the name", metavar="CLAIM", check=checks.check_claim),
    ] = "preferred_username"
    jwt_display_claim: Annotated[
        str,
        Setting(means="which claim of a token is the name to show", metavar="CLAIM", check=checks.check_claim),
    ] = "name"
    log_level: Annotated[LogLevel, Setting(means="the least that is logged")] = "info"
    log_format: Annotated[LogFormat, Setting(means="how a line of the log is written")] = "text"
    pooler: Annotated[
        bool,
        Setting(means="whether the database URL leads to PgBouncer in transaction mode"),
    ] = False
    unsafe: Annotated[
        bool,
        Setting(means="whether a PostgreSQL without `fsync` is accepted, which may lose what was acknowledged"),
    ] = False
    replay: Annotated[
        int,
        Setting(means="the most events that a join replays; of more, a `gap`", metavar="N", least=1, most=100_000),
    ] = _DEFAULTS.replay
    retention_days: Annotated[
        int,
        Setting(
            means="the days after which what was said is kept no more, in rooms that say nothing else; 0: for ever",
            metavar="DAYS",
            least=0,
            most=_DEFAULTS.retention_days,
        ),
    ] = _DEFAULTS.kept_days
    edit_window: Annotated[
        float,
        Setting(
            means="the seconds after a message in which its author may edit it; 0: never",
            metavar="SECONDS",
            least=0,
            most=3_155_760_000,
        ),
    ] = _DEFAULTS.edit_window_s
    max_connections: Annotated[
        int,
        Setting(means="the most connections of this node; more are refused", metavar="N", least=1, most=1_000_000),
    ] = _DEFAULTS.connections
    redis_prefix: Annotated[
        str,
        Setting(
            means="how this cluster's channel names in Redis begin", metavar="TEXT", check=checks.check_redis_prefix
        ),
    ] = "trichat"
    drain_s: Annotated[
        float,
        Setting(means="the seconds that stopping may take", metavar="SECONDS", least=0.1, most=600),
    ] = _DEFAULTS.drain_s
    lanes: Annotated[
        int,
        Setting(means="how many transactions this node commits at once", metavar="N", least=1, most=16),
    ] = 1

    @property
    def guests_allowed(self) -> bool:
        """What `allow_guests` comes to: where nobody decided, guests are for loopback addresses alone."""
        return checks.is_loopback(self.host) if self.allow_guests is None else self.allow_guests

    @property
    def allowed_hosts(self) -> tuple[str, ...] | None:
        """The names that are answered to beside this machine's own; None: any.

        Where only this machine can come, a page of another name can be no other than one whose name was made to
        lead here.
        """
        return self.allowed_host if self.allowed_host or checks.is_loopback(self.host) else None

    def limits(self) -> Limits:
        """The limits of the node that these settings ask for."""
        limits = Limits(
            replay=self.replay, kept_days=self.retention_days, edit_window_s=self.edit_window,
            connections=self.max_connections, drain_s=self.drain_s,
        )  # fmt: skip
        if self.rate_limit:
            return limits
        return structs.replace(
            limits,
            connections_per_address=self.max_connections,
            connections_per_account=self.max_connections,
            commands_per_s=LIFTED,
            command_burst=LIFTED,
        )

    def redacted(self) -> Settings:
        """The same with *** for every password: for logs and for people."""
        return structs.replace(
            self,
            database_url=self.database_url and checks.redact_url(self.database_url),
            redis_url=self.redis_url and checks.redact_url(self.redis_url),
        )

    def __repr__(self) -> str:
        shown = structs.asdict(self.redacted())
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
