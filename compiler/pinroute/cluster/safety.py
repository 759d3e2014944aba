"""What stands against a write, found before it: every reason at once, at its place in the spec."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from pinroute.change.model import LOST, Impact, moved
from pinroute.cluster.kinds import GATEWAY, Body, Identity, Kind, identity_of, kind_of
from pinroute.cluster.owner import experiment_of, owners
from pinroute.cluster.view import Unseen, View
from pinroute.compilation import Compiled
from pinroute.diagnostics import Diagnostic, Path, Severity, Span, diagnose
from pinroute.istio.gateway import claimable_hosts
from pinroute.istio.resource import MESH, as_list, as_mapping, gateway_key, virtual_service
from pinroute.istio.virtualhost import narrower_host
from pinroute.platforms.naming import api_version
from pinroute.stages.parts import Part

EPOCH = "pinroute.dev/epoch"
_SERVICE_PATH: Path = ("spec", "route", "virtualService")


class Permissions(NamedTuple):
    """What was said on the command line about risks; nothing is allowed by default."""

    adopt: bool = False
    override_gitops: bool = False
    allow_unready: bool = False
    allow_back: bool = False
    max_moved: Fraction | None = None


def standing_against(
    compiled: Compiled, live: Body | None, view: View, allowed: Permissions
) -> list[Diagnostic]:
    """Return what stands against writing an experiment's VirtualService.

    `live` is the VirtualService of its name that is there now.
    """
    found = list(_compiled_only(compiled))
    if not found and live is not None:
        found += _ownership(compiled, live, allowed)
        found += _age(compiled, live)
    if not found:
        found += _gateways(compiled, view)
        found += _shared_hosts(compiled, view)
        found += _backends(compiled, view, allowed)
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


def _place(compiled: Compiled) -> tuple[Span, Path]:
    return compiled.checked.spec.document.span(_SERVICE_PATH), _SERVICE_PATH


def _ownership(compiled: Compiled, live: Body, allowed: Permissions) -> Iterator[Diagnostic]:
    experiment = compiled.checked.spec.experiment
    own = (experiment.namespace or "default", experiment.name)
    span, path = _place(compiled)
    key = identity_of(live).key
    known = owners(live)
    carried = experiment_of(live)
    git = next((owner for owner in known if owner.syncs_git), None)
    if git is not None and not allowed.override_gitops:
        yield diagnose("PIN402", span, path, object=key, owner=git.shown)
    if carried is not None and carried != own:
        yield diagnose("PIN403", span, path, object=key, other="/".join(carried))
    elif carried is None and not allowed.adopt:
        who = ", ".join(owner.shown for owner in known) or "nobody that can be told"
        yield diagnose("PIN401", span, path, object=key, owner=who)


def _age(compiled: Compiled, live: Body) -> Iterator[Diagnostic]:
    notes = as_mapping(as_mapping(live.get("metadata")).get("annotations"))
    epoch, own = str(notes.get(EPOCH) or ""), compiled.checked.spec.experiment.generation
    if epoch.isdecimal() and int(epoch) > own:
        path: Path = ("spec", "generation")
        span = compiled.checked.spec.document.span(path)
        yield diagnose("PIN404", span, path, live=epoch, own=own)


def _gateways(compiled: Compiled, view: View) -> Iterator[Diagnostic]:
    """Find gateways that are absent, or do not listen for a host."""
    document, experiment = compiled.checked.spec
    route = experiment.route
    for index, name in enumerate(route.gateways):
        key = gateway_key(name, route.namespace)
        if key == MESH:
            continue
        namespace, _, short = key.partition("/")
        kind = _same_version(compiled, GATEWAY)
        try:
            gateway = view.neighbour(Identity(kind, namespace, short))
        except Unseen:
            continue
        path: Path = ("spec", "route", "gateways", index)
        if gateway is None:
            yield diagnose("PIN405", document.span(path), path, gateway=key)
            continue
        served = claimable_hosts(as_mapping(gateway.get("spec")), namespace, route.namespace)
        for number, host in enumerate(route.hosts):
            if not any(narrower_host(one, host.lower()) for one in served):
                path = ("spec", "route", "hosts", number)
                listed = ", ".join(served) or f"nothing that namespace {route.namespace} may claim"
                yield diagnose(
                    "PIN406", document.span(path), path, host=host, gateway=key, served=listed
                )


def _same_version(compiled: Compiled, kind: Kind) -> Kind:
    """Return a kind of Istio in the API version that the spec's environment has."""
    return kind._replace(version=kind_of(compiled.rendered[0].virtual_service).version)


def _shared_hosts(compiled: Compiled, view: View) -> Iterator[Diagnostic]:
    """Name the VirtualServices whose rules are joined with ours, or win over them in the mesh."""
    document = compiled.checked.spec.document
    wanted = compiled.rendered[0].virtual_service
    own = virtual_service(0, wanted)
    namespaces = (own.namespace, *(key.partition("/")[0] for key in own.gateways if key != MESH))
    for body in view.all_of(kind_of(wanted), namespaces):
        other = virtual_service(0, body)
        if other.key == own.key:
            continue
        shared = [host for host in own.hosts if host in other.hosts]
        where = [gateway for gateway in own.gateways if gateway in other.gateways]
        if shared and where:
            path: Path = ("spec", "route", "hosts", own.hosts.index(shared[0]))
            yield diagnose(
                "PIN409",
                document.span(path),
                path,
                host=shared[0],
                gateway=where[0],
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
        path: Path = ("spec", "versions", index)
        problem = _inference_problem(compiled, index, view) if version.inference_service else None
        if version.service is not None:
            problem = _service_problem(compiled, index, view)
        if problem is not None:
            code, what = problem
            found = diagnose(
                code, document.span((*path, "name")), path, version=version.name, object=what
            )
            yield found._replace(severity=Severity.WARNING) if allowed.allow_unready else found


_Problem = tuple[str, str] | None


def _inference_problem(compiled: Compiled, index: int, view: View) -> _Problem:
    experiment = compiled.checked.spec.experiment
    service = experiment.versions[index].inference_service
    platform = experiment.environment.platform
    if service is None or platform is None:
        return None
    group, _, version = api_version(platform).partition("/")
    what = Identity(Kind(group, version, "InferenceService"), service.namespace, service.name)
    try:
        body = view.neighbour(what)
    except Unseen:
        return None
    if body is None:
        return "PIN407", what.key
    return None if is_ready(body) else ("PIN408", what.key)


def is_ready(body: Body) -> bool:
    """Tell whether an InferenceService is Ready as it was last written."""
    status = as_mapping(body.get("status"))
    generation = as_mapping(body.get("metadata")).get("generation")
    observed = status.get("observedGeneration", generation)  # KFServing does not tell
    conditions = [as_mapping(one) for one in as_list(status.get("conditions"))]
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and observed == generation


def _service_problem(compiled: Compiled, index: int, view: View) -> _Problem:
    experiment = compiled.checked.spec.experiment
    service = experiment.versions[index].service
    if service is None:
        return None
    domain = f".svc.{experiment.environment.cluster_domain}"
    name, _, namespace = service.host.lower().removesuffix(domain).partition(".")
    if "." in service.host and not service.host.lower().endswith(domain):
        return None  # a host outside: a ServiceEntry of somebody
    namespace = namespace or experiment.route.namespace
    what = f"Service {namespace}/{name}"
    try:
        body = view.service(namespace, name)
        if body is None:
            return "PIN407", what
        if as_mapping(body.get("spec")).get("type") == "ExternalName":
            return None
        return None if view.has_endpoint(namespace, name) else ("PIN408", what)
    except Unseen:
        return None
