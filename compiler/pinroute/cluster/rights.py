"""The Kubernetes rights that each use needs: the least, and those without which it sees less.

`status`, `verify` and `doctor` read. `diff` needs the rights of `apply`: the API server
tries the very write, and only that tells what its webhooks say. Nothing here is about Secrets.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pinroute.compilation import Compiled
from pinroute.istio.resource import MESH, gateway_key
from pinroute.platforms.naming import api_version
from pinroute.spec.promotion import copies

ISTIO = "networking.istio.io"
SECURITY = "security.istio.io"
KSERVE, KFSERVING = "serving.kserve.io", "serving.kubeflow.org"
USES = ("status", "verify", "doctor", "diff", "apply", "prune", "delete", "promote")
ROUTE, BACKENDS, GATEWAYS = "route", "backends", "gateways"
_OF_ONE = frozenset({"get", "patch", "delete"})  # verbs that a Role can grant for one name


class Right(NamedTuple):
    """Verbs on a resource, at one of the places of an experiment.

    Without `needed` the use goes on, and says what it could not look at.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    place: str = ROUTE
    needed: bool = True


class Granted(NamedTuple):
    """One verb on one resource in a namespace; `name` where only that object is meant."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""
    needed: bool = True

    @property
    def shown(self) -> str:
        """The right in words: `patch virtualservices.networking.istio.io`."""
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


def _seen(*groups: str) -> tuple[Right, ...]:
    """Return what is read to tell whether backends take requests."""
    return (
        Right("", "services", ("get",), BACKENDS, needed=False),
        Right("discovery.k8s.io", "endpointslices", ("list",), BACKENDS, needed=False),
        *(Right(group, "inferenceservices", ("get",), BACKENDS, needed=False) for group in groups),
    )


_OTHERS = Right(ISTIO, "virtualservices", ("list",), needed=False)
_GATEWAY = Right(ISTIO, "gateways", ("get",), GATEWAYS, needed=False)
_WRITE = ("get", "create", "patch")


def rights_of(use: str, groups: Iterable[str] = (KSERVE, KFSERVING)) -> tuple[Right, ...]:
    """Return the rights of a use; `groups` are those of the InferenceServices there may be."""
    known = tuple(groups)
    if use == "status":
        return (Right(ISTIO, "virtualservices", ("get", "list", "watch")), *_seen(*known))
    if use == "verify":
        return (Right(ISTIO, "virtualservices", ("get",)), _OTHERS)
    if use == "doctor":
        return (
            Right(ISTIO, "virtualservices", ("get",)),
            _OTHERS,
            _GATEWAY,
            Right(ISTIO, "envoyfilters", ("list",), GATEWAYS, needed=False),
            Right(SECURITY, "requestauthentications", ("list",), GATEWAYS, needed=False),
            Right("", "pods", ("list",), GATEWAYS, needed=False),
            Right("", "services", ("list",), BACKENDS, needed=False),
            *_seen(*known),
        )
    written = (
        Right(ISTIO, "virtualservices", _WRITE),
        Right(ISTIO, "destinationrules", _WRITE),
        _OTHERS,
        _GATEWAY,
        *_seen(*known),
    )
    if use == "prune":
        return (
            *written,
            Right(ISTIO, "destinationrules", ("list",), needed=False),
            Right(ISTIO, "virtualservices", ("delete",)),
            Right(ISTIO, "destinationrules", ("delete",)),
        )
    if use == "delete":
        return (
            Right(ISTIO, "virtualservices", ("get", "patch", "delete")),
            Right(ISTIO, "destinationrules", ("get", "delete")),
            _OTHERS,
            _GATEWAY,
            *_seen(*known),
        )
    if use == "promote":
        verbs = ("get", "patch")  # the baseline's own: it is there
        models = (Right(group, "inferenceservices", verbs, BACKENDS) for group in known)
        return (*written, *models)
    return written


def granted(uses: Iterable[str], compiled: Compiled | None, namespace: str) -> list[Granted]:
    """Return the single rights of uses, by namespace; those of an experiment where it is known.

    Without an experiment everything is in one namespace, and may have any name.
    """
    found: dict[tuple[str, ...], Granted] = {}
    for use in uses:
        for right in rights_of(use, _groups(compiled)):
            for one in _single(right, compiled, namespace):
                key = one[:-1]
                known = found.get(key)
                found[key] = one._replace(
                    needed=one.needed or (known is not None and known.needed)
                )
    return sorted(found.values(), key=lambda one: (one.namespace, one.group, one.resource))


def _groups(compiled: Compiled | None) -> tuple[str, ...]:
    if compiled is None:
        return (KSERVE, KFSERVING)
    platform = compiled.checked.spec.experiment.environment.platform
    return (api_version(platform).partition("/")[0],) if platform is not None else ()


def _single(right: Right, compiled: Compiled | None, namespace: str) -> Iterator[Granted]:
    if compiled is None:
        for verb in right.verbs:
            yield Granted(namespace, right.group, right.resource, verb, needed=right.needed)
        return
    for where, name in _objects(right, compiled):
        for verb in right.verbs:
            named = name if verb in _OF_ONE else ""
            yield Granted(where, right.group, right.resource, verb, named, right.needed)


def _objects(right: Right, compiled: Compiled) -> Iterator[tuple[str, str]]:
    """Yield the namespaces and names that a right is about in an experiment."""
    experiment = compiled.checked.spec.experiment
    route = experiment.route
    if right.resource == "virtualservices":
        yield route.namespace, "" if right.verbs == ("delete",) else route.name
    elif right.resource == "destinationrules":
        # A rule that is pruned belongs to a stage of before: its name is not known.
        pruned = not set(right.verbs) & set(_WRITE)
        kinds = {body["kind"] for body in compiled.rendered[0].objects}
        if pruned or "DestinationRule" in kinds:
            yield route.namespace, ""
    elif right.place == GATEWAYS:
        for gateway in route.gateways:
            key = gateway_key(gateway, route.namespace)
            if key != MESH:
                where, _, name = key.partition("/")
                yield where, name
    elif right.resource == "inferenceservices":
        writes = "patch" in right.verbs
        by_copy = any(copies(experiment, version) for version in experiment.versions)
        for version in experiment.versions:
            own = version.inference_service
            copied = not writes or (version.name == experiment.baseline and by_copy)
            if own is not None and copied:
                yield own.namespace, own.name
    else:
        yield from dict.fromkeys((where, "") for where in _backends(compiled))


def _backends(compiled: Compiled) -> Iterator[str]:
    """Yield the namespaces in which the versions' Services are."""
    experiment = compiled.checked.spec.experiment
    end = f".svc.{experiment.environment.cluster_domain}"
    for version in experiment.versions:
        if version.inference_service is not None:
            yield version.inference_service.namespace
        elif version.service is not None:
            host = version.service.host.lower()
            if "." not in host:
                yield experiment.route.namespace
            elif host.endswith(end):
                yield host.removesuffix(end).rpartition(".")[2]


