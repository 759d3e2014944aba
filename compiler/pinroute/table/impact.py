"""What does a change of the table do to users: who moves from what to what?"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from pinroute.table.bulk import intervals
from pinroute.table.difference import outcome_of
from pinroute.table.measure import Share
from pinroute.table.ranges import Range, cover, hash_at, joined
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


class Runs(NamedTuple):
    """What the user hashes meet, in order: those from `starts[i]` on meet `met[i]`."""

    starts: Sequence[int]
    met: Sequence[Hashable]


class Move(NamedTuple):
    """Users who change: what they had, what they get, how many, and one of them.

    `prefixes` is the smallest set of disjoint prefixes that names them.
    """

    before: Hashable
    after: Hashable
    share: Share
    witness: str
    ranges: tuple[Range, ...]

    def prefixes(self, universe: Universe) -> list[str]:
        """Return the fewest disjoint prefixes that hold exactly these users."""
        return [prefix for part in self.ranges for prefix in cover(universe, part)]


def impact(old: Table, new: Table, by: Callable[[Leaf], Hashable] = outcome_of) -> list[Move]:
    """Return the moves between two tables of one universe, the largest first.

    Requests without a user hash are not users of the universe: compare `leaf(None)` for them.
    """
    if old.universe != new.universe:
        raise ValueError("tables of two universes have no users in common")
    return moves(old.universe, runs_of(old, by), runs_of(new, by))


def runs_of(table: Table, by: Callable[[Leaf], Hashable] = outcome_of) -> Runs:
    """Return what the user hashes of a table meet."""
    names = [by(leaf) for leaf in table.leaves]
    starts, leaves = intervals(table)
    return Runs(starts, [names[leaf] for leaf in leaves])


def overlay(
    universe: Universe, old: Runs, new: Runs
) -> Iterator[tuple[Hashable, Hashable, Range]]:
    """Yield what users had, what they get, and which users: linear in the runs of both."""
    size = universe.size
    left = right = start = 0
    while start < size:
        end_left = old.starts[left + 1] if left + 1 < len(old.starts) else size
        end_right = new.starts[right + 1] if right + 1 < len(new.starts) else size
        end = min(end_left, end_right)
        yield old.met[left], new.met[right], Range(start, end)
        left += end == end_left
        right += end == end_right
        start = end


def moves(universe: Universe, old: Runs, new: Runs) -> list[Move]:
    """Return the moves between two states of one universe, the largest first."""
    moved: dict[tuple[Hashable, Hashable], list[Range]] = {}
    for before, after, users in overlay(universe, old, new):
        if before != after:
            moved.setdefault((before, after), []).append(users)
    return moves_of(universe, moved)


def moves_of(
    universe: Universe, moved: Mapping[tuple[Hashable, Hashable], Sequence[Range]]
) -> list[Move]:
    """Make moves of users by (before, after); their ranges are in order."""
    found = [
        Move(
            before,
            after,
            Share(Fraction(sum(part.size for part in whole), universe.size)),
            hash_at(universe, whole[0].start),
            tuple(whole),
        )
        for (before, after), parts in moved.items()
        if (whole := joined(parts))
    ]
    return sorted(found, key=lambda move: (-move.share, str(move.before), str(move.after)))
