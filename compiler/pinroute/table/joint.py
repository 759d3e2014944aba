"""Several tables of one universe at once: which combinations of leaves do values meet?"""

from collections.abc import Sequence
from itertools import chain, count

from pinroute.table.difference import ABSENT
from pinroute.table.table import Table
from pinroute.table.tree import FIRST, Node, project


def combinations(tables: Sequence[Table]) -> dict[tuple[int, ...], str]:
    """Return every combination of leaves that some value meets, with a value that meets it.

    A combination has the number of the leaf in each table. The value is a user hash if
    one meets it, else a missing (`ABSENT`) or a malformed one. Raises ValueError for
    tables of several universes, which have no users in common.
    """
    universe = tables[0].universe
    if any(table.universe != universe for table in tables):
        raise ValueError("tables of two universes have no users in common")
    found: dict[tuple[int, ...], str] = {}
    hashes = tuple(project(table.root, universe.digits) for table in tables)
    edges = list(universe.alphabet)
    for leaves, value in _walk(hashes, edges, FIRST):
        found.setdefault(leaves, universe.first(value))
    found.setdefault(tuple(table.absent for table in tables), ABSENT)
    foreign = next(
        char for char in chain("x0-~", map(chr, count(0xA1))) if char not in universe.alphabet
    )
    for leaves, value in _walk(tuple(table.root for table in tables), ["", foreign, *edges], 0):
        found.setdefault(leaves, value)
    return found


def _walk(
    roots: tuple[Node, ...], edges: Sequence[str], skipped: int
) -> list[tuple[tuple[int, ...], str]]:
    """Return combinations of leaves with a value each; `edges` begin at child `skipped`."""
    found: list[tuple[tuple[int, ...], str]] = []
    seen: set[tuple[int, ...]] = set()
    todo: list[tuple[tuple[Node, ...], str]] = [(roots, "")]
    while todo:
        nodes, value = todo.pop()
        leaves = tuple(node for node in nodes if isinstance(node, int))
        if len(leaves) == len(nodes):
            found.append((leaves, value))
            continue
        # Leaves are small numbers, branches are known by their address.
        key = tuple(node if isinstance(node, int) else id(node) for node in nodes)
        if key in seen:
            continue
        seen.add(key)
        for index, edge in reversed(list(enumerate(edges, skipped))):
            below = tuple(node if isinstance(node, int) else node[index] for node in nodes)
            todo.append((below, value + edge))
    return found
