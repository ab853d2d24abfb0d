"""Settings from flags, variables and a TOML file; all that is wrong with them is said at once."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from trichat.settings.checks import check_outside, check_text, check_tls
from trichat.settings.declaration import Settings
from trichat.settings.declared import DECLARED, VARIABLE_PREFIX, Declared, show

#: What a flag gave: text, a switch, a repeated flag's texts; None: it was not given.
FlagValue = str | bool | list[str] | None

CONFIG_VARIABLE: Final = "TRICHAT_CONFIG"  # stands for --config; read by the command line

_Parse = Callable[[Declared, object], object]
_SWITCHES: Final = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip
_SHOWN_CHARS: Final = 60  # of a wrong value, in its message


class SettingsError(Exception):
    """Settings that cannot be: `problems` has a line for each, with the place it came from and what is right."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: Final = tuple(problems)
        super().__init__("; ".join(self.problems))


def load_settings(
    flags: Mapping[str, FlagValue], environ: Mapping[str, str], config_file: Path | None = None
) -> Settings:
    """The settings: a flag wins over a variable, a variable over the file, the file over the default.

    `flags` are by the settings' names, as raw text. A variable that is empty counts as not set. What a
    stronger place overrides must be right all the same. Raises SettingsError.
    """
    gathering = _Gathering()
    if config_file is not None:
        _gather_file(gathering, config_file)
    _gather_environment(gathering, environ)
    _gather_flags(gathering, flags)
    if gathering.problems:
        raise SettingsError(gathering.problems)
    settings = msgspec.convert(gathering.values, Settings)
    keys = settings.jwt_jwks or settings.jwt_secret_file
    problems = check_outside(keys, settings.jwt_issuer, settings.jwt_audience)
    if problems := problems + check_tls(settings.tls_cert, settings.tls_key):
        raise SettingsError(problems)
    return settings


class _Gathering:
    """The values and the problems found so far, the weakest place first."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.problems: list[str] = []

    def take(self, place: str, declared: Declared, raw: object, parse: _Parse) -> None:
        try:
            self.values[declared.name] = _checked(declared, parse(declared, raw))
        except ValueError as error:
            self.problems.append(f"{place}: {_shown(declared, raw)} {error}")

    def refuse(self, place: str, known: Iterable[str]) -> None:
        """Nothing is called so; offers the nearest of `known`."""
        name = place.rpartition(":")[2]
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
        self.problems.append(f"{_one_line(place)} is no setting" + (f"; did you mean {near[0]}?" if near else ""))


def _gather_flags(gathering: _Gathering, flags: Mapping[str, FlagValue]) -> None:
    for name, raw in flags.items():
        if raw is not None:
            gathering.take(DECLARED[name].flag, DECLARED[name], raw, _parse_given)


def _gather_environment(gathering: _Gathering, environ: Mapping[str, str]) -> None:
    by_variable = {declared.variable: declared for declared in DECLARED.values()}
    for variable, raw in environ.items():
        if not variable.startswith(VARIABLE_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable not in by_variable:
            gathering.refuse(variable, [*by_variable, CONFIG_VARIABLE])
        elif raw:
            gathering.take(variable, by_variable[variable], raw, _parse_given)


def _gather_file(gathering: _Gathering, path: Path) -> None:
    place = _one_line(str(path))
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        gathering.problems.append(f"{place} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        gathering.problems.append(f"{place} is not UTF-8")
    except (ValueError, RecursionError) as error:
        gathering.problems.append(f"{place} is not TOML: {_one_line(str(error))}")
    else:
        for key, raw in table.items():
            if key in DECLARED:
                gathering.take(f"{place}:{key}", DECLARED[key], raw, _parse_toml)
            else:
                gathering.refuse(f"{place}:{key}", DECLARED)


def _parse_given(declared: Declared, raw: object) -> object:
    """A value from the text of a flag or variable. Raises ValueError."""
    if not isinstance(raw, str):
        return raw  # a switch or a repeated flag, of which argparse makes its own kind
    match declared.kind:
        case "whole" | "number":
            try:
                return int(raw) if declared.kind == "whole" else float(raw)
            except ValueError:
                raise ValueError(_right(declared)) from None
        case "switch" if raw.lower() not in _SWITCHES:
            raise ValueError(_right(declared))
        case "switch":
            return _SWITCHES[raw.lower()]
        case "list":
            return [part.strip() for part in raw.split(",") if part.strip()]
    return raw


def _parse_toml(declared: Declared, raw: object) -> object:
    """A value from a TOML file, which has types of its own. Raises ValueError."""
    match declared.kind:
        case "whole":
            right = isinstance(raw, int) and not isinstance(raw, bool)
        case "number":
            right = isinstance(raw, int | float) and not isinstance(raw, bool)
        case "switch":
            right = isinstance(raw, bool)
        case "list":
            right = isinstance(raw, list) and all(isinstance(each, str) for each in raw)
        case _:
            right = isinstance(raw, str)
    if not right:
        raise ValueError(_right(declared))
    return raw


def _checked(declared: Declared, value: object) -> object:
    """`value` once it has passed what the declaration asks for, in the field's type. Raises ValueError."""
    setting = declared.setting
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            check_text(text)
            setting.check(text)
    if isinstance(value, int | float) and declared.kind in ("whole", "number"):
        least, most = setting.least, setting.most
        if not math.isfinite(value) or (least is not None and value < least) or (most is not None and value > most):
            raise ValueError(_right(declared))
    if declared.kind == "choice" and value not in declared.choices:
        raise ValueError(_right(declared))
    if declared.kind == "path":
        return Path(str(value))
    return tuple(value) if isinstance(value, list) else value


def _right(declared: Declared) -> str:
    """What is right for a setting of this kind."""
    bounds = f" from {show(declared.setting.least)} to {show(declared.setting.most)}"
    return {
        "whole": f"is not a whole number{bounds}",
        "number": f"is not a number{bounds}",
        "switch": "is not true or false",
        "choice": f"is not one of {', '.join(declared.choices)}",
        "list": 'is not a list of texts; say ["…", "…"]',
        "text": 'is not a text in quotes; say "…"',
        "path": 'is not a text in quotes; say "…"',
    }[declared.kind]


def _shown(declared: Declared, raw: object) -> str:
    """A wrong value as its message shows it: never a URL, and never long."""
    if declared.setting.secret:
        return "the URL"
    if not isinstance(raw, str | list):
        return show(raw) if isinstance(raw, bool | int | float) else f"a {type(raw).__name__}"
    line = _one_line(repr(raw))
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
