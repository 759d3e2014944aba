"""Every check of VirtualServices, in the order in which their findings make sense."""

from collections.abc import Callable, Iterable, Iterator

from pinroute.checks import headers, matches, reach, rules
from pinroute.checks.target import Target, target_of
from pinroute.diagnostics import Diagnostic
from pinroute.istio.read import is_virtual_service
from pinroute.spec.nodes import Document

CHECKS: tuple[Callable[[Target], Iterator[Diagnostic]], ...] = (
    rules.hosts,
    rules.actions,
    rules.weights,
    matches.null_rules,
    matches.nulls,
    matches.refused,
    matches.names,
    matches.repeated,
    headers.values,
    headers.names,
    headers.two_levels,
    reach.after_catch_all,
    reach.dead_matches,
    reach.no_default,
)


def check_virtual_services(documents: Iterable[Document]) -> list[Diagnostic]:
    """Return what is wrong with the VirtualServices among some documents."""
    return [
        finding
        for document in documents
        if is_virtual_service(document)
        for finding in check_virtual_service(document)
    ]


def check_virtual_service(document: Document) -> list[Diagnostic]:
    """Return what is wrong with one VirtualService."""
    target = target_of(document)
    return [finding for check in CHECKS for finding in check(target)]
