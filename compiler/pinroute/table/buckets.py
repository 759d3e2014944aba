"""Buckets: fixed, equally large blocks that the universe is cut into, and which of them a group owns.

A bucket's number is its place in the universe, counted from 0: the same users, whichever
group has them, in every stage and under every rotation.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pinroute.spec.analysis import numbers_of_buckets
from pinroute.table.ranges import number_of
from pinroute.table.universe import Universe


class Cut(NamedTuple):
    """The prefixes of a group at the edges of buckets.

    `whole` has the prefixes that together are a bucket, by its number: its own prefix, or
    the finer ones that the group lists. `left` are finer ones that fill no bucket. `cut`
    are those of the group that were cut into several buckets.
    """

    whole: dict[int, tuple[str, ...]]
    left: tuple[str, ...]
    cut: tuple[str, ...]


class Coverage(NamedTuple):
    """How many whole buckets a group has, and how many of its user hashes are in none."""

    whole: int
    left: int
    size: int


def length_of(universe: Universe, buckets: int) -> int:
    """Return how many digits name a bucket."""
    return numbers_of_buckets(universe.alphabet, universe.digits).index(buckets) + 1


def cut(universe: Universe, buckets: int, prefixes: Iterable[str]) -> Cut:
    """Cut the prefixes of a group at the edges of buckets, in the order of the universe."""
    length = length_of(universe, buckets)
    whole: dict[int, tuple[str, ...]] = {}
    outer: list[str] = []
    finer: dict[str, list[str]] = {}
    for prefix in _apart(prefixes):
        if len(prefix) > length:
            finer.setdefault(prefix[:length], []).append(prefix)
            continue
        if len(prefix) < length:
            outer.append(prefix)
        size = len(universe.alphabet) ** (length - len(prefix))
        first = number_of(universe, prefix) * size
        inside = Universe(universe.alphabet, length - len(prefix)).values()
        for number, rest in enumerate(inside, first):
            whole[number] = (prefix + rest,)
    left: list[str] = []
    for head, pieces in finer.items():
        if _size(universe, pieces) == universe.size // buckets:
            whole[number_of(universe, head)] = tuple(pieces)
        else:
            left += pieces
    return Cut(dict(sorted(whole.items())), tuple(left), tuple(outer))


def coverage(universe: Universe, buckets: int, prefixes: Iterable[str]) -> Coverage:
    """Count what `cut` would find, without writing it down."""
    length = length_of(universe, buckets)
    size = universe.size // buckets
    total = full = 0
    finer: dict[str, int] = {}
    for prefix in _apart(prefixes):
        own = _size(universe, (prefix,))
        total += own
        if len(prefix) > length:
            finer[prefix[:length]] = finer.get(prefix[:length], 0) + own
        else:
            full += own
    full += sum(part for part in finer.values() if part == size)
    return Coverage(full // size, total - full, total)


def joined(prefixes: Sequence[str]) -> str:
    """Return the prefix of the bucket that disjoint prefixes fill, which are in order."""
    first, last = prefixes[0], prefixes[-1]
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[:length]


def _apart(prefixes: Iterable[str]) -> list[str]:
    """Return prefixes in order, without those that are inside of another one."""
    found: list[str] = []
    for prefix in sorted(prefixes):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


def _size(universe: Universe, prefixes: Sequence[str]) -> int:
    """Return how many user hashes disjoint prefixes hold."""
    base = len(universe.alphabet)
    return sum(base ** (universe.digits - len(prefix)) for prefix in prefixes)
