"""The ordered list of routes behind a VirtualService: the first item that matches wins.

An item is (condition without the user hash, set of hash values, action, provenance).
The emitter, `lookup` and the proof that the output says what the spec says share it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pinroute.spec.model import Body, HashSource
from pinroute.table.table import Block, Leaf, Table, table_of
from pinroute.table.universe import Universe


class Values(NamedTuple):
    """A set of values of the user hash.

    `any` holds every value and the missing one, `present` every value, `prefix` all
    strings that begin with `prefix`, `hashes` the user hashes among those.
    """

    kind: str
    prefix: str = ""


ANY = Values("any")
PRESENT = Values("present")


class Action(NamedTuple):
    """What a request gets: the fields of an Istio HTTPRoute except `name` and `match`."""

    fields: Body
    outcome: str


def action(fields: Body) -> Action:
    """Make an action; two actions with equal fields have the same outcome."""
    return Action(fields, json.dumps(fields, sort_keys=True, separators=(",", ":")))


class Item(NamedTuple):
    """One match item. `route` is the entry of `route.http`, `label` the group, or what else it is.

    `bucket` is the number of the bucket that it takes, if it takes one.
    """

    condition: Body
    values: Values
    action: Action
    route: str
    rule: str
    label: str
    stat_prefix: str | None = None
    bucket: int | None = None

    @property
    def counter(self) -> str | None:
        """The statPrefix of a bucket: what is counted under it has to be that bucket."""
        return self.stat_prefix if self.bucket is not None else None


class RouteList(NamedTuple):
    """All items of one VirtualService, in order."""

    source: HashSource
    universe: Universe
    items: tuple[Item, ...]

    def routes(self) -> list[str]:
        """Return the names of the entries of `route.http`, in order."""
        return list(dict.fromkeys(item.route for item in self.items))

    def of_route(self, route: str) -> list[Item]:
        """Return the items of one entry of `route.http`."""
        return [item for item in self.items if item.route == route]


def holds(values: Values, universe: Universe, value: str | None) -> bool:
    """Tell whether a set holds a value (None is a missing one)."""
    if values.kind == "any":
        return True
    if value is None:
        return False
    if values.kind == "hashes" and not universe.contains(value):
        return False
    return value.startswith(values.prefix)


def first(items: Iterable[Item], universe: Universe, values: Sequence[str]) -> Item | None:
    """Return the first item that takes a request with these header lines (none: absent).

    Each line is matched by itself, and one is enough: Envoy 1.39 and newer.
    """
    lines: Sequence[str | None] = values or [None]
    for item in items:
        if any(holds(item.values, universe, line) for line in lines):
            return item
    return None


def table_of_items(items: Sequence[Item], universe: Universe) -> Table:
    """Return the table that items of one condition make: what the written rules say.

    Its leaves are attributed to the counters of buckets.
    """
    leaves = list(dict.fromkeys(Leaf(item.action.outcome, item.counter) for item in items))
    number = {leaf: index for index, leaf in enumerate(leaves)}
    reached: list[tuple[Block, int]] = []
    for item in items:
        leaf = number[Leaf(item.action.outcome, item.counter)]
        if item.values.kind == "any":
            return table_of(universe, leaves, leaf, leaf, reached)
        reached.append((Block(item.values.prefix, item.values.kind == "hashes"), leaf))
    raise ValueError("a route without a catch-all leaves requests unrouted")
