"""Questions to tables: how large is each outcome, and are two tables equal?"""

from collections.abc import Callable, Hashable
from fractions import Fraction
from itertools import chain, count
from typing import cast

from pinroute.table.table import Leaf, Table
from pinroute.table.tree import END, FIRST, Node, project
from pinroute.table.universe import Share

ABSENT = "<absent>"


def outcome_of(leaf: Leaf) -> Hashable:
    """Return what a request gets: the default view of a leaf."""
    return leaf.outcome


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


def equal(a: Table, b: Table, by: Callable[[Leaf], Hashable] = outcome_of) -> bool:
    """Tell whether two tables give every string, and a missing one, the same."""
    return difference(a, b, by) is None


def difference(
    a: Table,
    b: Table,
    by: Callable[[Leaf], Hashable] = outcome_of,
    *,
    hashes_only: bool = False,
) -> str | None:
    """Return a value that two tables of one universe treat differently, None if there is none.

    `ABSENT` stands for a missing value. With `hashes_only` only user hashes and the
    missing value are compared, not malformed ones.
    """
    left = [by(leaf) for leaf in a.leaves]
    right = [by(leaf) for leaf in b.leaves]
    if left[a.absent] != right[b.absent]:
        return ABSENT
    alphabet, digits = a.universe
    first, second = a.root, b.root
    edges = ["", _foreign(alphabet), *alphabet]
    skipped = 0
    if hashes_only:
        first, second = project(first, digits), project(second, digits)
        skipped = FIRST
    seen: set[tuple[int, int]] = set()
    todo: list[tuple[Node, Node, str]] = [(first, second, "")]
    while todo:
        one, two, value = todo.pop()
        if isinstance(one, int) and isinstance(two, int):
            if left[one] != right[two]:
                return a.universe.first(value) if hashes_only else value
            continue
        # Leaves are small numbers, branches are known by their address.
        key = (one if isinstance(one, int) else id(one), two if isinstance(two, int) else id(two))
        if key in seen:
            continue
        seen.add(key)
        for index in range(skipped, len(edges)):
            step = one if isinstance(one, int) else one[index]
            other = two if isinstance(two, int) else two[index]
            todo.append((step, other, value + edges[index]))
    return None


def _foreign(alphabet: str) -> str:
    return next(char for char in chain("x0-~", map(chr, count(0xA1))) if char not in alphabet)
