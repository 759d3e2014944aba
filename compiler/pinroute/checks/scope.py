"""Where a VirtualService applies and leads: hosts, gateways, namespaces, sources, destinations."""

import re
from collections.abc import Iterator

from pinroute.checks.target import Target, destinations, is_null
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.istio.limits import gateway_problem, host_problem, label_problem
from pinroute.istio.resource import namespace_of
from pinroute.spec.nodes import Mapping, Node, Scalar, Sequence, at
from pinroute.spec.scalars import scalar_value

HINTS = {
    "exportTo": "write '.', '*' alone, or names of namespaces",
    "label": "write letters, digits, '-', '_' and '.'",
    "namespace": "write letters, digits and '-'",
    "port": "write a port from 1 to 65535",
    "subset": "write letters, digits and '-'",
}
SOURCES = {"port", "sourceLabels", "sourceNamespace"}
_LABEL_KEY = re.compile(r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


def hosts(target: Target) -> Iterator[Diagnostic]:
    """Find hosts that Istio refuses, and hosts that are there twice."""
    unasked = _texts(target, ("spec", "gateways"))
    if target.is_delegate and unasked:
        why = "a VirtualService without hosts is a delegate, and has no gateways"
        yield _refused(target, ("spec", "gateways"), "gateway", unasked[0][1], why, key=True)
    found = _texts(target, ("spec", "hosts"))
    for number, (path, text) in enumerate(found):
        problem = _host_problem(text)
        if text == "*" and target.on_mesh:
            problem = "'*' is not allowed where the rule applies to sidecars"
        other = next((other for _, other in found[:number] if _overlap(text, other)), None)
        if problem is None and other is not None:
            problem = f"{other!r} of this list covers it, or it covers that"
        if problem is not None:
            yield _refused(target, path, "host", text, problem)


_OVERLOOKED = "behind a name without '/' it is overlooked, and no Gateway is called so"


def gateways(target: Target) -> Iterator[Diagnostic]:
    """Find gateways that Istio refuses, or that cannot be."""
    places: list[Path] = [("spec", "gateways")]
    places += [(*path, "gateways") for path, item in target.matches if "gateways" in item.entries]
    for place in places:
        found = _texts(target, place)
        for number, (path, text) in enumerate(found):
            problem = _gateway_problem(text)
            # Istio looks at no name after one without '/' (validateGatewayNames returns there).
            if problem is not None and all("/" in before for _, before in found[:number]):
                yield _refused(target, path, "gateway", text, problem)
            elif problem is not None:
                yield _refused(target, path, "gateway", text, f"{problem}; {_OVERLOOKED}")


def _gateway_problem(text: str) -> str | None:
    if "." in text and "/" not in text:  # gateway.namespace, as it was once written
        return host_problem(text.removesuffix("."), wildcard=False)
    return gateway_problem(text)


def exports(target: Target) -> Iterator[Diagnostic]:
    """Find what Istio refuses in exportTo."""
    own = namespace_of(target.service)
    found = _texts(target, ("spec", "exportTo"))
    seen: set[str] = set()
    for path, text in found:
        name = own if text == "." else text
        problem = None if text in (".", "*") else label_problem(text)
        if name in seen:
            problem = "it is there twice: '.' is the VirtualService's own namespace"
        elif text == "*" and len(found) > 1:
            problem = "'*' stands alone: it exports to every namespace"
        seen.add(name)
        if problem is not None:
            yield _refused(target, path, "exportTo", text, problem)


def sources(target: Target) -> Iterator[Diagnostic]:
    """Find ports, namespaces and labels of match items that Istio refuses."""
    for path, item in target.matches:
        if not item.entries.keys() & SOURCES:
            continue
        port = at(item, "port")
        number = scalar_value(port) if isinstance(port, Scalar) else None
        if isinstance(number, int) and 65535 < number < 2**32:
            yield _refused(target, (*path, "port"), "port", str(number), "65535 is the last port")
        namespace = at(item, "sourceNamespace")
        if isinstance(namespace, Scalar) and namespace.text:
            problem = label_problem(namespace.text)
            if problem is not None:
                place = (*path, "sourceNamespace")
                yield _refused(target, place, "namespace", namespace.text, problem)
        labels = at(item, "sourceLabels")
        for name, node in labels.entries.items() if isinstance(labels, Mapping) else ():
            place = (*path, "sourceLabels", name)
            if _LABEL_KEY.fullmatch(name) is None:
                yield _refused(target, place, "label", name, "it is no key of a label", key=True)
            if (
                isinstance(node, Scalar)
                and not is_null(node)
                and _LABEL_VALUE.fullmatch(node.text) is None
            ):
                problem = "it is no value of a label"
                yield _refused(target, place, "label", node.text, problem)


def targets(target: Target) -> Iterator[Diagnostic]:
    """Find destinations, also of mirrors, that Istio refuses: host, subset, port."""
    for path, node in _destinations(target):
        host, subset, port = (at(node, name) for name in ("host", "subset", "port"))
        if isinstance(host, Scalar) and not is_null(host):
            problem = _destination_problem(host.text)
            if problem is not None:
                yield _refused(target, (*path, "host"), "destination", host.text, problem)
        if isinstance(subset, Scalar) and subset.text and not is_null(subset):
            problem = label_problem(subset.text)
            if problem is not None:
                yield _refused(target, (*path, "subset"), "subset", subset.text, problem)
        if isinstance(port, Mapping):
            place = (*path, "port")
            inner = port.entries.get("number")
            number = scalar_value(inner) if isinstance(inner, Scalar) else 0
            if number == 0 or (isinstance(number, int) and number > 65535):
                yield _refused(target, place, "port", str(number), "ports are 1 to 65535")


def _destinations(target: Target) -> Iterator[tuple[Path, Node | None]]:
    for rule in target.rules:
        entry = target.entries[rule.number]
        for index, route in enumerate(destinations(entry)):
            yield (*rule.path, "route", index, "destination"), at(route, "destination")
        if not isinstance(entry, Mapping) or not entry.entries.keys() & {"mirror", "mirrors"}:
            continue
        yield (*rule.path, "mirror"), entry.entries.get("mirror")
        mirrors = entry.entries.get("mirrors")
        for index, mirror in enumerate(mirrors.items if isinstance(mirrors, Sequence) else ()):
            yield (*rule.path, "mirrors", index, "destination"), at(mirror, "destination")


def _destination_problem(text: str) -> str | None:
    if text == "*":
        return "'*' is no destination"
    if text.startswith("*"):
        return _host_problem(text)
    return host_problem(text.removesuffix("."), wildcard=False)


def _host_problem(text: str) -> str | None:
    """Return why Istio refuses a host; addresses, a last dot and `*-suffix` are taken."""
    if text == "*" or _is_address(text.removesuffix(".")):
        return None
    first, dot, rest = text.removesuffix(".").partition(".")
    if first.startswith("*"):
        label = first[2:] if first.startswith("*-") else first[1:]
        problem = label_problem(label) if label else None
        return problem or (host_problem(f"x.{rest}", wildcard=False) if dot else None)
    return host_problem(text.removesuffix("."), wildcard=False)


def _is_address(text: str) -> bool:
    if ":" not in text and not text.replace(".", "").isdigit():
        return False
    from ipaddress import ip_address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _overlap(one: str, other: str) -> bool:
    """Tell whether Istio takes two hosts of a list for one, or one for a part of the other."""
    if one.startswith("*") and other.startswith("*"):
        short, long = sorted((one[1:], other[1:]), key=len)
        return long.endswith(short)
    if one.startswith("*") or other.startswith("*"):
        wildcard, name = (one, other) if one.startswith("*") else (other, one)
        return name.endswith(wildcard[1:])
    return one == other


def _texts(target: Target, path: Path) -> list[tuple[Path, str]]:
    node = target.document.node(path)
    items = node.items if isinstance(node, Sequence) else []
    return [
        ((*path, index), item.text)
        for index, item in enumerate(items)
        if isinstance(item, Scalar) and isinstance(scalar_value(item), str)
    ]


def _refused(
    target: Target, path: Path, noun: str, value: str, problem: str, *, key: bool = False
) -> Diagnostic:
    where = target.document.span(path, key=key)
    hint = HINTS.get(noun)
    return diagnose("PIN313", where, path, hint=hint, noun=noun, value=value, problem=problem)
