"""Ranges of user hashes, and the prefixes that cover them.

A range is [start, end) over the user hashes in order, counted from 0. A block is a range
that a prefix names: aligned, and a power of the alphabet's size long.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pinroute.table.universe import Universe


class Range(NamedTuple):
    """The user hashes from `start` on, up to but not with `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """How many user hashes there are."""
        return self.end - self.start

    def overlaps(self, other: "Range") -> bool:
        """Tell whether two ranges share a user hash."""
        return max(self.start, other.start) < min(self.end, other.end)


def number_of(universe: Universe, value: str) -> int:
    """Return the place of a user hash in the order of all."""
    number = 0
    for char in value:
        number = number * len(universe.alphabet) + universe.alphabet.index(char)
    return number


def hash_at(universe: Universe, number: int) -> str:
    """Return the user hash at a place."""
    chars: list[str] = []
    for _ in range(universe.digits):
        number, digit = divmod(number, len(universe.alphabet))
        chars.append(universe.alphabet[digit])
    return "".join(reversed(chars))


def block_range(universe: Universe, prefix: str) -> Range:
    """Return the range of a prefix."""
    size = len(universe.alphabet) ** (universe.digits - len(prefix))
    start = number_of(universe, prefix) * size
    return Range(start, start + size)


def cover(universe: Universe, wanted: Range) -> list[str]:
    """Return the fewest disjoint prefixes that hold exactly a range, in order.

    Greedy from the left: each time the largest aligned block that fits. At most
    2 (k − 1) blocks of each length.
    """
    base = len(universe.alphabet)
    found: list[str] = []
    start = wanted.start
    while start < wanted.end:
        size, length = 1, universe.digits
        while length > 0 and start % (size * base) == 0 and start + size * base <= wanted.end:
            size *= base
            length -= 1
        found.append(hash_at(universe, start)[:length])
        start += size
    return found


def cost(universe: Universe, wanted: Range) -> int:
    """Return how many prefixes `cover` needs, without writing them down."""
    base = len(universe.alphabet)
    start, end = wanted
    count = 0
    while start < end:
        # What stands out on both sides of the blocks that are one digit shorter.
        head = min(-start % base, end - start)
        tail = 0 if start + head == end else end % base
        count += head + tail
        start, end = (start + head) // base, (end - tail) // base
    return count


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return ranges in order, those that touch or overlap made one."""
    found: list[Range] = []
    for item in sorted(ranges):
        if found and item.start <= found[-1].end:
            found[-1] = Range(found[-1].start, max(found[-1].end, item.end))
        else:
            found.append(item)
    return found


def common(one: Sequence[Range], two: Sequence[Range]) -> tuple[Range, ...]:
    """Return what two lists of ranges share; each is in order and without overlap."""
    found: list[Range] = []
    left = right = 0
    while left < len(one) and right < len(two):
        start = max(one[left].start, two[right].start)
        end = min(one[left].end, two[right].end)
        if start < end:
            found.append(Range(start, end))
        if one[left].end <= two[right].end:
            left += 1
        else:
            right += 1
    return tuple(found)


def rest(universe: Universe, ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return the user hashes that are in none of the ranges, which are in order."""
    found: list[Range] = []
    start = 0
    for item in ranges:
        if start < item.start:
            found.append(Range(start, item.start))
        start = item.end
    if start < universe.size:
        found.append(Range(start, universe.size))
    return tuple(found)
