"""A request and what it has to meet.

What a user hash meets is read from the stage's table, the promise; what a malformed or
a repeated one meets from the order of the rules, which decides it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinroute.istio.condition import HttpRequest, example, satisfies
from pinroute.istio.envoy_action import cluster_name
from pinroute.istio.routelist import Action, Item, first
from pinroute.spec.model import Body
from pinroute.stages.parts import Part
from pinroute.stages.stage import Stage
from pinroute.table.table import Table
from pinroute.table.universe import Universe


class Expected(NamedTuple):
    """What a request has to meet: cluster, Host as the backend sees it, version header."""

    label: str
    cluster: str
    host: str
    version: str | None

    @property
    def name(self) -> str:
        """The version, or where there is none the host of the cluster."""
        return self.version if self.version is not None else self.cluster.rsplit("|", 1)[-1]


class Probe(NamedTuple):
    """A request and what it has to meet.

    `values` are the lines of the user hash, in order; `upper` writes the name of the header
    in upper case.
    """

    who: str
    request: HttpRequest
    values: tuple[str, ...]
    expected: Expected
    route: str = ""
    upper: bool = False


class RequestClass(NamedTuple):
    """The requests of one condition of a route, and one of them; raw routes have no table."""

    route: str
    request: HttpRequest
    items: tuple[Item, ...]
    table: Table | None

    def probe(
        self,
        who: str,
        values: tuple[str, ...],
        header: str,
        *,
        joined: bool = False,
        upper: bool = False,
    ) -> Probe:
        """Return the request with these lines of the user hash; `header` tells the version.

        `joined` is how Envoy took repeated headers before 1.39: as one value, with commas.
        """
        if self.table is None:
            label, act = self.route, self.items[0].action
        else:
            label, act = _meets(self.table, self.items, values, joined)
        expected = _expected(label, act, self.request, header)
        return Probe(who, self.request, values, expected, self.route, upper)


def request_classes(stage: Stage, host: str) -> Iterator[RequestClass]:
    """Yield the classes of which a request is known that no earlier route takes."""
    routes = stage.routes
    for name in routes.routes():
        items = routes.of_route(name)
        for condition in {id(item.condition): item.condition for item in items}.values():
            request = request_of(condition, host)
            if request is None or _route_of(routes.items, request) != name:
                continue
            alike = tuple(item for item in items if item.condition is condition)
            yield RequestClass(name, request, alike, stage.tables.get(name))


def request_of(condition: Body, host: str) -> HttpRequest | None:
    """Return a request that satisfies a condition and can be written as HTTP/1.1, if one is known."""
    found = example(condition, host)
    if found is None:
        return None
    words = (found.method, found.path, found.host, *found.headers)
    plain = all("!" <= char <= "~" for word in words for char in word)
    values = (char for value in found.headers.values() for char in value)
    return found if plain and not any(char in "\r\n\0" for char in values) else None


def parts_in(table: Table) -> list[Part]:
    """Return the parts that the leaves of a stage's table are attributed to."""
    return [leaf.attribution for leaf in table.leaves if isinstance(leaf.attribution, Part)]


def part_of(table: Table, value: str | None) -> Part:
    """Return the part that a value of the user hash is in."""
    part = table.leaf(value).attribution
    if not isinstance(part, Part):
        raise TypeError("a stage's table is attributed to parts")
    return part


def odd_lines(
    universe: Universe, starts: Sequence[str], kind: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (what is odd, lines of the header) of values that begin like a group and are none.

    `kind` is that of the source: a claim has one value or none.
    """
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


def _route_of(items: Sequence[Item], request: HttpRequest) -> str | None:
    return next((item.route for item in items if satisfies(item.condition, request)), None)


def _meets(
    table: Table, items: Sequence[Item], values: tuple[str, ...], joined: bool
) -> tuple[str, Action]:
    """Return what is promised to a user hash, and what the rules make of anything else."""
    universe = table.universe
    lines = (",".join(values),) if joined and len(values) > 1 else values
    if not lines or (len(lines) == 1 and universe.contains(lines[0])):
        value = lines[0] if lines else None
        return part_of(table, value).label, _by_outcome(items, str(table.leaf(value).outcome))
    item = first(items, universe, lines)
    if item is None:
        raise ValueError("a route without a catch-all")
    return item.label, item.action


def _by_outcome(items: Sequence[Item], outcome: str) -> Action:
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
