"""Whom an experiment lives beside: its Gateways, and the VirtualServices that claim its hosts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pinroute.cluster.api.kinds import GATEWAY, Body, Identity, identity_of, kind_of
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.istio.cover import takes_everything
from pinroute.istio.gateway import claimable_hosts
from pinroute.istio.resource import (
    MESH,
    Fields,
    VirtualService,
    as_mapping,
    covers,
    gateway_key,
    some_host,
    virtual_service,
)
from pinroute.istio.virtualhost import (
    host_of,
    narrower_host,
    virtual_hosts,
    visiting_order,
)
from pinroute.verification import Proof, place_at, verify_joined


class LiveGateway(NamedTuple):
    """A Gateway: the hosts that our namespace may claim there, and which of ours it lacks.

    `unserved` are places in `spec.route.hosts`.
    """

    key: str
    spec: Fields
    served: tuple[str, ...]
    unserved: tuple[int, ...]


class JoinedAt(NamedTuple):
    """A host at a gateway: who claims it, in the order in which rules are tried."""

    gateway: str
    host: str
    order: tuple[str, ...]
    proof: Proof


def gateways_of(compiled: Compiled) -> list[str]:
    """Return the gateways of an experiment, as namespace/name or `mesh`."""
    route = compiled.checked.spec.experiment.route
    return [gateway_key(name, route.namespace) for name in route.gateways] or [MESH]


def live_gateway(compiled: Compiled, key: str, view: View) -> LiveGateway | None:
    """Return a Gateway of an experiment, None if there is none; raises Unseen."""
    route = compiled.checked.spec.experiment.route
    version = kind_of(compiled.rendered[0].virtual_service).version  # as the environment has it
    namespace, _, name = key.partition("/")
    body = view.neighbour(Identity(GATEWAY._replace(version=version), namespace, name))
    if body is None:
        return None
    spec = as_mapping(body.get("spec"))
    served = claimable_hosts(spec, namespace, route.namespace)
    unserved = (
        number
        for number, host in enumerate(route.hosts)
        if not any(narrower_host(one, host.lower()) for one in served)
    )
    return LiveGateway(key, spec, tuple(served), tuple(unserved))


def around(compiled: Compiled, own: Body, view: View) -> list[VirtualService]:
    """Return all VirtualServices that may be read, numbered; `own` is among them."""
    route = compiled.checked.spec.experiment.route
    places = (key.partition("/")[0] for key in gateways_of(compiled) if key != MESH)
    found = list(view.all_of(kind_of(own), (route.namespace, *places)))
    if identity_of(own) not in {identity_of(body) for body in found}:
        found.append(own)
    return [virtual_service(number, body) for number, body in enumerate(found)]


def others(compiled: Compiled, view: View) -> list[VirtualService]:
    """Return all VirtualServices that may be read but the experiment's own, numbered."""
    own = compiled.rendered[0].virtual_service
    found = around(compiled, own, view)
    key = virtual_service(0, own).key
    rest = (one for one in found if one.key != key)
    return [one._replace(number=number) for number, one in enumerate(rest)]


def successors(
    compiled: Compiled, services: Sequence[VirtualService], gateway: str, host: str
) -> list[str]:
    """Return which of some VirtualServices serve a host, none if some requests are nobody's."""
    place = place_at(compiled.checked.spec.experiment, gateway, host)
    found = host_of(virtual_hosts(services, place), some_host(host))
    routes = found.routes if found is not None else ()
    if not any(takes_everything(route.item) for route in routes):
        return []
    return list(dict.fromkeys(route.service.key for route in routes))


def claimants(
    compiled: Compiled, services: Iterable[VirtualService], gateway: str, host: str
) -> list[VirtualService]:
    """Return who claims a host at a gateway, in istiod's order.

    A wildcard is not joined with a narrower host: its rules do not count there.
    """
    visited = visiting_order(services, place_at(compiled.checked.spec.experiment, gateway, host))
    claims = {own for service in visited for own in service.hosts if covers(own, host)}
    best = max(claims, key=lambda own: (not own.startswith("*"), len(own)), default=None)
    return [service for service in visited if best in service.hosts]


def joined_at(compiled: Compiled, own: Body, view: View) -> Iterator[JoinedAt]:
    """Yield what each gateway has for each host of an experiment; raises Unprovable."""
    services = around(compiled, own, view)
    for gateway in gateways_of(compiled):
        for host in compiled.checked.spec.experiment.route.hosts:
            order = tuple(one.key for one in claimants(compiled, services, gateway, host))
            proof = verify_joined(compiled, services, host, gateway)
            yield JoinedAt(gateway, host, order, proof)
