"""Wrong settings: each names itself, the place it came from, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.conftest import ConfigFile
from trichat.settings import FlagValue, SettingsError, load_settings

SECRET = "hunter2"


def problems(
    flags: dict[str, FlagValue] | None = None, environ: dict[str, str] | None = None, path: Path | None = None
) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(flags or {}, environ or {}, path)
    return caught.value.problems


def test_all_problems_of_all_places_are_told_at_once(config_file: ConfigFile) -> None:
    path = config_file('lanes = 17\nlog_level = "loud"\nprot = 1')
    told = problems({"port": "banana"}, {"TRICHAT_REPLAY": "many", "TRICHAT_HOSTS": "x"}, path)
    assert told == (
        f"{path}:lanes: 17 is not a whole number from 1 to 16",
        f"{path}:log_level: 'loud' is not one of debug, info, warning, error",
        f"{path}:prot is no setting; did you mean port?",
        "TRICHAT_REPLAY: 'many' is not a whole number from 1 to 100000",
        "TRICHAT_HOSTS is no setting; did you mean TRICHAT_HOST?",
        "--port: 'banana' is not a whole number from 0 to 65535",
    )


def test_what_a_flag_overrides_must_be_right_all_the_same() -> None:
    assert problems({"port": "1"}, {"TRICHAT_PORT": "tcp://10.0.0.1:80"}) == (
        "TRICHAT_PORT: 'tcp://10.0.0.1:80' is not a whole number from 0 to 65535",
    )


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("host", ""),
        ("host", "[::1]"),
        ("host", "a b"),
        ("port", "-1"),
        ("port", "65536"),
        ("port", "8080.5"),
        ("data_dir", ""),
        ("data_dir", "~/chat"),
        ("data_dir", "a\nb"),
        ("data_dir", "\udcff"),
        ("node_id", ""),
        ("node_id", "n" * 65),
        ("node_id", "nœud"),
        ("allow_guests", "perhaps"),
        ("allow_origin", ["https://chat.example.org/"]),
        ("allow_origin", ["https://Chat.example.org"]),
        ("allow_origin", ["*"]),
        ("allow_origin", ["https://fine.example.org", "chat.example.org"]),
        ("log_format", "xml"),
        ("replay", "0"),
        ("max_connections", "9" * 5000),
        ("redis_prefix", "a{b}"),
        ("drain_s", "nan"),
        ("drain_s", "1e999"),
        ("drain_s", "0"),
        ("lanes", "0"),
        ("jwt_jwks", ""),
        ("jwt_jwks", "~/keys.json"),
        ("jwt_jwks", "http://id.example.org/keys"),
        ("jwt_jwks", "https://ann:hunter2@id.example.org/keys"),
        ("jwt_jwks", "https:///keys"),
        ("jwt_jwks", "https://id.example.org:99999/keys"),
        ("jwt_jwks", "https://[::1/keys"),
        ("jwt_jwks", "file:///etc/keys"),
        ("jwt_secret_file", ""),
        ("jwt_name_claim", ""),
        ("jwt_display_claim", ""),
    ],
)
def test_a_wrong_value_is_told_with_its_flag(name: str, raw: FlagValue) -> None:
    (told,) = problems({name: raw})
    assert told.startswith(f"--{name.replace('_', '-')}: ")
    assert told.isprintable()
    assert len(told) < 250


@pytest.mark.parametrize(
    "line",
    ["port = true", "port = 1.0", 'port = "1"', "host = 1", "rate_limit = 1", 'allow_origin = "https://a.example.org"',
     "allow_origin = [1]", "data_dir = []", "drain_s = '1'", "log_level = 1", "[lanes]\nx = 1",
     "redis_url = 1979-05-27T07:32:00Z"],
)  # fmt: skip
def test_a_wrong_type_in_the_file_is_told_with_its_key(line: str, config_file: ConfigFile) -> None:
    path = config_file(line)
    key = line.strip("[").split()[0].rstrip("]")
    (told,) = problems(path=path)
    assert told.startswith(f"{path}:{key}: ")
    assert " is not " in told


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"port = ", "is not TOML"), (b"port = \xff", "is not UTF-8"), (b"port = 1\nport = 2", "is not TOML"),
     (b"port = " + b"9" * 5000, "is not TOML"), (b"a = " + b"[" * 100_000, "is not TOML")],
)  # fmt: skip
def test_a_file_that_cannot_be_understood_is_named(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "trichat.toml"
    path.write_bytes(content)
    (told,) = problems(path=path)
    assert told.startswith(f"{path} {why}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert problems(path=tmp_path / "no.toml") == (f"{tmp_path}/no.toml cannot be read: No such file or directory",)


def test_a_long_path_is_told_whole_and_a_long_value_is_cut(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 100)
    (missing, wrong) = problems({"port": "x" * 500}, path=path)
    assert str(path) in missing
    assert len(wrong) < 150


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2@db/chat",
        "postgres://db",
        "postgresql:///chat?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/chat",
        "postgresql://ann@[::1]:5432,db2:5433/chat?sslmode=verify-full&target_session_attrs=read-write",
    ],
)
def test_postgresql_urls(url: str) -> None:
    assert load_settings({"database_url": url}, {}).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://cache",
        "redis://:hunter2@cache:6379/0",
        "rediss://ann:hunter2@[::1]:6380/1?ssl_cert_reqs=required",
        "unix:///run/valkey.sock",
        "unix://ann:hunter2@/run/valkey.sock?db=1",
        "redis+sentinel://:hunter2@s1:26379,s2:26379/chat/0",
        "rediss+sentinel://s1/chat?sentinel_password=hunter2",
    ],
)
def test_redis_urls(url: str) -> None:
    assert load_settings({"redis_url": url}, {}).redis_url == url


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("database_url", f"mysql://ann:{SECRET}@db/chat"),
        ("database_url", f"host=db password={SECRET}"),
        ("database_url", f"postgresql://ann:{SECRET}@x@db/chat"),
        ("database_url", f"postgresql://ann:{SECRET}/x@db/chat"),
        ("database_url", f"postgresql://ann:{SECRET}?x@db/chat"),
        ("database_url", f"postgresql://ann:{SECRET}#x@db/chat"),
        ("database_url", f"postgresql://ann:{SECRET}%zz@db/chat"),
        ("database_url", f"postgresql://ann:{SECRET} x@db/chat"),
        ("database_url", f"postgresql://ann:{SECRET}@db:99999/chat"),
        ("database_url", f"postgresql://ann:{SECRET}@db/chat/more"),
        ("database_url", f"postgresql://ann:{SECRET}@db/chat?sslmode"),
        ("redis_url", f"http://:{SECRET}@cache"),
        ("redis_url", f"redis://:{SECRET}@"),
        ("redis_url", f"redis://:{SECRET}@a,b"),
        ("redis_url", f"redis://:{SECRET}@cache/lobby"),
        ("redis_url", f"redis://:12/{SECRET}@cache"),
        ("redis_url", f"redis://:12?{SECRET}@cache"),
        ("redis_url", f"unix://{SECRET}"),
        ("redis_url", f"redis+sentinel://:{SECRET}@/chat"),
        ("redis_url", f"redis+sentinel://:{SECRET}@s1,s2"),
    ],
)
def test_a_wrong_url_is_told_without_what_it_hides(name: str, url: str) -> None:
    (told,) = problems({name: url})
    assert told.startswith(f"--{name.replace('_', '-')}: the URL ")
    assert "://" in told.partition("the URL")[2]  # what is right
    assert SECRET not in told


@pytest.mark.parametrize("url", ["postgresql://ann:***@db/chat", "postgresql://db/chat?password=***"])
def test_a_url_copied_from_what_trichat_shows_is_refused(url: str) -> None:
    assert "put the password itself there" in problems({"database_url": url})[0]


@pytest.mark.parametrize("keys", [{"jwt_jwks": "keys.json"}, {"jwt_secret_file": "key"}])
def test_tokens_of_another_site_are_not_taken_without_its_name_and_ours(keys: dict[str, FlagValue]) -> None:
    issuer, audience = problems(keys)
    assert issuer.startswith("--jwt-issuer is not set")
    assert audience.startswith("--jwt-audience is not set")
    (missing,) = problems(keys | {"jwt_issuer": "https://id.example.org"}, {"TRICHAT_JWT_AUDIENCE": ""})
    assert missing == audience


@pytest.mark.parametrize(
    "place", ["https://id.example.org/keys", "http://127.0.0.1:9/keys", "http://[::1]/k", "k.json"]
)
def test_places_of_another_sites_keys(place: str) -> None:
    settings = load_settings({"jwt_jwks": place, "jwt_issuer": "a", "jwt_audience": "b"}, {})
    assert settings.jwt_jwks == place


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("allowed_host", "https://chat.example.org", "is no host name"),
        ("allowed_host", "chat.example.org:443", "is no host name"),
        ("allowed_host", "chat example", "is no host name"),
        ("allowed_host", "*", "is no host name"),
        ("trusted_proxy", "proxy.example.org", "is no address and no network"),
        ("trusted_proxy", "10.0.0.1/8", "is no address and no network"),
        ("trusted_proxy", "10.0.0.0/33", "is no address and no network"),
        ("trusted_proxy", "*", "is no address and no network"),
        ("trusted_proxy", "0.0.0.0/0", "trusts everybody"),
        ("trusted_proxy", "::/0", "trusts everybody"),
    ],
)
def test_what_is_no_name_of_ours_and_no_proxy_is_told(name: str, value: str, why: str) -> None:
    (told,) = problems({name: [value]})
    assert told.startswith(f"--{name.replace('_', '-')}: ")
    assert why in told


@pytest.mark.parametrize("name", ["chat.example.org", "Chat.Example.org", "192.0.2.1", "2001:db8::1", "[2001:db8::1]"])
def test_names_of_ours(name: str) -> None:
    assert load_settings({"allowed_host": [name]}, {}).allowed_host == (name,)


@pytest.mark.parametrize("network", ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/1", "fd00::1", "fd00::/8"])
def test_networks_of_proxies(network: str) -> None:
    assert load_settings({"trusted_proxy": [network]}, {}).trusted_proxy == (network,)
