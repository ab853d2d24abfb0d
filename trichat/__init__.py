"""trichat: a chat server that can prove what it promises."""

__version__ = "0.1.0"
