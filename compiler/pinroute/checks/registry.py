"""Every check of VirtualServices, in the order in which their findings make sense."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pinroute.checks import (
    claims,
    defaults,
    delegates,
    headers,
    matches,
    reach,
    references,
    rules,
    versions,
)
from pinroute.checks.resources import Resources, resources_of
from pinroute.checks.target import Target, target_of
from pinroute.diagnostics import Diagnostic
from pinroute.istio.read import is_virtual_service
from pinroute.spec.meaning import Spec
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
)
CHECKS_TOGETHER: tuple[Callable[[Resources], Iterator[Diagnostic]], ...] = (
    claims.shared_hosts,
    claims.dead_together,
    defaults.no_default,
    delegates.shape,
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
    resources = resources_of(documents, specs, complete=complete)
    found = [
        finding for target in resources.targets for check in CHECKS for finding in check(target)
    ]
    return found + [finding for check in CHECKS_TOGETHER for finding in check(resources)]


def check_virtual_service(document: Document) -> list[Diagnostic]:
    """Return what is wrong with one VirtualService, as far as it shows alone."""
    target = target_of(document)
    return [finding for check in CHECKS for finding in check(target)]


def check_faults(documents: Iterable[Document], specs: Sequence[Spec] = ()) -> list[Diagnostic]:  # noqa: ARG001
    """Return why VirtualServices may not work; whether each rule is reached is left out."""
    targets = (target_of(document) for document in documents if is_virtual_service(document))
    return [finding for target in targets for check in FAULTS for finding in check(target)]
