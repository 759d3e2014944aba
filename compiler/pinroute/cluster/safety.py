"""What stands against a write, found before it: every reason at once, at its place in the spec."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from pinroute.change.model import LOST, Impact, moved
from pinroute.change.outcome import Destination
from pinroute.change.serving import identity
from pinroute.cluster.api.kinds import INFERENCE_SERVICE, Body, Identity, identity_of
from pinroute.cluster.backends import (
    ABSENT,
    UNKNOWN,
    UNREADY,
    inference_service_kind,
    inference_state,
    service_of,
    service_state,
)
from pinroute.cluster.neighbours import claimants, gateways_of, live_gateway, others
from pinroute.cluster.owner import experiment_of, note_of, owners
from pinroute.cluster.view import Unseen, View
from pinroute.compilation import Compiled
from pinroute.diagnostics import Diagnostic, Path, Severity, diagnose
from pinroute.istio.resource import MESH, full_host
from pinroute.manifest.objects import EPOCH, STAGE
from pinroute.platforms.address import address
from pinroute.spec.meaning import stage_names
from pinroute.spec.model import Version
from pinroute.spec.promotion import promotion_of
from pinroute.stages.parts import Part
from pinroute.stages.plan import step_plan
from pinroute.stages.refusal import refusals

_SERVICE_PATH: Path = ("spec", "route", "virtualService")


class Permissions(NamedTuple):
    """What was said on the command line about risks; nothing is allowed by default."""

    adopt: bool = False
    override_gitops: bool = False
    allow_unready: bool = False
    allow_back: bool = False
    max_moved: Fraction | None = None


def standing_against(
    compiled: Compiled, live: Sequence[Body | None], view: View, allowed: Permissions
) -> list[Diagnostic]:
    """Return what stands against writing the objects of an experiment.

    `live` are the objects of their names that are there now, the VirtualService last.
    """
    found = list(_compiled_only(compiled))
    if not found:
        found += [
            finding
            for body in live
            if body is not None
            for finding in _ownership(compiled, body, allowed)
        ]
        found += _age(compiled, live[-1]) if live[-1] is not None else ()
    if not found:
        found += _gateways(compiled, view)
        found += _shared_hosts(compiled, view)
        found += _backends(compiled, view, allowed)
        if live[-1] is not None and not allowed.allow_back:
            found += _step_of_promotion(compiled, live[-1])
    return found


def about_users(compiled: Compiled, impact: Impact, allowed: Permissions) -> list[Diagnostic]:
    """Return what stands against moving users as a change would."""
    found: list[Diagnostic] = []
    span = compiled.checked.spec.document.span(_PATH_OF_GROUPS)
    share = moved(impact.changes)
    if allowed.max_moved is not None and share > allowed.max_moved:
        most = f"{float(allowed.max_moved):.4%}"
        found.append(
            diagnose("PIN411", span, _PATH_OF_GROUPS, share=f"{float(share):.4%}", most=most)
        )
    back = [change for change in impact.changes if change.back or change.after in LOST]
    if back and not allowed.allow_back:
        one = back[0]
        found.append(
            diagnose(
                "PIN410",
                span,
                _PATH_OF_GROUPS,
                share=f"{float(moved(back)):.4%}",
                before=one.before,
                after=one.after,
                witness=one.witness or "any user hash",
            )
        )
    return found


_PATH_OF_GROUPS: Path = ("spec", "groups")


def _compiled_only(compiled: Compiled) -> Iterator[Diagnostic]:
    """Find experiments that were made for files only."""
    document, experiment = compiled.checked.spec
    if not experiment.output.labels:
        path: Path = ("spec", "output", "labels")
        yield diagnose("PIN412", document.span(path), path, name=experiment.name)
    if experiment.route.splice:
        path = (*_SERVICE_PATH, "mode")
        yield diagnose(
            "PIN413", document.span(path), path, name=experiment.name, file=experiment.route.file
        )


def _ownership(compiled: Compiled, live: Body, allowed: Permissions) -> Iterator[Diagnostic]:
    """Find an object that somebody else looks after; a model is seldom ours, but may be Git's."""
    path = _SERVICE_PATH
    span = compiled.checked.spec.document.span(path)
    what = identity_of(live)
    known = owners(live)
    carried = experiment_of(live)
    git = next((owner for owner in known if owner.syncs_git), None)
    if git is not None and not allowed.override_gitops:
        yield diagnose("PIN402", span, path, object=what.key, owner=git.shown)
    if what.kind.name == INFERENCE_SERVICE:
        return
    if carried is not None and carried != identity(compiled):
        yield diagnose("PIN403", span, path, object=what.key, other="/".join(carried))
    elif carried is None and not allowed.adopt:
        who = ", ".join(owner.shown for owner in known) or "nobody that can be told"
        yield diagnose("PIN401", span, path, object=what.key, owner=who)


