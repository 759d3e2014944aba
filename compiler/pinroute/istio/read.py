"""Any VirtualService to the ordered list of its match items, as istiod walks it.

`http` entries in order, in each the items of its `match` in order; an entry without a
match is one item that takes every request. Nothing is dropped here: what istiod leaves
out behind a catch-all is found by looking at the list.
"""

from collections import Counter
from typing import Any, NamedTuple

from pinroute.diagnostics import Path
from pinroute.istio.resource import Fields, as_list, as_mapping, gateway_key, namespace_of
from pinroute.spec.nodes import Document, Scalar
from pinroute.spec.nodes import Mapping as Object

GROUP = "networking.istio.io/"
STRING_FIELDS = ("uri", "scheme", "method", "authority")
MAP_FIELDS = ("headers", "withoutHeaders", "queryParams")
# A field of another type is no condition: no server takes it, and the checks say so.
_TYPES: dict[str, type] = {"gateways": list, **dict.fromkeys((*MAP_FIELDS, "sourceLabels"), dict)}
_NO_CONDITIONS = frozenset({"name", "statPrefix"})
PLACE_FIELDS = ("port", "gateways", "sourceLabels", "sourceNamespace")


class MatchItem(NamedTuple):
    """One alternative of one rule. `path` leads to it in the document of its VirtualService.

    `service` is the place of that VirtualService among those that were read. `residual`
    is the match without the one on `header`, the header that is looked at; `value` is
    that one: a StringMatch, `{}` for presence, None where there is none.
    """

    rule: int
    item: int
    name: str
    path: Path
    residual: Fields
    header: str
    value: Fields | None
    service: int = 0


class ReadRule(NamedTuple):
    """One `http` entry: its fields, and its items; `service` as for these."""

    number: int
    name: str
    fields: Fields
    path: Path
    items: tuple[MatchItem, ...]
    service: int = 0

    @property
    def label(self) -> str:
        """How the rule is called in messages: by its name, or by its place from 0."""
        return repr(self.name) if self.name else f"#{self.number}"


def is_virtual_service(document: Document) -> bool:
    """Tell whether a document is a VirtualService of Istio that can be read."""
    return is_called_virtual_service(document) and isinstance(document.node(("spec",)), Object)


def is_called_virtual_service(document: Document) -> bool:
    """Tell whether a document says that it is a VirtualService of Istio, whatever it holds."""
    kind, version = (document.node((name,)) for name in ("kind", "apiVersion"))
    return (
        isinstance(kind, Scalar)
        and kind.text == "VirtualService"
        and isinstance(version, Scalar)
        and version.text.startswith(GROUP)
    )


def read_rules(service: Fields, header: str | None = None, *, number: int = 0) -> list[ReadRule]:
    """Return the rules of a VirtualService; `header` is looked at, by default the busiest one.

    `number` is the place of the VirtualService among those that are read.
    """
    entries = as_list(as_mapping(service.get("spec")).get("http"))
    key = (header or busiest_header(service) or "").lower()
    namespace = namespace_of(service)
    rules: list[ReadRule] = []
    for place, entry in enumerate(entries):
        fields = as_mapping(entry)
        path: Path = ("spec", "http", place)
        name = str(fields.get("name") or "")
        matches = as_list(fields.get("match"))
        if matches:
            items = tuple(
                read_item(place, index, as_mapping(match), (*path, "match", index), key, namespace)
                for index, match in enumerate(matches)
            )
        else:
            items = (read_item(place, 0, {}, path, key, namespace),)
        if number:
            items = tuple(item._replace(service=number) for item in items)
        rules.append(ReadRule(place, name, fields, path, items, number))
    return rules


def busiest_header(service: Fields) -> str | None:
    """Return the header that most match items look at by prefix or exact value."""
    found: Counter[str] = Counter()
    for entry in as_list(as_mapping(service.get("spec")).get("http")):
        for match in as_list(as_mapping(entry).get("match")):
            for name, value in as_mapping(as_mapping(match).get("headers")).items():
                if isinstance(value, dict) and ("prefix" in value or "exact" in value):
                    found[str(name).lower()] += 1
    return found.most_common(1)[0][0] if found else None


def read_item(
    rule: int, index: int, match: Fields, path: Path, header: str, namespace: str
) -> MatchItem:
    """Return one match; `namespace` is that of the VirtualService, where Gateways are named."""
    residual: dict[str, Any] = {}
    for name, given in match.items():
        kind = _TYPES.get(name)
        if name not in _NO_CONDITIONS and (kind is None or isinstance(given, kind)):
            residual[name] = given
    if "gateways" in residual:
        residual["gateways"] = [gateway_key(str(name), namespace) for name in match["gateways"]]
    value: Fields | None = None
    if "headers" in residual:
        headers = {str(name): given for name, given in residual["headers"].items()}
        own = [name for name in headers if name.lower() == header]
        # Two spellings of one header are two conditions: both stay where they are.
        if len(own) == 1 and isinstance(headers[own[0]], dict):
            value = headers.pop(own[0])
        # Names have no case; but two spellings are two conditions, and both have to hold.
        folded = {name.lower(): given for name, given in headers.items()}
        residual["headers"] = folded if len(folded) == len(headers) else headers
        if not headers:
            del residual["headers"]
    return MatchItem(rule, index, str(match.get("name") or ""), path, residual, header, value)
