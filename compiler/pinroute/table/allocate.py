"""Percentages to users: each group owns a slot of the universe and fills it from one end.

Because a slot is nobody else's, editing, adding or removing a group moves no user of
another; because a larger share holds the smaller one, a ramp moves no user twice.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pinroute.table.ranges import Range, cost, joined
from pinroute.table.universe import Universe


class Slot(NamedTuple):
    """A range of the universe that one group owns; `down`: it is filled from its end."""

    range: Range
    down: bool = False

    def part(self, units: int) -> Range:
        """Return the users of a group of `units` user hashes."""
        if self.down:
            return Range(self.range.end - units, self.range.end)
        return Range(self.range.start, self.range.start + units)


def units_of(universe: Universe, percent: Fraction) -> int:
    """Return the number of user hashes that is closest to a percentage; halves go up."""
    return int(percent * universe.size / 100 + Fraction(1, 2))


def percent_of(universe: Universe, units: int) -> Fraction:
    """Return the percentage that a number of user hashes is, exactly."""
    return Fraction(100 * units, universe.size)


def free_ranges(universe: Universe, taken: Sequence[Range]) -> list[Range]:
    """Return what is left of the universe, in order."""
    found: list[Range] = []
    start = 0
    for item in joined(item for item in taken if item.size):
        if item.start > start:
            found.append(Range(start, item.start))
        start = max(start, item.end)
    if start < universe.size:
        found.append(Range(start, universe.size))
    return found


def place(
    universe: Universe, taken: Sequence[Range], units: int, *, aligned: bool = True
) -> Slot | None:
    """Return a slot for a group that has none: the first free place that is large enough.

    Of the places in a free range the best aligned one is taken, so that few prefixes
    cover what the group fills; without `aligned` the first one, which leaves no gaps.
    None if there is no room.
    """
    base = len(universe.alphabet)
    size = 1
    while aligned and size < units:
        size *= base
    while size >= 1:
        for free in free_ranges(universe, taken):
            start = -(-free.start // size) * size
            if start + units <= free.end:
                return Slot(Range(start, start + units))
        size //= base
    return None


def closest(universe: Universe, slot: Slot, units: int, tolerance: int, least: int = 0) -> int:
    """Return the number of user hashes near `units` that the fewest prefixes cover.

    At most `tolerance` away, at least `least`; of equally cheap ones the closest, then
    the smaller. A group that has users keeps some. More units never give fewer user
    hashes: under one tolerance a ramp moves nobody back.
    """
    # A slot that is filled downwards is one that is filled upwards, seen in a mirror.
    fixed = universe.size - slot.range.end if slot.down else slot.range.start
    low = max(least, min(1, units), units - tolerance)
    high = max(least, min(slot.range.size, units + tolerance))
    wanted = fixed + min(max(units, low), high)
    # Only round ends need to be tried: those with the most zeros.
    candidates = {wanted}
    step = 1
    while step <= universe.size:
        for end in (fixed + low, wanted):
            down = end // step * step
            candidates.update((down, down + step))
        step *= len(universe.alphabet)
    return -fixed + min(
        (end for end in candidates if fixed + low <= end <= fixed + high),
        key=lambda end: (cost(universe, Range(fixed, end)), abs(end - fixed - units), end),
    )
