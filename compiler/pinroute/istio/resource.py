"""A VirtualService as istiod files it: names resolved, and who gets to see it.

Rules: `ResolveVirtualServiceShortnames`, `convertExportToSet` and
`configCompareByCreationTime` in istio/pilot/pkg/model.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Fields = Mapping[str, Any]

MESH = "mesh"
EVERYWHERE = "*"
CLUSTER_DOMAIN = "cluster.local"


class VirtualService(NamedTuple):
    """A VirtualService among others; `number` is its place among them.

    `hosts` are in lower case, short ones completed; `gateways` are namespace/name, or
    `mesh`; `exported_to` are namespaces, or `*`. Without hosts it is a delegate.
    """

    number: int
    namespace: str
    name: str
    created: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    exported_to: frozenset[str]
    fields: Fields

    @property
    def key(self) -> str:
        """The name by which others refer to it: namespace/name."""
        return f"{self.namespace}/{self.name}"

    def seen_in(self, namespace: str) -> bool:
        """Tell whether it is exported to a namespace."""
        return bool({EVERYWHERE, namespace} & self.exported_to)


def virtual_service(number: int, fields: Fields) -> VirtualService:
    """Return what istiod files; what is not given has Istio's default."""
    metadata, spec = as_mapping(fields.get("metadata")), as_mapping(fields.get("spec"))
    namespace = namespace_of(fields)
    exports = [str(name) for name in as_list(spec.get("exportTo"))]
    return VirtualService(
        number,
        namespace,
        str(metadata.get("name") or ""),
        str(metadata.get("creationTimestamp") or ""),
        tuple(full_host(str(host), namespace).lower() for host in as_list(spec.get("hosts"))),
        tuple(gateway_key(str(name), namespace) for name in as_list(spec.get("gateways")))
        or (MESH,),
        frozenset(namespace if name == "." else name for name in exports or [EVERYWHERE]),
        fields,
    )


def namespace_of(fields: Fields) -> str:
    """Return the namespace of an object; kubectl's own default where it says none."""
    return str(as_mapping(fields.get("metadata")).get("namespace") or "default")


def in_order(services: Iterable[VirtualService]) -> list[VirtualService]:
    """Return VirtualServices by age, the oldest first; the same second is decided by name.

    One without a creationTimestamp is not in a cluster yet, so it will be the youngest.
    """
    return sorted(services, key=_age)


def _age(service: VirtualService) -> tuple[bool, str, str, str]:
    return not service.created, service.created, service.name, service.namespace


def full_host(host: str, namespace: str, domain: str = CLUSTER_DOMAIN) -> str:
    """Return a host as istiod reads it: a name without a dot is a Service of the namespace."""
    if host == "*" or "." in host or ":" in host:  # a full name, or an address
        return host
    return f"{host}.{namespace}.svc.{domain}"


def covers(host: str, name: str) -> bool:
    """Tell whether a host, which may be a wildcard, is or stands for a name; case is none."""
    host, name = host.lower(), name.lower()
    return host == name or (host.startswith("*") and name.endswith(host[1:]))


def some_host(host: str) -> str:
    """Return a host, below it if it is a wildcard."""
    return host.replace("*", "any", 1)


def gateway_key(name: str, namespace: str) -> str:
    """Return namespace/name of a Gateway that a VirtualService of a namespace names."""
    if name == MESH:
        return name
    before, slash, after = name.partition("/")
    if slash:
        return f"{namespace}/{after}" if before == "." else name
    short, dot, rest = name.partition(".")
    return f"{rest.split('.')[0]}/{short}" if dot else f"{namespace}/{name}"


def response_value(entry: Fields, fields: Fields, name: str) -> str:
    """Return what an entry of `route` sets a response header to, empty if it sets none.

    The destination's wins over the rule's (with several destinations it does not, but then
    each says what it is).
    """
    for block in (as_mapping(entry.get("headers")), as_mapping(fields.get("headers"))):
        for key, text in as_mapping(as_mapping(block.get("response")).get("set")).items():
            if name and str(key).lower() == name.lower():
                return str(text)
    return ""


def as_mapping(value: object) -> Fields:
    """Return an object as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a list as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else []
