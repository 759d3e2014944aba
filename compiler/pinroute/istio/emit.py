"""From the ordered list to a VirtualService."""

import re
from typing import Any

from pinroute.istio.routelist import Item, RouteList, Values
from pinroute.spec.model import HashSource
from pinroute.table.universe import Universe

JsonObject = dict[str, Any]

PRESENT_CLAIM = "(?s).*"

_CLASS_SPECIAL = r"([\]\[\\^-])"
_SPECIAL = r"([^A-Za-z0-9])"


def match_key(source: HashSource) -> str:
    """Return the key of the user hash in a match: header names have no case."""
    if source.kind == "claim":
        return f"@request.auth.claims.{source.name}"
    return source.name.lower()


def string_match(values: Values, universe: Universe, source: HashSource) -> JsonObject:
    """Return the StringMatch of a set of values. `any` has none: it is no match at all."""
    if values.kind == "prefix":
        return {"prefix": values.prefix}
    if values.kind == "hashes":
        left = universe.digits - len(values.prefix)
        if left == 0:
            return {"exact": values.prefix}
        return {
            "regex": re.sub(_SPECIAL, r"\\\1", values.prefix) + _repeated(universe.alphabet, left)
        }
    # An empty StringMatch means "present" for a header; for a claim that is not documented.
    # An empty claim is a present one too, and a claim may hold a line feed.
    return {} if source.kind == "header" else {"regex": PRESENT_CLAIM}


def _repeated(alphabet: str, times: int) -> str:
    ranges = {"0123456789": "0-9", "0123456789abcdef": "0-9a-f"}
    characters = ranges.get(alphabet) or re.sub(_CLASS_SPECIAL, r"\\\1", alphabet)
    return f"[{characters}]" + (f"{{{times}}}" if times > 1 else "")


def grouped(routes: RouteList) -> list[list[Item]]:
    """Return the items of each rule: those of one rule that stand side by side.

    An item that takes every request stands alone: nothing can join a rule without a match.
    """
    rules: list[list[Item]] = []
    for item in routes.items:
        joins = bool(rules) and bool(_match(item, routes)) and bool(_match(rules[-1][-1], routes))
        if joins and (rules[-1][-1].rule, rules[-1][-1].action.outcome) == (
            item.rule,
            item.action.outcome,
        ):
            rules[-1].append(item)
        else:
            rules.append([item])
    return rules


def http_rules(routes: RouteList) -> list[JsonObject]:
    """Return `spec.http`, one entry a rule."""
    rules: list[JsonObject] = []
    for items in grouped(routes):
        rule: JsonObject = {"name": items[0].rule} if items[0].rule else {}
        matches = [_match(item, routes) for item in items]
        if matches[0]:
            rule["match"] = matches
        rule.update(items[0].action.fields)
        rules.append(rule)
    return rules


def _match(item: Item, routes: RouteList) -> JsonObject:
    match = dict(item.condition)
    if item.values.kind != "any":
        headers = dict(match.pop("headers", {}))
        headers[match_key(routes.source)] = string_match(
            item.values, routes.universe, routes.source
        )
        match["headers"] = headers
    if item.stat_prefix is not None:
        match["statPrefix"] = item.stat_prefix
    return match


def match_items(rules: list[JsonObject]) -> int:
    """Count match items as Envoy does: a rule without a match is one route too."""
    return sum(len(rule.get("match") or ()) or 1 for rule in rules)
