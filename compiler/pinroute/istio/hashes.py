"""Which user hashes does a match item take? Exactly, as ranges of the universe.

Prefixes and exact values are ranges by themselves; so are the regular expressions that
strict specs write. For every other one each hash is asked, as long as there are not too
many.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pinroute.istio.emit import PRESENT_CLAIM, string_match
from pinroute.istio.evaluate import Call, satisfied, string_matches
from pinroute.istio.read import MatchItem
from pinroute.istio.resource import Fields
from pinroute.istio.routelist import Values
from pinroute.spec.model import HashSource
from pinroute.table.ranges import Range, block_range, common, joined, rest
from pinroute.table.universe import Universe

MOST_HASHES = 1 << 16

EVERY_HASH = ("*", ".*", ".+", "(.*)", PRESENT_CLAIM)  # none is empty or holds a line feed


class TooManyHashes(Exception):
    """A regular expression of the user's own over more hashes than can be asked one by one."""

    def __init__(self, universe: Universe):
        super().__init__(
            f"a rule matches by a regex of its own, and {universe.size:,} user hashes are too "
            "many to ask one by one"
        )


class Taken(NamedTuple):
    """The user hashes that an item takes, in order, and whether it takes requests without one."""

    ranges: tuple[Range, ...]
    absent: bool


class HashMatch(NamedTuple):
    """What an item says about the header of the user hash, and what it says of the rest.

    `held` has to match, `excluded` must not: two spellings of the header, or
    `withoutHeaders`, make more than one of them.
    """

    held: tuple[Fields, ...]
    excluded: tuple[Fields, ...]
    condition: Fields


def hash_match(item: MatchItem) -> HashMatch:
    """Split what an item says about the user hash off the rest of its match."""
    held = [] if item.value is None else [item.value]
    condition = dict(item.residual)
    excluded: list[Fields] = []
    for field, found in (("headers", held), ("withoutHeaders", excluded)):
        names = condition.get(field)
        if not isinstance(names, dict):
            continue
        own = [name for name in names if str(name).lower() == item.header]
        found += [names[name] or {} for name in own]
        left = {name: match for name, match in names.items() if name not in own}
        if left:
            condition[field] = left
        else:
            del condition[field]
    return HashMatch(tuple(held), tuple(excluded), condition)


def taken(match: HashMatch, universe: Universe) -> Taken:
    """Return what of the universe an item takes. Raises TooManyHashes."""
    whole = (Range(0, universe.size),)
    ranges: tuple[Range, ...] = whole
    for one in match.held:
        ranges = common(ranges, matched(_key(one), universe))
    for one in match.excluded:
        inside = whole if not one else matched(_key(one), universe)
        ranges = common(ranges, rest(universe, inside))
    absent = not match.held and all(
        satisfied({"withoutHeaders": {"x": one}}, Call("")) for one in match.excluded
    )
    return Taken(ranges, absent)


def strict_prefix(regex: str, universe: Universe) -> str | None:
    """Return the prefix of a regular expression as strict specs write it, None for others."""
    if regex in EVERY_HASH:
        return ""
    head = re.match(r"[0-9A-Za-z]*", regex)
    prefix = head[0] if head is not None else ""
    if len(prefix) >= universe.digits:
        return None
    written = string_match(Values("hashes", prefix), universe, HashSource("header", ""))
    return prefix if written.get("regex") == regex else None


def _key(match: Fields) -> tuple[str, str]:
    kind = next((kind for kind in ("regex", "exact", "prefix") if kind in match), None)
    return (kind, str(match[kind])) if kind is not None else ("prefix", "")


@lru_cache(maxsize=1 << 14)
def matched(match: tuple[str, str], universe: Universe) -> tuple[Range, ...]:
    """Return the user hashes that satisfy a StringMatch, given as (kind, text)."""
    kind, text = match
    if kind == "regex":
        prefix = strict_prefix(text, universe)
        if prefix is None:
            return tuple(joined(_asked(text, universe)))
    else:
        prefix = text
        if kind == "exact" and len(text) != universe.digits:
            return ()
    if len(prefix) > universe.digits or not set(prefix) <= set(universe.alphabet):
        return ()
    return (block_range(universe, prefix),)


def _asked(regex: str, universe: Universe) -> Iterator[Range]:
    if universe.size > MOST_HASHES:
        raise TooManyHashes(universe)
    for number, value in enumerate(universe.values()):
        if string_matches({"regex": regex}, value):
            yield Range(number, number + 1)
