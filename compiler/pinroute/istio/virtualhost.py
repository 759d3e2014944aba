"""Several VirtualServices at one place: which routes does each host have, in which order?

A gateway joins the rules of all VirtualServices of a host: private ones first, then those
exported to its namespace, then public ones, the oldest first within each; what takes
everything goes to the end. A sidecar follows one VirtualService a host, the first in the
same order. Rules: `buildGatewayHTTPRouteConfig`, `VirtualServicesForGateway` and
`SortVHostRoutes` in istio/pilot, `dedupeDomains` for sidecars.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pinroute.istio.cover import is_catch_all
from pinroute.istio.delegation import delegates_of, joined
from pinroute.istio.evaluate import Call, takes, there
from pinroute.istio.read import MatchItem, ReadRule
from pinroute.istio.resource import EVERYWHERE, MESH, VirtualService, covers, in_order


class Place(NamedTuple):
    """Where routes are asked for: at the pods of a gateway, or at a sidecar (`mesh`).

    `namespace` and `labels` are those of the pods: istiod goes by them, not by those of
    the Gateway object. `known` are the hosts of services: to a sidecar, a wildcard stands for those of them that it covers.
    """

    gateway: str
    namespace: str
    port: int = 80
    labels: Mapping[str, str] = MappingProxyType({})
    known: tuple[str, ...] = ()


class Route(NamedTuple):
    """One match item at its place in a host's list."""

    service: VirtualService
    rule: ReadRule
    item: MatchItem


class VirtualHost(NamedTuple):
    """A host, and its routes in the order in which Envoy tries them."""

    domain: str
    routes: tuple[Route, ...]


def virtual_hosts(
    services: Sequence[VirtualService], place: Place, header: str | None = None
) -> Mapping[str, VirtualHost]:
    """Return the virtual hosts of a place, by their domains; `services` with all delegates."""
    delegates = delegates_of(services)
    found: dict[str, list[Route]] = {}
    visited = visiting_order(services, place)
    chosen = _chosen(visited, place.known) if place.gateway == MESH else {}
    for service in visited:
        routes = _routes(service, delegates, place, header)
        domains = (
            _mesh_domains(service, place.known, chosen) if place.gateway == MESH else service.hosts
        )
        for domain in domains if routes else ():
            if domain not in found:
                found[domain] = list(routes)
            elif place.gateway != MESH:
                found[domain] += routes
    return {domain: VirtualHost(domain, _sorted(routes)) for domain, routes in found.items()}


def visiting_order(services: Iterable[VirtualService], place: Place) -> list[VirtualService]:
    """Return the VirtualServices that a place sees, in istiod's order."""
    tiers: tuple[list[VirtualService], ...] = ([], [], [])
    for service in in_order(services):
        if not service.hosts or place.gateway not in service.gateways:
            continue
        if EVERYWHERE in service.exported_to:
            tiers[2].append(service)
        elif place.namespace in service.exported_to:
            tiers[0 if service.namespace == place.namespace else 1].append(service)
    return [service for tier in tiers for service in tier]


def host_of(hosts: Mapping[str, VirtualHost], authority: str) -> VirtualHost | None:
    """Return the virtual host that Envoy chooses for a Host header: the most specific one."""
    best = _most_specific(hosts, authority.lower())
    return hosts[best] if best is not None else None


def route_of(hosts: Mapping[str, VirtualHost], call: Call) -> Route | None:
    """Return the route that takes a request, None if the answer is 404."""
    host = host_of(hosts, call.host)
    for route in host.routes if host is not None else ():
        if takes(route.item, call):
            return route
    return None


def _routes(
    service: VirtualService,
    delegates: Mapping[str, VirtualService],
    place: Place,
    header: str | None,
) -> list[Route]:
    """Return the routes of a VirtualService at a place, up to the first catch-all."""
    call = Call("", gateway=place.gateway, port=place.port, namespace=place.namespace)
    call = call._replace(labels=place.labels)
    found: list[Route] = []
    for rule in joined(service, delegates, header).rules:
        for item in rule.items:
            if there(item.residual, call):
                found.append(Route(service, rule, item))
                if is_catch_all(item):
                    return found
    return found


def _sorted(routes: list[Route]) -> tuple[Route, ...]:
    return tuple(sorted(routes, key=lambda route: is_catch_all(route.item)))


def _chosen(visited: Sequence[VirtualService], known: Iterable[str]) -> Mapping[str, str]:
    """Return the VirtualService with the most specific host for each service, by its key."""
    first: dict[str, str] = {}
    for service in visited:
        for host in service.hosts:
            first.setdefault(host, service.key)
    best = {name: _most_specific(first, name) for name in known}
    return {name: first[host] for name, host in best.items() if host is not None}


def _mesh_domains(
    service: VirtualService, known: Sequence[str], chosen: Mapping[str, str]
) -> list[str]:
    found: dict[str, None] = {}
    for host in service.hosts:
        covered = [name for name in known if host.startswith("*") and covers(host, name)]
        own = [name for name in covered if chosen.get(name) == service.key]
        found.update(dict.fromkeys(own if covered else [host]))
    return list(found)


def _most_specific(hosts: Iterable[str], name: str) -> str | None:
    return max((host for host in hosts if covers(host, name)), key=_specificity, default=None)


def _specificity(host: str) -> tuple[bool, int]:
    return not host.startswith("*"), len(host)


def narrower_host(one: str, other: str) -> str | None:
    """Return the host that both stand for: the one that the other, a wildcard, covers."""
    if covers(one, other):
        return other
    return one if covers(other, one) else None
