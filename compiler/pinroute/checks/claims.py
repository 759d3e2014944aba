"""Hosts that several VirtualServices claim: joined on a gateway, and the first only in the mesh."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pinroute.checks.reach import dead_alone, shown
from pinroute.checks.resources import Resources
from pinroute.diagnostics import Diagnostic, Path, Related, Span, diagnose
from pinroute.istio.cover import dead_items, takes_everything
from pinroute.istio.delegation import delegates_of, joined
from pinroute.istio.resource import EVERYWHERE, MESH, VirtualService, full_host, gateway_key
from pinroute.istio.virtualhost import Place, Route, virtual_hosts
from pinroute.spec.nodes import Document

_Spot = tuple[str, str]


class _Claim(NamedTuple):
    """A host at a gateway, and who says so: a VirtualService, or a spec that becomes one."""

    key: str
    exported_to: frozenset[str]
    document: Document
    path: Path
    number: int | None = None

    @property
    def span(self) -> Span:
        """The place of the host."""
        return self.document.span(self.path)


def shared_hosts(resources: Resources) -> Iterator[Diagnostic]:
    """Find hosts that several VirtualServices claim on one gateway, or in the mesh."""
    told: set[tuple[str, str, bool]] = set()
    for (gateway, host), claims in _claims(resources).items():
        for index, claim in enumerate(claims[1:], 1):
            first = next((one for one in claims[:index] if _meet(one, claim, gateway)), None)
            mesh = gateway == MESH
            if first is None or (claim.number is None and first.number is None):
                continue  # two specs: PIN235
            if (first.key, claim.key, mesh) in told:
                continue
            told.add((first.key, claim.key, mesh))
            related = (Related(first.span, "the other one is here"),)
            yield diagnose(
                "PIN318" if mesh else "PIN317",
                claim.span,
                claim.path,
                related=related,
                host=host,
                gateway=gateway,
                other=first.key,
            )


def _claims(resources: Resources) -> Mapping[_Spot, Sequence[_Claim]]:
    found: defaultdict[_Spot, list[_Claim]] = defaultdict(list)
    written: set[str] = set()
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        written.add(service.key)
        for index, host in enumerate(service.hosts):
            path: Path = ("spec", "hosts", index)
            claim = _Claim(
                service.key,
                service.exported_to,
                outline.document,
                path,
                service.number,
            )
            for gateway in service.gateways:
                found[gateway, host].append(claim)
    for spec in resources.specs:
        route = spec.experiment.route
        key = f"{route.namespace}/{route.name}"
        if key in written:
            continue  # its own output lies beside it
        for index, host in enumerate(() if route.delegate else route.hosts):
            path = ("spec", "route", "hosts", index)
            claim = _Claim(key, frozenset({EVERYWHERE}), spec.document, path)
            for gateway in route.gateways or (MESH,):
                where = gateway_key(gateway, route.namespace)
                found[where, full_host(host, route.namespace).lower()].append(claim)
    return found


def _meet(first: _Claim, second: _Claim, gateway: str) -> bool:
    """Tell whether two claims are seen at one place.

    In the mesh, one for some namespaces beside one for all is an override on purpose.
    """
    if first.key == second.key:
        return False
    if first.exported_to & second.exported_to:
        return True
    return gateway != MESH and EVERYWHERE in first.exported_to | second.exported_to


def dead_together(resources: Resources) -> Iterator[Diagnostic]:
    """Find matches that are dead because of another VirtualService: an older one, or a delegate."""
    told: set[tuple[int, Path]] = set()
    alone: set[tuple[int, Path]] | None = None
    for routes in _lists(resources):
        if alone is None:
            alone = _dead_alone(resources)  # PIN301 and PIN302
        found = {id(route.item): route for route in routes}
        for dead in dead_items([route.item for route in routes]):
            route, by = found[id(dead.item)], found[id(dead.by)]
            place = (dead.item.service, dead.item.path)
            if place in told or place in alone:
                continue
            told.add(place)
            taker = resources.virtual_services[dead.by.service]
            related = (
                Related(resources.span(taker, dead.by.path), "this takes all of its requests"),
            )
            yield diagnose(
                "PIN319",
                resources.span(resources.virtual_services[dead.item.service], dead.item.path),
                dead.item.path,
                related=related,
                item=shown(dead.item),
                rule=route.rule.label,
                host=route.service.hosts[0],
                by=by.rule.label,
                other=taker.key,
            )


def _dead_alone(resources: Resources) -> set[tuple[int, Path]]:
    """Return the matches whose own VirtualService shows that they are dead."""
    found: set[tuple[int, Path]] = set()
    for number, outline in enumerate(resources.outlines):
        closed = False
        found |= {(number, dead.item.path) for dead in dead_alone(outline.rules)}
        for rule in outline.rules:
            if closed:
                found |= {(number, item.path) for item in rule.items}
            elif "delegate" not in rule.fields:
                closed = any(takes_everything(item) for item in rule.items)
    return found


def _lists(resources: Resources) -> Iterator[Sequence[Route]]:
    """Yield the lists of routes whose order is certain from the files alone."""
    delegates = delegates_of(resources.virtual_services)
    groups: defaultdict[tuple[str, str], list[VirtualService]] = defaultdict(list)
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        if any("delegate" in rule.fields for rule in outline.rules):
            rules = joined(service, delegates).rules
            yield [Route(service, rule, item) for rule in rules for item in rule.items]
        for gateway in service.gateways if service.hosts else ():
            for host in service.hosts:
                groups[gateway, host].append(service)
    for (gateway, host), services in groups.items():
        if len(services) > 1 and gateway != MESH and _certain(resources, services):
            place = Place(gateway, gateway.partition("/")[0])
            found = virtual_hosts([*services, *delegates.values()], place).get(host)
            if found is not None:
                yield found.routes


def _certain(resources: Resources, services: Sequence[VirtualService]) -> bool:
    """Tell whether files alone say which rules of some VirtualServices there are, and when."""
    return all(
        service.created
        and EVERYWHERE in service.exported_to
        and not any(
            item.residual.get(name)
            for rule in resources.outlines[service.number].rules
            for item in rule.items
            for name in ("port", "sourceLabels", "sourceNamespace")
        )
        for service in services
    )
