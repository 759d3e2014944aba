"""What Istio demands of a VirtualService and its rules: hosts, gateways, actions, weights."""

from collections.abc import Iterator

from pinroute.checks.target import Target, destinations
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.istio.admission import ROUTE_FIELDS
from pinroute.istio.limits import duration_problem, gateway_problem, host_problem
from pinroute.spec.nodes import Mapping, Scalar, Sequence, at
from pinroute.spec.scalars import scalar_value

ACTIONS = ("route", "redirect", "directResponse", "delegate")


def hosts(target: Target) -> Iterator[Diagnostic]:
    """Find hosts and gateways that Istio refuses."""
    document = target.document
    for path, text in _texts(target, ("spec", "hosts")):
        problem = _host_problem(text)
        if text == "*" and target.on_mesh:
            problem = "'*' is not allowed where the rule applies to sidecars"
        if problem is not None:
            yield diagnose(
                "PIN313", document.span(path), path, noun="host", value=text, problem=problem
            )
    for path, text in _texts(target, ("spec", "gateways")):
        problem = gateway_problem(text) if "." not in text else None
        if problem is not None:
            yield diagnose(
                "PIN313", document.span(path), path, noun="gateway", value=text, problem=problem
            )
    for rule in target.rules:
        for index, entry in enumerate(destinations(target.entries[rule.number])):
            path = (*rule.path, "route", index, "destination", "host")
            node = at(entry, "destination", "host")
            if isinstance(node, Scalar):
                problem = host_problem(node.text, wildcard=False)
                if problem is not None:
                    yield diagnose(
                        "PIN313",
                        document.span(path),
                        path,
                        noun="destination",
                        value=node.text,
                        problem=problem,
                    )


def _host_problem(text: str) -> str | None:
    """Return why Istio refuses a host; addresses, a last dot and `*-suffix` are taken."""
    parts = text.split(".")
    if text == "*" or (len(parts) == 4 and all(part.isdigit() for part in parts)):
        return None
    name = text.removesuffix(".")
    return host_problem(
        name.lstrip("*").lstrip(".-") if name.startswith("*") else name, wildcard=False
    )


def _texts(target: Target, path: Path) -> Iterator[tuple[Path, str]]:
    node = target.document.node(path)
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            if isinstance(item, Scalar):
                yield (*path, index), item.text


def actions(target: Target) -> Iterator[Diagnostic]:
    """Find rules that do nothing, or that say what Istio does not know."""
    document = target.document
    for rule in target.rules:
        node = target.entries[rule.number]
        if not isinstance(node, Mapping):
            yield diagnose(
                "PIN314",
                document.span(rule.path),
                rule.path,
                rule=rule.label,
                problem="it is no object",
            )
            continue
        for name in node.entries:
            if name not in ROUTE_FIELDS:
                inner = (*rule.path, name)
                hint = did_you_mean(name, ROUTE_FIELDS)
                yield diagnose(
                    "PIN311", document.span(inner, key=True), inner, hint=hint, field=name
                )
        given = [name for name in ACTIONS if name in node.entries]
        if not given:
            problem = "it says neither route nor redirect, directResponse or delegate"
            yield diagnose(
                "PIN314", document.span(rule.path), rule.path, rule=rule.label, problem=problem
            )
        elif len(given) > 1:
            problem = f"{given[0]} and {given[1]} exclude each other"
            yield diagnose(
                "PIN314", document.span(rule.path), rule.path, rule=rule.label, problem=problem
            )
        for steps in (("timeout",), ("retries", "perTryTimeout")):
            path: Path = (*rule.path, *steps)
            duration = at(node, *steps)
            if isinstance(duration, Scalar):
                problem_of_it = duration_problem(duration.text)
                if problem_of_it is not None:
                    where = document.span(path)
                    yield diagnose(
                        "PIN315", where, path, value=duration.text, problem=problem_of_it
                    )


def weights(target: Target) -> Iterator[Diagnostic]:
    """Find weights that Istio refuses, and tell that a split by weight is not sticky."""
    document = target.document
    for rule in target.rules:
        path: Path = (*rule.path, "route")
        routes = destinations(target.entries[rule.number])
        if len(routes) < 2:
            continue
        found: list[int] = []
        for index, entry in enumerate(routes):
            node = entry.entries.get("weight") if isinstance(entry, Mapping) else None
            number = scalar_value(node) if isinstance(node, Scalar) else 0
            inner = (*path, index, "weight")
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                problem = f"weight {number!r} is no whole number from 0 on"
                yield diagnose(
                    "PIN316", document.span(inner), inner, rule=rule.label, problem=problem
                )
            else:
                found.append(number)
        if found and len(found) == len(routes):
            if sum(found) == 0:
                problem = "all weights are 0"
                yield diagnose(
                    "PIN316", document.span(path, key=True), path, rule=rule.label, problem=problem
                )
            elif sum(1 for number in found if number) > 1:
                yield diagnose("PIN310", document.span(path, key=True), path, rule=rule.label)
