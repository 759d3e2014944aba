"""Where a live gateway is: its URL, and the address to connect to instead of what DNS says."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")


class BadAddress(ValueError):
    """A URL or an address that cannot be used; the message says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway: `host` is the name that its certificate is for, `peer` what is connected to."""

    tls: bool
    host: str
    port: int
    peer: str

    def __str__(self) -> str:
        scheme, standard = ("https", 443) if self.tls else ("http", 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" + (f":{self.port}" if self.port != standard else "")


def address(url: str, resolve: str | None = None) -> Address:
    """Read a URL of a scheme, a host and perhaps a port; `resolve` is HOST:PORT:ADDRESS."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("the URL is malformed") from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise BadAddress("the URL begins with http:// or https://")
    if "@" in parts.netloc:
        raise BadAddress("no user or password in the URL: give headers with -H @FILE")
    if parts.path not in ("", "/") or "?" in url or "#" in url:
        raise BadAddress("the URL ends after host and port: the paths are those of the spec")
    host = (parts.hostname or "").rstrip(".")
    if (
        not host
        or port == 0
        or parts.netloc.endswith(":")
        or not (_HOST.fullmatch(host) or _is_ip(host))
    ):
        raise BadAddress(f"the URL names no host and port: {parts.netloc!r}")
    tls = scheme == "https"
    port = port or (443 if tls else 80)
    return Address(tls, host, port, _peer(host, port, resolve))


def _peer(host: str, port: int, resolve: str | None) -> str:
    if resolve is None:
        return host
    name, _, rest = resolve.partition(":")
    number, _, peer = rest.partition(":")
    if peer.startswith("[") and peer.endswith("]"):
        peer = peer[1:-1]
    if not name or not (number.isascii() and number.isdigit()) or not _is_ip(peer):
        raise BadAddress(f"--resolve takes HOST:PORT:ADDRESS, not {resolve!r}")
    if (name.lower(), int(number)) != (host.lower(), port):
        raise BadAddress(f"--resolve is about {name}:{number}, and the URL about {host}:{port}")
    return peer


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
