"""No answer from an API server: why, in words, and whether it may come on another attempt."""

import re

from pinroute.cluster.api.failure import ClusterFailure, TimedOut, Unreachable, Untrusted
from pinroute.cluster.api.transport import Server


def silence(error: Exception, server: Server, timeout: float | None) -> ClusterFailure:
    """Return what urllib3's error means."""
    from urllib3.exceptions import (
        ConnectTimeoutError,
        NameResolutionError,
        NewConnectionError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
    )

    whole = error
    if isinstance(error, ProxyError):
        error = error.original_error
    cause = _cause(error)
    if isinstance(error, ReadTimeoutError):
        return TimedOut(
            f"the API server {server.url} did not answer within {timeout:g} s",
            "look at what was written with 'pinroute diff', and run the command again",
        )
    if isinstance(error, SSLError):
        return Untrusted(
            f"the API server {server.url} is not trusted: {cause}",
            _of_tls(cause, server),
        )
    way = "the proxy of the API server" if isinstance(whole, ProxyError) else "the API server"
    told = f"{way} {server.url} cannot be reached: "
    hint = f"the address is that of {server.shown}"
    if isinstance(error, NameResolutionError):
        return Unreachable(f"{told}its name cannot be resolved", hint)
    if isinstance(error, NewConnectionError):
        return Unreachable(told + cause, hint)
    if isinstance(error, ConnectTimeoutError):
        late = TimedOut(f"{told}no connection within {timeout:g} s", hint)
        late.is_uncertain = False
        return late
    lost = Unreachable(f"the API server {server.url} has broken the connection off: {cause}", hint)
    lost.is_uncertain = True
    return lost


def _cause(error: Exception) -> str:
    """Return the part of a library's error that says what is wrong."""
    inner = error.args[-1] if error.args else error
    while isinstance(inner, Exception) and inner.args and isinstance(inner.args[-1], Exception):
        inner = inner.args[-1]
    reason = getattr(inner, "verify_message", "") or getattr(inner, "strerror", "") or str(inner)
    return re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(reason).rsplit(": ", 1)[-1].split()))


def _of_tls(cause: str, server: Server) -> str:
    if "certificate" in cause or "ostname" in cause or "issuer" in cause or "address" in cause:
        return f"compare the certificate-authority and the address of {server.shown}"
    return f"does https speak at the address of {server.shown}?"
