"""Cryptography about people: passwords, second factors, and tokens that another site has signed."""

from trichat.vault.errors import VaultUnusable
from trichat.vault.outside import OutsideSettings
from trichat.vault.vault import open_vault

__all__ = ["OutsideSettings", "VaultUnusable", "open_vault"]
