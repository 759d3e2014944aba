"""What VirtualServices do with a request, joined as istiod joins them; a request for each match."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

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
    virtual_service,
)
from pinroute.istio.shape import shape_problem
from pinroute.istio.virtualhost import Place, Route, host_of, route_of, virtual_hosts
from pinroute.istio.witness import witness
from pinroute.lookup import Answer
from pinroute.spec.nodes import Document
from pinroute.spec.scalars import value as plain


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
    documents: Iterable[Document], request: Request, values: Sequence[str | None]
) -> Iterator[Answer]:
    """Yield what values meet at VirtualServices, joined as istiod joins them.

    Asked is each first host, at its first gateway, or what the request says; the hash is
    in the request's header, by default the one that most matches look at. Raises NotServed.
    """
    services = _services(documents)
    spots = _spots(services, request)
    for value in values:
        for gateway, host in spots:
            yield _at(services, request._replace(gateway=gateway, host=host), value)


def _services(documents: Iterable[Document]) -> list[VirtualService]:
    found: list[VirtualService] = []
    for number, document in enumerate(documents):
        fields = as_mapping(plain(document.root))
        problem = shape_problem(fields)
        if problem is not None:
            raise NotServed(f"{document.file}: a VirtualService cannot be read: {problem}")
        found.append(virtual_service(number, fields))
    return found


def _pods(services: Sequence[VirtualService], gateway: str) -> str:
    """Return the namespace of the pods that route: taken to be that of the Gateway."""
    if gateway != MESH:
        return gateway.partition("/")[0]
    return next(one.namespace for one in services if MESH in one.gateways)


def _spots(services: Sequence[VirtualService], request: Request) -> list[tuple[str, str]]:
    """Return each gateway and host to ask at."""
    found: dict[tuple[str, str], None] = {}
    for service in services:
        gateways = [name for name in service.gateways if request.gateway in (None, name)]
        hosts = service.hosts if service.hosts or len(services) > 1 else ("",)
        fitting = [
            host for host in hosts if request.host is None or covers(host, request.host.lower())
        ]
        if gateways and fitting:
            host = request.host or fitting[0].replace("*", "any", 1)
            found[request.gateway or gateways[0], host] = None
    if not found:
        known = sorted({f"{host} at {name}" for one in services for host in one.hosts
                        for name in one.gateways})  # fmt: skip
        asked = " at ".join(name for name in (request.host, request.gateway) if name)
        raise NotServed(f"no VirtualService serves {asked}; there is {', '.join(known) or 'none'}")
    return list(found)


def _at(services: Sequence[VirtualService], request: Request, value: str | None) -> Answer:
    gateway, host = str(request.gateway), str(request.host)
    first = next(one for one in services if gateway in one.gateways)
    namespace = _pods(services, gateway)
    key = (request.header or _busiest(services) or "").lower()
    call = Call(
        host,
        request.path,
        request.method,
        headers={key: (value,)} if value is not None and key else {},
        gateway=gateway,
        namespace=namespace,
    )
    if host:
        routes = virtual_hosts(services, Place(gateway, namespace), key)
        route = route_of(routes, call)
    else:  # a delegate alone
        rules = read_rules(first.fields, key)
        item = taker(rules, call)
        route = Route(first, rules[item.rule], item) if item is not None else None
    if route is None:
        return Answer(value, f"host {host}", "", "", "", "", "404", "no rule takes the request")
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
        rule=route.rule.name or f"http[{route.rule.number}]",
        destination=_destinations(route.rule, services[route.rule.service].namespace),
        why=_why_taken(route.item),
    )


def _busiest(services: Iterable[VirtualService]) -> str | None:
    return next((name for one in services if (name := busiest_header(one.fields))), None)


def _destinations(rule: ReadRule, namespace: str) -> str:
    for action in ("redirect", "directResponse", "delegate"):
        if action in rule.fields:
            return action
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


def absent_delegates(documents: Iterable[Document]) -> list[str]:
    """Return the delegates that are named and not given: their rules are left out."""
    services = _services(documents)
    delegates = delegates_of(services)
    found = {
        delegate_key(service, rule): None
        for service in services
        for rule in read_rules(service.fields)
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


def each_match(documents: Iterable[Document], request: Request) -> Iterator[Reached]:
    """Yield every match of each host asked for, in the order in which they are tried.

    The request's path and method are not looked at. Raises NotServed.
    """
    services = _services(documents)
    for gateway, host in _spots(services, request):
        key = (request.header or _busiest(services) or "").lower()
        namespace = _pods(services, gateway)
        found = host_of(virtual_hosts(services, Place(gateway, namespace), key), host)
        routes, domain = (found.routes, found.domain) if found is not None else ((), host)
        items = [route.item for route in routes]
        dead = {id(one.item): one.by for one in dead_items(items)}
        names = {id(route.item): _name(route) for route in routes}
        base = Call(host, gateway=gateway, namespace=namespace)
        for index, route in enumerate(routes):
            by = dead.get(id(route.item))
            yield Reached(
                host,
                route.service.key,
                route.rule.name or f"http[{route.rule.number}]",
                _condition(route.item),
                witness(items, index, base, domain) if by is None else None,
                names[id(by)] if by is not None else None,
                _destinations(route.rule, services[route.rule.service].namespace),
            )


def _name(route: Route) -> str:
    return f"{_condition(route.item)} of {route.rule.name or f'http[{route.rule.number}]'}"


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
