"""Can an experiment work in a cluster? One question after the other, each answered alone.

Nothing is written. What may not be read is unknown, and is said.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pinroute.cluster.answer import OK, PROBLEM, UNKNOWN, WARNING, Answer, unseen
from pinroute.cluster.backends import READY, backend_of
from pinroute.cluster.backends import UNKNOWN as NOT_KNOWN
from pinroute.cluster.client import Client
from pinroute.cluster.edge import counters, header
from pinroute.cluster.gateways import Gateway
from pinroute.cluster.kinds import (
    DESTINATION_RULE,
    GATEWAY,
    SERVICE,
    Body,
    Identity,
    Kind,
    identity_of,
    kind_of,
)
from pinroute.cluster.neighbours import around, claimants, gateways_of, joined_at
from pinroute.cluster.owner import experiment_of, owners
from pinroute.cluster.rights import granted
from pinroute.cluster.status import EDITED, NONE, status_of
from pinroute.cluster.view import Unseen, View
from pinroute.compilation import Compiled
from pinroute.istio.emit import match_items
from pinroute.istio.gateway import claimable_hosts
from pinroute.istio.resource import EVERYWHERE, MESH, as_list, as_mapping, virtual_service
from pinroute.istio.virtualhost import narrower_host
from pinroute.platforms.naming import api_version, inference_service_of, service_name
from pinroute.verification import Unprovable

SERIES_OF_A_GROUP = 31  # of one statPrefix at /stats/prometheus, once answers with one code came


class Case(NamedTuple):
    """An experiment, the cluster, and what was read of it; `use` is what has to be allowed."""

    compiled: Compiled
    client: Client
    view: View
    use: str | None
    asked: Sequence[Gateway]

    @property
    def service(self) -> Identity:
        """The experiment's VirtualService."""
        return identity_of(self.compiled.rendered[0].virtual_service)

    @property
    def live(self) -> Body | None:
        """It as it is in the cluster; raises Unseen."""
        return self.view.neighbour(self.service)


def examine(case: Case) -> Iterator[Answer]:
    """Yield the answer to each question; raises ClusterFailure only if there is no API server."""
    yield Answer(
        "api server", OK, f"{case.client.server} answers: Kubernetes {case.client.release()}"
    )
    yield from _rights(case)
    missing = False
    for answer in _kinds(case):
        missing = missing or answer.state == PROBLEM
        yield answer
    if missing:
        return  # nothing else can be asked about
    for question, ask in _QUESTIONS:
        try:
            yield from ask(case)
        except Unseen:
            hint = "'pinroute rbac --for doctor' prints the rights that looking takes"
            yield unseen(question, "what tells", hint)


def _rights(case: Case) -> Iterator[Answer]:
    for use in ("status", "apply", "promote") if case.use is None else (case.use,):
        rights = granted([use], case.compiled, "")
        missing = [
            one
            for one in rights
            if one.needed
            and not case.client.may(one.verb, one.group, one.resource, one.namespace, one.name)
        ]
        question = f"rights to {use}"
        if not missing:
            yield Answer(question, OK, "all that are needed are there")
            continue
        listed = ", ".join(f"{one.shown} in {one.namespace}" for one in missing)
        yield Answer(
            question,
            PROBLEM if case.use is not None else WARNING,
            f"not allowed: {listed}",
            f"'pinroute rbac --for {use} -f {case.compiled.file_name}' prints the Roles",
        )


def _kinds(case: Case) -> Iterator[Answer]:
    experiment = case.compiled.checked.spec.experiment
    route = kind_of(case.compiled.rendered[0].virtual_service)
    wanted = [route, GATEWAY._replace(version=route.version)]
    if any(body["kind"] == "DestinationRule" for body in case.compiled.rendered[0].objects):
        wanted.append(DESTINATION_RULE._replace(version=route.version))
    if experiment.environment.platform is not None:
        group, _, version = api_version(experiment.environment.platform).partition("/")
        wanted.append(Kind(group, version, "InferenceService"))
    missing = [kind for kind in wanted if not case.view.is_served(kind)]
    for kind in missing:
        istio = kind.group == route.group
        field = "environment.istio.apiVersion" if istio else "environment.kserve or .kfserving"
        yield Answer(
            "kinds",
            PROBLEM,
            f"the API server does not know {kind.name} in {kind.group}/{kind.version}",
            f"install its CustomResourceDefinition, or mend {field} in the spec",
        )
    if not missing:
        names = ", ".join(f"{kind.name} {kind.group}/{kind.version}" for kind in wanted)
        yield Answer("kinds", OK, names)


