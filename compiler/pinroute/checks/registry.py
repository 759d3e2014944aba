"""Every check of VirtualServices, in the order in which their findings make sense."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pinroute.checks import (
    actions,
    claims,
    defaults,
    delegates,
    headers,
    matches,
    reach,
    references,
    scope,
    versions,
    weights,
)
from pinroute.checks.bodies import Bodies, Body
from pinroute.checks.resources import Resources, resources_of
from pinroute.checks.shape import shape
from pinroute.checks.target import Target, target_of
from pinroute.diagnostics import Diagnostic
from pinroute.istio.read import is_called_virtual_service, is_virtual_service
from pinroute.spec.meaning import Spec
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
CHECKS_TOGETHER: tuple[Callable[[Resources], Iterator[Diagnostic]], ...] = (
    claims.shared_hosts,
    claims.dead_together,
    defaults.no_default,
    delegates.dropped_rules,
    references.missing,
    references.subsets,
    references.ports,
    references.unserved_hosts,
    references.visibility,
    versions.hashed_splits,
    versions.mirrors,
    versions.overlapping_subsets,
    versions.forgeable_hash,
)


def check_virtual_services(
    documents: Iterable[Document], specs: Sequence[Spec] = (), *, complete: bool = False
) -> list[Diagnostic]:
    """Return what is wrong with the VirtualServices among some documents.

    `specs` claim hosts too. `complete`: what is named and not among the documents is missing.
    """
    documents = tuple(documents)
    known = Bodies()
    found: list[Diagnostic] = []
    for document in documents:
        if is_called_virtual_service(document) and not is_virtual_service(document):
            found += shape(target_of(document))
    resources = resources_of(documents, specs, known, complete=complete)
    broken: set[Document] = set()
    for target in resources.targets:
        alone = _alone(target, known)
        found += alone
        if _has_wrong_type(alone):
            broken.add(target.document)
    if broken:
        sound = [document for document in documents if document not in broken]
        resources = resources_of(sound, specs, known, complete=complete)
    return found + [finding for check in CHECKS_TOGETHER for finding in check(resources)]


def check_virtual_service(document: Document) -> list[Diagnostic]:
    """Return what is wrong with one VirtualService, as far as it shows alone."""
    return _alone(target_of(document), Bodies())


def _alone(target: Target, known: Bodies) -> list[Diagnostic]:
    found = _faults(target, known)
    if not _has_wrong_type(found):
        found += [finding for check in REACH for finding in check(target)]
    return found


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
