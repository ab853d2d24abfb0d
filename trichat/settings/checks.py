"""What is right for the text of a setting. Each check raises ValueError that says so, and never shows a URL."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote, urlsplit

_NODE_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}")
# as browsers write it: lower case, no path, no slash at the end
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
# stricter than libpq and redis-py: what must be percent-encoded is refused here, so that a password that
# holds an @ or a / is neither cut at the wrong place nor shown
_URL: Final = re.compile(
    r"(?P<scheme>[a-z][a-z+]*)://"
    r"(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<hosts>[^@/?#]*)(?P<path>/[^@?#]*)?(?:\?(?P<query>[^#]*))?"
)
_HOST_AND_PORT: Final = re.compile(r"(?P<host>[^:\[\]]*|\[[0-9A-Fa-f:.%]+\])(?::(?P<port>[0-9]{1,5}))?")
MASK: Final = "***"  # what is shown in a secret's place
_SECRET_WORDS: Final = ("pass", "secret", "token", "scram")

_ENCODE: Final = "with % @ / ? # and blanks percent-encoded in the user and password"
_POSTGRES_SHAPE: Final = f"say postgresql://USER:PASSWORD@HOST:PORT/DATABASE, {_ENCODE}"
_REDIS_SHAPE: Final = (
    "say redis://USER:PASSWORD@HOST:PORT/DB, rediss:// for TLS, unix:///PATH/TO/SOCKET, or "
    f"redis+sentinel://HOST:PORT,HOST:PORT/SERVICE, {_ENCODE}"
)


def check_text(text: str) -> None:
    """No controls and no bytes that were not UTF-8: neither can be written back to a configuration file."""
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise ValueError("holds control characters or bytes that are not UTF-8")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost counts as reachable."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_host(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        if not _HOST_NAME.fullmatch(text):
            raise ValueError(
                "is no address and no host name; say 127.0.0.1, ::1 (without brackets), or 0.0.0.0 for all addresses"
            ) from None


def check_path(text: str) -> None:
    if not text or text.startswith("~"):
        raise ValueError("is not a folder's path; write it out (a ~ means nothing here)")


def check_file(text: str) -> None:
    if not text or text.startswith("~"):
        raise ValueError("is not a file's path; write it out (a ~ means nothing here)")


def check_jwks(text: str) -> None:
    """A path, or an URL that nobody on the way can put other keys behind: https, or http on this machine."""
    if "://" not in text:
        return check_file(text)
    try:
        parts = urlsplit(text)
        right = parts.port != 0 and bool(parts.hostname) and "@" not in parts.netloc and not re.search(r"\s|#", text)
    except ValueError:
        right = False
    if not right or parts.scheme not in ("http", "https"):
        raise ValueError("is no URL of keys; say https://HOST/PATH (without a user), or the path of a JWKS file")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("is not https, so anybody on the way could put their own keys there; say https://HOST/PATH")
    return None


def check_otlp_endpoint(text: str) -> None:
    try:
        parts = urlsplit(text)
        right = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        right = False
    if not right or re.search(r"[\s?#]", text):
        raise ValueError("is no URL of a collector; say http://HOST:4318, without a user")


def check_tls(cert: object, key: object) -> list[str]:
    """What is wrong with these together."""
    if (cert is None) == (key is None):
        return []
    flag = "--tls-key" if key is None else "--tls-cert"
    return [f"{flag} is not set; a certificate goes with its key"]


def check_claim(text: str) -> None:
    if not text:
        raise ValueError("is no claim's name; say preferred_username, email, or as your site calls it")


def check_outside(keys: object, issuer: str | None, audience: str | None) -> list[str]:
    """What is wrong with these together: without both, a token that was given for another service would do."""
    if keys is None:
        return []
    given = (("--jwt-issuer", "iss", issuer), ("--jwt-audience", "aud", audience))
    return [
        f"{flag} is not set; tokens of another site are taken only with the {claim} that they must have"
        for flag, claim, value in given
        if not value
    ]


def check_node_id(text: str) -> None:
    if not _NODE_ID.fullmatch(text):
        raise ValueError("is no name for a node; say 1 to 64 letters a-z, digits, dashes, dots")


def check_redis_prefix(text: str) -> None:
    if not _PREFIX.fullmatch(text):
        raise ValueError("is no prefix; say 1 to 64 letters a-z, digits, and _ . : -")


def check_origin(text: str) -> None:
    if not _ORIGIN.fullmatch(text):
        raise ValueError("is no origin; say https://chat.example.org: lower case, with a port if any, without a path")


def check_allowed_host(text: str) -> None:
    """A name or an address, of which the port means nothing."""
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not _HOST_NAME.fullmatch(text):
            raise ValueError("is no host name; say chat.example.org, without https:// and without a port") from None


def check_trusted_proxy(text: str) -> None:
    """An address or a network: whoever is in it can pretend to be anybody."""
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("is no address and no network; say 10.0.0.1, 10.0.0.0/8 or fd00::/8") from None
    if not network.prefixlen:
        raise ValueError("trusts everybody, so that anybody could have any address; name your proxies' own network")


def check_database_url(text: str) -> None:
    parts = _well_formed(text, ("postgresql", "postgres"), _POSTGRES_SHAPE)
    if "/" in (parts["path"] or "")[1:]:
        raise ValueError(f"has a / in the database's name; {_POSTGRES_SHAPE}")


def check_redis_url(text: str) -> None:
    parts = _well_formed(text, ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"), _REDIS_SHAPE)
    path = parts["path"] or ""
    match parts["scheme"]:
        case "unix" if parts["hosts"] or path in ("", "/"):
            raise ValueError("names no socket; say unix:///PATH/TO/SOCKET, with three slashes")
        case "redis" | "rediss" if not parts["hosts"] or "," in parts["hosts"]:
            raise ValueError(f"does not name exactly one host; {_REDIS_SHAPE}")
        case "redis" | "rediss" if not re.fullmatch(r"(/[0-9]{0,9})?", path):
            raise ValueError(f"has a database that is not a number; {_REDIS_SHAPE}")
        case "redis+sentinel" | "rediss+sentinel" if not parts["hosts"] or path in ("", "/"):
            raise ValueError(f"does not name sentinels and a service; {_REDIS_SHAPE}")


def redact_url(url: str) -> str:
    """`url` with *** for each secret in it; of a URL that is not well-formed only the scheme is shown."""
    parts = _URL.fullmatch(url)
    if parts is None or not _hosts_are_right(parts["hosts"]):
        scheme, mark, _ = url.partition("://")
        return f"{scheme}://{MASK}" if mark and re.fullmatch("[a-z+]{1,20}", scheme) else MASK
    shown = f"{parts['scheme']}://"
    if parts["user"] is not None:
        shown += parts["user"] + (f":{MASK}" if parts["password"] else "") + "@"
    shown += parts["hosts"] + (parts["path"] or "")
    return shown + (f"?{_redact_query(parts['query'])}" if parts["query"] else "")


def _redact_query(query: str) -> str:
    """The options as they were written: libpq and redis-py do not agree on what a + means."""
    return "&".join(f"{pair.partition('=')[0]}={MASK}" if _is_secret(pair) else pair for pair in query.split("&"))


def _is_secret(pair: str) -> bool:
    key, _, value = unquote(pair).partition("=")
    # an @ may be the end of a password that was not percent-encoded
    return "@" in value or any(word in key.lower() for word in _SECRET_WORDS)


def _well_formed(url: str, schemes: tuple[str, ...], shape: str) -> re.Match[str]:
    """The parts of `url`, or ValueError with `shape`."""
    scheme = url.partition("://")[0]
    if scheme not in schemes:
        raise ValueError(f"does not begin with {' or '.join(f'{s}://' for s in schemes)}; {shape}")
    parts = _URL.fullmatch(url)
    if parts is None or re.search(r"\s|%(?![0-9A-Fa-f]{2})", url):
        raise ValueError(f"is not a well-formed URL; {shape}")
    if parts["password"] == MASK or f"={MASK}" in (parts["query"] or ""):
        raise ValueError(f"has {MASK} for a password, as trichat shows it; put the password itself there")
    if not _hosts_are_right(parts["hosts"]):
        raise ValueError(f"has a host or port that cannot be; {shape}")
    if any("=" not in pair for pair in (parts["query"] or "x=").split("&")):
        raise ValueError(f"has an option without a value behind the ?; {shape}")
    return parts


def _hosts_are_right(hosts: str) -> bool:
    """Hosts with optional ports, separated by commas; a host may be empty, as libpq allows, or percent-encoded."""
    each = [_HOST_AND_PORT.fullmatch(unquote(host)) for host in hosts.split(",")]
    return all(one is not None and 0 < int(one["port"] or 1) < 65_536 for one in each)
