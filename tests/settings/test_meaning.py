"""What the settings come to: guests, limits, and nothing that shows a password."""

from __future__ import annotations

import pytest

from trichat.chat.throttle import Throttle
from trichat.core.limits import Limits
from trichat.settings import Settings, settings_toml


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_guests_are_allowed_where_only_this_machine_can_come(host: str) -> None:
    assert Settings(host=host).guests_allowed


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:127.0.0.1", "chat.example.org", "localhost.x"])
def test_guests_are_refused_where_others_can_come(host: str) -> None:
    assert not Settings(host=host).guests_allowed


def test_what_was_said_about_guests_counts_everywhere() -> None:
    assert Settings(host="0.0.0.0", allow_guests=True).guests_allowed
    assert not Settings(host="127.0.0.1", allow_guests=False).guests_allowed


def test_the_defaults_are_the_limits_defaults() -> None:
    assert Settings().limits() == Limits()


def test_limits_that_can_be_set() -> None:
    limits = Settings(replay=7, retention_days=6, edit_window=5.0, max_connections=8, drain_s=9.0).limits()
    assert limits == Limits(replay=7, kept_days=6, edit_window_s=5.0, connections=8, drain_s=9.0)


def test_no_rate_limit_lifts_the_buckets_and_the_caps_per_address_and_account() -> None:
    limits = Settings(rate_limit=False, max_connections=900).limits()
    assert limits.connections_per_address == limits.connections_per_account == limits.connections == 900
    assert Throttle(limits).lifted
    assert not Throttle(Settings().limits()).lifted
    assert (limits.frame, limits.outbox_bytes) == (Limits().frame, Limits().outbox_bytes)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:hunter2@db:5432/chat", "postgresql://ann:***@db:5432/chat"),
        ("postgresql://ann@db/chat", "postgresql://ann@db/chat"),
        ("postgresql://db/chat?user=ann&password=hunter2", "postgresql://db/chat?user=ann&password=***"),
        ("postgresql://db/chat?sslpassword=hunter2&host=/run/pg", "postgresql://db/chat?sslpassword=***&host=/run/pg"),
        ("postgresql://db/chat?p%61ssword=hunter2", "postgresql://db/chat?p%61ssword=***"),
        ("postgresql://db/chat?options=-c%20x%3D1+2", "postgresql://db/chat?options=-c%20x%3D1+2"),
        ("postgresql://ann:12?x=hunter2@db/chat", "postgresql://ann:12?x=***"),
        ("postgresql://ann:x@hunter2@db/chat", "postgresql://***"),
        ("postgresql://ann:hunter2/chat", "postgresql://***"),
        ("host=db password=hunter2", "***"),
    ],
)
def test_passwords_are_never_shown(url: str, shown: str) -> None:
    settings = Settings(database_url=url, redis_url=url)
    assert (settings.redacted().database_url, settings.redacted().redis_url) == (shown, shown)
    assert settings.database_url == url
    assert "hunter2" not in repr(settings) + str(settings) + f"{settings!r:>10}" + settings_toml(settings)
