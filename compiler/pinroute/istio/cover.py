"""Which match items can never be reached, because others before them take all they would take?

"Dead" is said only where it is so: where the earlier item's every condition follows from
the later one's. An implication that cannot be decided counts as none.
"""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinroute.istio.read import MAP_FIELDS, PLACE_FIELDS, STRING_FIELDS, MatchItem
from pinroute.istio.regex import full_match, regex_problem
from pinroute.istio.resource import Fields

_ANYTHING = frozenset({"(?s).*", "[\\s\\S]*", ".*", "(.*)"})


class Dead(NamedTuple):
    """An item that no request reaches, and an earlier one that takes all of its requests."""

    item: MatchItem
    by: MatchItem


class _Class:
    """Items with one residual condition, by what they say about the header."""

    def __init__(self, residual: Fields) -> None:
        self.residual = residual
        self.every: MatchItem | None = None
        self.present: MatchItem | None = None
        self.prefixes: dict[str, MatchItem] = {}
        self.exacts: dict[str, MatchItem] = {}
        self.regexes: dict[str, MatchItem] = {}

    def taker(self, value: Fields | None) -> MatchItem | None:
        """Return an item that takes every request with such a header."""
        if self.every is not None or value is None:
            return self.every
        if self.present is not None:
            return self.present
        text = value.get("exact")
        if isinstance(text, str):
            if text in self.exacts:
                return self.exacts[text]
            matching = (item for regex, item in self.regexes.items() if _matches(regex, text))
            return self._head(text) or next(matching, None)
        text = value.get("prefix")
        if isinstance(text, str):
            return self._head(text)
        text = value.get("regex")
        return self.regexes.get(text) if isinstance(text, str) else None

    def _head(self, text: str) -> MatchItem | None:
        for length in range(1, len(text) + 1):
            found = self.prefixes.get(text[:length])
            if found is not None:
                return found
        return None

    def add(self, item: MatchItem) -> None:
        value = item.value
        if value is None:
            self.every = self.every or item
        elif not value:
            self.present = self.present or item
        elif isinstance(value.get("prefix"), str):
            self.prefixes.setdefault(value["prefix"], item)
        elif isinstance(value.get("exact"), str):
            self.exacts.setdefault(value["exact"], item)
        elif isinstance(value.get("regex"), str):
            if value["regex"] in _ANYTHING:
                self.present = self.present or item
            self.regexes.setdefault(value["regex"], item)


def dead_items(items: Sequence[MatchItem]) -> Iterator[Dead]:
    """Yield each item that no request reaches.

    Near linear: items are grouped by their residual condition; an item is looked up by
    the heads of its value in each group whose condition follows from its own.
    """
    classes: dict[str, _Class] = {}
    wider: dict[str, list[_Class]] = {}
    for item in items:
        key = json.dumps(item.residual, sort_keys=True, default=str)
        own = classes.get(key)
        if own is None:
            own = _Class(item.residual)
            wider[key] = [
                other for other in classes.values() if _follows(item.residual, other.residual)
            ]
            for other, known in wider.items():
                if other != key and _follows(classes[other].residual, item.residual):
                    known.append(own)
            wider[key].append(own)
            classes[key] = own
        takers = (group.taker(item.value) for group in wider[key])
        by = next((taker for taker in takers if taker is not None), None)
        if by is not None:
            yield Dead(item, by)
        else:
            own.add(item)


def disjoint(one: MatchItem, other: MatchItem) -> bool:
    """Tell whether it is sure that no request satisfies both items; each header comes once.

    Where a regular expression hides it, it is not sure.
    """
    first, second = one.residual, other.residual
    if one.value is not None and other.value is not None and _exclude(one.value, other.value):
        return True
    for name in STRING_FIELDS:
        folded = name == "uri" and (first.get("ignoreUriCase") or second.get("ignoreUriCase"))
        pair = [_object(match.get(name)) for match in (first, second)]
        if folded:  # a regular expression does not follow ignoreUriCase
            pair = [{} if "regex" in match else _folded(match) for match in pair]
        if _exclude(*pair):
            return True
    for name in ("headers", "queryParams"):
        for key, match in _object(first.get(name)).items():
            if _exclude(_object(match), _object(_object(second.get(name)).get(key))):
                return True
    return _kept_out(first, second) or _kept_out(second, first) or _elsewhere(first, second)


def _object(field: object) -> Fields:
    return field if isinstance(field, dict) else {}


