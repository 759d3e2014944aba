"""Are two tables equal, and if not, which value do they treat differently?"""

from collections.abc import Callable, Hashable
from itertools import chain, count

from pinroute.table.table import Leaf, Table
from pinroute.table.tree import FIRST, Node, project

ABSENT = "<absent>"


def outcome_of(leaf: Leaf) -> Hashable:
    """Return what a request gets: the default view of a leaf."""
    return leaf.outcome


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