def rules(found: Iterable[Granted]) -> list[dict[str, list[str]]]:
    """Return the rules of a Role: one for each resource, its names and its verbs."""
    by_object: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        verbs = by_object.setdefault((one.group, one.resource, one.name), [])
        if one.verb not in verbs:
            verbs.append(one.verb)
    joined: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, resource, name), verbs in by_object.items():
        if set(verbs) <= set(by_object.get((group, resource, ""), ())) and name:
            continue  # all names have these verbs
        joined.setdefault((group, resource, tuple(verbs)), []).append(name)
    return [
        {
            "apiGroups": [group],
            "resources": [resource],
            **({"resourceNames": names} if names != [""] else {}),
            "verbs": list(verbs),
        }
        for (group, resource, verbs), names in joined.items()
    ]


Subject = Mapping[str, Any]


def role(name: str, namespace: str, found: Iterable[Granted]) -> dict[str, Any]:
    """Return a Role."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": rules(found),
    }


def binding(name: str, namespace: str, subject: Subject) -> dict[str, Any]:
    """Return the RoleBinding that gives a Role to somebody."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
    }


def cluster_wide(name: str, uses: Iterable[str], subject: Subject | None) -> list[dict[str, Any]]:
    """Return the right to see the VirtualServices of all namespaces, and who has it."""
    api = "rbac.authorization.k8s.io"
    chosen = set(uses)
    resources = ["virtualservices", *(["destinationrules"] if "prune" in chosen else [])]
    verbs = ["list", *(["watch"] if "status" in chosen else [])]
    rule = {"apiGroups": [ISTIO], "resources": resources, "verbs": verbs}
    metadata = {"name": name}
    found: list[dict[str, Any]] = [
        {"apiVersion": f"{api}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": [rule]}
    ]
    if subject is not None:
        found.append(
            {
                "apiVersion": f"{api}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": metadata,
                "subjects": [subject],
                "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": name},
            }
        )
    return found
