"""Headers that rules set: what Envoy refuses, what leaks, what is set at two levels."""

import re
from collections.abc import Iterator

from pinroute.checks.target import Target, destinations, header_blocks
from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.istio.limits import header_name_problem, header_value_problem
from pinroute.spec.nodes import Mapping, Node, Scalar, Sequence, at

LEAKING = ("%ENVIRONMENT(", "%FILE_CONTENT(")
AUTHORITY = ("host", ":authority")
FORM = re.compile(r"%[^%()]+(?:\([^()\"\\]+\))?%")
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
    for path, block in header_blocks(target):
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
                # A Host is taken literally: an operator means nothing in it, but Istio
                # wants it to have the form of one.
                literal = name.lower() in AUTHORITY
                problem = header_value_problem(FORM.sub("", text) if literal else text)
                if problem is not None:
                    yield diagnose("PIN303", where, place, name=name, value=text, problem=problem)


def names(target: Target) -> Iterator[Diagnostic]:
    """Find names that make every request of a route fail."""
    document = target.document
    for path, block in header_blocks(target):
        for inner, side, _, entries in _operations(block, path):
            for name in entries.entries:
                place = (*inner, name)
                problem: str | None
                if name.lower() in AUTHORITY:
                    problem = None if side == "request" else "a response has no Host"
                elif name.lower() in FRAMING:
                    problem = "it frames the message; changing it breaks every request"
                else:
                    problem = header_name_problem(name)
                if problem is not None:
                    where = document.span(place, key=True)
                    yield diagnose("PIN304", where, place, name=name, problem=problem)


def removed(target: Target) -> Iterator[Diagnostic]:
    """Find names that Istio does not let be removed."""
    document = target.document
    for path, block in header_blocks(target):
        for side in ("request", "response"):
            entries = at(block, side, "remove")
            for index, node in enumerate(entries.items if isinstance(entries, Sequence) else ()):
                name = node.text if isinstance(node, Scalar) else "x"
                if name and name.lower() != "host" and not name.startswith(":"):
                    continue
                place = (*path, side, "remove", index)
                problem = "it is no header that can be removed" if name else "it is empty"
                yield diagnose("PIN304", document.span(place), place, name=name, problem=problem)


def authorities(target: Target) -> Iterator[Diagnostic]:
    """Find the Host of a request set twice: refused in a rule, a matter of luck in a destination."""
    document = target.document
    for path, block in header_blocks(target):
        request = at(block, "request")
        set_here = [
            (*path, "request", operation, name)
            for operation in ("set", "add")
            for name in _names(at(request, operation))
            if name.lower() in AUTHORITY
        ]
        rewrite = (*path[:-1], "rewrite", "authority")
        if set_here and document.node(rewrite) is not None:
            set_here.insert(0, rewrite)
        for place in set_here[1:]:
            problem = "the Host of the request is set elsewhere too"
            related = (Related(document.span(set_here[0], key=True), "here"),)
            where, name = document.span(place, key=True), place[-1]
            hint = "set it once"
            yield diagnose(
                "PIN304", where, place, related=related, hint=hint, name=name, problem=problem
            )


def _names(node: Node | None) -> list[str]:
    return list(node.entries) if isinstance(node, Mapping) else []


def two_levels(target: Target) -> Iterator[Diagnostic]:
    """Find headers set by a rule and by its destination: the winner depends on their number."""
    document = target.document
    for rule in target.rules:
        entry, base = target.entries[rule.number], rule.path
        own = dict(_set_headers(entry, base))
        routes = destinations(entry) if own else []
        for index, route in enumerate(routes):
            for key, path in _set_headers(route, (*base, "route", index)):
                if key not in own:
                    continue
                side, name = key
                authority = side == "request" and name in AUTHORITY
                winner = "the rule" if authority or len(routes) > 1 else "the destination"
                related = (Related(document.span(own[key], key=True), "the rule sets it here"),)
                where = document.span(path, key=True)
                yield diagnose("PIN307", where, path, related=related, name=name, winner=winner)


def _set_headers(node: Node, path: Path) -> Iterator[tuple[tuple[str, str], Path]]:
    for side in ("request", "response"):
        entries = at(node, "headers", side, "set")
        for name in entries.entries if isinstance(entries, Mapping) else ():
            yield (side, name.lower()), (*path, "headers", side, "set", name)
