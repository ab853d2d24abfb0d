"""Flags, variables and the file all set every setting, and the stronger place wins."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.settings.conftest import ConfigFile
from tests.settings.samples import SAMPLES
from trichat.cli import serve
from trichat.settings import DECLARED, Settings, load_settings


def only(name: str) -> Settings:
    """Settings of which this one alone is not the default, but for what it must not be without."""
    sample = SAMPLES[name]
    beside = {key: SAMPLES[key].value if key in SAMPLES else text for key, text in sample.beside.items()}
    return Settings(**{name: sample.value, **beside})  # type: ignore[arg-type]  # any field


each_setting = pytest.mark.parametrize("name", list(DECLARED))


def test_every_setting_has_a_sample_that_is_not_its_default() -> None:
    assert {name for name in DECLARED if SAMPLES[name].value != DECLARED[name].default} == set(SAMPLES)


@each_setting
def test_a_flag_sets_it(name: str) -> None:
    assert load_settings({name: SAMPLES[name].flag, **SAMPLES[name].beside}, {}) == only(name)


@each_setting
def test_a_variable_sets_it(name: str) -> None:
    assert load_settings(SAMPLES[name].beside, {DECLARED[name].variable: SAMPLES[name].variable}) == only(name)


@each_setting
def test_the_file_sets_it(name: str, config_file: ConfigFile) -> None:
    assert load_settings(SAMPLES[name].beside, {}, config_file(f"{name} = {SAMPLES[name].toml}")) == only(name)


@each_setting
def test_the_command_line_has_its_flag(name: str) -> None:
    declared, flag = DECLARED[name], SAMPLES[name].flag
    parser = argparse.ArgumentParser()
    serve.add_parser(parser.add_subparsers())
    match flag:
        case bool():
            words = [declared.flag if flag else declared.off_flag]
        case list():
            words = [word for each in flag for word in (declared.flag, each)]
        case _:
            words = [declared.flag, str(flag)]
    arguments = vars(parser.parse_args(["serve", *words]))
    assert {key: value for key, value in arguments.items() if key in DECLARED and value is not None} == {name: flag}


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(config_file: ConfigFile) -> None:
    path = config_file('port = 1\nlanes = 1\nreplay = 1\nredis_prefix = "file"')
    settings = load_settings(
        {"port": "3", "allow_guests": None},
        {"TRICHAT_PORT": "2", "TRICHAT_LANES": "2", "TRICHAT_ALLOW_GUESTS": "no"},
        path,
    )
    assert (settings.port, settings.lanes, settings.replay, settings.redis_prefix) == (3, 2, 1, "file")
    assert settings.allow_guests is False


def test_a_flag_that_says_false_wins_too(config_file: ConfigFile) -> None:
    path = config_file("allow_guests = true\nrate_limit = true")
    settings = load_settings({"allow_guests": False}, {"TRICHAT_RATE_LIMIT": "off"}, path)
    assert (settings.allow_guests, settings.rate_limit) == (False, False)


def test_an_empty_variable_counts_as_not_set(config_file: ConfigFile) -> None:
    settings = load_settings({}, {"TRICHAT_PORT": "", "TRICHAT_ALLOW_ORIGIN": ""}, config_file("port = 5"))
    assert (settings.port, settings.allow_origin) == (5, ())


def test_other_peoples_variables_are_none_of_our_business() -> None:
    assert load_settings({}, {"PORT": "1", "PATH": "/bin", "TRICHAT_CONFIG": "x.toml"}) == Settings()


def test_a_whole_number_will_do_for_seconds(config_file: ConfigFile) -> None:
    assert load_settings({}, {}, config_file("drain_s = 3")).drain_s == 3.0


def test_nothing_given_gives_the_defaults() -> None:
    settings = load_settings({}, {})
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8080, Path("trichat-data"))
    assert settings.database_url is settings.redis_url is None
    assert 1 <= len(settings.node_id) <= 64
