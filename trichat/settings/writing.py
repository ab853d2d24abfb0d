"""Settings written out: as a TOML file that can be loaded again, and as the table of the documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from msgspec import structs

from trichat.settings.declaration import Settings
from trichat.settings.declared import DECLARED, Declared, show

#: Between these, README.md holds `settings_table()`.
TABLE_BEGIN: Final = "<!-- settings -->"
TABLE_END: Final = "<!-- /settings -->"


def settings_toml(settings: Settings) -> str:
    """The settings as a configuration file, with *** for every password; what is not set is a comment."""
    values = structs.asdict(settings.redacted())
    return "".join(_toml_line(declared, values[name], settings) + "\n" for name, declared in DECLARED.items())


def _toml_line(declared: Declared, value: object, settings: Settings) -> str:
    if value is None and declared.name == "allow_guests":
        return f"# allow_guests = {show(settings.guests_allowed)}  ({declared.default_text})"
    if value is None:
        return f"# {declared.name} is not set: {declared.default_text}"
    return f"{declared.name} = {_toml_value(value)}"


def _toml_value(value: object) -> str:
    if isinstance(value, str | Path):
        # a JSON string without control characters is a TOML string too
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml_value(each) for each in value)}]"
    return repr(value) if isinstance(value, float) else show(value)


def settings_table() -> str:
    """The settings in Markdown, a row for each: what the documentation shows between the markers."""
    rows = ["| setting | flag | variable | default | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, DECLARED.values())]) + "\n"


def _row(declared: Declared) -> str:
    flag = f"`{declared.flag}{_argument(declared)}`"
    if declared.kind == "switch":
        flag += f", `{declared.off_flag}`"
    default = declared.setting.otherwise or f"`{show(declared.default)}`"
    meaning = declared.setting.means[:1].upper() + declared.setting.means[1:]
    if declared.choices:
        meaning += ": " + ", ".join(f"`{choice}`" for choice in declared.choices)
    if declared.setting.least is not None:
        meaning += f" ({show(declared.setting.least)} to {show(declared.setting.most)})"
    if declared.kind == "list":
        meaning += "; the flag may be repeated, the variable takes commas"
    return f"| `{declared.name}` | {flag} | `{declared.variable}` | {default} | {meaning} |"


def _argument(declared: Declared) -> str:
    if declared.kind == "switch":
        return ""
    return f" {declared.setting.metavar or declared.name.rpartition('_')[2].upper()}"
