"""What VirtualServices do with a request, joined as istiod joins them; a request for each match."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pinroute.checks.resources import Resources
from pinroute.istio.cover import dead_items
from pinroute.istio.delegation import delegate_key, delegates_of
from pinroute.istio.evaluate import Call, taker
from pinroute.istio.read import MatchItem, ReadRule, busiest_header, read_rules
from pinroute.istio.resource import (
    MESH,
    VirtualService,
    as_mapping,
    covers,
    full_host,
    some_host,
)
from pinroute.istio.shape import shape_problem
from pinroute.istio.virtualhost import (
    Place,
    Route,
    VirtualHost,
    host_of,
    route_of,
    virtual_hosts,
)
from pinroute.istio.witness import witness
from pinroute.lookup import Answer


class Request(NamedTuple):
    """What to ask VirtualServices for: None is their own first host, or gateway."""

    host: str | None = None
    path: str = "/"
    method: str = "GET"
    gateway: str | None = None
    header: str | None = None


class NotServed(Exception):
    """No VirtualService serves what was asked for, or one cannot be read; the message says why."""


def look_up_services(
    resources: Resources, request: Request, values: Sequence[str | None]
) -> Iterator[Answer]:
    """Yield what values meet at VirtualServices, joined as istiod joins them.

    Asked is each first host, at its first gateway, or what the request says; the hash is
    in the request's header, by default the one that most matches look at. Raises NotServed.
    """
    spots = [
        _spot(resources, request, gateway, host) for gateway, host in _spots(resources, request)
    ]
    for value in values:
        for spot in spots:
            yield _at(resources, spot, value)


class _Spot(NamedTuple):
    """A host at a gateway, and its routes; `delegate` is one that is alone, and has no host."""

    call: Call
    header: str
    hosts: Mapping[str, VirtualHost]
    delegate: VirtualService | None


def _check_shapes(resources: Resources) -> None:
    for outline in resources.outlines:
        problem = shape_problem(outline.service)
        if problem is not None:
            raise NotServed(f"{outline.document.file}: a VirtualService cannot be read: {problem}")


def _spots(resources: Resources, request: Request) -> list[tuple[str, str]]:
    """Return each gateway and host to ask at."""
    _check_shapes(resources)
    services = resources.virtual_services
    found: dict[tuple[str, str], None] = {}
    for service in services:
        gateways = [name for name in service.gateways if request.gateway in (None, name)]
        hosts = service.hosts if service.hosts or len(services) > 1 else ("",)
        fitting = [host for host in hosts if request.host is None or covers(host, request.host)]
        if gateways and fitting:
            host = request.host or some_host(fitting[0])
            found[request.gateway or gateways[0], host] = None
    if not found:
        known = sorted(
            {
                f"{host} at {name}"
                for one in services
                for host in one.hosts
                for name in one.gateways
            }
        )
        asked = " at ".join(name for name in (request.host, request.gateway) if name)
        raise NotServed(f"no VirtualService serves {asked}; there is {', '.join(known) or 'none'}")
    return list(found)


def _spot(resources: Resources, request: Request, gateway: str, host: str) -> _Spot:
    services = resources.virtual_services
    header = (request.header or _busiest(services) or "").lower()
    # The pods that route are taken to be in the namespace of the Gateway.
    first = next(one for one in services if gateway in one.gateways)
    namespace = first.namespace if gateway == MESH else gateway.partition("/")[0]
    place = Place(gateway, namespace, known=tuple(resources.hosts))
    hosts = virtual_hosts(services, place, header) if host else {}
    call = Call(host, request.path, request.method, gateway=gateway, namespace=namespace)
    return _Spot(call, header, hosts, None if host else first)


def _at(resources: Resources, spot: _Spot, value: str | None) -> Answer:
    call = spot.call
    if value is not None and spot.header:
        call = call._replace(headers={spot.header: (value,)})
    if spot.delegate is None:
        route = route_of(spot.hosts, call)
    else:
        rules = read_rules(spot.delegate.fields, spot.header, number=spot.delegate.number)
        item = taker(rules, call)
        route = Route(spot.delegate, rules[item.rule], item) if item is not None else None
    if route is None:
        nobody = f"host {call.host}"
        return Answer(value, nobody, "", "", "", "", "404", "no rule takes the request")
    version = ""
    for destination in route.rule.fields.get("route") or ():
        headers = ((destination.get("headers") or {}).get("response") or {}).get("set") or {}
        version = version or str(headers.get("version", ""))
    return Answer(
        value=value,
        experiment=f"VirtualService {route.service.key}",
        route="",
        group="",
        version=version,
        rule=_rule_name(route.rule),
        destination=_destinations(resources, route.rule),
        why=_why_taken(route.item),
    )


def _rule_name(rule: ReadRule) -> str:
    return rule.name or f"http[{rule.number}]"


def _busiest(services: Iterable[VirtualService]) -> str | None:
    return next((name for one in services if (name := busiest_header(one.fields))), None)


def _destinations(resources: Resources, rule: ReadRule) -> str:
    for action in ("redirect", "directResponse", "delegate"):
        if action in rule.fields:
            return action
    namespace = resources.virtual_services[rule.service].namespace
    shown = [
        full_host(str((route.get("destination") or {}).get("host", "")), namespace)
        + (f" ({route['weight']})" if len(rule.fields["route"]) > 1 else "")
        for route in rule.fields.get("route") or ()
    ]
    return ", ".join(shown)


def _why_taken(item: MatchItem) -> str:
    if item.value is None:
        return "the rule does not look at the hash"
    if not item.value:
        return f"{item.header} is present"
    kind, text = next(iter(item.value.items()))
    return f"{item.header} matches {kind} {text!r}"


def absent_delegates(resources: Resources) -> list[str]:
    """Return the delegates that are named and not given: their rules are left out."""
    delegates = delegates_of(resources.virtual_services)
    found = {
        delegate_key(service, rule): None
        for outline, service in zip(resources.outlines, resources.virtual_services, strict=True)
        for rule in outline.rules
        if isinstance(rule.fields.get("delegate"), dict)
    }
    return [key for key in found if key not in delegates]


class Reached(NamedTuple):
    """One match of a host, and a request that it takes before all others.

    Without a request it is dead, because of the match `by`, or undecided (`by` None).
    """

    host: str
    service: str
    rule: str
    match: str
    call: Call | None
    by: str | None
    destination: str


def each_match(resources: Resources, request: Request) -> Iterator[Reached]:
    """Yield every match of each host asked for, in the order in which they are tried.

    The request's path and method are not looked at. Raises NotServed.
    """
    for gateway, host in _spots(resources, request):
        spot = _spot(resources, Request(header=request.header), gateway, host)
        found = host_of(spot.hosts, host)
        routes, domain = (found.routes, found.domain) if found is not None else ((), host)
        items = [route.item for route in routes]
        dead = {id(one.item): one.by for one in dead_items(items)}
        names = {id(route.item): _name(route) for route in routes}
        for index, route in enumerate(routes):
            by = dead.get(id(route.item))
            yield Reached(
                host,
                route.service.key,
                _rule_name(route.rule),
                _condition(route.item),
                witness(items, index, spot.call, domain) if by is None else None,
                names[id(by)] if by is not None else None,
                _destinations(resources, route.rule),
            )


def _name(route: Route) -> str:
    return f"{_condition(route.item)} of {_rule_name(route.rule)}"


def _condition(item: MatchItem) -> str:
    """Return what a match demands, in short."""
    parts = [f"{item.header} {_text(item.value)}"] if item.value is not None else []
    for name, match in item.residual.items():
        if name in ("headers", "withoutHeaders", "queryParams"):
            sign = "no " if name == "withoutHeaders" else "?" if name == "queryParams" else ""
            parts += [f"{sign}{key} {_text(value)}" for key, value in as_mapping(match).items()]
        elif isinstance(match, Mapping) and name != "sourceLabels":
            parts.append(f"{name} {_text(match)}")
        else:
            parts.append(f"{name} {match}")
    return ", ".join(parts) or "everything"


def _text(match: object) -> str:
    return ", ".join(f"{kind} {text!r}" for kind, text in as_mapping(match).items()) or "present"
