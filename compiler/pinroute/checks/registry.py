"""Every check of VirtualServices, of each alone and of all together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pinroute.checks import claims, defaults, delegates, references, versions
from pinroute.checks.alone import Alone, alone
from pinroute.checks.bodies import Bodies
from pinroute.checks.resources import Resources, resources_of
from pinroute.diagnostics import Diagnostic
from pinroute.spec.meaning import Spec
from pinroute.spec.nodes import Document

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
    documents: Iterable[Document],
    specs: Sequence[Spec] = (),
    *,
    complete: bool = False,
    looked_at: Mapping[Document, Alone] | None = None,
) -> list[Diagnostic]:
    """Return what is wrong with the VirtualServices among some documents.

    `specs` claim hosts too. `complete`: what is named and not among the documents is missing.
    `looked_at` are those that were looked at before, each by itself.
    """
    known, before = Bodies(), looked_at or {}
    looks = [before.get(document) or alone(document, known) for document in documents]
    outlines = (look.outline for look in looks if look.outline is not None)
    resources = resources_of(outlines, specs, complete=complete)
    found = [finding for look in looks for finding in look.findings]
    return found + [finding for check in CHECKS_TOGETHER for finding in check(resources)]
