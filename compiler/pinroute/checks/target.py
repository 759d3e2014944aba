"""What a check looks at: a VirtualService, its text, and its rules in order."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from pinroute.checks.bodies import Bodies, Body, body_of
from pinroute.checks.outline import Outline, is_on_mesh
from pinroute.diagnostics import Path
from pinroute.istio.read import MAP_FIELDS, STRING_FIELDS, ReadRule, read_rules
from pinroute.istio.resource import Fields, as_mapping
from pinroute.spec.nodes import Document, Mapping, Node, Scalar, Sequence, at
from pinroute.spec.scalars import scalar_value, value


class StringMatch(NamedTuple):
    """A StringMatch of a match item, as it is written.

    `field` is uri, method … or headers, withoutHeaders, queryParams, for which the path
    ends with the name of the header or parameter.
    """

    path: Path
    field: str
    node: Node | None


class Target(NamedTuple):
    """One VirtualService: its rules as data, and the nodes that several checks look at.

    `matches` are the match items that are objects, each with its path. `bodies` are those
    of the rules in `entries`.
    """

    document: Document
    service: Fields
    rules: tuple[ReadRule, ...]
    entries: tuple[Node, ...]
    matches: tuple[tuple[Path, Mapping], ...]
    strings: tuple[StringMatch, ...]
    bodies: tuple[Body | None, ...]

    def narrowed(self, numbers: frozenset[int]) -> "Target":
        """Return it with some of its rules only, for checks of their bodies."""
        return self._replace(rules=tuple(rule for rule in self.rules if rule.number in numbers))

    @property
    def on_mesh(self) -> bool:
        """Whether sidecars follow it too."""
        return is_on_mesh(self.service)

    @property
    def is_delegate(self) -> bool:
        """Whether it has no hosts, and so is for other VirtualServices to delegate to."""
        return not as_mapping(self.service.get("spec")).get("hosts")


def target_of(document: Document, known: Bodies | None = None) -> Target:
    """Return what the checks look at; `known` are the bodies that were read before."""
    known = known or Bodies()
    http = document.node(("spec", "http"))
    entries = tuple(http.items) if isinstance(http, Sequence) else ()
    bodies = tuple(body_of(document, entry) for entry in entries)
    service = _service(document, entries, bodies, known)
    matches = tuple(_matches(entries))
    return Target(
        document,
        service,
        tuple(read_rules(service)),
        entries,
        matches,
        tuple(_strings(matches)),
        bodies,
    )


def outline_of(target: Target) -> Outline:
    """Return what checks of several objects look at."""
    claims = tuple(
        path for path, _, _ in target.strings if str(path[-1]).startswith("@request.auth.claims")
    )
    return Outline(target.document, target.service, target.rules, claims)


def _service(
    document: Document, entries: tuple[Node, ...], bodies: tuple[Body | None, ...], known: Bodies
) -> Fields:
    """Return a VirtualService as data."""
    root = document.root
    spec = root.entries.get("spec") if isinstance(root, Mapping) else None
    if not entries or not isinstance(root, Mapping) or not isinstance(spec, Mapping):
        return cast("dict[str, Any]", value(root))
    rules = [
        known.fields(entry, body) if isinstance(entry, Mapping) else value(entry)
        for entry, body in zip(entries, bodies, strict=True)
    ]
    inner = {name: rules if name == "http" else value(node) for name, node in spec.entries.items()}
    return {name: inner if name == "spec" else value(node) for name, node in root.entries.items()}


def _matches(entries: tuple[Node, ...]) -> Iterator[tuple[Path, Mapping]]:
    for number, entry in enumerate(entries):
        node = at(entry, "match")
        if isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                if isinstance(item, Mapping):
                    yield ("spec", "http", number, "match", index), item


def _strings(matches: tuple[tuple[Path, Mapping], ...]) -> Iterator[StringMatch]:
    for path, item in matches:
        for field, inner in item.entries.items():
            if field in STRING_FIELDS:
                yield StringMatch((*path, field), field, inner)
            elif field in MAP_FIELDS and isinstance(inner, Mapping):
                for name, string in inner.entries.items():
                    yield StringMatch((*path, field, name), field, string)


def header_blocks(target: Target) -> Iterator[tuple[Path, Mapping]]:
    """Yield the `headers` objects of rules and of their destinations, each with its path."""
    for rule in target.rules:
        entry = target.entries[rule.number]
        own = at(entry, "headers")
        if isinstance(own, Mapping):
            yield (*rule.path, "headers"), own
        for index, route in enumerate(destinations(entry)):
            node = at(route, "headers")
            if isinstance(node, Mapping):
                yield (*rule.path, "route", index, "headers"), node


def destinations(entry: Node) -> list[Node]:
    """Return the destinations of a rule."""
    routes = at(entry, "route")
    return routes.items if isinstance(routes, Sequence) else []


def is_null(node: Node | None) -> bool:
    """Tell whether a node is null to Kubernetes."""
    return isinstance(node, Scalar) and node.plain and scalar_value(node) is None
