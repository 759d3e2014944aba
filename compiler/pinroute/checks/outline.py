"""What checks of several objects need of each: its fields, and its text for places."""

from collections.abc import Iterator
from typing import NamedTuple

from pinroute.diagnostics import Path
from pinroute.istio.read import ReadRule
from pinroute.istio.resource import Fields, as_list, as_mapping, namespace_of
from pinroute.spec.nodes import Document, Scalar
from pinroute.spec.scalars import value

KINDS = frozenset(
    {
        ("networking.istio.io", "Gateway"),
        ("networking.istio.io", "DestinationRule"),
        ("networking.istio.io", "ServiceEntry"),
        ("security.istio.io", "RequestAuthentication"),
        ("", "Service"),
    }
)


class Outline(NamedTuple):
    """A VirtualService: its fields and rules, and the paths of matches on claims of a token."""

    document: Document
    service: Fields
    rules: tuple[ReadRule, ...]
    claims: tuple[Path, ...]

    @property
    def on_mesh(self) -> bool:
        """Whether sidecars follow it too."""
        return is_on_mesh(self.service)

    def often_named(self) -> Iterator[Path]:
        """Yield paths of what is found in very many VirtualServices, where it is found at all."""
        for index, _ in enumerate(as_list(as_mapping(self.service.get("spec")).get("hosts"))):
            yield ("spec", "hosts", index)
        if self.rules:
            yield self.rules[-1].path


class Resource(NamedTuple):
    """An object of one of the KINDS beside the VirtualServices."""

    document: Document
    fields: Fields

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.fields.get("kind"))

    @property
    def key(self) -> str:
        """Its namespace/name."""
        name = as_mapping(self.fields.get("metadata")).get("name") or ""
        return f"{namespace_of(self.fields)}/{name}"

    @property
    def spec(self) -> Fields:
        """Its spec."""
        return as_mapping(self.fields.get("spec"))


def resource_of(document: Document) -> Resource | None:
    """Return an object that the checks look at beside VirtualServices, None for any other."""
    nodes = (document.node((name,)) for name in ("apiVersion", "kind"))
    version, kind = (node.text if isinstance(node, Scalar) else "" for node in nodes)
    if (version.rpartition("/")[0], kind) not in KINDS:
        return None
    return Resource(document, as_mapping(value(document.root)))


def is_on_mesh(service: Fields) -> bool:
    """Tell whether sidecars follow a VirtualService."""
    gateways = as_mapping(service.get("spec")).get("gateways")
    return not gateways or (isinstance(gateways, list) and "mesh" in gateways)
