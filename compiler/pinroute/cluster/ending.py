"""The end of an experiment in a cluster: everybody meets the baseline, and no host loses its route."""

from collections.abc import Iterator
from typing import NamedTuple

from pinroute.cluster.deployment import DELETED, Plan, Step
from pinroute.cluster.kinds import Body, identity_of, kind_of
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.istio.resource import MESH, VirtualService, covers, virtual_service
from pinroute.platforms.address import address


class Ending(NamedTuple):
    """What is deleted once everybody meets the baseline.

    `kept_for` are the hosts that nobody else serves, for which the VirtualService stays;
    `takers` are who serves the others.
    """

    steps: tuple[Step, ...]
    kept_for: tuple[str, ...]
    takers: tuple[str, ...]


def ending(plan: Plan, view: View, *, with_routes: bool) -> Ending:
    """Return what is deleted after a plan for stage `done` was carried out."""
    compiled = plan.compiled
    own = virtual_service(0, compiled.rendered[0].virtual_service)
    others = _others(compiled, own, view)
    lost: dict[str, None] = {}
    takers: dict[str, None] = {}
    for host in own.hosts:
        for gateway in own.gateways:
            taker = _taker(compiled, host, gateway, others)
            if taker is None:
                lost[host] = None
            else:
                takers[taker] = None
    if lost and not with_routes:
        return Ending((), tuple(lost), tuple(takers))
    return Ending(tuple(_deleted(plan)), (), tuple(takers))


def _deleted(plan: Plan) -> Iterator[Step]:
    """Yield what the experiment has, routes first: a backend goes after the route that names it."""
    for step in reversed(plan.steps):
        # An InferenceService holds a model, which may serve others.
        if step.what.kind.name != "InferenceService":
            yield Step(step.what, step.live, None, DELETED)


def _others(compiled: Compiled, own: VirtualService, view: View) -> list[VirtualService]:
    wanted: Body = compiled.rendered[0].virtual_service
    namespaces = (own.namespace, *(key.partition("/")[0] for key in own.gateways if key != MESH))
    found = view.all_of(kind_of(wanted), namespaces)
    return [
        virtual_service(number, body)
        for number, body in enumerate(found)
        if identity_of(body) != identity_of(wanted)
    ]


def _taker(
    compiled: Compiled, host: str, gateway: str, others: list[VirtualService]
) -> str | None:
    """Return who serves a host at a gateway when our VirtualService is gone."""
    for other in others:
        if gateway in other.gateways and any(covers(one, host) for one in other.hosts):
            return f"VirtualService {other.key}"
    experiment = compiled.checked.spec.experiment
    baseline = experiment.version(experiment.baseline)
    if gateway == MESH and baseline.service is not None and baseline.service.subset is None:
        where = address(baseline, experiment.environment, experiment.route.namespace)
        if where.host == host:  # without rules the mesh sends requests to the Service itself
            return f"Service {host}"
    return None
