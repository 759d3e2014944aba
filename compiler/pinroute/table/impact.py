"""What does a change of the table do to users: who moves from what to what?"""

from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import NamedTuple

from pinroute.table.bulk import intervals
from pinroute.table.difference import outcome_of
from pinroute.table.measure import Share
from pinroute.table.ranges import Range, cover, hash_at, joined
from pinroute.table.table import Leaf, Table


class Move(NamedTuple):
    """Users who change: what they had, what they get, how many, and one of them.

    `prefixes` is the smallest set of disjoint prefixes that names them.
    """

    before: Hashable
    after: Hashable
    share: Share
    witness: str
    ranges: tuple[Range, ...]

    def prefixes(self, table: Table) -> list[str]:
        """Return the fewest disjoint prefixes that hold exactly these users."""
        return [prefix for part in self.ranges for prefix in cover(table.universe, part)]


def impact(old: Table, new: Table, by: Callable[[Leaf], Hashable] = outcome_of) -> list[Move]:
    """Return the moves between two tables of one universe, the largest first.

    Linear in the runs of equal leaves of both tables. Requests without a user hash are
    not users of the universe: compare `leaf(None)` for them.
    """
    if old.universe != new.universe:
        raise ValueError("tables of two universes have no users in common")
    names_before = [by(leaf) for leaf in old.leaves]
    names_after = [by(leaf) for leaf in new.leaves]
    first, second = intervals(old), intervals(new)
    size = old.universe.size
    moved: dict[tuple[Hashable, Hashable], list[Range]] = {}
    left = right = 0
    start = 0
    while start < size:
        end_left = first.starts[left + 1] if left + 1 < len(first.starts) else size
        end_right = second.starts[right + 1] if right + 1 < len(second.starts) else size
        end = min(end_left, end_right)
        before, after = names_before[first.leaves[left]], names_after[second.leaves[right]]
        if before != after:
            moved.setdefault((before, after), []).append(Range(start, end))
        left += end == end_left
        right += end == end_right
        start = end
    moves = [
        Move(
            before,
            after,
            Share(Fraction(sum(part.size for part in parts), size)),
            hash_at(old.universe, parts[0].start),
            tuple(joined(parts)),
        )
        for (before, after), parts in moved.items()
    ]
    return sorted(moves, key=lambda move: (-move.share, str(move.before), str(move.after)))
