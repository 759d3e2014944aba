"""What is wrong with one document as far as it shows alone, and what of it checks of several need."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pinroute.checks import actions, headers, matches, reach, scope, weights
from pinroute.checks.bodies import Bodies, Body
from pinroute.checks.outline import Outline, Resource, resource_of
from pinroute.checks.shape import shape
from pinroute.checks.target import Target, outline_of, target_of
from pinroute.diagnostics import Diagnostic
from pinroute.istio.read import is_called_virtual_service, is_virtual_service
from pinroute.spec.nodes import Document

Check = Callable[[Target], Iterator[Diagnostic]]

# What a server refuses, or takes in another way than it is meant: beside the shape, where
# a VirtualService applies, its matches, and what its rules do.
FAULTS: tuple[Check, ...] = (
    scope.hosts,
    scope.gateways,
    scope.exports,
    scope.sources,
    matches.null_rules,
    matches.nulls,
    matches.refused,
    matches.names,
    matches.repeated,
)
BODY_FAULTS: tuple[Check, ...] = (
    scope.targets,
    actions.actions,
    weights.weights,
    headers.values,
    headers.names,
    headers.removed,
    headers.authorities,
    headers.two_levels,
)
# What they say would follow from what a wrong type means, which is nothing.
REACH: tuple[Check, ...] = (
    reach.after_catch_all,
    reach.dead_matches,
)


class Alone(NamedTuple):
    """The findings of one document, and its outline; None where no check of several looks at it.

    A VirtualService with a wrong type has none: what it means is not known.
    """

    findings: tuple[Diagnostic, ...]
    outline: Outline | Resource | None


def alone(document: Document, known: Bodies | None = None) -> Alone:
    """Look at one document; `known` are the bodies that were read before."""
    known = known or Bodies()
    if is_virtual_service(document):
        target = target_of(document, known)
        findings = _faults(target, known)
        if _has_wrong_type(findings):
            return Alone(tuple(findings), None)
        findings += [finding for check in REACH for finding in check(target)]
        return Alone(tuple(findings), outline_of(target))
    if is_called_virtual_service(document):
        return Alone(tuple(shape(target_of(document))), None)
    return Alone((), resource_of(document))


def _has_wrong_type(found: Iterable[Diagnostic]) -> bool:
    return any(finding.code == "PIN101" for finding in found)


def check_faults(documents: Iterable[Document]) -> list[Diagnostic]:
    """Return why VirtualServices may not work; whether each rule is reached is left out."""
    known = Bodies()
    targets = (
        target_of(document, known) for document in documents if is_virtual_service(document)
    )
    return [finding for target in targets for finding in _faults(target, known)]


def _faults(target: Target, known: Bodies) -> list[Diagnostic]:
    """Return what is wrong beside what is never reached; clean bodies are checked once."""
    delegate = target.is_delegate
    first: dict[Body | int, int] = {}
    for number, body in enumerate(target.bodies):
        if not known.is_clean(body, delegate=delegate):
            first.setdefault(number if body is None else body, number)
    found = _of_rules(target, frozenset(first.values()))
    dirty = {number for finding in found for number in _rule_of(finding)}
    for key, number in first.items():
        if number not in dirty and not isinstance(key, int):
            known.clean(key, delegate=delegate)
    if dirty:  # then the rules that are written alike have the same faults
        found = _of_rules(target, frozenset(range(len(target.bodies))))
    return found


def _rule_of(finding: Diagnostic) -> tuple[str | int, ...]:
    """Return the number of the rule that a finding is about, nothing for others."""
    return finding.path[2:3] if finding.path[:2] == ("spec", "http") else ()


def _of_rules(target: Target, numbers: frozenset[int]) -> list[Diagnostic]:
    """Return what is wrong, looking at the bodies of some rules only."""
    found = [*shape(target, frozenset(range(len(target.bodies))) - numbers)]
    found += [finding for check in FAULTS for finding in check(target)]
    bodies = target.narrowed(numbers)
    return found + [finding for check in BODY_FAULTS for finding in check(bodies)]
