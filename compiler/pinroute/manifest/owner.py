"""The VirtualService of another owner, and whether it fits the spec that names it."""

import posixpath
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.istio.read import is_virtual_service
from pinroute.istio.resource import MESH, full_host, gateway_key
from pinroute.spec.load import load
from pinroute.spec.meaning import Spec
from pinroute.spec.model import Experiment, Route
from pinroute.spec.nodes import Document, Node, Scalar, at
from pinroute.spec.nodes import Mapping as Object
from pinroute.spec.nodes import Sequence as List
from pinroute.spec.scalars import scalar_value, value
from pinroute.spec.shape import errors

FILE: Path = ("spec", "route", "virtualService", "file")

Read = Callable[[str], bytes]


class Owner(NamedTuple):
    """A VirtualService in the file of its owner.

    `file` is its place as seen from where the compiler runs, `text` what it says now,
    `number` the place of the VirtualService among the objects of other kinds in it.
    """

    file: str
    text: str
    document: Document
    number: int


class OwnerFile(NamedTuple):
    """A file of owners, and its text with the rules of all experiments of a run in it."""

    file: str
    before: str
    after: str


def read_owner(
    spec: Spec, source: str, read: Read | None
) -> tuple[Owner | None, list[Diagnostic]]:
    """Return the VirtualService that the rules go into, and why it cannot be used.

    `source` is the name of the spec's file, `read` reads what stands beside it.
    """
    route = spec.experiment.route
    if not route.splice or route.file is None:
        return None, []
    where = spec.document.span(FILE)
    wanted = f"{route.namespace}/{route.name}"

    def unusable(problem: str, hint: str | None = None) -> tuple[None, list[Diagnostic]]:
        return None, [diagnose("PIN257", where, FILE, hint=hint, file=route.file, problem=problem)]

    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), route.file))
    try:
        data = (read or _nowhere)(route.file)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        hint = "the path is relative to the spec's own folder"
        return unusable(getattr(error, "strerror", None) or str(error), hint)
    loaded = load(file, data)
    wrong = next((item for item in loaded.diagnostics if errors([item])), None)
    if wrong is not None:
        return unusable(f"line {wrong.span.line}: {wrong.message}", "mend that file first")
    services = [
        (number, other) for number, other in enumerate(loaded.others) if is_virtual_service(other)
    ]
    fitting = [(number, item) for number, item in services if _fits(item, spec.experiment)]
    if len(fitting) != 1:
        there = ", ".join(_identity(item) for _, item in services[:12]) or "none"
        hint = f"the VirtualServices in it: {there}; spec.route.virtualService names one of them"
        many = "no" if not fitting else str(len(fitting))
        return unusable(f"it holds {many} VirtualService{'s' if fitting else ''} {wanted}", hint)
    number, document = fitting[0]
    http = document.node(("spec", "http"))
    if not isinstance(http, List) or not http.items:
        hint = "rules go into 'http'; routes of TLS and TCP see no header"
        return unusable(f"VirtualService {wanted} has no rules in 'http'", hint)
    odd = next((number for number, rule in enumerate(http.items) if not _is_rule(rule)), None)
    if odd is not None:
        hint = "mend that file first: 'pinroute validate' says more about it"
        return unusable(f"rule #{odd} is no object, or its match no list", hint)
    owner = Owner(file, loaded.text, document, number)
    return owner, list(_disagreements(spec, owner))


def with_owner(experiment: Experiment, owner: Owner) -> Experiment:
    """Return the experiment with the owner's gateways, where the spec names none."""
    route = experiment.route
    if route.gateways:
        return experiment
    return experiment._replace(route=route._replace(gateways=tuple(_lent(owner, route))))


def service_in(text: str, owner: Owner) -> dict[str, Any]:
    """Return the owner's VirtualService as data, from another text of the same file."""
    return cast("dict[str, Any]", value(document_in(text, owner).root))


def document_in(text: str, owner: Owner) -> Document:
    """Return the owner's VirtualService in another text of the same file."""
    return load(owner.file, text.encode()).others[owner.number]


def _nowhere(_name: str) -> bytes:
    raise OSError("there is no folder to look in")


def _is_rule(node: Node) -> bool:
    match = at(node, "match")
    null = isinstance(match, Scalar) and scalar_value(match) is None
    return isinstance(node, Object) and (match is None or null or isinstance(match, List))


def _text(document: Document, *path: str) -> str | None:
    node = document.node(path)
    return node.text if isinstance(node, Scalar) else None


def _fits(document: Document, experiment: Experiment) -> bool:
    """Tell whether a VirtualService is the one that is meant: kustomize may add its namespace."""
    route = experiment.route
    namespace = _text(document, "metadata", "namespace")
    return (
        _text(document, "metadata", "name") == route.name
        and (namespace or route.namespace) == route.namespace
    )


def _identity(document: Document) -> str:
    namespace, name = (_text(document, "metadata", field) for field in ("namespace", "name"))
    return f"{namespace}/{name}" if namespace else str(name)


def _words(document: Document, field: str) -> list[str]:
    node = document.node(("spec", field))
    items = node.items if isinstance(node, List) else []
    return [item.text for item in items if isinstance(item, Scalar)]


def _lent(owner: Owner, route: Route) -> list[str]:
    """Return the owner's gateways; where there are none, they are the sidecars."""
    names = _words(owner.document, "gateways")
    return [gateway_key(name, route.namespace) for name in names] or [MESH]


def _hosts(names: Sequence[str], namespace: str) -> list[str]:
    return [full_host(name, namespace).lower() for name in names]


def _disagreements(spec: Spec, owner: Owner) -> list[Diagnostic]:
    """Compare hosts and gateways: the owner's hold for every rule of the VirtualService."""
    route = spec.experiment.route
    document = owner.document
    pairs = [
        (
            "hosts",
            _hosts(route.hosts, route.namespace),
            _hosts(_words(document, "hosts"), route.namespace),
        )
    ]
    if route.gateways:
        ours = [gateway_key(name, route.namespace) for name in route.gateways]
        pairs.append(("gateways", ours, _lent(owner, route)))
    found: list[Diagnostic] = []
    for field, ours, theirs in pairs:
        if set(ours) == set(theirs):
            continue
        path: Path = ("spec", "route", field)
        node = at(document.root, "spec", field)
        place = document.span_of(node) if node is not None else document.span(("spec",))
        related = (Related(place, "the owner's file says it here"),)
        shown = ", ".join(dict.fromkeys(theirs)) or "none"
        hint = None
        if not theirs:
            hint = "it is a delegate, without hosts: splice into the root, or use mode 'delegate'"
        found.append(
            diagnose(
                "PIN258",
                spec.document.span(path, key=True),
                path,
                related=related,
                hint=hint,
                field=field,
                ours=", ".join(dict.fromkeys(ours)),
                theirs=shown,
            )
        )
    return found