def _age(compiled: Compiled, live: Body) -> Iterator[Diagnostic]:
    epoch, own = note_of(live, EPOCH), compiled.checked.spec.experiment.generation
    if epoch.isdecimal() and int(epoch) > own:
        path: Path = ("spec", "generation")
        span = compiled.checked.spec.document.span(path)
        yield diagnose("PIN404", span, path, live=epoch, own=own)


def _step_of_promotion(compiled: Compiled, live: Body) -> list[Diagnostic]:
    """Find a step of a promotion in which users fall back, from the stage that is live.

    What places serve is not seen in rules: the baseline's place may still have its old model.
    """
    spec, manifests = compiled.checked.spec, compiled.checked.manifests
    before = stage_names(spec.experiment).get(note_of(live, STAGE))
    if before is None or promotion_of(compiled.live) is None:
        return []
    return refusals(spec, step_plan(spec.experiment, manifests, before, compiled.live))


def _gateways(compiled: Compiled, view: View) -> Iterator[Diagnostic]:
    """Find gateways that are absent, or do not listen for a host."""
    document, experiment = compiled.checked.spec
    route = experiment.route
    for index, key in enumerate(gateways_of(compiled)):
        try:
            gateway = live_gateway(compiled, key, view) if key != MESH else None
        except Unseen:
            continue
        if gateway is None:
            path: Path = ("spec", "route", "gateways", index)
            if key != MESH:
                yield diagnose("PIN405", document.span(path), path, gateway=key)
            continue
        for number in gateway.unserved:
            path = ("spec", "route", "hosts", number)
            yield diagnose(
                "PIN406",
                document.span(path),
                path,
                host=route.hosts[number],
                gateway=key,
                served=", ".join(gateway.served)
                or f"nothing that namespace {route.namespace} may claim",
            )


def _shared_hosts(compiled: Compiled, view: View) -> Iterator[Diagnostic]:
    """Name the VirtualServices whose rules are joined with ours, or win over them in the mesh."""
    document, experiment = compiled.checked.spec
    if experiment.route.delegate:
        return
    services = others(compiled, view)
    told: set[str] = set()
    for number, host in enumerate(experiment.route.hosts):
        full = full_host(
            host, experiment.route.namespace, experiment.environment.cluster_domain
        ).lower()
        for gateway in gateways_of(compiled):
            for other in claimants(compiled, services, gateway, full):
                if full in other.hosts and other.key not in told:
                    told.add(other.key)
                    path: Path = ("spec", "route", "hosts", number)
                    yield diagnose(
                        "PIN409",
                        document.span(path),
                        path,
                        host=full,
                        gateway=gateway,
                        other=other.key,
                        created=other.created,
                    )


def _backends(compiled: Compiled, view: View, allowed: Permissions) -> Iterator[Diagnostic]:
    """Find versions in use whose backend is absent, or takes no requests."""
    document, experiment = compiled.checked.spec
    used = {
        leaf.attribution.version
        for table in compiled.stages[0].tables.values()
        for leaf in table.leaves
        if isinstance(leaf.attribution, Part)
    }
    for index, version in enumerate(experiment.versions):
        if version.name not in used:
            continue
        try:
            what, state = _backend(compiled, version, view)
        except Unseen:
            continue
        if state in _CODES:
            path: Path = ("spec", "versions", index)
            where = document.span((*path, "name"))
            found = diagnose(_CODES[state], where, path, version=version.name, object=what)
            yield found._replace(severity=Severity.WARNING) if allowed.allow_unready else found


_CODES = {ABSENT: "PIN407", UNREADY: "PIN408"}


def _backend(compiled: Compiled, version: Version, view: View) -> tuple[str, str]:
    """Return the object behind a version, and its state; raises Unseen."""
    experiment = compiled.checked.spec.experiment
    model, platform = version.inference_service, experiment.environment.platform
    if model is not None and platform is not None:
        what = Identity(inference_service_kind(platform), model.namespace, model.name)
        return what.key, inference_state(what, view)
    where = address(version, experiment.environment, experiment.route.namespace)
    place = Destination(where.host, where.port, where.subset or "", "")
    found = service_of(place, experiment.environment.cluster_domain)
    if found is None:
        return str(place), UNKNOWN  # outside of the cluster: a ServiceEntry of somebody
    namespace, name = found
    return f"Service {namespace}/{name}", service_state(namespace, name, view)
