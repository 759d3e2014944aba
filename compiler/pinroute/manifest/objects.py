"""The objects of a stage: VirtualService, changed InferenceService, DestinationRules."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pinroute.istio.emit import http_rules, match_key
from pinroute.istio.routelist import RouteList
from pinroute.platforms.address import address
from pinroute.spec.digest import digest
from pinroute.spec.model import Experiment, UserHash
from pinroute.spec.resolve import ALPHABETS

JsonObject = dict[str, Any]

PREFIX = "pinroute.dev"
MANAGED_BY = "app.kubernetes.io/managed-by"
EXPERIMENT = f"{PREFIX}/experiment"
EXPERIMENT_NAMESPACE = f"{PREFIX}/experiment-namespace"
STAGE = f"{PREFIX}/stage"
USER_HASH = f"{PREFIX}/user-hash"
TABLE_DIGEST = f"{PREFIX}/table-digest"
SPEC_DIGEST = f"{PREFIX}/spec-digest"
EPOCH = f"{PREFIX}/epoch"
KEPT_WHEN_PRUNED = {
    "argocd.argoproj.io/sync-options": "Prune=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def labels(experiment: Experiment) -> JsonObject:
    """Return the labels by which an experiment's objects are found; none if switched off."""
    if not experiment.output.labels:
        return {}
    return {
        MANAGED_BY: "pinroute",
        EXPERIMENT: experiment.name,
        EXPERIMENT_NAMESPACE: experiment.namespace or "default",
    }


def user_hash_text(user_hash: UserHash) -> str:
    """Return how user hashes look, without which rules do not tell shares: `10 binary userhash`."""
    known = (name for name, own in ALPHABETS.items() if own == user_hash.alphabet)
    alphabet = next(known, user_hash.alphabet)
    return f"{user_hash.digits} {alphabet} {match_key(user_hash.source)}"


class Rules(NamedTuple):
    """What a stage's routes become: `spec` of the VirtualService, and the digest of its rules."""

    spec: JsonObject
    digest: str


def rules_of(experiment: Experiment, routes: RouteList) -> Rules:
    """Return the rules of a VirtualService, for the hosts and gateways of the spec."""
    rules = http_rules(routes)
    spec: JsonObject = {}
    if not experiment.route.delegate:
        if experiment.route.gateways:
            spec["gateways"] = list(experiment.route.gateways)
        spec["hosts"] = list(experiment.route.hosts)
    spec["http"] = rules
    return Rules(spec, digest(rules) if experiment.output.labels else "")


def annotations(experiment: Experiment, stage: str, table: str, spec: str) -> JsonObject:
    """Return what a stage tells about itself, with the digests of its rules and of its spec."""
    if not experiment.output.labels:
        return {}
    return {
        STAGE: stage,
        USER_HASH: user_hash_text(experiment.user_hash),
        TABLE_DIGEST: table,
        SPEC_DIGEST: spec,
        EPOCH: str(experiment.generation),
    }


def virtual_service(
    experiment: Experiment, stage: str, rules: Rules, spec_digest: str
) -> JsonObject:
    """Return the VirtualService of a stage: the same name in every stage."""
    return {
        "apiVersion": experiment.environment.istio_api_version,
        "kind": "VirtualService",
        "metadata": _metadata(
            experiment.route.name,
            experiment.route.namespace,
            labels(experiment),
            annotations(experiment, stage, rules.digest, spec_digest),
        ),
        "spec": rules.spec,
    }


def root_snippet(experiment: Experiment) -> JsonObject:
    """Return what the owner of the root VirtualService adds to it: the hand-over.

    istiod joins a root's match with the delegate's, so the root stays without one.
    """
    delegate = {"name": experiment.route.name, "namespace": experiment.route.namespace}
    spec: JsonObject = {"hosts": list(experiment.route.hosts)}
    if experiment.route.gateways:
        spec["gateways"] = list(experiment.route.gateways)
    spec["http"] = [{"name": f"to-{experiment.name}", "delegate": delegate}]
    return {
        "apiVersion": experiment.environment.istio_api_version,
        "kind": "VirtualService",
        "metadata": _metadata(f"{experiment.route.name}-root", experiment.route.namespace, {}, {}),
        "spec": spec,
    }


def destination_rules(experiment: Experiment) -> list[JsonObject]:
    """Return a DestinationRule for each host whose subsets are described in the spec.

    Subsets that a DestinationRule of the user declares are left to it.
    """
    subsets: dict[str, list[JsonObject]] = {}
    for version in experiment.versions:
        service = version.service
        if service is None or service.subset is None or not service.labels:
            continue
        where = address(version, experiment.environment, experiment.route.namespace)
        entry = {"name": service.subset, "labels": dict(service.labels)}
        declared = subsets.setdefault(where.host, [])
        if entry not in declared:
            declared.append(entry)
    short = [host.split(".", 1)[0] for host in subsets]

    def name(host: str) -> str:
        """Return the host's first label, or all of it where that says which one is meant."""
        label = host.split(".", 1)[0]
        return label if short.count(label) == 1 else host

    return [
        {
            "apiVersion": experiment.environment.istio_api_version,
            "kind": "DestinationRule",
            "metadata": _metadata(
                f"{experiment.name}-{name(host)}",
                experiment.route.namespace,
                labels(experiment),
                {},
            ),
            "spec": {"host": host, "subsets": declared},
        }
        for host, declared in sorted(subsets.items())
    ]


def written_inference_service(experiment: Experiment, body: Mapping[str, Any]) -> JsonObject:
    """Return an InferenceService that a promotion writes, with our marks.

    The next stage may not name it any more; a controller that prunes must not take that
    for a wish to delete a model that serves users. The one in the baseline's place carries our
    labels; a candidate that only changes its size stays its owner's.
    """
    found, metadata = dict(body), body["metadata"]
    place = experiment.version(experiment.baseline).inference_service
    copied = place is not None and (place.namespace, place.name) == (
        metadata["namespace"],
        metadata["name"],
    )
    keep = KEPT_WHEN_PRUNED if experiment.output.labels else {}
    found["metadata"] = _metadata(
        metadata["name"],
        metadata["namespace"],
        {**metadata.get("labels", {}), **(labels(experiment) if copied else {})},
        {**metadata.get("annotations", {}), **keep},
    )
    return found


def _metadata(name: str, namespace: str, own_labels: JsonObject, notes: JsonObject) -> JsonObject:
    metadata: JsonObject = {"name": name, "namespace": namespace}
    if own_labels:
        metadata["labels"] = own_labels
    if notes:
        metadata["annotations"] = notes
    return metadata
