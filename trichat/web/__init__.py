"""What is asked for by HTTP: the page, the API, and how the node is. Starlette, over the hub; no sockets."""

from trichat.web.app import open_to_web, operators_app

__all__ = ["open_to_web", "operators_app"]
