"""A value for each setting that is not its default, as each of the three places spells it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from trichat.settings import FlagValue


class Sample(Struct, frozen=True):
    """One setting's value, and its spelling as a flag's text, in a variable, and in TOML."""

    value: object
    flag: FlagValue
    variable: str
    toml: str
    beside: Mapping[str, str] = {}  # other settings that this one must not be without


def text(word: str) -> Sample:
    return Sample(word, word, word, f'"{word}"')


def number(value: float) -> Sample:
    return Sample(value, str(value), str(value), str(value))


def switch(value: bool) -> Sample:
    word = "true" if value else "false"
    return Sample(value, value, word, word)


_SITE: Final = {"jwt_issuer": "https://id.example.org/", "jwt_audience": "chat"}

SAMPLES: Final[dict[str, Sample]] = {
    "host": text("0.0.0.0"),
    "port": number(9090),
    "workers": number(2),
    "tls_cert": Sample(Path("/srv/c.pem"), "/srv/c.pem", "/srv/c.pem", '"/srv/c.pem"', {"tls_key": "/srv/k.pem"}),
    "tls_key": Sample(Path("/srv/k.pem"), "/srv/k.pem", "/srv/k.pem", '"/srv/k.pem"', {"tls_cert": "/srv/c.pem"}),
    "admin_host": text("::1"),
    "admin_port": number(9091),
    "otlp_endpoint": text("http://127.0.0.1:4318"),
    "database_url": text("postgresql://ann@db.example.org:5433,db2.example.org/chat?target_session_attrs=read-write"),
    "redis_url": text("rediss://cache.example.org:6380/1"),
    "data_dir": Sample(Path("/srv/chat data"), "/srv/chat data", "/srv/chat data", '"/srv/chat data"'),
    "node_id": text("n-1.east"),
    "allow_guests": switch(True),
    "allow_registration": switch(False),
    "rate_limit": switch(False),
    "allow_origin": Sample(
        ("https://a.example.org", "http://[::1]:3000"),
        ["https://a.example.org", "http://[::1]:3000"],
        "https://a.example.org, http://[::1]:3000",
        '["https://a.example.org", "http://[::1]:3000"]',
    ),
    "allowed_host": Sample(
        ("chat.example.org", "2001:db8::1"),
        ["chat.example.org", "2001:db8::1"],
        "chat.example.org,2001:db8::1",
        '["chat.example.org", "2001:db8::1"]',
    ),
    "trusted_proxy": Sample(
        ("10.0.0.0/8", "fd00::1"), ["10.0.0.0/8", "fd00::1"], "10.0.0.0/8, fd00::1", '["10.0.0.0/8", "fd00::1"]'
    ),
    "jwt_jwks": structs.replace(text("https://id.example.org:8443/keys?of=chat"), beside=_SITE),
    "jwt_secret_file": Sample(Path("/srv/key"), "/srv/key", "/srv/key", '"/srv/key"', beside=_SITE),
    "jwt_issuer": text("https://id.example.org/"),
    "jwt_audience": text("chat"),
    "jwt_name_claim": text("https://example.org/name"),
    "jwt_display_claim": text("nickname"),
    "log_level": text("debug"),
    "log_format": text("json"),
    "pooler": switch(True),
    "unsafe": switch(True),
    "retention_days": number(90),
    "edit_window": number(900.0),
    "replay": number(50),
    "max_connections": number(77),
    "redis_prefix": text("other"),
    "drain_s": number(2.5),
    "lanes": number(3),
}
