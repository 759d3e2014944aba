"""What a VirtualService names: gateways, delegates, hosts, subsets, ports, and who sees it.

A file says that something is there, seldom that it is not: what is named and not among
the files counts as missing only where they are said to be complete.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from pinroute.checks.outline import Outline, Resource
from pinroute.checks.resources import Resources
from pinroute.diagnostics import Diagnostic, Path, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.istio.delegation import delegate_key, delegates_of
from pinroute.istio.gateway import claimable_hosts
from pinroute.istio.resource import (
    MESH,
    as_list,
    as_mapping,
    covers,
    full_host,
)
from pinroute.istio.virtualhost import narrower_host


def missing(resources: Resources) -> Iterator[Diagnostic]:
    """Find gateways, delegates, hosts and token issuers that nothing declares."""
    if not resources.complete:
        return
    delegates = delegates_of(resources.virtual_services)
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for index, gateway in enumerate(service.gateways):
            if gateway != MESH and gateway not in resources.gateways:
                path: Path = ("spec", "gateways", index)
                yield _missing(outline, path, gateway, "Gateway {}", resources.gateways)
        for rule in outline.rules:
            if isinstance(rule.fields.get("delegate"), dict):
                key = delegate_key(service, rule)
                if key not in delegates:
                    path = (*rule.path, "delegate")
                    yield _missing(outline, path, key, "delegate {}", delegates)
        for path, destination in _destinations(outline):
            host = full_host(str(destination.get("host") or ""), service.namespace).lower()
            if not any(covers(known, host) for known in resources.hosts):
                inner = (*path, "host")
                yield _missing(outline, inner, host, "Service or ServiceEntry {}", resources.hosts)
        if not resources.request_authentications:
            for path in outline.claims:
                what = "RequestAuthentication, which claims such as {} need"
                yield _missing(outline, path, str(path[-1]), what, {})


def _missing(
    outline: Outline, path: Path, name: str, what: str, known: Mapping[str, object]
) -> Diagnostic:
    """Return the finding; `what` has a place for the name."""
    hint = did_you_mean(name, tuple(known)) if known else None
    where = outline.document.span(path)
    return diagnose("PIN322", where, path, hint=hint, what=what.format(repr(name)))


def subsets(resources: Resources) -> Iterator[Diagnostic]:
    """Find subsets that the DestinationRules of their host do not declare."""
    declared: defaultdict[str, set[str]] = defaultdict(set)
    for rule in resources.destination_rules:
        namespace = rule.key.partition("/")[0]
        host = full_host(str(rule.spec.get("host") or ""), namespace).lower()
        declared[host] |= {
            str(as_mapping(item).get("name")) for item in as_list(rule.spec.get("subsets"))
        }
    if not declared and not resources.complete:
        return
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for path, destination in _destinations(outline):
            subset = destination.get("subset")
            host = full_host(str(destination.get("host") or ""), service.namespace).lower()
            if not subset or (host not in declared and not resources.complete):
                continue
            if subset not in declared[host]:
                inner = (*path, "subset")
                known = dict.fromkeys(declared[host])
                yield _missing(outline, inner, str(subset), f"subset {{}} of {host}", known)


def ports(resources: Resources) -> Iterator[Diagnostic]:
    """Find destinations without a port where the Service has several."""
    if not resources.hosts:
        return
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for path, destination in _destinations(outline):
            host = full_host(str(destination.get("host") or ""), service.namespace).lower()
            found = resources.hosts.get(host)
            numbers = _ports(found) if found is not None else []
            port = as_mapping(destination.get("port")).get("number")
            if port is None and len(numbers) > 1:
                listed = ", ".join(str(number) for number in numbers)
                yield diagnose(
                    "PIN329", outline.document.span(path), path, host=host, ports=listed
                )
            elif numbers and port is not None and port not in numbers:
                inner = (*path, "port", "number")
                known = {str(number): None for number in numbers}
                yield _missing(outline, inner, str(port), f"port {{}} of {host}", known)


def _ports(service: Resource) -> list[int]:
    numbers = (as_mapping(port).get("port") for port in as_list(service.spec.get("ports")))
    found = [number for number in numbers if isinstance(number, int)]
    numbers = (as_mapping(port).get("number") for port in as_list(service.spec.get("ports")))
    return found or [number for number in numbers if isinstance(number, int)]


def unserved_hosts(resources: Resources) -> Iterator[Diagnostic]:
    """Find hosts that none of the servers of a Gateway listens for."""
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for gateway in service.gateways:
            found = resources.gateways.get(gateway)
            if found is None:
                continue
            served = claimable_hosts(found.spec, found.key.partition("/")[0], service.namespace)
            for index, host in enumerate(service.hosts):
                if not any(narrower_host(one, host) for one in served):
                    path: Path = ("spec", "hosts", index)
                    yield diagnose(
                        "PIN323",
                        outline.document.span(path),
                        path,
                        host=host,
                        gateway=gateway,
                        served=", ".join(served)
                        or f"nothing that namespace {service.namespace} may claim",
                    )


def visibility(resources: Resources) -> Iterator[Diagnostic]:
    """Find VirtualServices of a gateway that its pods may not be allowed to see."""
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for gateway in service.gateways if service.hosts else ():
            namespace = gateway.partition("/")[0]
            if gateway != MESH and not service.seen_in(namespace):
                path = ("spec", "exportTo")
                yield diagnose(
                    "PIN324",
                    outline.document.span(path, key=True),
                    path,
                    gateway=gateway,
                    namespaces=", ".join(sorted(service.exported_to)),
                )


def _destinations(outline: Outline) -> Iterator[tuple[Path, Mapping[str, object]]]:
    """Yield every destination of a VirtualService, mirrors too, with its path."""
    for rule in outline.rules:
        for index, route in enumerate(as_list(rule.fields.get("route"))):
            destination = as_mapping(as_mapping(route).get("destination"))
            if destination.get("host"):
                yield (*rule.path, "route", index, "destination"), destination
        mirror = as_mapping(rule.fields.get("mirror"))
        if mirror.get("host"):
            yield (*rule.path, "mirror"), mirror
        for index, entry in enumerate(as_list(rule.fields.get("mirrors"))):
            destination = as_mapping(as_mapping(entry).get("destination"))
            if destination.get("host"):
                yield (*rule.path, "mirrors", index, "destination"), destination
