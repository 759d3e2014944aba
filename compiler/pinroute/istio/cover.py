"""Which match items can never be reached, because others before them take all they would take?

"Dead" is said only where it is so: where the earlier item's every condition follows from
the later one's. An implication that cannot be decided counts as none.
"""

import json
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from pinroute.istio.implication import ANYTHING, EXCLUDED, follows, matches
from pinroute.istio.read import MAP_FIELDS, PLACE_FIELDS, STRING_FIELDS, MatchItem
from pinroute.istio.resource import Fields, as_mapping

_Field = tuple[str, str]

WHOLE = ("uri", "prefix", "/")
KINDS = ("exact", "prefix", "regex")


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
        self._lengths: list[int] = []
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
            matching = (item for regex, item in self.regexes.items() if matches(regex, text))
            return self._head(text) or next(matching, None)
        text = value.get("prefix")
        if isinstance(text, str):
            return self._head(text)
        text = value.get("regex")
        return self.regexes.get(text) if isinstance(text, str) else None

    def _head(self, text: str) -> MatchItem | None:
        for length in self._lengths:
            if length > len(text):
                break
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
            text = value["prefix"]
            self.prefixes.setdefault(text, item)
            if len(text) not in self._lengths:
                insort(self._lengths, len(text))
        elif isinstance(value.get("exact"), str):
            self.exacts.setdefault(value["exact"], item)
        elif isinstance(value.get("regex"), str):
            if value["regex"] in ANYTHING:
                self.present = self.present or item
            self.regexes.setdefault(value["regex"], item)


class _Classes:
    """The classes of a list of items, and which of them are wider than a condition.

    A class is filed under one text that its condition demands or excludes, the rarest of
    the list; what implies it says something of the same field. So of very many conditions
    those are looked at one by one only that say nothing of the kind.
    """

    def __init__(self, items: Sequence[MatchItem]) -> None:
        self._by_key: dict[str, _Class] = {}
        self._filed: dict[tuple[_Field, str], dict[str, list[_Class]]] = {}
        self._others: list[_Class] = []
        self._wider: dict[int, tuple[int, list[_Class]]] = {}
        self._often = Counter(
            said for item in items if item.residual for said in _said(item.residual)
        )

    def of(self, item: MatchItem) -> _Class:
        """Return the class of an item, a new one if it is the first."""
        key = json.dumps(item.residual, sort_keys=True, default=str) if item.residual else ""
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = _Class(item.residual)
            narrowing = filter(_narrows, _said(item.residual))
            said = min(narrowing, key=self._often.__getitem__, default=None)
            if said is None:
                self._others.append(found)
            else:
                field, kind, text = said
                self._filed.setdefault((field, kind), {}).setdefault(text, []).append(found)
        return found

    def wider(self, own: _Class) -> list[_Class]:
        """Return the classes whose condition follows from that of a class, with itself."""
        number, known = self._wider.get(id(own), (0, []))
        if number != len(self._by_key):
            near = (*self._others, *self._near(own.residual))
            known = [one for one in near if follows(own.residual, one.residual)]
            self._wider[id(own)] = len(self._by_key), known
        return known

    def _near(self, narrow: Fields) -> Iterator[_Class]:
        for key, match in as_mapping(narrow.get(EXCLUDED)).items():
            if "exact" not in as_mapping(match):  # whoever excludes some of its texts is wider
                for kind in KINDS:
                    filed = self._filed.get(((EXCLUDED, key), kind), {})
                    yield from chain.from_iterable(filed.values())
        for field, kind, text in _said(narrow):
            if field[0] == EXCLUDED and kind != "exact":
                continue
            yield from self._filed.get((field, kind), {}).get(text, ())
            if kind == "exact":
                regexes = self._filed.get((field, "regex"), {})
                yield from chain.from_iterable(regexes.values())
            prefixes = self._filed.get((field, "prefix"), {}) if kind != "regex" else {}
            for length in range(len(text) + (kind == "exact")) if prefixes else ():
                yield from prefixes.get(text[:length], ())


def _said(condition: Fields) -> Iterator[tuple[_Field, str, str]]:
    """Yield what a condition says of texts: field, kind and text."""
    for name in STRING_FIELDS:
        # Where case is ignored, what implies a text is not below it.
        if not (name == "uri" and condition.get("ignoreUriCase")):
            yield from _texts((name, ""), condition.get(name))
    for name in ("headers", "queryParams", EXCLUDED):
        for key, match in as_mapping(condition.get(name)).items():
            yield from _texts((name, key), match)


def _texts(field: _Field, match: object) -> Iterator[tuple[_Field, str, str]]:
    for kind, text in as_mapping(match).items():
        if isinstance(text, str):
            yield field, kind, text


def _narrows(said: tuple[_Field, str, str]) -> bool:
    """Tell whether a demand keeps any request out that has the field at all."""
    field, kind, text = said
    return text not in ANYTHING if kind == "regex" else (field[0], kind, text) != WHOLE


def dead_items(items: Sequence[MatchItem]) -> Iterator[Dead]:
    """Yield each item that no request reaches.

    Near linear: items are grouped by their residual condition; an item is looked up by
    the heads of its value in each group whose condition follows from its own.
    """
    classes = _Classes(items)
    for item in items:
        own = classes.of(item)
        for group in classes.wider(own):
            by = group.taker(item.value)
            if by is not None:
                yield Dead(item, by)
                break
        else:
            own.add(item)


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
