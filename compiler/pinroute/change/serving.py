"""A state of the routing of some hosts: an experiment's, or that of any VirtualService."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from pinroute.change.model import Incomparable
from pinroute.compilation import Compiled
from pinroute.istio.resource import (
    CLUSTER_DOMAIN,
    MESH,
    Fields,
    covers,
    full_host,
    gateway_key,
    virtual_service,
)
from pinroute.istio.shape import shape_problem
from pinroute.spec.nodes import Document
from pinroute.spec.scalars import value

State = Compiled | Document

DEFAULT = "default"


class Serving(NamedTuple):
    """Who serves which hosts at which gateways, and by which VirtualService.

    Hosts are full names in lower case, gateways namespace/name or `mesh`. A delegate has
    its requests from a VirtualService of somebody else, and may have neither.
    """

    name: str
    namespace: str
    service_name: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    delegate: bool
    compiled: Compiled | None = None
    own: Mapping[str, Any] | None = None

    @property
    def service(self) -> Mapping[str, Any]:
        """The VirtualService: its own, or the one that the experiment compiles to."""
        if self.compiled is not None:
            return self.compiled.rendered[0].virtual_service
        return self.own or {}

    @property
    def cluster_domain(self) -> str:
        """The domain of Services; that of a cluster is known from a spec only."""
        if self.compiled is None:
            return CLUSTER_DOMAIN
        return self.compiled.checked.spec.experiment.environment.cluster_domain

    def is_of(self, other: "Serving") -> bool:
        """Tell whether two states are of one experiment, or of one VirtualService."""
        one, two = self.compiled, other.compiled
        if one is not None and two is not None:
            return identity(one) == identity(two)
        names = (self.namespace, self.service_name)
        return names == (other.namespace, other.service_name)

    def serves(self, host: str, gateway: str) -> bool:
        """Tell whether a host, perhaps a wildcard, is wholly served at a gateway."""
        if self.delegate:
            return not self.hosts or any(covers(own, host) for own in self.hosts)
        return gateway in self.gateways and any(covers(own, host) for own in self.hosts)


def identity(compiled: Compiled) -> tuple[str, str]:
    """Return the namespace and name by which an experiment is known in two states."""
    experiment = compiled.checked.spec.experiment
    return experiment.namespace or DEFAULT, experiment.name


def servings(states: Iterable[State]) -> list[Serving]:
    """Return who serves what in one state of everything.

    A VirtualService of an experiment that is there, too, is what that compiles to, and
    left out. Raises Incomparable where a VirtualService is there several times.
    """
    found = [serving(state) for state in states]
    names = Counter((one.namespace, one.service_name) for one in found if one.compiled is None)
    written = {(one.namespace, one.service_name) for one in found if one.compiled is not None}
    for (namespace, name), number in names.items():
        if number > 1 and (namespace, name) not in written:
            raise Incomparable(
                f"VirtualService {namespace}/{name} is there {number} times: compare one file each"
            )
    return [
        one
        for one in found
        if one.compiled is not None or (one.namespace, one.service_name) not in written
    ]


def serving(state: State) -> Serving:
    """Return how a compiled experiment, or a VirtualService, serves its hosts.

    Raises Incomparable where a VirtualService is not shaped as one.
    """
    if isinstance(state, Compiled):
        experiment = state.checked.spec.experiment
        route, domain = experiment.route, experiment.environment.cluster_domain
        return Serving(
            experiment.name,
            route.namespace,
            route.name,
            tuple(full_host(host, route.namespace, domain).lower() for host in route.hosts),
            tuple(gateway_key(name, route.namespace) for name in route.gateways) or (MESH,),
            route.delegate,
            compiled=state,
        )
    service = cast("dict[str, Any]", value(state.root))
    problem = shape_problem(service)
    if problem is not None:
        raise Incomparable(f"{state.file}: a VirtualService cannot be read: {problem}")
    found = virtual_service(0, service)
    return Serving(
        f"VirtualService {found.key}",
        found.namespace,
        found.name,
        found.hosts,
        found.gateways,
        not found.hosts,
        own=service,
    )


def condition_text(condition: Fields, namespace: str) -> str:
    """Return a condition as JSON, by which it is known; its gateways have their namespace."""
    if condition.get("gateways"):
        names = [gateway_key(str(name), namespace) for name in condition["gateways"]]
        condition = {**condition, "gateways": names}
    return json.dumps(condition, sort_keys=True, default=str)
