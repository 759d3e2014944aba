"""Which version does a user meet, by which rule, and why?

The group comes from the stage's table, the rule from its ordered routes: two views of
the same thing, which compilation has proved equal.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pinroute.compilation import Compiled
from pinroute.istio.emit import grouped
from pinroute.istio.evaluate import Call, taker
from pinroute.istio.read import MatchItem, ReadRule, busiest_header, read_rules
from pinroute.istio.resource import (
    MESH,
    VirtualService,
    as_mapping,
    full_host,
    virtual_service,
)
from pinroute.istio.routelist import Item, first, holds
from pinroute.istio.virtualhost import Place, Route, covers, route_of, virtual_hosts
from pinroute.spec.nodes import Document
from pinroute.spec.scalars import value as plain
from pinroute.stages.parts import MALFORMED, NO_HASH, UNASSIGNED, Part
from pinroute.stages.stage import Stage
from pinroute.table.bulk import leaf_numbers
from pinroute.table.table import Table


class Answer(NamedTuple):
    """What happens to one value in one entry of `route.http` (`route` is "" without any)."""

    value: str | None
    experiment: str
    route: str
    group: str
    version: str
    rule: str
    destination: str
    why: str


def look_up(compiled: Compiled, value: str | None) -> Iterator[Answer]:
    """Yield what a value (None: no hash) meets in the live stage."""
    experiment = compiled.checked.spec.experiment
    stage = compiled.stages[0]
    names = _rule_names(stage)
    for route, table in stage.tables.items():
        part = _part(table, value)
        items = stage.routes.of_route(route)
        item = first(items, table.universe, [] if value is None else [value])
        if item is None:
            raise ValueError("a route without a catch-all")
        yield Answer(
            value=value,
            experiment=experiment.name,
            route=route,
            group=part.label,
            version=part.version,
            rule=names[id(item)],
            destination=_destination(item),
            why=_why(stage, part, value),
        )


class Request(NamedTuple):
    """What to ask VirtualServices for: None is their own first host, or gateway."""

    host: str | None = None
    path: str = "/"
    method: str = "GET"
    gateway: str | None = None
    header: str | None = None


class NotServed(Exception):
    """No VirtualService serves what was asked for; the message says what is served."""


def look_up_services(
    documents: Iterable[Document], request: Request, values: Sequence[str | None]
) -> Iterator[Answer]:
    """Yield what values meet at VirtualServices, joined as istiod joins them.

    Asked is each first host, at its first gateway, or what the request says; the hash is
    in the request's header, by default the one that most matches look at. Raises NotServed.
    """
    services = [
        virtual_service(number, as_mapping(plain(document.root)))
        for number, document in enumerate(documents)
    ]
    spots = _spots(services, request)
    for value in values:
        for gateway, host in spots:
            yield _at(services, request._replace(gateway=gateway, host=host), value)


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
    namespace = first.namespace if gateway == MESH else gateway.partition("/")[0]
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


def look_up_many(compiled: Compiled, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (version, group) of each of very many values, in the first route that takes part."""
    table = next(iter(compiled.stages[0].tables.values()))
    parts = [leaf.attribution for leaf in table.leaves]
    names = [(part.version, part.label) for part in parts if isinstance(part, Part)]
    for number in leaf_numbers(table, values):
        yield names[number]


def _part(table: Table, value: str | None) -> Part:
    part = table.leaf(value).attribution
    if not isinstance(part, Part):
        raise TypeError("a stage's table is attributed to parts")
    return part


def _rule_names(stage: Stage) -> dict[int, str]:
    """Return the name of each item's rule, or its place in `spec.http`, counted from 0."""
    return {
        id(item): item.rule or f"http[{number}]"
        for number, items in enumerate(grouped(stage.routes))
        for item in items
    }


def _destination(item: Item) -> str:
    destination = item.action.fields["route"][0]["destination"]
    port = destination.get("port", {}).get("number")
    subset = destination.get("subset")
    text = f"{destination['host']}:{port}" if port is not None else str(destination["host"])
    return f"{text} subset {subset}" if subset is not None else text


def _why(stage: Stage, part: Part, value: str | None) -> str:
    universe = stage.routes.universe
    sound = value is not None and universe.contains(value)
    if len(part.values) == 1 and part.values[0].kind == "any" and part.label != NO_HASH:
        return f"stage {stage.name} sends everybody to {part.version}"
    if part.label == NO_HASH:
        return "the request carries no user hash"
    form = f"{universe.digits} characters of {universe.alphabet!r}"
    if part.label == MALFORMED:
        return f"it is no user hash: those are {form}"
    odd = "" if sound else f" (it is no user hash: those are {form})"
    if part.label == UNASSIGNED:
        return f"it is in no group{odd}"
    for values in part.values:
        if holds(values, universe, value):
            return f"it begins with {values.prefix!r}{odd}"
    raise ValueError(f"{value!r} is in group {part.label!r} by no prefix")
