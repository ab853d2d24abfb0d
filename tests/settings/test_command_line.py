"""`trichat serve` as a process: what it says of its settings, and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.settings.conftest import ConfigFile
from tests.settings.samples import SAMPLES
from trichat import __version__
from trichat.settings import DECLARED, Settings, load_settings, settings_toml

BOUND_S = 30  # ten times what a start of the interpreter may take on a busy machine


def trichat(*arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TRICHAT_")}
    return subprocess.run(
        [sys.executable, "-m", "trichat", *arguments],
        env=environ | variables, cwd=cwd, capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(host="0.0.0.0"),
        Settings(drain_s=0.30000000000000004, data_dir=Path('a "b" \\ c/é'), allow_origin=("https://a.example.org",)),
        Settings(**{name: sample.value for name, sample in SAMPLES.items()}),  # type: ignore[arg-type]  # every field
    ],
)
def test_what_is_written_out_can_be_loaded_again(settings: Settings, config_file: ConfigFile) -> None:
    assert load_settings({}, {}, config_file(settings_toml(settings))) == settings


def test_check_config_prints_the_settings_in_effect_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "chat.toml").write_text("lanes = 3\nport = 1")
    ran = trichat("serve", "--check-config", "--config", "chat.toml", "--port", "0", cwd=tmp_path, TRICHAT_REPLAY="5")
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = tomllib.loads(ran.stdout)
    assert (shown["lanes"], shown["port"], shown["replay"], shown["host"]) == (3, 0, 5, "127.0.0.1")
    assert "# allow_guests = true" in ran.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["chat.toml"]


def test_check_config_shows_no_password() -> None:
    ran = trichat("serve", "--check-config", TRICHAT_DATABASE_URL="postgresql://ann:hunter2@db/chat")
    assert ran.returncode == 0
    assert 'database_url = "postgresql://ann:***@db/chat"' in ran.stdout
    assert "hunter2" not in ran.stdout + ran.stderr


def test_wrong_settings_name_themselves_and_exit_2(tmp_path: Path) -> None:
    ran = trichat("serve", "--port", "banana", "--redis-url", "http://:hunter2@x", cwd=tmp_path, TRICHAT_LANES="x")
    assert (ran.returncode, ran.stdout) == (2, "")
    lanes, port, redis_url = ran.stderr.splitlines()
    assert lanes.startswith("trichat: TRICHAT_LANES: 'x' is not")
    assert port.startswith("trichat: --port: 'banana' is not")
    assert redis_url.startswith("trichat: --redis-url: the URL does not begin with redis://")
    assert "hunter2" not in ran.stderr
    assert list(tmp_path.iterdir()) == []  # nothing was started


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    ran = trichat("serve", cwd=tmp_path, TRICHAT_CONFIG="chat.toml")
    assert (ran.returncode, ran.stderr) == (2, "trichat: chat.toml cannot be read: No such file or directory\n")


def test_the_last_of_two_opposite_flags_counts() -> None:
    ran = trichat("serve", "--check-config", "--no-guests", "--allow-guests", "--rate-limit", "--no-rate-limit")
    shown = tomllib.loads(ran.stdout)
    assert (shown["allow_guests"], shown["rate_limit"]) == (True, False)


@pytest.mark.parametrize("arguments", [(), ("serf",), ("serve", "--prot", "1"), ("serve", "--por", "1")])
def test_a_command_line_that_makes_no_sense_exits_2(arguments: tuple[str, ...]) -> None:
    ran = trichat(*arguments)
    assert ran.returncode == 2
    assert "usage: trichat" in ran.stderr


def test_help_tells_every_flag_with_its_default_and_variable() -> None:
    ran = trichat("serve", "--help", COLUMNS="200")
    assert ran.returncode == 0
    told = " ".join(ran.stdout.split())
    for declared in DECLARED.values():
        assert declared.flag in told
        assert f"(default: {declared.default_text}; {declared.variable})" in told
    assert "--no-guests" in told
    assert "--no-rate-limit" in told


def test_version() -> None:
    assert trichat("--version").stdout == f"trichat {__version__}\n"