def _gateways(case: Case) -> Iterator[Answer]:
    route = case.compiled.checked.spec.experiment.route
    version = kind_of(case.compiled.rendered[0].virtual_service).version
    for key in gateways_of(case.compiled):
        if key == MESH:
            yield Answer("gateway", OK, "mesh: the sidecars of callers route, no Gateway does")
            continue
        namespace, _, name = key.partition("/")
        body = case.view.neighbour(Identity(GATEWAY._replace(version=version), namespace, name))
        if body is None:
            yield Answer(
                "gateway",
                PROBLEM,
                f"there is no Gateway {key}",
                "create it, or mend spec.route.gateways",
            )
            continue
        served = claimable_hosts(as_mapping(body.get("spec")), namespace, route.namespace)
        lost = [
            host
            for host in route.hosts
            if not any(narrower_host(one, host.lower()) for one in served)
        ]
        if lost:
            yield Answer(
                "gateway",
                PROBLEM,
                f"Gateway {key} does not serve {', '.join(lost)} to namespace {route.namespace}: "
                f"it has {', '.join(served) or 'nothing for it'}",
                "add the host to a server of the Gateway, or mend spec.route.hosts",
            )
        else:
            yield Answer("gateway", OK, f"Gateway {key} serves {', '.join(route.hosts)}")


def _routing(case: Case) -> Iterator[Answer]:
    """Ask whether the VirtualService is there, exported, and what the spec says."""
    live = case.live
    question = "virtualservice"
    if live is None:
        yield Answer(
            question,
            WARNING,
            f"{case.service.key} is not there yet",
            "'pinroute apply' creates it",
        )
        return
    own = virtual_service(0, live)
    blind = [
        key
        for key in gateways_of(case.compiled)
        if key != MESH and not own.seen_in(key.partition("/")[0])
    ]
    if blind:
        shown = ", ".join(sorted(own.exported_to))
        yield Answer(
            question,
            PROBLEM,
            f"{case.service.key} is exported to {shown} only, so {', '.join(blind)} does not see it",
            f"add the Gateway's namespace to exportTo, or '{EVERYWHERE}'",
        )
        return
    carried = experiment_of(live)
    experiment = case.compiled.checked.spec.experiment
    if carried not in (None, (experiment.namespace or "default", experiment.name)):
        yield Answer(
            question,
            PROBLEM,
            f"{case.service.key} belongs to experiment {'/'.join(carried or ())}",
            "give spec.route.virtualService another name",
        )
        return
    drift = status_of(live, case.view, case.compiled).drift
    if drift == NONE:
        yield Answer(question, OK, f"{case.service.key} is what the spec says, and is seen there")
        return
    why = "was edited" if drift == EDITED else "is of another stage or spec"
    yield Answer(
        question,
        WARNING,
        f"{case.service.key} {why}",
        "'pinroute diff' shows how, 'pinroute verify --against cluster' what it does to users",
    )


def _roots(case: Case, live: Body) -> Iterator[Answer]:
    """Ask whether the root VirtualServices of a delegate hand its requests on."""
    question = "root"
    try:
        places = list(joined_at(case.compiled, live, case.view))
    except Unprovable as error:
        yield Answer(question, UNKNOWN, str(error), "verify against a file, or ask a gateway")
        return
    for one in places:
        where = f"{one.host} at {one.gateway}"
        order = ", ".join(one.order) or "nobody"
        if one.proof.differences:
            yield Answer(
                question,
                PROBLEM,
                f"{where}: not all requests come to {case.service.key} ({order} claims the host)",
                "the root has to name the delegate before what else takes its requests: "
                "'pinroute verify --against cluster' shows them",
            )
        else:
            yield Answer(question, OK, f"{where}: {order} hands requests on")


def _claims(case: Case) -> Iterator[Answer]:
    """Ask who else claims the hosts, and whether that takes requests of ours."""
    live = case.live
    if case.compiled.checked.spec.experiment.route.delegate:
        if live is not None:
            yield from _roots(case, live)
        return
    wanted = case.compiled.rendered[0].virtual_service
    services = around(case.compiled, live if live is not None else wanted, case.view)
    if live is None:  # it will be the youngest
        services = [one for one in services if one.key != virtual_service(0, wanted).key]
    shared = False
    proofs = {}
    if live is not None:
        try:
            proofs = {
                (one.gateway, one.host): one for one in joined_at(case.compiled, live, case.view)
            }
        except Unprovable:
            proofs = {}
    own = f"{case.service.namespace}/{case.service.name}"
    for gateway in gateways_of(case.compiled):
        for host in case.compiled.checked.spec.experiment.route.hosts:
            order = [one.key for one in claimants(services, gateway, host)]
            others = [key for key in order if key != own]
            if not others:
                continue
            shared = True
            known = proofs.get((gateway, host))
            takers = [] if known is None else [one.by for one in known.proof.differences]
            lost = sorted({by for by in takers if by not in ("", own)})
            first = f"first {', then '.join(order if own in order else [*order, own])}"
            if lost:
                yield Answer(
                    "other claims",
                    PROBLEM,
                    f"{host} at {gateway}: {', '.join(lost)} takes requests of the experiment "
                    f"({first})",
                    "take the host out of the other, or splice the experiment into it",
                )
            else:
                yield Answer(
                    "other claims",
                    WARNING,
                    f"{host} at {gateway} is claimed by several: {first}",
                    "the oldest comes first, and its rule for everybody goes last; agree on one",
                )
    if not shared:
        yield Answer("other claims", OK, "nobody else who may be seen claims the hosts")


