"""Weights: what Istio refuses, and what is taken for sticky."""

from collections.abc import Iterator

from pinroute.checks.target import Target, destinations
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.spec.nodes import Mapping, Scalar
from pinroute.spec.scalars import scalar_value


def weights(target: Target) -> Iterator[Diagnostic]:
    """Find weights that Istio refuses, and tell that a split by weight is not sticky."""
    document = target.document
    for rule in target.rules:
        path: Path = (*rule.path, "route")
        routes = destinations(target.entries[rule.number])
        found: list[int] = []
        for index, entry in enumerate(routes):
            node = entry.entries.get("weight") if isinstance(entry, Mapping) else None
            number = scalar_value(node) if isinstance(node, Scalar) else None
            weight = 0 if number is None else number
            if isinstance(weight, int) and not isinstance(weight, bool):
                found.append(weight)
            if found and found[-1] < 0:
                inner = (*path, index, "weight")
                problem = f"weight {found.pop()} is below 0"
                yield diagnose(
                    "PIN316", document.span(inner), inner, rule=rule.label, problem=problem
                )
        if len(found) == len(routes) > 1:
            if sum(found) == 0:
                problem = "all weights are 0"
                yield diagnose(
                    "PIN316", document.span(path, key=True), path, rule=rule.label, problem=problem
                )
            elif sum(1 for number in found if number) > 1:
                yield diagnose("PIN310", document.span(path, key=True), path, rule=rule.label)
