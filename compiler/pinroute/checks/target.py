"""What a check looks at: a VirtualService, its text, and its rules in order."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from pinroute.diagnostics import Path
from pinroute.istio.read import Fields, ReadRule, read_rules
from pinroute.spec.nodes import Document, Mapping, Node, Scalar, Sequence, at
from pinroute.spec.scalars import value

GROUP = "networking.istio.io/"


class Target(NamedTuple):
    """One VirtualService."""

    document: Document
    service: Fields
    rules: tuple[ReadRule, ...]
    entries: tuple[Node, ...]

    @property
    def on_mesh(self) -> bool:
        """Whether sidecars follow it too."""
        gateways = self.service.get("spec", {}).get("gateways")
        return not gateways or "mesh" in gateways


def is_virtual_service(document: Document) -> bool:
    """Tell whether a document is a VirtualService of Istio."""
    kind, version = (document.node((name,)) for name in ("kind", "apiVersion"))
    return (
        isinstance(kind, Scalar)
        and kind.text == "VirtualService"
        and isinstance(version, Scalar)
        and version.text.startswith(GROUP)
        and isinstance(document.node(("spec",)), Mapping)
    )


def target_of(document: Document) -> Target:
    """Return what the checks look at."""
    service = cast("dict[str, Any]", value(document.root))
    http = document.node(("spec", "http"))
    entries = tuple(http.items) if isinstance(http, Sequence) else ()
    return Target(document, service, tuple(read_rules(service)), entries)


def string_matches(target: Target) -> Iterator[tuple[Path, str, Node | None]]:
    """Yield (path, field, node) of each StringMatch of each match item.

    The field is uri, method … or `headers`, `withoutHeaders`, `queryParams`, for which
    the path ends with the name of the header or parameter.
    """
    for item in match_nodes(target):
        path, node = item
        for field, inner in node.entries.items():
            if field in ("uri", "scheme", "method", "authority"):
                yield (*path, field), field, inner
            elif field in ("headers", "withoutHeaders", "queryParams") and isinstance(
                inner, Mapping
            ):
                for name, string in inner.entries.items():
                    yield (*path, field, name), field, string


def match_nodes(target: Target) -> Iterator[tuple[Path, Mapping]]:
    """Yield each match item that is an object, with its path."""
    for number, entry in enumerate(target.entries):
        node = at(entry, "match")
        if isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                if isinstance(item, Mapping):
                    yield ("spec", "http", number, "match", index), item


def header_blocks(target: Target) -> Iterator[tuple[Path, Mapping]]:
    """Yield each `headers` object of rules and of their destinations, with its path."""
    for number, entry in enumerate(target.entries):
        base: Path = ("spec", "http", number)
        own = at(entry, "headers")
        if isinstance(own, Mapping):
            yield (*base, "headers"), own
        for index, route in enumerate(destinations(entry)):
            node = at(route, "headers")
            if isinstance(node, Mapping):
                yield (*base, "route", index, "headers"), node


def destinations(entry: Node) -> list[Node]:
    """Return the destinations of a rule."""
    routes = at(entry, "route")
    return routes.items if isinstance(routes, Sequence) else []
