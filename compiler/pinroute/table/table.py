"""The routing table: a function from any value, also an absent one, to a leaf.

A leaf is (outcome, attribution): what a request observably gets, and what we call it.
Equality and minimisation look at outcomes, counting by group looks at attributions.
"""

from collections.abc import Hashable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from pinroute.table.tree import Node, blocks, find, full, leaf_node, overlay
from pinroute.table.universe import Universe


class Leaf(NamedTuple):
    """Where a value ends: the outcome and what it is attributed to."""

    outcome: Hashable
    attribution: Hashable


class Block(NamedTuple):
    """All strings that begin with a prefix; with `strict` only the user hashes among them."""

    prefix: str
    strict: bool = False


class Table(NamedTuple):
    """A routing table. `absent` and the leaves of `root` index `leaves`.

    `strict` tells that some block holds user hashes only, so that branches are shared.
    """

    universe: Universe
    leaves: tuple[Leaf, ...]
    absent: int
    root: Node
    strict: bool = False

    def number(self, value: str | None) -> int:
        """Return the index of the leaf of a value, or of a missing one (None)."""
        if value is None:
            return self.absent
        return find(self.root, self.universe.alphabet, value)

    def leaf(self, value: str | None) -> Leaf:
        """Return the leaf of a value, or of a missing one (None)."""
        return self.leaves[self.number(value)]


def table_of(
    universe: Universe,
    leaves: Sequence[Leaf],
    absent: int,
    present: int,
    items: Iterable[tuple[Block, int]],
) -> Table:
    """Build a table from (block, leaf) in which the first block that holds a value wins."""
    node: Node = present
    width = len(universe.alphabet)
    strict = False
    for block, leaf in reversed(list(items)):
        path = [universe.alphabet.index(char) for char in block.prefix]
        if block.strict:
            strict = True
            put = partial(full, inside=leaf, depth=universe.digits - len(path), width=width)
        else:
            put = partial(leaf_node, leaf=leaf)
        node = overlay(node, path, put, width)
    return Table(universe, tuple(leaves), absent, node, strict)


def table_of_prefixes(
    universe: Universe,
    leaves: Sequence[Leaf],
    absent: int,
    present: int,
    prefixes: dict[str, int],
) -> Table:
    """Build a table of very many prefixes at once; the longest prefix of a value wins."""
    root = blocks(sorted(prefixes.items()), present, universe.alphabet)
    return Table(universe, tuple(leaves), absent, root)
