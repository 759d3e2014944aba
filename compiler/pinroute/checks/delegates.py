"""Delegates: rules that istiod drops or widens without telling anybody."""

from collections.abc import Iterator

from pinroute.checks.resources import Resources
from pinroute.diagnostics import Diagnostic, Related, diagnose
from pinroute.istio.delegation import Dropped, Widened, delegates_of, joined


def dropped_rules(resources: Resources) -> Iterator[Diagnostic]:
    """Find what istiod leaves out of a root with delegates, and exclusions that it loses."""
    delegates = delegates_of(resources.virtual_services)
    for outline, root in zip(resources.outlines, resources.virtual_services, strict=True):
        if not root.hosts or not any("delegate" in rule.fields for rule in outline.rules):
            continue
        found = joined(root, delegates)
        for dropped in found.dropped:
            if dropped.delegate is not None:  # a missing one is PIN322
                yield _dropped(resources, dropped)
        for widened in found.widened:
            yield _widened(resources, widened)


def _dropped(resources: Resources, dropped: Dropped) -> Diagnostic:
    root, rule = dropped.root, dropped.rule
    if dropped.inner is None or dropped.delegate is None or dropped.item is None:
        path = (*rule.path, "delegate")
        where = resources.span(root, path)
        return diagnose(
            "PIN320", where, path, rule=rule.label, root=root.key, reason=dropped.reason
        )
    path = dropped.item.path
    related = (Related(resources.span(root, rule.path), "the root's rule is here"),)
    return diagnose(
        "PIN320",
        resources.span(dropped.delegate, path),
        path,
        related=related,
        rule=dropped.inner.label,
        root=root.key,
        reason=dropped.reason,
    )


def _widened(resources: Resources, widened: Widened) -> Diagnostic:
    item = widened.item
    path = (*item.path, "withoutHeaders", widened.name)
    related = (
        Related(resources.span(widened.root, widened.rule.path), "the root's rule is here"),
    )
    return diagnose(
        "PIN321",
        resources.span(resources.virtual_services[item.service], path),
        path,
        related=related,
        name=widened.name,
        root=widened.root.key,
    )
