"""Questions of `doctor` about the way in: do the experiment's rules take its requests?"""

from collections.abc import Iterator

from pinroute.cluster.api.kinds import Body
from pinroute.cluster.doctor.answer import OK, PROBLEM, UNKNOWN, WARNING, Answer
from pinroute.cluster.doctor.case import Case
from pinroute.cluster.neighbours import around, claimants, gateways_of, joined_at, live_gateway
from pinroute.cluster.owner import experiment_of
from pinroute.cluster.status import EDITED, NONE, status_of
from pinroute.istio.resource import EVERYWHERE, MESH, virtual_service
from pinroute.verification import Unprovable


def gateways(case: Case) -> Iterator[Answer]:
    """Ask whether the Gateways are there, and serve the hosts to us."""
    route = case.compiled.checked.spec.experiment.route
    for key in gateways_of(case.compiled):
        if key == MESH:
            yield Answer("gateway", OK, "mesh: the sidecars of callers route, no Gateway does")
            continue
        found = live_gateway(case.compiled, key, case.view)
        if found is None:
            yield Answer(
                "gateway",
                PROBLEM,
                f"there is no Gateway {key}",
                "create it, or mend spec.route.gateways",
            )
            continue
        lost = [route.hosts[number] for number in found.unserved]
        if lost:
            yield Answer(
                "gateway",
                PROBLEM,
                f"Gateway {key} does not serve {', '.join(lost)} to namespace {route.namespace}: "
                f"it has {', '.join(found.served) or 'nothing for it'}",
                "add the host to a server of the Gateway, or mend spec.route.hosts",
            )
        else:
            yield Answer("gateway", OK, f"Gateway {key} serves {', '.join(route.hosts)}")


def routing(case: Case) -> Iterator[Answer]:
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


def claims(case: Case) -> Iterator[Answer]:
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
            order = [one.key for one in claimants(case.compiled, services, gateway, host)]
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
