"""What checks look at that need more than one object: everything that was given together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pinroute.checks.bodies import Bodies
from pinroute.checks.target import Target, target_of
from pinroute.diagnostics import Path, Span
from pinroute.istio.read import is_virtual_service
from pinroute.istio.resource import (
    Fields,
    VirtualService,
    as_list,
    as_mapping,
    full_host,
    namespace_of,
    virtual_service,
)
from pinroute.spec.meaning import Spec
from pinroute.spec.nodes import Document, Scalar
from pinroute.spec.scalars import value

_OTHERS = {
    ("networking.istio.io", "Gateway"): "gateways",
    ("networking.istio.io", "DestinationRule"): "destination_rules",
    ("networking.istio.io", "ServiceEntry"): "service_entries",
    ("security.istio.io", "RequestAuthentication"): "request_authentications",
    ("", "Service"): "services",
}


class Resource(NamedTuple):
    """An object beside the VirtualServices: its text, and its fields."""

    document: Document
    fields: Fields

    @property
    def key(self) -> str:
        """Its namespace/name."""
        name = as_mapping(self.fields.get("metadata")).get("name") or ""
        return f"{namespace_of(self.fields)}/{name}"

    @property
    def spec(self) -> Fields:
        """Its spec."""
        return as_mapping(self.fields.get("spec"))


class Resources(NamedTuple):
    """Everything that was given: `targets[n]` is the text of `virtual_services[n]`.

    `complete` says that these are all there are: what is named and not here is missing.
    """

    targets: tuple[Target, ...]
    virtual_services: tuple[VirtualService, ...]
    gateways: Mapping[str, Resource]
    destination_rules: tuple[Resource, ...]
    hosts: Mapping[str, Resource]
    request_authentications: tuple[Resource, ...]
    specs: tuple[Spec, ...]
    complete: bool

    def span(self, service: VirtualService, path: Path) -> Span:
        """Return a place in the text of a VirtualService."""
        return self.targets[service.number].document.span(path)


def resources_of(
    documents: Iterable[Document],
    specs: Sequence[Spec],
    known: Bodies | None = None,
    *,
    complete: bool,
) -> Resources:
    """Return what was given, by kind."""
    targets: list[Target] = []
    others: dict[str, list[Resource]] = {name: [] for name in _OTHERS.values()}
    for document in documents:
        if is_virtual_service(document):
            targets.append(target_of(document, known))
            continue
        kind = _OTHERS.get(_kind(document))
        if kind is not None:
            others[kind].append(Resource(document, as_mapping(value(document.root))))
    hosts = {host: one for one in others["services"] for host in _service_hosts(one)}
    for entry in others["service_entries"]:
        for host in as_list(entry.spec.get("hosts")):
            hosts.setdefault(str(host).lower(), entry)
    return Resources(
        tuple(targets),
        tuple(virtual_service(number, item.service) for number, item in enumerate(targets)),
        {gateway.key: gateway for gateway in others["gateways"]},
        tuple(others["destination_rules"]),
        hosts,
        tuple(others["request_authentications"]),
        tuple(specs),
        complete,
    )


def _kind(document: Document) -> tuple[str, str]:
    texts = []
    for name in ("apiVersion", "kind"):
        node = document.node((name,))
        texts.append(node.text if isinstance(node, Scalar) else "")
    return texts[0].rpartition("/")[0], texts[1]


def _service_hosts(service: Resource) -> Iterator[str]:
    name = as_mapping(service.fields.get("metadata")).get("name")
    if name:
        yield full_host(str(name), namespace_of(service.fields)).lower()
