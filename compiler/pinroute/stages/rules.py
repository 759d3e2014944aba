"""From the parts of a stage to the items of one entry of `route.http`.

`per-group` writes a rule for each group, with its prefixes as they are given;
`minimal` writes the fewest match items that route every user hash alike. Both write a
match item for each bucket, counted by itself.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import count
from typing import Any, NamedTuple

from pinroute.istio.counters import Counters
from pinroute.istio.routelist import ANY, PRESENT, Action, Item, Values, action
from pinroute.spec.meaning import RESERVED
from pinroute.spec.model import HttpRoute, VersionName
from pinroute.stages.parts import FALLBACK, MALFORMED, NO_HASH, Part, merged_fallback, whole
from pinroute.table.minimise import Labelled, minimise
from pinroute.table.table import Block, Leaf, Table, table_of
from pinroute.table.universe import Universe

EVERY_REQUEST: tuple[dict[str, Any], ...] = ({},)


class Naming(NamedTuple):
    """How the rules of an experiment and their counters are called; None or "" is: not at all."""

    rule_prefix: str
    counters: Counters | None

    def rule(self, label: str, route: str) -> str:
        """Return the name of a rule."""
        if not self.rule_prefix:
            return ""
        return f"{self.rule_prefix}{label}/{route}" if route else f"{self.rule_prefix}{label}"

    def stat(self, label: str, version: VersionName, bucket: int | None) -> str | None:
        """Return the statPrefix of a group, or of one of its buckets."""
        if self.counters is None:
            return None
        return self.counters.stat_prefix(label, version, bucket)


def table_of_parts(
    parts: Sequence[Part], universe: Universe, act: Callable[[VersionName], Action]
) -> Table:
    """Return the table that a stage has to make: outcomes are actions, attributions are parts."""
    leaves = [Leaf(act(part.version).outcome, part) for part in parts]
    last = len(parts) - 1
    reached = [
        (Block(values.prefix, values.kind == "hashes"), number)
        for number, part in enumerate(parts)
        for values in part.values
        if values.kind != "any"
    ]
    return table_of(universe, leaves, last, last, reached)


def group_items(
    parts: Sequence[Part],
    route: HttpRoute | None,
    naming: Naming,
    act: Callable[[VersionName], Action],
) -> list[Item]:
    """Return the items of `rules: per-group`."""
    return [
        item
        for part in merged_fallback(parts)
        for item in _items(part, act(part.version), route, naming)
    ]


def minimal_items(
    parts: Sequence[Part],
    route: HttpRoute | None,
    naming: Naming,
    act: Callable[[VersionName], Action],
    table: Table,
) -> list[Item]:
    """Return the items of `rules: minimal`: the proved optimum, grouped into few rules.

    Buckets come first, one item each: what is left need not say anything about their user
    hashes. Its root is where requests without a hash go. A malformed hash shares the block
    that it begins like; with `strict` it goes where `malformed` says, and where that is
    another version, its rule takes the hashes that no longer prefix names, too.
    """
    version_of = {act(part.version).outcome: part.version for part in reversed(parts)}
    rest = parts[-1]
    malformed = next((part for part in parts if part.label == MALFORMED), rest)
    apart = act(malformed.version).outcome != act(rest.version).outcome
    root = parts.index(malformed) if apart else table.absent
    buckets = [whole(part) for part in parts if part.bucket is not None]
    items = [item for part in buckets for item in _items(part, act(part.version), route, naming)]
    taken = {*RESERVED, *version_of.values()}
    used = {part.label for part in buckets}
    free = frozenset(number for number, part in enumerate(parts) if part.bucket is not None)
    for outcome, prefixes in _layers(minimise(table, root, free)):
        version = version_of[str(outcome)]
        label = _label(version, taken, used)
        used.add(label)
        values = tuple(_block(prefix, table.strict) for prefix in prefixes)
        items += _items(Part(label, version, values), act(version), route, naming)
    if apart:
        other = Part(MALFORMED, malformed.version, (PRESENT,))
        items += _items(other, act(other.version), route, naming)
    label = FALLBACK if rest.label == NO_HASH else rest.label
    return items + _items(rest._replace(label=label), act(rest.version), route, naming)


def _label(version: str, taken: set[str], used: set[str]) -> str:
    """Name a rule after its version, so that no two rules or counters share a name."""
    if version not in RESERVED and version not in used:
        return version
    return next(
        label
        for label in (f"{version}-{number}" for number in count(2))
        if label not in taken and label not in used
    )


def _block(prefix: str, strict: bool) -> Values:
    if strict:
        return Values("hashes", prefix)
    return Values("prefix", prefix) if prefix else PRESENT


def _layers(labelled: Sequence[Labelled]) -> list[tuple[Hashable, list[str]]]:
    """Group a longest-prefix list into few first-match rules.

    A prefix with nothing longer inside is in layer 0, one that holds such is in layer
    1, and so on: what is written first is never inside of what follows.
    """
    height: dict[str, int] = {}
    open_: list[str] = []
    outcome_of = {item.prefix: item.outcome for item in labelled}
    for prefix in sorted(outcome_of):
        while open_ and not prefix.startswith(open_[-1]):
            open_.pop()
        height[prefix] = 0
        for level, outer in enumerate(reversed(open_), 1):
            height[outer] = max(height[outer], level)
        open_.append(prefix)
    layers: dict[tuple[int, int], tuple[Hashable, list[str]]] = {}
    order = list(dict.fromkeys(outcome_of.values()))
    for prefix in sorted(outcome_of):
        outcome = outcome_of[prefix]
        key = (height[prefix], order.index(outcome))
        layers.setdefault(key, (outcome, []))[1].append(prefix)
    return [layers[key] for key in sorted(layers)]


def _items(part: Part, act: Action, route: HttpRoute | None, naming: Naming) -> list[Item]:
    name = route.name if route is not None else ""
    conditions = (route.match if route is not None else ()) or EVERY_REQUEST
    rule = naming.rule(part.label, name)
    stat = naming.stat(part.label, part.version, part.bucket)
    return [
        Item(condition, one, act, name, rule, part.label, stat, part.bucket)
        for one in part.values
        for condition in conditions
    ]


def raw_items(route: HttpRoute, named: bool) -> list[Item]:
    """Return the items of a rule that is passed through."""
    fields = dict(route.raw or {})
    conditions = fields.pop("match", None) or EVERY_REQUEST
    act = action(fields)
    name = route.name if named else ""
    return [Item(condition, ANY, act, route.name, name, route.name) for condition in conditions]
