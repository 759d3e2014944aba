"""What keeps users at their version, and what does not although it looks so."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from pinroute.checks.outline import Outline, Resource
from pinroute.checks.resources import Resources
from pinroute.diagnostics import Diagnostic, Path, Related, diagnose
from pinroute.istio.read import ReadRule
from pinroute.istio.resource import Fields, as_list, as_mapping, full_host

_Version = tuple[str, str]


def hashed_splits(resources: Resources) -> Iterator[Diagnostic]:
    """Find splits by weight to hosts with consistentHash: it chooses a pod, not a version."""
    hashing = {_host(rule): rule for rule in resources.destination_rules if _hashes(rule)}
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for rule in outline.rules if hashing else ():
            weighted = [
                (index, as_mapping(route))
                for index, route in enumerate(as_list(rule.fields.get("route")))
                if as_mapping(route).get("weight")
            ]
            for index, route in weighted if len(weighted) > 1 else ():
                found = hashing.get(_version(route.get("destination"), service.namespace)[0])
                if found is not None:
                    path: Path = (*rule.path, "route", index)
                    where = found.document.span(("spec",), key=True)
                    related = (Related(where, "the DestinationRule is here"),)
                    span = outline.document.span(path)
                    yield diagnose("PIN325", span, path, related=related, rule=rule.label)
                    break


def mirrors(resources: Resources) -> Iterator[Diagnostic]:
    """Find mirrors to a version that has users of its own: both are measured as one."""
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        if not any({"mirror", "mirrors"} & rule.fields.keys() for rule in outline.rules):
            continue
        served = {
            version: rule
            for rule in reversed(outline.rules)
            for version in _served(rule, service.namespace)
        }
        for rule in outline.rules:
            for path, destination in _mirrors(rule):
                version = _version(destination, service.namespace)
                other = served.get(version)
                if other is not None and version not in _served(rule, service.namespace):
                    span = outline.document.span(path)
                    related = (
                        Related(outline.document.span(other.path), "users are sent there here"),
                    )
                    yield diagnose(
                        "PIN326",
                        span,
                        path,
                        related=related,
                        rule=rule.label,
                        host=_shown(version),
                        other=other.label,
                    )


def overlapping_subsets(resources: Resources) -> Iterator[Diagnostic]:
    """Find two subsets in use of which one holds the pods of the other."""
    if not resources.destination_rules:
        return
    used: defaultdict[str, set[str]] = defaultdict(set)
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        for rule in outline.rules:
            for host, subset in _served(rule, service.namespace):
                used[host].add(subset)
    for resource in resources.destination_rules:
        declared = [
            (index, as_mapping(item))
            for index, item in enumerate(as_list(resource.spec.get("subsets")))
            if str(as_mapping(item).get("name")) in used[_host(resource)]
        ]
        for later, (index, one) in enumerate(declared):
            for _, other in declared[:later]:
                if _overlap(one, other):
                    path: Path = ("spec", "subsets", index)
                    yield diagnose(
                        "PIN327",
                        resource.document.span(path),
                        path,
                        subset=one.get("name"),
                        other=other.get("name"),
                    )


def forgeable_hash(resources: Resources) -> Iterator[Diagnostic]:
    """Find gateways at which a client chooses its version by the header that it sends.

    Said once for a header at the same gateways: it is their edge that has to set it.
    """
    told: set[tuple[str, tuple[str, ...]]] = set()
    for outline, service in zip(resources.outlines, resources.virtual_services, strict=True):
        if outline.on_mesh or not service.hosts or _is_ours(outline):
            continue
        header = outline.rules[0].items[0].header if outline.rules else ""
        place = (header, service.gateways)
        if not header or header.startswith((":", "@", "cookie")) or place in told:
            continue
        found: dict[tuple[_Version, ...], Path] = {}
        for rule in outline.rules:
            kinds = {kind for item in rule.items for kind in item.value or ()}
            if "prefix" in kinds:
                versions = tuple(_served(rule, service.namespace))
                found.setdefault(versions, rule.items[0].path)
        if len(found) > 1:
            told.add(place)
            path = next(iter(found.values()))
            yield diagnose("PIN328", outline.document.span(path), path, header=header)


def _is_ours(outline: Outline) -> bool:
    labels = as_mapping(as_mapping(outline.service.get("metadata")).get("labels"))
    return labels.get("app.kubernetes.io/managed-by") == "pinroute"


def _host(rule: Resource) -> str:
    namespace = rule.key.partition("/")[0]
    return full_host(str(rule.spec.get("host") or ""), namespace).lower()


def _hashes(rule: Resource) -> bool:
    policies = [rule.spec.get("trafficPolicy")]
    policies += [
        as_mapping(item).get("trafficPolicy") for item in as_list(rule.spec.get("subsets"))
    ]
    return any(
        "consistentHash" in as_mapping(as_mapping(policy).get("loadBalancer"))
        for policy in policies
    )


def _version(destination: object, namespace: str) -> _Version:
    given = as_mapping(destination)
    host = full_host(str(given.get("host") or ""), namespace).lower()
    return host, str(given.get("subset") or "")


def _shown(version: _Version) -> str:
    host, subset = version
    return f"{host} subset {subset}" if subset else host


def _served(rule: ReadRule, namespace: str) -> list[_Version]:
    """Return the versions that a rule sends users to."""
    routes = [as_mapping(route) for route in as_list(rule.fields.get("route"))]
    return [
        _version(route.get("destination"), namespace)
        for route in routes
        if len(routes) == 1 or route.get("weight")
    ]


def _mirrors(rule: ReadRule) -> Iterator[tuple[Path, Fields]]:
    mirror = as_mapping(rule.fields.get("mirror"))
    if mirror:
        yield (*rule.path, "mirror"), mirror
    for index, entry in enumerate(as_list(rule.fields.get("mirrors"))):
        inner = as_mapping(as_mapping(entry).get("destination"))
        yield (*rule.path, "mirrors", index, "destination"), inner


def _overlap(one: Fields, other: Fields) -> bool:
    """Tell whether the labels of one subset hold for every pod of the other."""
    first: Mapping[str, object] = as_mapping(one.get("labels"))
    second: Mapping[str, object] = as_mapping(other.get("labels"))
    return set(first.items()) <= set(second.items()) or set(second.items()) <= set(first.items())
