"""The end of an experiment in a cluster: everybody meets the baseline, and no host loses its route."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinroute.change.serving import identity
from pinroute.cluster.api.kinds import INFERENCE_SERVICE
from pinroute.cluster.deployment import DELETED, Plan, Step
from pinroute.cluster.neighbours import claimants, gateways_of, others, successors
from pinroute.cluster.owner import experiment_of
from pinroute.cluster.view import View
from pinroute.compilation import Compiled
from pinroute.istio.resource import MESH, VirtualService, full_host
from pinroute.platforms.address import address


class Ending(NamedTuple):
    """What is deleted once everybody meets the baseline.

    `kept_for` are the hosts (or what else) of which nobody else takes all requests, for which the
    VirtualService stays; `takers` are who serves the others.
    """

    steps: tuple[Step, ...]
    kept_for: tuple[str, ...]
    takers: tuple[str, ...]


def ending(plan: Plan, view: View, *, with_routes: bool) -> Ending:
    """Return what is deleted after a plan for stage `done` was carried out."""
    compiled = plan.compiled
    experiment = compiled.checked.spec.experiment
    services = others(compiled, view)
    lost: dict[str, None] = {}
    takers: dict[str, None] = {}
    for name in experiment.route.hosts:
        host = full_host(
            name, experiment.route.namespace, experiment.environment.cluster_domain
        ).lower()
        for gateway in gateways_of(compiled):
            found = _takers(compiled, services, gateway, host)
            takers |= dict.fromkeys(found)
            if not found:
                lost[host] = None
    if experiment.route.delegate:
        lost["the requests that its root hands on"] = None
    if lost and not with_routes:
        return Ending((), tuple(lost), tuple(takers))
    return Ending(tuple(_deleted(plan)), (), tuple(takers))


def _deleted(plan: Plan) -> Iterator[Step]:
    """Yield what the experiment has, routes first: a backend goes after the route that names it."""
    own = identity(plan.compiled)
    for step in reversed(plan.steps):
        # An InferenceService holds a model, which may serve others.
        is_ours = step.live is not None and experiment_of(step.live) == own
        if is_ours and step.what.kind.name != INFERENCE_SERVICE:
            yield Step(step.what, step.live, None, DELETED)


def _takers(
    compiled: Compiled, services: Sequence[VirtualService], gateway: str, host: str
) -> list[str]:
    """Return who serves a host at a gateway when our VirtualService is gone."""
    found = successors(compiled, services, gateway, host)
    if found:
        return [f"VirtualService {key}" for key in found]
    experiment = compiled.checked.spec.experiment
    baseline = experiment.version(experiment.baseline)
    if claimants(compiled, services, gateway, host) or gateway != MESH:
        return []
    if baseline.service is not None and baseline.service.subset is None:
        where = address(baseline, experiment.environment, experiment.route.namespace)
        if where.host == host:  # without rules the mesh sends requests to the Service itself
            return [f"Service {host}"]
    return []
