"""What the operator decides: one declaration, read from flags, `TRICHAT_*` variables and a TOML file."""

from trichat.settings.declaration import LogFormat, LogLevel, Settings
from trichat.settings.declared import DECLARED, Declared
from trichat.settings.loading import CONFIG_VARIABLE, FlagValue, SettingsError, load_settings
from trichat.settings.writing import TABLE_BEGIN, TABLE_END, settings_table, settings_toml

__all__ = [
    "CONFIG_VARIABLE",
    "DECLARED",
    "TABLE_BEGIN",
    "TABLE_END",
    "Declared",
    "FlagValue",
    "LogFormat",
    "LogLevel",
    "Settings",
    "SettingsError",
    "load_settings",
    "settings_table",
    "settings_toml",
]
