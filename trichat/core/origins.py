"""Which pages may connect, and which names this server answers to.

Browsers name the page's origin, and let every page connect anywhere: so the origin is compared with our own name.
That is worth nothing where a stranger's name leads to us (DNS rebinding), so the name itself has to be known.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Final

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_PORT: Final = re.compile(r":\d*\Z")


def page_may_connect(origin: str, host: str, allowed: Collection[str], *, tls: bool) -> bool:
    """Whether a page from `origin` may connect to us, whom the client calls `host`; `allowed` are other origins.

    Compared whole, so that neither a suffix, another port, a user nor a scheme slips through. As in browsers, the
    default port may be left out, the case means nothing, and a dot at the end makes another host.
    """
    own = f"{'https' if tls else 'http'}://{host}"
    return _normal_origin(origin) in {_normal_origin(each) for each in (own, *allowed)}


def answers_to(host: str, names: Collection[str] | None) -> bool:
    """Whether this server is `host`, a Host header's value: one of `names` (None: any), or a name of this machine.

    The port means nothing. Nobody can make a name of this machine lead elsewhere, so these always count.
    """
    if names is None:
        return True
    name = host_name(host)
    return name in {host_name(each) for each in names} or _is_loopback(name)


@lru_cache(maxsize=256)
def host_name(host: str) -> str:
    """`host` without its port, brackets and the dot at its end, in lower case."""
    bare = host.partition("]")[0][1:] if host.startswith("[") else host
    try:
        return str(ip_address(bare))
    except ValueError:
        return _PORT.sub("", host).removesuffix(".").lower()


def _normal_origin(origin: str) -> str:
    origin = origin.lower()
    scheme, mark, _ = origin.partition("://")
    return origin.removesuffix(_DEFAULT_PORTS[scheme]) if mark and scheme in _DEFAULT_PORTS else origin


@lru_cache(maxsize=256)
def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback if isinstance(address, IPv4Address) else str(address) == "::1"