def _names(case: Case) -> Iterator[Answer]:
    """Ask whether Services are called as the platform's release calls them."""
    experiment = case.compiled.checked.spec.experiment
    platform = experiment.environment.platform
    for version in experiment.versions:
        own = version.inference_service
        if own is None or platform is None:
            continue
        name = service_name(own, platform)
        release = f"{platform.kind} {platform.version}"
        question = "service names"
        if case.view.service(own.namespace, name) is not None:
            yield Answer(question, OK, f"{own.namespace}/{name}, as {release} calls it")
            continue
        there = [
            identity_of(body).name
            for body in case.view.within(SERVICE, own.namespace)
            if inference_service_of(identity_of(body).name) == own.name
        ]
        if there:
            yield Answer(
                question,
                PROBLEM,
                f"{release} calls the Service of {version.name} {own.namespace}/{name}; there is "
                f"{', '.join(there)}",
                "set the release that runs in environment, or inferenceService.service",
            )
        else:
            yield Answer(
                question,
                PROBLEM,
                f"there is no Service {own.namespace}/{name} for {version.name}",
                "is the InferenceService there, and ready?",
            )


def _backends(case: Case) -> Iterator[Answer]:
    """Ask whether all versions that the stage uses take requests."""
    from pinroute.change.serving import serving
    from pinroute.change.shares import shares_of

    experiment = case.compiled.checked.spec.experiment
    state = serving(case.compiled)
    found = shares_of(state, state, experiment.output.version_header)
    domain = experiment.environment.cluster_domain
    for version, places in found.places.items():
        for where in places:
            backend = backend_of(where, case.view, domain)
            detail = f"{version}: {backend.object or backend.place} is {backend.state}"
            if backend.state == READY:
                yield Answer("backends", OK, detail)
            elif backend.state == NOT_KNOWN:
                yield Answer("backends", UNKNOWN, detail, "look at it where it runs")
            else:
                hint = "bring it up before the route that names it; apply refuses it until then"
                yield Answer("backends", PROBLEM, detail, hint)


def _ownership(case: Case) -> Iterator[Answer]:
    live = case.live
    if live is None:
        yield Answer("owner", OK, "nobody yet")
        return
    known = owners(live)
    git = [owner.shown for owner in known if owner.syncs_git]
    shown = ", ".join(owner.shown for owner in known) or "pinroute"
    if git:
        yield Answer(
            "owner",
            WARNING,
            f"synced from Git by {', '.join(git)}",
            "change it in Git: 'pinroute compile -d' writes what is synced",
        )
    elif experiment_of(live) is None:
        yield Answer(
            "owner",
            WARNING,
            f"not pinroute's: it is looked after by {shown}",
            "'pinroute apply --adopt' takes it over",
        )
    else:
        yield Answer("owner", OK, shown)


def _cost(case: Case) -> Iterator[Answer]:
    rules = as_list(case.compiled.rendered[0].virtual_service["spec"]["http"])
    items = match_items([dict(as_mapping(rule)) for rule in rules])
    groups = {
        as_mapping(match).get("statPrefix")
        for rule in rules
        for match in as_list(as_mapping(rule).get("match"))
    } - {None}
    yield Answer(
        "cost",
        OK,
        f"{_many(items, 'route')} at {_many(len(gateways_of(case.compiled)), 'gateway')}; about "
        f"{len(groups) * SERIES_OF_A_GROUP} series of {_many(len(groups), 'group')} in each of "
        "their pods",
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


_QUESTIONS: tuple[tuple[str, Callable[[Case], Iterator[Answer]]], ...] = (
    ("gateway", _gateways),
    ("virtualservice", _routing),
    ("other claims", _claims),
    ("hash header", lambda case: header(case.compiled, case.view)),
    ("counters", lambda case: counters(case.compiled, case.view, case.asked)),
    ("service names", _names),
    ("backends", _backends),
    ("owner", _ownership),
    ("cost", _cost),
)
