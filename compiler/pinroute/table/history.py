"""Does a sequence of tables bring users back to what they had left?"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction

from pinroute.table.bulk import intervals
from pinroute.table.impact import Move
from pinroute.table.measure import Share
from pinroute.table.ranges import Range, hash_at, joined
from pinroute.table.table import Leaf, Table


def comebacks(tables: Sequence[Table], by: Callable[[Leaf], Hashable]) -> list[Move]:
    """Return the moves to an outcome that the same users had left before.

    `tables` are of one universe, the oldest first. A user who goes a, b, a comes back.
    """
    universe = tables[0].universe
    runs = [intervals(table) for table in tables]
    names = [[by(leaf) for leaf in table.leaves] for table in tables]
    starts = sorted({start for run in runs for start in run.starts})
    found: dict[tuple[Hashable, Hashable], list[Range]] = {}
    for start, end in zip(starts, [*starts[1:], universe.size], strict=True):
        met: list[Hashable] = []
        for run, name in zip(runs, names, strict=True):
            now = name[run.leaves[bisect_right(run.starts, start) - 1]]
            if met and now == met[-1]:
                continue
            if now in met:
                found.setdefault((met[-1], now), []).append(Range(start, end))
            met.append(now)
    moves = [
        Move(
            before,
            after,
            Share(Fraction(sum(part.size for part in joined(parts)), universe.size)),
            hash_at(universe, parts[0].start),
            tuple(joined(parts)),
        )
        for (before, after), parts in found.items()
    ]
    return sorted(moves, key=lambda move: (-move.share, str(move.before), str(move.after)))
