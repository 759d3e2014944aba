"""Requests that no rule takes, of any VirtualService of their host: they are answered with 404."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from pinroute.checks.outline import Outline
from pinroute.checks.resources import Resources
from pinroute.diagnostics import Diagnostic, diagnose
from pinroute.istio.cover import takes_everything
from pinroute.istio.delegation import delegates_of, joined
from pinroute.istio.resource import MESH, VirtualService


def no_default(resources: Resources) -> Iterator[Diagnostic]:
    """Find VirtualServices that leave requests of a host to nobody."""
    delegates = delegates_of(resources.virtual_services)
    pairs = list(zip(resources.outlines, resources.virtual_services, strict=True))
    with_default: defaultdict[tuple[str, str], list[VirtualService]] = defaultdict(list)
    without: list[tuple[Outline, VirtualService]] = []
    for outline, service in pairs:
        if not outline.rules or not service.hosts:
            continue  # without hosts it is a delegate, and its root decides
        if _has_default(outline, service, delegates):
            for gateway in service.gateways:
                for host in service.hosts:
                    with_default[gateway, host].append(service)
        else:
            without.append((outline, service))
    for outline, service in without:
        # A gateway joins VirtualServices, a sidecar does not.
        open_spots = [
            gateway
            for gateway in service.gateways
            for host in service.hosts
            if gateway == MESH or not with_default[gateway, host]
        ]
        if open_spots:
            last = outline.rules[-1]
            where = "the mesh" if MESH in open_spots else "the gateway"
            yield diagnose("PIN309", outline.document.span(last.path), last.path, where=where)


def _has_default(
    outline: Outline, service: VirtualService, delegates: Mapping[str, VirtualService]
) -> bool:
    """Tell whether a VirtualService takes every request, or might: a delegate is not known."""
    if not any("delegate" in rule.fields for rule in outline.rules):
        return any(takes_everything(item) for rule in outline.rules for item in rule.items)
    found = joined(service, delegates)
    return any(dropped.delegate is None for dropped in found.dropped) or any(
        takes_everything(item) for rule in found.rules for item in rule.items
    )
