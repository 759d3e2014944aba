"""Every check of VirtualServices, in the order in which their findings make sense."""

from collections.abc import Callable, Iterable, Iterator

from pinroute.checks import headers, matches, reach, rules
from pinroute.checks.target import Target, is_virtual_service, target_of
from pinroute.diagnostics import Diagnostic
from pinroute.spec.nodes import Document

Check = Callable[[Target], Iterator[Diagnostic]]

# What Istio or Envoy refuses, or takes in another way than it is meant.
FAULTS: tuple[Check, ...] = (
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
)
CHECKS: tuple[Check, ...] = (
    *FAULTS,
    reach.after_catch_all,
    reach.dead_matches,
    reach.no_default,
)


def check_virtual_services(documents: Iterable[Document]) -> list[Diagnostic]:
    """Return what is wrong with the VirtualServices among some documents."""
    return _checked(documents, CHECKS)


def check_faults(documents: Iterable[Document]) -> list[Diagnostic]:
    """Return why VirtualServices may not work; whether each rule is reached is left out."""
    return _checked(documents, FAULTS)


def check_virtual_service(document: Document) -> list[Diagnostic]:
    """Return what is wrong with one VirtualService."""
    return _checked([document], CHECKS)


def _checked(documents: Iterable[Document], checks: Iterable[Check]) -> list[Diagnostic]:
    targets = (target_of(document) for document in documents if is_virtual_service(document))
    return [finding for target in targets for check in checks for finding in check(target)]
