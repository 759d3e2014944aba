"""Which requests a trial sends, and what each of them has to meet.

What a user hash meets is read from the stage's table, the promise; what a malformed or
a repeated one meets from the order of the rules, which decides it.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinroute.compilation import Compiled
from pinroute.istio.condition import HttpRequest, example, satisfies
from pinroute.istio.envoy_action import cluster_name
from pinroute.istio.routelist import Action, Item, first
from pinroute.stages.parts import Part
from pinroute.table.table import Table
from pinroute.table.universe import Universe

WHOLE = 16_384  # universes up to this size are sent whole, larger ones in samples
SAMPLE = 1000


class Expected(NamedTuple):
    """What a request has to meet: cluster, Host as the backend sees it, version header."""

    label: str
    cluster: str
    host: str
    version: str | None


class Probe(NamedTuple):
    """A request and what it has to meet. `values` are the lines of the user hash, in order."""

    who: str
    request: HttpRequest
    values: tuple[str, ...]
    expected: Expected


def probes(compiled: Compiled, users: Sequence[str], *, joined: bool = False) -> Iterator[Probe]:
    """Yield the requests that try the live stage of an experiment.

    `joined` is how Envoy took repeated headers before 1.39: as one value, with commas.
    """
    stage = compiled.stages[0]
    routes = stage.routes
    host = compiled.checked.spec.experiment.route.hosts[0]
    header = compiled.checked.spec.experiment.output.version_header
    for name in routes.routes():
        items = routes.of_route(name)
        table = stage.tables.get(name)
        for condition in {id(item.condition): item.condition for item in items}.values():
            request = example(condition, host)
            if request is None or _route_of(routes.items, request) != name:
                continue
            where = f" ({request.method} {request.path})" if name else ""
            alike = [item for item in items if item.condition is condition]
            if table is None:
                expected = _expected(name, alike[0].action, request, header)
                yield Probe(f"route {name}{where}", request, (), expected)
                continue
            for who, values in _lines(routes.universe, table, users, routes.source.kind):
                label, act = _meets(table, alike, values, joined)
                yield Probe(who + where, request, values, _expected(label, act, request, header))


def untried(compiled: Compiled) -> list[str]:
    """Return the routes of which no request is sent: a regex hides which one would match."""
    host = compiled.checked.spec.experiment.route.hosts[0]
    items = compiled.stages[0].routes.items
    return list(
        dict.fromkeys(item.route for item in items if example(item.condition, host) is None)
    )


def _route_of(items: Sequence[Item], request: HttpRequest) -> str | None:
    return next((item.route for item in items if satisfies(item.condition, request)), None)


def _meets(
    table: Table, items: list[Item], values: tuple[str, ...], joined: bool
) -> tuple[str, Action]:
    """Return what is promised to a user hash, and what the rules make of anything else."""
    universe = table.universe
    lines = (",".join(values),) if joined and len(values) > 1 else values
    if not lines or (len(lines) == 1 and universe.contains(lines[0])):
        leaf = table.leaf(lines[0] if lines else None)
        part = _part(table, lines[0] if lines else None)
        return part.label, _by_outcome(items, str(leaf.outcome))
    item = first(items, universe, lines)
    if item is None:
        raise ValueError("a route without a catch-all")
    return item.label, item.action


def _part(table: Table, value: str | None) -> Part:
    part = table.leaf(value).attribution
    if not isinstance(part, Part):
        raise TypeError("a stage's table is attributed to parts")
    return part


def _by_outcome(items: list[Item], outcome: str) -> Action:
    for item in items:
        if item.action.outcome == outcome:
            return item.action
    raise ValueError("the table promises what no rule gives")


def _expected(label: str, act: Action, request: HttpRequest, header: str) -> Expected:
    """Return what an action gives: a backend, or an answer of Envoy's own with its status."""
    if "directResponse" in act.fields:
        return Expected(label, f"status {act.fields['directResponse']['status']}", "", None)
    if "redirect" in act.fields:
        return Expected(
            label, f"status {act.fields['redirect'].get('redirectCode', 301)}", "", None
        )
    entry = act.fields["route"][0]
    headers = entry.get("headers", {})
    sets = headers.get("request", {}).get("set", {})
    authority = next((value for name, value in sets.items() if name.lower() == "host"), None)
    authority = act.fields.get("rewrite", {}).get("authority", authority)
    version = headers.get("response", {}).get("set", {}).get(header)
    return Expected(
        label, cluster_name(entry["destination"], 80), authority or request.host, version
    )


def _lines(
    universe: Universe, table: Table, users: Sequence[str], kind: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (who, lines of the header): named users, user hashes, and what is no user hash."""
    for user in users:
        yield f"user {user}", (user,)
    whole = universe.size <= WHOLE
    hashes = universe.values() if whole else _sample(universe, table)
    for value in hashes:
        label = _part(table, value).label
        yield f"{'every' if whole else 'sampled'} hash in {label}", (value,)
    yield "no hash", ()
    starts = sorted(
        {values.prefix for part in _parts(table) for values in part.values if values.prefix}
    )
    if kind == "header":
        yield "empty", ("",)
    for start in [*starts, ""]:
        fill = universe.first(start)
        yield "too short", (start or universe.alphabet[0],)
        yield "too long", (fill + universe.alphabet[0],)
        yield "foreign characters", (f"{start}~x",)
        yield "foreign characters", (f"~{fill}",)
    if kind == "header":
        firsts = [universe.first(start) for start in starts] or [universe.first("")]
        for one in [*firsts, "~"]:
            for two in [*firsts, "~", ""]:
                yield "sent twice", (one, two)


def _parts(table: Table) -> list[Part]:
    return [leaf.attribution for leaf in table.leaves if isinstance(leaf.attribution, Part)]


def _sample(universe: Universe, table: Table) -> list[str]:
    """Return hashes at the edges of every block, and some anywhere; the same in every run."""
    found: dict[str, None] = {}
    for part in _parts(table):
        for values in part.values:
            left = universe.digits - len(values.prefix)
            for char in (universe.alphabet[0], universe.alphabet[-1]):
                found[values.prefix + char * left] = None
    generator = random.Random(universe.size)  # noqa: S311  repeatable, not secret
    for _ in range(SAMPLE):
        found["".join(generator.choices(universe.alphabet, k=universe.digits))] = None
    return list(found)