def _exclude(one: Fields, other: Fields) -> bool:
    """Tell whether it is sure that no value satisfies two StringMatches."""
    for given, condition in ((one, other), (other, one)):
        exact = given.get("exact")
        if isinstance(exact, str) and "regex" in condition:
            regex = str(condition["regex"])
            return regex_problem(regex) is None and not full_match(regex, exact)
        if isinstance(exact, str) and ("exact" in condition or "prefix" in condition):
            return not _implies(given, condition)
    prefixes = [str(match["prefix"]) for match in (one, other) if "prefix" in match]
    if len(prefixes) < 2:
        return False
    return not (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))


def _kept_out(one: Fields, other: Fields) -> bool:
    """Tell whether a header that one demands is one that the other excludes."""
    demanded = _object(one.get("headers"))
    return any(
        key.lower() in demanded and _implies(_object(demanded[key.lower()]), _object(match))
        for key, match in _object(other.get("withoutHeaders")).items()
    )


def _elsewhere(one: Fields, other: Fields) -> bool:
    """Tell whether two items are at different places: ports, gateways, sources."""
    if one.get("port") and other.get("port") and one["port"] != other["port"]:
        return True
    here, there = one.get("gateways"), other.get("gateways")
    if here and there:
        return not set(here) & set(there)
    # Beside gateways istiod does not look at the source.
    sources = (one.get("sourceNamespace"), other.get("sourceNamespace"))
    return not here and not there and all(sources) and sources[0] != sources[1]


def takes_everything(item: MatchItem) -> bool:
    """Tell whether istiod takes an item for a catch-all everywhere, and drops what follows it."""
    # At another port or gateway the item is not there at all.
    return is_catch_all(item) and not any(item.residual.get(name) for name in PLACE_FIELDS)


def is_catch_all(item: MatchItem) -> bool:
    """Tell whether istiod takes an item for a catch-all where it is there."""
    if item.value is not None:
        return False
    uri = item.residual.get("uri")
    if isinstance(uri, dict) and uri and uri not in ({"prefix": "/"}, {"regex": ".*"}):
        return False
    return not any(item.residual.get(name) for name in (*MAP_FIELDS, *STRING_FIELDS[1:]))


def _follows(narrow: Fields, wide: Fields) -> bool:
    """Tell whether every request that satisfies `narrow` satisfies `wide`."""
    for name in STRING_FIELDS:
        condition = wide.get(name)
        if not isinstance(condition, dict) or not condition:
            continue
        if name == "uri" and condition in ({"prefix": "/"}, {"regex": ".*"}):
            continue
        given = narrow.get(name)
        if not isinstance(given, dict) or not given:
            return False
        if name == "uri" and bool(narrow.get("ignoreUriCase")) != bool(wide.get("ignoreUriCase")):
            return False
        folded = name == "uri" and bool(wide.get("ignoreUriCase"))
        if not _implies(
            _folded(given) if folded else given, _folded(condition) if folded else condition
        ):
            return False
    for name in MAP_FIELDS:
        for key, condition in _object(wide.get(name)).items():
            given = _object(narrow.get(name)).get(key)
            if not isinstance(given, dict) or not isinstance(condition, dict):
                return False
            # Excluding more implies excluding less.
            ways = (condition, given) if name == "withoutHeaders" else (given, condition)
            if not _implies(*ways):
                return False
    return _there(narrow, wide)


def _there(narrow: Fields, wide: Fields) -> bool:
    """Tell whether `wide` is there at every listener where `narrow` is."""
    if wide.get("port") and wide["port"] != narrow.get("port"):
        return False
    gateways = narrow.get("gateways") or ()
    if wide.get("gateways"):
        return bool(gateways) and set(gateways) <= set(wide["gateways"])
    labels, namespace = wide.get("sourceLabels") or {}, wide.get("sourceNamespace")
    if gateways:
        return not labels and not namespace  # beside gateways istiod does not look at the source
    given = narrow.get("sourceLabels") or {}
    return namespace in (None, "", narrow.get("sourceNamespace")) and all(
        given.get(name) == value for name, value in labels.items()
    )


def _folded(match: Fields) -> Fields:
    return {kind: str(text).lower() for kind, text in match.items()}


def _implies(given: Fields, condition: Fields) -> bool:
    """Tell whether a value that satisfies one StringMatch satisfies another."""
    if not condition or given == condition:
        return True
    exact = given.get("exact")
    if isinstance(exact, str):
        if "prefix" in condition:
            return exact.startswith(str(condition["prefix"]))
        return "regex" in condition and _matches(str(condition["regex"]), exact)
    prefix = given.get("prefix")
    if isinstance(prefix, str) and "prefix" in condition:
        return prefix.startswith(str(condition["prefix"]))
    return str(condition.get("regex")) in _ANYTHING


def _matches(regex: str, text: str) -> bool:
    return regex_problem(regex) is None and full_match(regex, text)
