"""Can an experiment work in a cluster? One question after the other, each answered alone.

Nothing is written. What may not be read is unknown, and is said.
"""

from collections.abc import Callable, Iterator

from pinroute.cluster.api.kinds import DESTINATION_RULE, GATEWAY, kind_of
from pinroute.cluster.backends import inference_service_kind
from pinroute.cluster.doctor import reach, upkeep
from pinroute.cluster.doctor.answer import OK, PROBLEM, WARNING, Answer, unseen
from pinroute.cluster.doctor.case import Case
from pinroute.cluster.doctor.edge import counters, header
from pinroute.cluster.rights import granted
from pinroute.cluster.view import Unseen


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
        wanted.append(inference_service_kind(experiment.environment.platform))
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


_QUESTIONS: tuple[tuple[str, Callable[[Case], Iterator[Answer]]], ...] = (
    ("gateway", reach.gateways),
    ("virtualservice", reach.routing),
    ("other claims", reach.claims),
    ("hash header", lambda case: header(case.compiled, case.view)),
    ("counters", lambda case: counters(case.compiled, case.view, case.asked)),
    ("service names", upkeep.names),
    ("backends", upkeep.backends),
    ("owner", upkeep.ownership),
    ("cost", upkeep.cost),
)
