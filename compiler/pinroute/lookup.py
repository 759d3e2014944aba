"""Which version does a user meet, by which rule, and why?

The group comes from the stage's table, the rule from its ordered routes: two views of
the same thing, which compilation has proved equal.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pinroute.compilation import Compiled
from pinroute.istio.emit import grouped
from pinroute.istio.routelist import Item, first, holds
from pinroute.stages.parts import MALFORMED, NO_HASH, UNASSIGNED, Part
from pinroute.stages.stage import Stage
from pinroute.table.bulk import leaf_numbers
from pinroute.table.table import Table


class Answer(NamedTuple):
    """What happens to one value in one entry of `route.http` (`route` is "" without any).

    `bucket` is the number of the bucket that counts the request, if one does.
    """

    value: str | None
    experiment: str
    route: str
    group: str
    version: str
    rule: str
    destination: str
    why: str
    bucket: int | None = None


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
            bucket=part.bucket,
        )


def look_up_many(compiled: Compiled, values: Iterable[str]) -> Iterator[Part]:
    """Yield the part that each of very many values is in, in the first route that takes part."""
    table = next(iter(compiled.stages[0].tables.values()))
    parts = [leaf.attribution for leaf in table.leaves if isinstance(leaf.attribution, Part)]
    for number in leaf_numbers(table, values):
        yield parts[number]


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
