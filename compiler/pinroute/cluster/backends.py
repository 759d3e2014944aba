"""Are the places that rules send requests to there, and do they take requests?

A Service is asked for its endpoints. Where it answers for an InferenceService, of KServe or
of KFServing, that one says whether it is ready.
"""

from typing import NamedTuple

from pinroute.change.outcome import Destination
from pinroute.cluster.api.kinds import INFERENCE_SERVICE, Body, Identity, Kind
from pinroute.cluster.view import Unseen, View
from pinroute.istio.resource import as_list, as_mapping
from pinroute.platforms.naming import api_version, inference_service_of
from pinroute.spec.model import Platform

READY, UNREADY, ABSENT, UNKNOWN = "ready", "not ready", "absent", "unknown"
INFERENCE_SERVICES = (
    Kind("serving.kserve.io", "v1beta1", INFERENCE_SERVICE),
    Kind("serving.kubeflow.org", "v1beta1", INFERENCE_SERVICE),
)


class Backend(NamedTuple):
    """A place, the object that it is, and whether it takes requests."""

    place: str
    object: str
    state: str


def inference_service_kind(platform: Platform) -> Kind:
    """Return the kind of a platform's InferenceServices."""
    group, _, version = api_version(platform).partition("/")
    return Kind(group, version, INFERENCE_SERVICE)


def backend_of(where: Destination, view: View, domain: str) -> Backend:
    """Look at a destination; what may not be read is unknown."""
    found = service_of(where, domain)
    if found is None:
        return Backend(str(where), "", UNKNOWN)
    namespace, name = found
    shown = f"Service {namespace}/{name}"
    try:
        model = _inference(where, namespace, name, view)
        return model or Backend(str(where), shown, service_state(namespace, name, view))
    except Unseen:
        return Backend(str(where), shown, UNKNOWN)


def service_of(where: Destination, domain: str) -> tuple[str, str] | None:
    """Return namespace and name of the Service behind a destination; None outside the cluster.

    With Knative the destination is its local gateway, and the Host says which Service.
    """
    end = f".svc.{domain}"
    host = where.authority if where.authority.endswith(end) else where.host
    if not host.endswith(end):
        return None
    name, _, namespace = host.removesuffix(end).partition(".")
    return (namespace, name) if namespace and "." not in namespace else None


def _inference(where: Destination, namespace: str, name: str, view: View) -> Backend | None:
    of = inference_service_of(name)
    if of is None:
        return None
    for kind in INFERENCE_SERVICES:
        if not view.is_served(kind):
            continue
        what = Identity(kind, namespace, of)
        state = inference_state(what, view)
        if state != ABSENT:
            return Backend(str(where), what.key, state)
    return None


def inference_state(what: Identity, view: View) -> str:
    """Return the state of an InferenceService; raises Unseen."""
    body = view.neighbour(what)
    if body is None:
        return ABSENT
    return READY if _is_ready(body) else UNREADY


def _is_ready(body: Body) -> bool:
    """Tell whether an InferenceService is Ready as it was last written."""
    status = as_mapping(body.get("status"))
    generation = as_mapping(body.get("metadata")).get("generation")
    observed = status.get("observedGeneration", generation)  # KFServing does not tell
    conditions = [as_mapping(one) for one in as_list(status.get("conditions"))]
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and observed == generation


def service_state(namespace: str, name: str, view: View) -> str:
    """Return the state of a Service, unknown if it stands for a name elsewhere; raises Unseen."""
    body = view.service(namespace, name)
    if body is None:
        return ABSENT
    if as_mapping(body.get("spec")).get("type") == "ExternalName":
        return UNKNOWN
    return READY if view.has_endpoint(namespace, name) else UNREADY
