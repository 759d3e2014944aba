"""The part of a match that is not about the user hash: does a request satisfy it?

Kept to what a match of a request can say; `gateways`, `port` and the source's labels
belong to the listener and to the caller, and hold for the request that is asked about.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pinroute.istio.regex import full_match
from pinroute.istio.resource import some_host
from pinroute.spec.model import Body


class HttpRequest(NamedTuple):
    """A request as far as routing looks at it; header names are in lower case."""

    host: str
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = {}

    def parameters(self) -> dict[str, str]:
        """Return the query parameters, of equal names the first."""
        query = self.path.partition("?")[2]
        pairs = (pair.partition("=") for pair in query.split("&") if pair)
        found: dict[str, str] = {}
        for name, _, value in pairs:
            found.setdefault(name, value)
        return found


def satisfies(condition: Body, request: HttpRequest) -> bool:
    """Tell whether a request satisfies every field of an HTTPMatchRequest."""
    path = request.path.partition("?")[0]
    uri = condition.get("uri") or {}
    folded = bool(condition.get("ignoreUriCase"))
    if not _string(uri, path, folded=folded and "regex" not in uri):
        return False
    for field, value in (
        ("method", request.method),
        ("authority", request.host),
        ("scheme", "http"),
    ):
        if field in condition and not _string(condition[field], value):
            return False
    parameters = request.parameters()
    return (
        all(
            _holds(request.headers, name, match)
            for name, match in condition.get("headers", {}).items()
        )
        and not any(
            _holds(request.headers, name, match, missing="")
            for name, match in condition.get("withoutHeaders", {}).items()
        )
        and all(
            _holds(parameters, name, match)
            for name, match in condition.get("queryParams", {}).items()
        )
    )


def _holds(values: Mapping[str, str], name: str, match: Body, missing: str | None = None) -> bool:
    value = values.get(name, values.get(name.lower()))
    if value is None and match:
        value = missing
    return value is not None and _string(match, value)


def _string(match: Body, value: str, *, folded: bool = False) -> bool:
    if "regex" in match:
        return full_match(match["regex"], value)
    kind = "exact" if "exact" in match else "prefix" if "prefix" in match else None
    if kind is None:
        return True
    wanted = match[kind]
    if folded:
        wanted, value = wanted.lower(), value.lower()
    return value == wanted if kind == "exact" else value.startswith(wanted)


def example(condition: Body, host: str) -> HttpRequest | None:
    """Return a request that satisfies a condition, None where a regex hides one."""
    path = _text(condition.get("uri"), "/")
    method = _text(condition.get("method"), "GET")
    authority = _text(condition.get("authority"), some_host(host))
    headers = {
        name.lower(): _text(match, "x") for name, match in condition.get("headers", {}).items()
    }
    parameters = {
        name: _text(match, "x") for name, match in condition.get("queryParams", {}).items()
    }
    texts = [path, method, authority, *headers.values(), *parameters.values()]
    if any(text is None for text in texts):
        return None
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    full = f"{path}?{query}" if query else str(path)
    known = {name: text for name, text in headers.items() if text is not None}
    found = HttpRequest(str(authority), full, str(method), known)
    return found if satisfies(condition, found) else None


def _text(match: Body | None, default: str) -> str | None:
    if not match:
        return default
    return None if "regex" in match else str(match.get("exact", match.get("prefix", default)))
