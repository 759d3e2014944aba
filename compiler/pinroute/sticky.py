"""A split by weight made sticky: the same shares, by prefixes of a user hash.

Each rule that draws among several destinations becomes rules that choose by the hash,
smallest longest-prefix list first; requests without a hash are drawn as before.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from pinroute.table.niagara import Rule, split
from pinroute.table.universe import Universe

JsonObject = dict[str, Any]


class Arm(NamedTuple):
    """A destination of a split: its weight among all, and the share that it gets."""

    host: str
    weight: Fraction
    share: Fraction


class Stuck(NamedTuple):
    """What has become of one rule: its place in the new list, and its arms."""

    rule: str
    arms: tuple[Arm, ...]
    prefixes: int


class NothingToStick(Exception):
    """No rule draws among several destinations, or one already looks at the hash."""


def stick(
    service: Mapping[str, Any], header: str, universe: Universe, budget: int | None = None
) -> tuple[JsonObject, list[Stuck]]:
    """Return the VirtualService with sticky splits, and what was done.

    `budget` limits the rules of each split; the shares are then as close as that many
    can be. Raises NothingToStick.
    """
    rules: list[JsonObject] = []
    done: list[Stuck] = []
    for number, rule in enumerate(service["spec"]["http"]):
        label = str(rule.get("name") or f"#{number}")
        entries = [entry for entry in rule.get("route", ()) if entry.get("weight", 0) > 0]
        if len(entries) < 2:
            rules.append(rule)
            continue
        if _looks_at(rule, header):
            raise NothingToStick(f"rule {label} matches on {header!r} already")
        total = sum(entry["weight"] for entry in entries)
        weights = [Fraction(entry["weight"], total) for entry in entries]
        chosen = split(universe, [weight * universe.size for weight in weights], budget)
        rules += _sticky(rule, entries, chosen, header)
        rules.append(rule)
        shares = _shares(universe, chosen, len(entries))
        arms = tuple(
            Arm(_shown(entry), weight, share)
            for entry, weight, share in zip(entries, weights, shares, strict=True)
        )
        done.append(Stuck(label, arms, len(chosen)))
    if not done:
        raise NothingToStick("no rule draws among several destinations by weight")
    spec = {**service["spec"], "http": rules}
    return {**service, "spec": spec}, done


def _looks_at(rule: Mapping[str, Any], header: str) -> bool:
    return any(
        name.lower() == header.lower()
        for item in rule.get("match") or ()
        for field in ("headers", "withoutHeaders")
        for name in item.get(field) or ()
    )


def _sticky(
    rule: Mapping[str, Any], entries: Sequence[JsonObject], chosen: Sequence[Rule], header: str
) -> list[JsonObject]:
    """Return one rule for each run of blocks that go to one arm, longest prefixes first."""
    found: list[JsonObject] = []
    previous: int | None = None
    for block in chosen:
        value = {"prefix": block.prefix} if block.prefix else {}
        matches: Sequence[Mapping[str, Any]] = rule.get("match") or ({},)
        items = [
            {**item, "headers": {**(item.get("headers") or {}), header: value}} for item in matches
        ]
        if block.arm == previous:
            found[-1]["match"] += items
            continue
        previous = block.arm
        made: JsonObject = {}
        if rule.get("name"):
            made["name"] = f"{rule['name']}-sticky-{len(found)}"
        made["match"] = items
        rest = {key: item for key, item in rule.items() if key not in ("name", "match", "route")}
        made.update(rest)
        made["route"] = [_alone(entries[block.arm], rule.get("headers") or {})]
        found.append(made)
    return found


def _alone(entry: JsonObject, above: Mapping[str, Any]) -> JsonObject:
    """Return a destination that stands alone and sends what it sent among others.

    Of a header that the rule sets too, the rule's value won; alone, the destination's
    would, so it is left out.
    """
    kept = {key: item for key, item in entry.items() if key not in ("weight", "headers")}
    headers: JsonObject = {}
    for side, operations in (entry.get("headers") or {}).items():
        taken = {name.lower() for name in (above.get(side) or {}).get("set") or {}}
        left = {
            operation: (
                {name: value for name, value in names.items() if name.lower() not in taken}
                if operation == "set"
                else names
            )
            for operation, names in operations.items()
        }
        left = {operation: names for operation, names in left.items() if names}
        if left:
            headers[side] = left
    if headers:
        kept["headers"] = headers
    return kept


def _shares(universe: Universe, chosen: Sequence[Rule], arms: int) -> list[Fraction]:
    """Return the share of each arm, read off the rules: what a block has less what is in it."""
    shares = [Fraction(0)] * arms
    for index, block in enumerate(chosen):
        size = Fraction(1, len(universe.alphabet) ** len(block.prefix))
        shares[block.arm] += size
        outer = next(
            (other for other in chosen[index + 1 :] if block.prefix.startswith(other.prefix)), None
        )
        if outer is not None:
            shares[outer.arm] -= size
    return shares


def _shown(entry: Mapping[str, Any]) -> str:
    destination = entry["destination"]
    subset = destination.get("subset")
    return f"{destination['host']} subset {subset}" if subset else str(destination["host"])
