"""Does a sequence of states bring users back to what they had left?"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence

from pinroute.table.impact import Move, Runs, moves_of, runs_of
from pinroute.table.ranges import Range
from pinroute.table.table import Leaf, Table
from pinroute.table.universe import Universe


def comebacks(tables: Sequence[Table], by: Callable[[Leaf], Hashable]) -> list[Move]:
    """Return the moves to an outcome that the same users had left before.

    `tables` are of one universe, the oldest first. A user who goes a, b, a comes back.
    """
    return comebacks_of(tables[0].universe, [runs_of(table, by) for table in tables])


def comebacks_of(
    universe: Universe, states: Sequence[Runs], nothing: Hashable = None
) -> list[Move]:
    """Return the moves to what the same users had left before; the oldest state is the first.

    Who met `nothing` in a state is taken to be where he was.
    """
    starts = sorted({start for state in states for start in state.starts})
    found: dict[tuple[Hashable, Hashable], list[Range]] = {}
    for start, end in zip(starts, [*starts[1:], universe.size], strict=True):
        met: list[Hashable] = []
        for state in states:
            now = state.met[bisect_right(state.starts, start) - 1]
            if now == nothing or (met and now == met[-1]):
                continue
            if now in met:
                found.setdefault((met[-1], now), []).append(Range(start, end))
            met.append(now)
    return moves_of(universe, found)
