"""Every check of VirtualServices, in the order in which their findings make sense."""

from collections.abc import Callable, Iterable, Iterator

from pinroute.checks import actions, headers, matches, reach, scope, weights
from pinroute.checks.shape import shape
from pinroute.checks.target import Target, is_called_virtual_service, target_of
from pinroute.diagnostics import Diagnostic
from pinroute.spec.nodes import Document

CHECKS: tuple[Callable[[Target], Iterator[Diagnostic]], ...] = (
    shape,
    scope.hosts,
    scope.gateways,
    scope.exports,
    scope.sources,
    scope.targets,
    actions.actions,
    weights.weights,
    matches.null_rules,
    matches.nulls,
    matches.refused,
    matches.names,
    matches.repeated,
    headers.values,
    headers.names,
    headers.removed,
    headers.authorities,
    headers.two_levels,
)
# What they say would follow from what a wrong type means, which is nothing.
REACH: tuple[Callable[[Target], Iterator[Diagnostic]], ...] = (
    reach.after_catch_all,
    reach.dead_matches,
    reach.no_default,
)


def check_virtual_services(documents: Iterable[Document]) -> list[Diagnostic]:
    """Return what is wrong with the VirtualServices among some documents."""
    return [
        finding
        for document in documents
        if is_called_virtual_service(document)
        for finding in check_virtual_service(document)
    ]


def check_virtual_service(document: Document) -> list[Diagnostic]:
    """Return what is wrong with one VirtualService."""
    target = target_of(document)
    found = [finding for check in CHECKS for finding in check(target)]
    if not any(finding.code == "PIN101" for finding in found):
        found += [finding for check in REACH for finding in check(target)]
    return found
