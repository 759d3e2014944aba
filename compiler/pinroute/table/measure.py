"""How large is each outcome of a table?"""

from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import NewType, cast

from pinroute.table.difference import outcome_of
from pinroute.table.table import Leaf, Table
from pinroute.table.tree import END, FIRST, Node

Share = NewType("Share", Fraction)


def sizes(table: Table, by: Callable[[Leaf], Hashable] = outcome_of) -> dict[Hashable, Share]:
    """Return the share of the universe of each outcome (or of whatever `by` takes of a leaf).

    Exact fractions, in expectation over uniformly distributed user hashes. Level by
    level, so that a branch that is shared is counted once, with all that lead to it.
    """
    counts = _counts(table)
    total: dict[Hashable, int] = {}
    for leaf, number in zip(table.leaves, counts, strict=True):
        key = by(leaf)
        total[key] = total.get(key, 0) + number
    whole = table.universe.size
    return {key: Share(Fraction(number, whole)) for key, number in total.items() if number}


def _counts(table: Table) -> list[int]:
    counts = [0] * len(table.leaves)
    if isinstance(table.root, int):
        counts[table.root] = table.universe.size
        return counts
    width = len(table.universe.alphabet)
    level: list[tuple[Node, ...]] = [table.root]
    times = {id(table.root): 1} if table.strict else {}
    weight = table.universe.size
    for _ in range(table.universe.digits):
        weight //= width
        below: list[tuple[Node, ...]] = []
        below_times: dict[int, int] = {}
        for node in level:
            many = times[id(node)] if times else 1
            for child in node[FIRST:]:
                if isinstance(child, int):
                    counts[child] += weight * many
                elif not times:
                    below.append(child)
                elif id(child) in below_times:
                    below_times[id(child)] += many
                else:
                    below_times[id(child)] = many
                    below.append(child)
        level, times = below, below_times
    for node in level:
        counts[cast("int", node[END])] += times.get(id(node), 1)
    return counts
