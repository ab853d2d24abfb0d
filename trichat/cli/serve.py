"""`trichat serve`: the settings from the command line, then the server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trichat.logs import set_up_logging
from trichat.settings import CONFIG_VARIABLE, DECLARED, Declared, Settings, SettingsError, load_settings, settings_toml

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_ABOUT = """\
Serve the chat. With no flags at all it starts its own PostgreSQL and Valkey, in the data folder.

A setting can be given as a flag, as a variable, or in a TOML file under its flag's name with underscores
(port = 8080); a flag wins over a variable, a variable over the file."""


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "serve",
        help="serve the chat",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for declared in DECLARED.values():
        add_flags(parser, declared)
    parser.add_argument("--config", metavar="FILE", help=f"a TOML file of settings ({CONFIG_VARIABLE})")
    parser.add_argument("--check-config", action="store_true", help="print the settings as TOML and do not serve")


def run(arguments: argparse.Namespace) -> int:
    """0 when the server has stopped as it was told to, 2 when the settings are wrong, else what the app returns.

    1 from --check-config: the settings are right, and a file that they name is not.
    """
    try:
        settings = _settings(arguments)
    except SettingsError as error:
        for problem in error.problems:
            print(f"trichat: {problem}", file=sys.stderr)
        return 2
    if arguments.check_config:
        print(settings_toml(settings), end="")
        return _check_certificate(settings)
    set_up_logging(settings.log_level, settings.log_format)
    if settings.workers > 1:
        from trichat.supervisor import run as run_supervisor  # noqa: PLC0415  which never loads the server itself

        return run_supervisor(settings)
    from trichat.app import run as run_app  # noqa: PLC0415  help and wrong settings answer without loading the server

    return run_app(settings)


def _settings(arguments: argparse.Namespace) -> Settings:
    config = arguments.config
    if config is None:
        config = os.environ.get(CONFIG_VARIABLE) or None
    flags = {name: getattr(arguments, name) for name in DECLARED}
    return load_settings(flags, os.environ, None if config is None else Path(config))


def _check_certificate(settings: Settings) -> int:
    """0 when there is none, or one that can be used; what clients will find wrong with it is a warning."""
    if settings.tls_cert is None or settings.tls_key is None:
        return 0
    from trichat.edge.tls import Certificate, TlsUnusable  # noqa: PLC0415  loads Trio

    try:
        certificate = Certificate(settings.tls_cert, settings.tls_key)
    except TlsUnusable as error:
        print(f"trichat: {error}", file=sys.stderr)
        return 1
    if certificate.doubt is not None:
        print(f"trichat: warning: {certificate.state}", file=sys.stderr)
    return 0


def add_flags(parser: argparse.ArgumentParser, declared: Declared) -> None:
    """The flag (for a switch: two) of one setting. Values stay text: the settings say what is wrong with them."""
    about = f"{declared.setting.means} (default: {declared.default_text}; {declared.variable})"
    about = about.replace("`", "").replace("%", "%%")
    if declared.kind == "switch":
        options = (declared.flag, declared.off_flag)
        parser.add_argument(*options, dest=declared.name, action=_Switch, help=about)
        return
    parser.add_argument(
        declared.flag,
        dest=declared.name,
        action="append" if declared.kind == "list" else "store",
        metavar="|".join(declared.choices) or declared.setting.metavar,
        help=about,
    )


class _Switch(argparse.Action):
    """Two flags for one setting, the first for true; the last one given counts."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str, default: object = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help, default=default)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        setattr(namespace, self.dest, option == self.option_strings[0])
