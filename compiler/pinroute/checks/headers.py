"""Headers that rules set: what Envoy refuses, what leaks, what is set at two levels."""

from collections.abc import Iterator

from pinroute.checks.target import Target, destinations
from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.istio.limits import header_name_problem, header_value_problem
from pinroute.spec.nodes import Mapping, Node, Scalar, at

LEAKING = ("%ENVIRONMENT(", "%FILE_CONTENT(")
FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "upgrade", "te"})


def _operations(block: Mapping, path: Path) -> Iterator[tuple[Path, str, str, Mapping]]:
    """Yield (path, side, operation, entries) of set and add."""
    for side in ("request", "response"):
        operations = block.entries.get(side)
        if isinstance(operations, Mapping):
            for operation in ("set", "add"):
                entries = operations.entries.get(operation)
                if isinstance(entries, Mapping):
                    yield (*path, side, operation), side, operation, entries


def values(target: Target) -> Iterator[Diagnostic]:
    """Find values that Envoy refuses, or that hand out what belongs to the gateway."""
    document = target.document
    for path, block in target.blocks:
        for inner, side, _, entries in _operations(block, path):
            for name, node in entries.entries.items():
                place = (*inner, name)
                text = node.text if isinstance(node, Scalar) else ""
                where = document.span(place)
                leak = next((operator for operator in LEAKING if operator in text), None)
                if leak is not None:
                    yield diagnose(
                        "PIN306",
                        where,
                        place,
                        name=name,
                        value=text,
                        operator=leak.strip("%("),
                        side=side,
                    )
                    continue
                # A Host is taken literally: `%` means nothing in it.
                problem = (
                    None if name.lower() in ("host", ":authority") else header_value_problem(text)
                )
                if problem is not None:
                    yield diagnose("PIN303", where, place, name=name, value=text, problem=problem)


def names(target: Target) -> Iterator[Diagnostic]:
    """Find names that make every request of a route fail."""
    document = target.document
    for path, block in target.blocks:
        for inner, side, _, entries in _operations(block, path):
            for name in entries.entries:
                place = (*inner, name)
                problem: str | None
                if name.lower() in ("host", ":authority"):
                    problem = None if side == "request" else "a response has no Host"
                elif name.lower() in FRAMING:
                    problem = "it frames the message; changing it breaks every request"
                else:
                    problem = header_name_problem(name)
                if problem is not None:
                    where = document.span(place, key=True)
                    yield diagnose("PIN304", where, place, name=name, problem=problem)


def two_levels(target: Target) -> Iterator[Diagnostic]:
    """Find headers set by a rule and by its destination: the winner depends on their number."""
    document = target.document
    for number, entry in enumerate(target.entries):
        base: Path = ("spec", "http", number)
        own = dict(_set_headers(entry, base))
        routes = destinations(entry) if own else []
        for index, route in enumerate(routes):
            for key, path in _set_headers(route, (*base, "route", index)):
                if key not in own:
                    continue
                side, name = key
                authority = side == "request" and name in ("host", ":authority")
                winner = "the rule" if authority or len(routes) > 1 else "the destination"
                related = (Related(document.span(own[key], key=True), "the rule sets it here"),)
                where = document.span(path, key=True)
                yield diagnose("PIN307", where, path, related=related, name=name, winner=winner)


def _set_headers(node: Node, path: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    for side in ("request", "response"):
        entries = at(node, "headers", side, "set")
        for name in entries.entries if isinstance(entries, Mapping) else ():
            yield (side, name.lower()), (*path, "headers", side, "set", name)
