"""Which rule of a VirtualService takes a request? As Envoy decides it on istiod's routes.

Header names have no case, values have. A header that comes in several lines is matched
line by line since Envoy 1.39, and as one value with commas before (`joined`).
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pinroute.istio.read import MatchItem, ReadRule
from pinroute.istio.regex import full_match
from pinroute.istio.resource import Fields

Lines = Mapping[str, Sequence[str]]


class Call(NamedTuple):
    """A request at one listener: header names in lower case, each with its lines in order.

    `gateway` is namespace/name of the Gateway, or `mesh`; `port` that of the listener.
    `namespace` and `labels` are those of the pods that route: the gateway's, or the
    client's.
    """

    host: str
    path: str = "/"
    method: str = "GET"
    scheme: str = "http"
    headers: Lines = MappingProxyType({})
    gateway: str = "mesh"
    port: int = 80
    namespace: str = ""
    labels: Mapping[str, str] = MappingProxyType({})


def taker(rules: Iterable[ReadRule], call: Call, *, joined: bool = False) -> MatchItem | None:
    """Return the first item that takes a request, None if it is answered with 404."""
    for rule in rules:
        for item in rule.items:
            if takes(item, call, joined=joined):
                return item
    return None


def takes(item: MatchItem, call: Call, *, joined: bool = False) -> bool:
    """Tell whether an item takes a request."""
    if item.value is not None and not _held(_lines(call, item.header), item.value, joined):
        return False
    return satisfied(item.residual, call, joined=joined)


def satisfied(match: Fields, call: Call, *, joined: bool = False) -> bool:
    """Tell whether a request satisfies a match, also one without the user hash."""
    if not there(match, call):
        return False
    path, _, query = call.path.partition("?")
    folded = bool(match.get("ignoreUriCase"))
    uri = match.get("uri") or {}
    if uri and not string_matches(uri, path, folded=folded and "regex" not in uri):
        return False
    for field, value in (
        ("method", call.method),
        ("scheme", call.scheme),
        ("authority", call.host),
    ):
        if match.get(field) and not string_matches(match[field], value):
            return False
    return (
        all(_held(_lines(call, name), value, joined) for name, value in _map(match, "headers"))
        and not any(
            _excluded(_lines(call, name), value, joined)
            for name, value in _map(match, "withoutHeaders")
        )
        and all(_parameter(query, name, value) for name, value in _map(match, "queryParams"))
    )


def there(match: Fields, call: Call) -> bool:
    """Tell whether a match is there at all for a listener: istiod leaves it out otherwise."""
    if match.get("port") and match["port"] != call.port:
        return False
    if match.get("gateways"):
        # With gateways, istiod does not look at the source.
        return call.gateway in match["gateways"]
    labels = match.get("sourceLabels") or {}
    namespace = match.get("sourceNamespace")
    return (not namespace or namespace == call.namespace) and all(
        call.labels.get(name) == value for name, value in labels.items()
    )


def _map(match: Fields, field: str) -> list[tuple[str, Fields]]:
    found = match.get(field) or {}
    return list(found.items()) if isinstance(found, dict) else []


def _lines(call: Call, name: str) -> Sequence[str]:
    pseudo = {
        ":path": call.path,
        ":method": call.method,
        ":scheme": call.scheme,
        ":authority": call.host,
    }
    if name.lower() == "host":
        name = ":authority"
    if name.lower() in pseudo:
        return (pseudo[name.lower()],)
    return call.headers.get(name.lower(), ())


def _held(lines: Sequence[str], match: Fields, joined: bool) -> bool:
    if not lines:
        return False
    if not match:
        return True
    values = [",".join(lines)] if joined else lines
    return any(string_matches(match, value) for value in values)


def _excluded(lines: Sequence[str], match: Fields, joined: bool) -> bool:
    """Tell whether `withoutHeaders` keeps a request out; a missing header counts as empty."""
    if not match or match.get("regex") == "*":
        return bool(lines)
    return _held(lines or ("",), match, joined)


def _parameter(query: str, name: str, match: Fields) -> bool:
    for pair in query.split("&") if query else ():
        key, _, value = pair.partition("=")
        if key == name:
            return not match or match.get("regex") == "*" or string_matches(match, value)
    return False


def string_matches(match: Fields, value: str, *, folded: bool = False) -> bool:
    """Tell whether a text satisfies a StringMatch."""
    if "regex" in match:
        return match["regex"] == "*" or full_match(str(match["regex"]), value)
    kind = "exact" if "exact" in match else "prefix"
    wanted = str(match.get(kind, ""))
    if folded:
        wanted, value = wanted.lower(), value.lower()
    return value == wanted if kind == "exact" else value.startswith(wanted)
