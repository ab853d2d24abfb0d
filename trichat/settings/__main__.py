"""`python -m trichat.settings` prints the table of the settings, as README.md has it."""

from trichat.settings.writing import settings_table

print(settings_table(), end="")
