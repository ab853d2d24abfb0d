"""Who `trichat chat` talks as: what was said on the command line, the password, and the token that is kept."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from trichat.client import Refused
from trichat.core.names import name_key

PASSWORD_VARIABLE: Final = "TRICHAT_PASSWORD"  # noqa: S105  # a name, no password
_NO_TERMINAL: Final = (
    f"there is no terminal to ask for the password; put it into {PASSWORD_VARIABLE} "
    "(it cannot come from standard input: that is what you say)"
)


class Login:
    """Who we want to be. The token is kept in a file that nobody else can read."""

    def __init__(
        self, name: str | None, *, account: str | None, register: bool, code: str | None, token_file: Path | None
    ) -> None:
        self.name = name if account is None else account
        self.account = account
        self.register = register
        self.code = code
        self.password: str | None = None
        self._token_file = token_file
        self.token = self._kept()

    def check(self, user: str | None) -> None:
        """Whether we are who we want to be. Raises ValueError: the token that was kept is somebody else's."""
        if self.account is not None and (user is None or name_key(user) != name_key(self.account)):
            raise ValueError(f"the token in {self._token_file} is that of {user}, not of {self.account}")

    def hint(self, refusal: Refused) -> str:
        """What to do about it."""
        if refusal.code != "unauthenticated":
            return ""
        if refusal.field == "code" and self.code is None:
            return " (say --code, with what your authenticator shows)"
        if self.token is not None and self.password is None:
            return f" (the token in {self._token_file} does not count any more: remove that file)"
        return ""

    def keep(self, token: str | None) -> None:
        """Write a new token."""
        if self._token_file is not None and token is not None and token != self.token:
            with open(os.open(self._token_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(f"{token}\n")
            self.token = token

    def _kept(self) -> str | None:
        if self._token_file is None or not self._token_file.exists():
            return None
        token = self._token_file.read_text().strip() or None
        is_guests = token is not None and token.startswith("g.")
        return None if self.account is not None and is_guests else token


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say who we are."""
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--name", help="how you want to be called, as a guest; without it you get a name")
    who.add_argument(
        "--login",
        metavar="NAME",
        help=f"your account; the password is asked for on the terminal, or stands in {PASSWORD_VARIABLE} "
        "(not on standard input: that is the chat)",
    )
    parser.add_argument("--register", action="store_true", help="with --login: make the account first")
    parser.add_argument("--code", help="with --login: the code of your authenticator, if your account has one")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="who you are is kept here, for the next time")


def read_login(arguments: argparse.Namespace, environ: Mapping[str, str], ask: Callable[[str], str]) -> Login:
    """Who we want to be. `ask` is called for a password that nothing else gives, unless there is a token.

    Raises ValueError, for people, and OSError when the token's file cannot be read.
    """
    account: str | None = arguments.login
    if account is None and (arguments.register or arguments.code is not None):
        raise ValueError("--register and --code go with --login NAME")
    login = Login(
        arguments.name,
        account=account,
        register=arguments.register,
        code=arguments.code,
        token_file=arguments.token_file,
    )
    if account is not None:
        login.password = environ.get(PASSWORD_VARIABLE) or None
        if login.password is None and login.token is None:
            login.password = _asked(account, ask, twice=login.register)
    elif login.token is not None and not login.token.startswith("g."):
        login.name = None  # an account has its name already
    return login


def _asked(account: str, ask: Callable[[str], str], *, twice: bool) -> str:
    password = ask(f"Password of {account}: ")
    if not password:
        raise ValueError("no password was given")
    if twice and ask("Once more: ") != password:
        raise ValueError("the two passwords are not the same")
    return password


def ask_on_terminal(prompt: str) -> str:
    """A password from the terminal itself, not shown. Raises ValueError where there is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))  # else getpass would read it from standard input
        return getpass.getpass(prompt)
    except (OSError, EOFError):
        raise ValueError(_NO_TERMINAL) from None
