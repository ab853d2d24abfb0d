"""What can be wrong with the vault itself."""


class VaultUnusable(Exception):
    """A key file cannot be used as it is: the node must not start. The text says which, and what is right."""
