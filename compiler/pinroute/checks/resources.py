"""What checks look at that need more than one object: everything that was given together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pinroute.checks.bodies import Bodies
from pinroute.checks.outline import Outline, Resource, resource_of
from pinroute.checks.target import outline_of, target_of
from pinroute.diagnostics import Path, Span
from pinroute.istio.read import is_virtual_service
from pinroute.istio.resource import (
    VirtualService,
    as_list,
    as_mapping,
    full_host,
    namespace_of,
    virtual_service,
)
from pinroute.spec.meaning import Spec
from pinroute.spec.nodes import Document


class Resources(NamedTuple):
    """Everything that was given: `outlines[n]` is the text of `virtual_services[n]`.

    `complete` says that these are all there are: what is named and not here is missing.
    """

    outlines: tuple[Outline, ...]
    virtual_services: tuple[VirtualService, ...]
    gateways: Mapping[str, Resource]
    destination_rules: tuple[Resource, ...]
    hosts: Mapping[str, Resource]
    request_authentications: tuple[Resource, ...]
    specs: tuple[Spec, ...]
    complete: bool

    def span(self, service: VirtualService, path: Path) -> Span:
        """Return a place in the text of a VirtualService."""
        return self.outlines[service.number].document.span(path)


def outlines_of(documents: Iterable[Document]) -> Iterator[Outline | Resource]:
    """Yield what checks of several objects look at among some documents."""
    known = Bodies()
    for document in documents:
        if is_virtual_service(document):
            yield outline_of(target_of(document, known))
        elif (resource := resource_of(document)) is not None:
            yield resource


def resources_of(
    pieces: Iterable[Outline | Resource], specs: Sequence[Spec] = (), *, complete: bool = False
) -> Resources:
    """Return what was given, by kind."""
    outlines: list[Outline] = []
    others: defaultdict[str, list[Resource]] = defaultdict(list)
    for piece in pieces:
        if isinstance(piece, Outline):
            outlines.append(piece)
        else:
            others[piece.kind].append(piece)
    hosts = {host: one for one in others["Service"] for host in _service_hosts(one)}
    for entry in others["ServiceEntry"]:
        for host in as_list(entry.spec.get("hosts")):
            hosts.setdefault(str(host).lower(), entry)
    return Resources(
        tuple(outlines),
        tuple(virtual_service(number, item.service) for number, item in enumerate(outlines)),
        {gateway.key: gateway for gateway in others["Gateway"]},
        tuple(others["DestinationRule"]),
        hosts,
        tuple(others["RequestAuthentication"]),
        tuple(specs),
        complete,
    )


def _service_hosts(service: Resource) -> Iterator[str]:
    name = as_mapping(service.fields.get("metadata")).get("name")
    if name:
        yield full_host(str(name), namespace_of(service.fields)).lower()
