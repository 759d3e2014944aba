"""The VirtualServices that claim the hosts of an experiment, and what they make together."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pinroute.cluster.kinds import Body, identity_of, kind_of
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.istio.resource import MESH, VirtualService, covers, gateway_key, virtual_service
from pinroute.istio.virtualhost import Place, visiting_order
from pinroute.verification import Proof, verify_joined


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


def around(compiled: Compiled, own: Body, view: View) -> list[VirtualService]:
    """Return all VirtualServices that may be read, numbered; `own` is among them."""
    route = compiled.checked.spec.experiment.route
    places = (key.partition("/")[0] for key in gateways_of(compiled) if key != MESH)
    found = list(view.all_of(kind_of(own), (route.namespace, *places)))
    if identity_of(own) not in {identity_of(body) for body in found}:
        found.append(own)
    return [virtual_service(number, body) for number, body in enumerate(found)]


def claimants(services: Iterable[VirtualService], gateway: str, host: str) -> list[VirtualService]:
    """Return who claims a host at a gateway, in istiod's order.

    A wildcard is not joined with a narrower host: its rules do not count there.
    """
    visited = visiting_order(services, Place(gateway, gateway.partition("/")[0]))
    claims = {own for service in visited for own in service.hosts if covers(own, host)}
    best = max(claims, key=lambda own: (not own.startswith("*"), len(own)), default=None)
    return [service for service in visited if best in service.hosts]


def joined_at(compiled: Compiled, own: Body, view: View) -> Iterator[JoinedAt]:
    """Yield what each gateway has for each host of an experiment; raises Unprovable."""
    services = around(compiled, own, view)
    for gateway in gateways_of(compiled):
        for host in compiled.checked.spec.experiment.route.hosts:
            order = tuple(one.key for one in claimants(services, gateway, host))
            proof = verify_joined(compiled, services, host, gateway)
            yield JoinedAt(gateway, host, order, proof)
