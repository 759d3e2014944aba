"""Are the places that rules send requests to there, and do they take requests?

A Service is asked for its endpoints. Where it answers for an InferenceService, of KServe or
of KFServing, that one says whether it is ready.
"""

from typing import NamedTuple

from pinroute.change.outcome import Destination
from pinroute.cluster.kinds import Identity, Kind
from pinroute.cluster.safety import is_ready
from pinroute.cluster.view import Unseen, View
from pinroute.istio.resource import as_mapping
from pinroute.platforms.naming import inference_service_of

READY, UNREADY, ABSENT, UNKNOWN = "ready", "not ready", "absent", "unknown"
INFERENCE_SERVICES = (
    Kind("serving.kserve.io", "v1beta1", "InferenceService"),
    Kind("serving.kubeflow.org", "v1beta1", "InferenceService"),
)


class Backend(NamedTuple):
    """A place, the object that it is, and whether it takes requests."""

    place: str
    object: str
    state: str


def backend_of(where: Destination, view: View, domain: str) -> Backend:
    """Look at a destination; what may not be read is unknown."""
    found = service_of(where, domain)
    if found is None:
        return Backend(str(where), "", UNKNOWN)
    namespace, name = found
    try:
        return _inference(where, namespace, name, view) or _service(where, namespace, name, view)
    except Unseen:
        return Backend(str(where), f"Service {namespace}/{name}", UNKNOWN)


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
        body = view.neighbour(what)
        if body is not None:
            return Backend(str(where), what.key, READY if is_ready(body) else UNREADY)
    return None


def _service(where: Destination, namespace: str, name: str, view: View) -> Backend:
    shown = f"Service {namespace}/{name}"
    body = view.service(namespace, name)
    if body is None:
        return Backend(str(where), shown, ABSENT)
    if as_mapping(body.get("spec")).get("type") == "ExternalName":
        return Backend(str(where), shown, UNKNOWN)
    ready = view.has_endpoint(namespace, name)
    return Backend(str(where), shown, READY if ready else UNREADY)
