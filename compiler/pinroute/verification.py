"""Does a VirtualService do what a spec promises? Proved over every user hash.

The user hashes fall into blocks in which neither side can tell two hashes apart: the
edges of all prefixes and exact values that either names. One hash of each block answers
for all of it. A regular expression on the hash has no such edges: then every hash is
asked, as long as there are not too many.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from pinroute.compilation import Compiled
from pinroute.istio.condition import HttpRequest, example, satisfies
from pinroute.istio.emit import match_key
from pinroute.istio.envoy_action import cluster_name
from pinroute.istio.evaluate import Call, taker
from pinroute.istio.hashes import MOST_HASHES, TooManyHashes, strict_prefix
from pinroute.istio.read import ReadRule, read_rules
from pinroute.istio.resource import MESH, VirtualService, gateway_key, some_host
from pinroute.istio.routelist import Item, first
from pinroute.istio.virtualhost import Place, Route, host_of, virtual_hosts
from pinroute.spec.model import Body, Experiment
from pinroute.spec.nodes import Document
from pinroute.spec.scalars import value as plain
from pinroute.stages.parts import Part
from pinroute.table.ranges import block_range, hash_at
from pinroute.table.table import Table
from pinroute.table.universe import Universe


class Meeting(NamedTuple):
    """What a request meets: where it goes, under which Host, and the version it is told."""

    destination: str
    host: str
    version: str


class Difference(NamedTuple):
    """A request that does not meet what the spec promises. `value` None: no hash.

    `by` is the VirtualService whose rule took it, where several were joined.
    """

    route: str
    value: str | None
    group: str
    promised: Meeting
    found: Meeting
    by: str = ""


class Unprovable(Exception):
    """The VirtualService cannot be compared; the message says why."""


class Proof(NamedTuple):
    """How many blocks of hashes were compared, over how many hashes, and what differs."""

    blocks: int
    hashes: int
    differences: tuple[Difference, ...]


def verify(compiled: Compiled, document: Document) -> Proof:
    """Compare the live stage of a spec with a VirtualService, route by route.

    Compared are destination, Host and version header of every user hash and of requests
    without one; malformed hashes are compared where the spec is strict.
    """
    service = cast("dict[str, Any]", plain(document.root))
    experiment = compiled.checked.spec.experiment
    source = experiment.user_hash.source
    rules = read_rules(service, match_key(source))
    served = (service.get("spec") or {}).get("hosts")
    if not served and experiment.route.delegate:
        served = experiment.route.hosts  # a delegate's hosts are those of its root
    hosts = [str(host).lower() for host in served or ()]
    host = next((name for name in experiment.route.hosts if name.lower() in hosts), None)
    if host is None:
        raise Unprovable(
            f"the VirtualService serves none of the hosts {', '.join(experiment.route.hosts)}"
        )
    gateway = gateway_key(next(iter(experiment.route.gateways), MESH), experiment.route.namespace)
    return _compared(compiled, rules, [Call(host, gateway=gateway)])


def verify_joined(
    compiled: Compiled, services: Sequence[VirtualService], host: str, gateway: str
) -> Proof:
    """Compare the live stage with what a gateway has for a host: all that claim it, joined.

    `services` are numbered by their places; each difference tells which of them took the
    request. The pods of a gateway are taken to be in the namespace of the Gateway object.
    """
    experiment = compiled.checked.spec.experiment
    place = place_at(experiment, gateway, host)
    header = match_key(experiment.user_hash.source)
    found = host_of(virtual_hosts(services, place, header), some_host(host))
    rules = _numbered(found.routes if found is not None else ())
    own = f"{experiment.route.namespace}/{experiment.route.name}"
    calls = [Call(some_host(host), gateway=gateway, namespace=place.namespace)]
    if experiment.route.delegate:
        # A request for the delegate has to satisfy what its root demands, too.
        inner = [
            one
            for rule in rules
            for item in rule.items
            if services[item.service].key == own
            and (one := example(item.residual, host)) is not None
        ]
        calls = [_call(one, calls[0]) for one in inner] or calls
    return _compared(compiled, rules, calls, [service.key for service in services])


def place_at(experiment: Experiment, gateway: str, host: str) -> Place:
    """Return where a host of an experiment is routed; in the mesh, by callers of its namespace."""
    if gateway == MESH:
        return Place(gateway, experiment.route.namespace, known=(host.lower(),))
    return Place(gateway, gateway.partition("/")[0])


def _numbered(routes: Iterable[Route]) -> list[ReadRule]:
    """Return routes of several VirtualServices as rules of one match item each."""
    return [
        route.rule._replace(number=number, items=(route.item._replace(rule=number),))
        for number, route in enumerate(routes)
    ]


def _compared(
    compiled: Compiled, rules: list[ReadRule], calls: Sequence[Call], keys: Sequence[str] = ()
) -> Proof:
    """Compare rules with the live stage, each route by a request that is like one of `calls`.

    `keys` are the names of the VirtualServices that the rules are from.
    """
    experiment = compiled.checked.spec.experiment
    source = experiment.user_hash.source
    stage = compiled.stages[0]
    blocks = hashes = 0
    found: list[Difference] = []
    for route, table in stage.tables.items():
        items = stage.routes.of_route(route)
        request, call = _request(route, items, calls)
        values = list(_values(table, rules))
        blocks += len(values)
        hashes += table.universe.size
        for value in values:
            promised = _promised(table, items, request, value, experiment.output.version_header)
            lines = {match_key(source): (value,)} if value is not None else {}
            item = taker(rules, call._replace(headers={**call.headers, **lines}))
            met = (
                _met(rules[item.rule].fields, request, experiment.output.version_header)
                if item
                else None
            )
            seen = met if met is not None else Meeting("404", "", "")
            if seen != promised:
                part = table.leaf(value).attribution
                group = part.label if isinstance(part, Part) else ""
                by = keys[item.service] if keys and item is not None else ""
                found.append(Difference(route, value, group, promised, seen, by))
    return Proof(blocks, hashes, tuple(found))


def _request(route: str, items: Sequence[Item], calls: Sequence[Call]) -> tuple[HttpRequest, Call]:
    """Return a request that a route of the spec takes."""
    for call in calls:
        asked = HttpRequest(
            call.host,
            call.path,
            call.method,
            {name: lines[0] for name, lines in call.headers.items()},
        )
        for item in items:
            if satisfies(item.condition, asked):
                return asked, call
            request = example(item.condition, call.host)
            if request is not None and len(calls) == 1:
                return request, _call(request, call)
    raise Unprovable(f"route {route!r} matches by regex only: no request for it is known")


def _call(request: HttpRequest, like: Call) -> Call:
    headers = {name: (text,) for name, text in request.headers.items()}
    return like._replace(
        host=request.host, path=request.path, method=request.method, headers=headers
    )


def _values(table: Table, rules: list[ReadRule]) -> Iterator[str | None]:
    """Yield one hash of each block, and what is no hash."""
    universe = table.universe
    yield None
    yield from _hashes(table, rules)
    if table.strict:
        yield from ("", universe.alphabet[0], universe.first("") + universe.alphabet[0], "~")


def _hashes(table: Table, rules: list[ReadRule]) -> Iterator[str]:
    universe = table.universe
    matches = [item.value for rule in rules for item in rule.items if item.value]
    # Two spellings of the header in one item stay in its residual, as exclusions do.
    matches += [
        match
        for rule in rules
        for item in rule.items
        for field in ("headers", "withoutHeaders")
        for name, match in (item.residual.get(field) or {}).items()
        if match and name.lower() == item.header
    ]
    named: set[str] = set()
    for match in matches:
        for kind, text in match.items():
            prefix = strict_prefix(str(text), universe) if kind == "regex" else str(text)
            if prefix is None:
                yield from _all(universe)
                return
            named.add(prefix)
    named |= {
        values.prefix
        for leaf in table.leaves
        if isinstance(leaf.attribution, Part)
        for values in leaf.attribution.values
    }
    edges = {0}
    for text in named:
        if len(text) <= universe.digits and set(text) <= set(universe.alphabet):
            block = block_range(universe, text)
            edges |= {block.start, block.end}
    yield from (hash_at(universe, edge) for edge in sorted(edges) if edge < universe.size)


def _all(universe: Universe) -> list[str]:
    if universe.size > MOST_HASHES:
        raise Unprovable(str(TooManyHashes(universe)))
    return universe.values()


def _promised(
    table: Table, items: list[Item], request: HttpRequest, value: str | None, header: str
) -> Meeting:
    outcome = table.leaf(value).outcome
    act = next((item.action for item in items if item.action.outcome == outcome), None)
    if act is None:
        taken = first(items, table.universe, [] if value is None else [value])
        if taken is None:
            raise ValueError("a route without a catch-all")
        act = taken.action
    meeting = _met(act.fields, request, header)
    if meeting is None:
        raise ValueError("a version's action has a destination")
    return meeting


def _met(fields: Body, request: HttpRequest, header: str) -> Meeting | None:
    """Return what the action of a rule gives; several destinations are none that is promised."""
    entries: Sequence[Body] = fields.get("route") or ()
    if len(entries) != 1:
        kind = next(
            (name for name in ("redirect", "directResponse", "delegate") if name in fields), None
        )
        return (
            Meeting(kind or f"{len(entries)} destinations by weight", "", "")
            if kind or entries
            else None
        )
    sets: dict[str, str] = {}
    told = ""
    for headers in (entries[0].get("headers") or {}, fields.get("headers") or {}):
        for name, text in ((headers.get("request") or {}).get("set") or {}).items():
            if name.lower() == "host":
                sets["host"] = str(text)  # the rule's wins over the destination's
        for name, text in ((headers.get("response") or {}).get("set") or {}).items():
            if header and name.lower() == header.lower():
                told = told or str(text)  # the destination's wins over the rule's
    authority = (fields.get("rewrite") or {}).get("authority", sets.get("host", request.host))
    return Meeting(cluster_name(entries[0]["destination"], 80), str(authority), told)
