"""The declaration, read: each setting's names on the command line, in the environment and in the file."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct, structs

from trichat.settings.declaration import Setting, Settings

VARIABLE_PREFIX: Final = "TRICHAT_"

Kind = Literal["text", "path", "whole", "number", "switch", "choice", "list"]

_KINDS: Final[dict[object, Kind]] = {
    str: "text",
    Path: "path",
    int: "whole",
    float: "number",
    bool: "switch",
    tuple[str, ...]: "list",
}


class Declared(Struct, frozen=True, kw_only=True):
    """One setting: its name (the key of the TOML file), its kind, its default, and what was said about it."""

    name: str
    kind: Kind
    choices: tuple[str, ...]
    default: Any
    setting: Setting

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def off_flag(self) -> str:
        """The flag for false, of a switch."""
        return self.setting.off or "--no-" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return VARIABLE_PREFIX + self.name.upper()

    @property
    def default_text(self) -> str:
        """The default, for people."""
        return self.setting.otherwise or show(self.default)


def show(value: object) -> str:
    """A value as people write it in a variable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _read(field: structs.FieldInfo, hint: object) -> Declared:
    assert get_origin(hint) is Annotated, f"{field.name} is declared without a Setting"
    declared, setting = get_args(hint)
    assert isinstance(setting, Setting)
    if get_origin(declared) is types.UnionType:  # `X | None`
        (declared,) = (t for t in get_args(declared) if t is not types.NoneType)
    choices = get_args(declared) if get_origin(declared) is Literal else ()
    default = field.default_factory() if field.default is NODEFAULT else field.default
    return Declared(
        name=field.name,
        kind="choice" if choices else _KINDS[declared],
        choices=choices,
        default=default,
        setting=setting,
    )


_HINTS: Final = get_type_hints(Settings, include_extras=True)
#: All settings by name, in the order of their declaration.
DECLARED: Final[dict[str, Declared]] = {
    field.name: _read(field, _HINTS[field.name]) for field in structs.fields(Settings)
}
