"""The kinds that are read or written, and where the API server has them."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

Body = Mapping[str, Any]

_PLURALS = {
    "VirtualService": "virtualservices",
    "DestinationRule": "destinationrules",
    "Gateway": "gateways",
    "InferenceService": "inferenceservices",
    "Service": "services",
    "EndpointSlice": "endpointslices",
    "EnvoyFilter": "envoyfilters",
    "RequestAuthentication": "requestauthentications",
    "Pod": "pods",
}


class Kind(NamedTuple):
    """A namespaced kind of one API version; the core API has an empty group."""

    group: str
    version: str
    name: str

    @property
    def plural(self) -> str:
        """Its name in paths and in RBAC rules."""
        return _PLURALS[self.name]

    @property
    def resource(self) -> str:
        """Its name in messages: plural.group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str = "") -> str:
        """Return the path of an object, of all objects of a namespace, or of all namespaces."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace is not None else ""
        return f"{base}{within}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


INFERENCE_SERVICE = "InferenceService"  # of which group, the platform says
GATEWAY = Kind("networking.istio.io", "v1", "Gateway")
VIRTUAL_SERVICE = Kind("networking.istio.io", "v1", "VirtualService")
VIRTUAL_SERVICES = tuple(  # in the versions that Istio has served, the newest first
    VIRTUAL_SERVICE._replace(version=version) for version in ("v1", "v1beta1", "v1alpha3")
)
DESTINATION_RULE = Kind("networking.istio.io", "v1", "DestinationRule")
ENVOY_FILTER = Kind("networking.istio.io", "v1alpha3", "EnvoyFilter")
REQUEST_AUTHENTICATION = Kind("security.istio.io", "v1", "RequestAuthentication")
SERVICE = Kind("", "v1", "Service")
POD = Kind("", "v1", "Pod")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice")


class Identity(NamedTuple):
    """What an object is known by: two of them are one object if these are equal."""

    kind: Kind
    namespace: str
    name: str

    @property
    def key(self) -> str:
        """The kind, and namespace/name."""
        return f"{self.kind.name} {self.namespace}/{self.name}"

    @property
    def shown(self) -> str:
        """What kubectl calls it in its output."""
        group = f".{self.kind.group}" if self.kind.group else ""
        return f"{self.kind.name.lower()}{group}/{self.name}"


def kind_of(body: Body) -> Kind:
    """Return the kind of an object; KeyError for one that nobody here reads or writes."""
    group, slash, version = str(body["apiVersion"]).rpartition("/")
    kind = Kind(group if slash else "", version, str(body["kind"]))
    _ = kind.plural
    return kind


def identity_of(body: Body) -> Identity:
    """Return the identity of an object that names its namespace."""
    metadata = body["metadata"]
    return Identity(kind_of(body), str(metadata["namespace"]), str(metadata["name"]))
