"""Connections to an API server: TLS as kubectl has it, proxies, a pool for several threads."""

import os
import ssl
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from pinroute.cluster.api.failure import Unconfigured

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECTIONS = 8


class Server(NamedTuple):
    """An API server: where it is, and how to know that it is the right one.

    `shown` tells where that is written. `authority` is in PEM, None leaves it to the system.
    """

    url: str
    shown: str
    authority: bytes | None = None
    is_insecure: bool = False
    name: str = ""
    proxy: str = ""


class Transport:
    """A connection pool to one API server; may be used by several threads."""

    def __init__(self, server: Server):
        """Raise Unconfigured where the address, the authority or the proxy cannot be used."""
        from urllib3 import PoolManager, ProxyManager

        self.server = server
        _check(server)
        proxy = proxy_of(server)
        self._context = _context(server) if server.url.startswith("https:") else None
        options: dict[str, Any] = {
            "maxsize": CONNECTIONS,
            "retries": False,
            **({"ssl_context": self._context} if self._context is not None else {}),
            **({"server_hostname": server.name} if server.name else {}),
        }
        self._pool: PoolManager
        if not proxy:
            self._pool = PoolManager(**options)
        elif urlsplit(proxy).scheme in ("http", "https"):
            self._pool = ProxyManager(proxy, **options)
        else:
            self._pool = _socks(server, proxy, options)

    @property
    def is_in_the_clear(self) -> bool:
        """Whether requests go over a network as plain HTTP; `kubectl proxy` is on loopback."""
        parts = urlsplit(self.server.url)
        return parts.scheme == "http" and not goes_direct(parts.hostname or "", None, "")

    def identify(self, certificate: tuple[bytes, bytes], shown: str) -> None:
        """Show a client certificate on new connections; raises Unconfigured."""
        if self._context is None:
            return
        with _file() as file:  # ssl reads files only
            file.write(b"\n".join(certificate))
            file.flush()
            try:
                self._context.load_cert_chain(_path(file), password=lambda: b"")
            except (ssl.SSLError, OSError):
                raise Unconfigured(
                    f"{shown}: the client certificate and its key cannot be used: they are no "
                    "PEM, do not belong together, or the key has a password"
                ) from None

    def request(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes | None,
        timeout: float | None,
        *,
        stream: bool = False,
    ) -> "BaseHTTPResponse":
        """Send a request once; raises what urllib3 raises. With `stream` the body is read later."""
        from urllib3 import HTTPHeaderDict

        return self._pool.request(
            method,
            self.server.url + target,
            body=body,
            headers=HTTPHeaderDict(headers),
            retries=False,
            timeout=timeout,
            preload_content=not stream,
        )


def _file() -> IO[bytes]:
    """Return a file of our own: in memory where the system can, so that no key meets a disk."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("pinroute"), "wb")
    return tempfile.NamedTemporaryFile()


def _path(file: IO[bytes]) -> str:
    return f"/proc/self/fd/{file.fileno()}" if sys.platform == "linux" else file.name


def _check(server: Server) -> None:
    try:
        parts = urlsplit(server.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        if parts.password is not None:
            raise Unconfigured(f"{server.shown} has a password in its server: give it to a user")
    except ValueError:  # a port that is no number
        good = False
    if not good or not server.url.isascii() or " " in server.url:
        raise Unconfigured(
            f"{server.shown} has server {server.url!r}, which is no URL such as "
            "https://10.0.0.1:6443"
        )


def _context(server: Server) -> ssl.SSLContext:
    """Return how TLS is checked: as Go does, which knows no "strict" and takes any link as a root."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if server.is_insecure:
        import urllib3

        if server.authority is not None:
            raise Unconfigured(
                f"{server.shown} has a certificate-authority and insecure-skip-tls-verify",
                "take insecure-skip-tls-verify out",
            )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # We warn ourselves, once.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    elif server.authority is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(cadata=server.authority.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            raise Unconfigured(
                f"{server.shown}: the certificate-authority holds no certificate in PEM"
            ) from None
    return context


def _socks(server: Server, proxy: str, options: Mapping[str, Any]) -> "PoolManager":
    from importlib.util import find_spec

    if urlsplit(proxy).scheme not in ("socks5", "socks5h") or not urlsplit(proxy).hostname:
        raise Unconfigured(f"{server.shown}: its proxy is no URL such as http://proxy:3128")
    if find_spec("socks") is None:
        raise Unconfigured(f"{server.shown} is reached by a SOCKS proxy", "pip install pysocks")
    from urllib3.contrib.socks import SOCKSProxyManager

    return SOCKSProxyManager(proxy, **options)


def proxy_of(server: Server) -> str:
    """Return the proxy of the kubeconfig, else that of the environment, as Go does."""
    if server.proxy:
        return server.proxy
    parts = urlsplit(server.url)
    name = f"{parts.scheme}_proxy"
    proxy = os.environ.get(name.upper()) or os.environ.get(name) or ""
    unproxied = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    if not proxy or goes_direct(parts.hostname or "", parts.port, unproxied):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def goes_direct(host: str, port: int | None, unproxied: str) -> bool:
    """Tell whether `$NO_PROXY` excepts a host: by name, domain, address or network."""
    import ipaddress

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for item in unproxied.lower().replace(" ", "").split(","):
        domain = item.removesuffix(f":{port}").removeprefix("*").removeprefix(".")
        if item == "*" or (domain and (host == domain or host.endswith(f".{domain}"))):
            return True
        try:
            if address is not None and address in ipaddress.ip_network(item, strict=False):
                return True
        except ValueError:
            continue
    return False
