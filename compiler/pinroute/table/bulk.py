"""Looking up very many values: intervals of integers instead of a walk for each value."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pinroute.table.table import Table
from pinroute.table.tree import FIRST, Node, project

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Intervals(NamedTuple):
    """The user hashes as integers in the alphabet's base: from `starts[i]` on, `leaves[i]`."""

    starts: list[int]
    leaves: list[int]


def intervals(table: Table) -> Intervals:
    """Return the runs of equal leaves over the user hashes, in order."""
    digits, width = table.universe.digits, len(table.universe.alphabet)
    root = project(table.root, digits) if table.strict else table.root
    found = Intervals([], [])

    def walk(node: Node, start: int, size: int) -> None:
        if isinstance(node, int):
            if not found.leaves or found.leaves[-1] != node:
                found.starts.append(start)
                found.leaves.append(node)
            return
        size //= width
        for child in node[FIRST:]:
            walk(child, start, size)
            start += size

    walk(root, 0, table.universe.size)
    return found


def leaf_numbers(table: Table, values: Iterable[str]) -> Iterator[int]:
    """Yield the index of the leaf of each value; any string is a value."""
    alphabet, digits = table.universe
    base = len(alphabet)
    runs = intervals(table)
    starts, leaves = runs
    plain = alphabet == _DIGITS[:base]
    into_digits = str.maketrans(alphabet[:36], _DIGITS[: min(base, 36)])
    if base > len(_DIGITS):
        yield from (table.number(value) for value in values)
        return
    for value in values:
        if len(value) == digits and not value.strip(alphabet):
            number = int(value if plain else value.translate(into_digits), base)
            yield leaves[bisect_right(starts, number) - 1]
        else:
            yield table.number(value)
