"""The fewest prefixes that say the same about every user hash.

ORTC (Draves, King, Venkatachary, Zill: "Constructing optimal IP routing tables", 1999),
for alphabets of any size: a block is labelled with the outcomes that most of its
children would not have to override; labels are then chosen from the root down. The
root's outcome is given for free: it is where requests without a user hash go, which a
rule on the header can never reach.

The result is a longest-prefix list. It is optimal among all ordered first-match lists
of prefixes: of two nested prefixes the longer has to come first to be reached at all,
and the order of disjoint ones does not matter.
"""

from collections.abc import Hashable
from typing import NamedTuple

from pinroute.table.difference import outcome_of
from pinroute.table.table import Table
from pinroute.table.tree import FIRST, Node, project


class Labelled(NamedTuple):
    """A prefix and the outcome of its block; the empty prefix stands for every user hash."""

    prefix: str
    outcome: Hashable


def minimise(
    table: Table, root_leaf: int | None = None, free: frozenset[int] = frozenset()
) -> list[Labelled]:
    """Return a smallest longest-prefix list for the user hashes of a table.

    `root_leaf` is the leaf whose outcome is given for free, by default that of a missing
    value. Of the hashes of the leaves `free` the list may say anything: others, that stand
    before it, take them.

    Values that are no user hashes (too short, foreign characters) may be treated
    differently. Deterministic: of equally good labels the inherited one is kept, then
    the root's, then the one that comes first in `table.leaves`.
    """
    outcomes: list[Hashable] = []
    bit_of: list[int] = []
    for leaf in table.leaves:
        outcome = outcome_of(leaf)
        if outcome not in outcomes:
            outcomes.append(outcome)
        bit_of.append(1 << outcomes.index(outcome))
    every = (1 << len(outcomes)) - 1
    bit_of = [every if number in free else bit for number, bit in enumerate(bit_of)]
    root = project(table.root, table.universe.digits) if table.strict else table.root
    start = bit_of[table.absent if root_leaf is None else root_leaf]
    masks: list[int] = []
    if not isinstance(root, int):
        _survey(root, bit_of, masks)
    found: list[tuple[str, int]] = []
    if isinstance(root, int):
        if not bit_of[root] & start:
            found.append(("", bit_of[root]))
    else:
        _choose(root, start, bit_of, masks, table.universe.alphabet, found)
    names = {1 << index: outcome for index, outcome in enumerate(outcomes)}
    return [Labelled(prefix, names[bit]) for prefix, bit in found]


def _survey(node: tuple[Node, ...], bit_of: list[int], masks: list[int]) -> int:
    """Fill `masks` in preorder with the best labels of each branch; return those of `node`."""
    at = len(masks)
    masks.append(0)
    common, union = -1, 0
    children: list[int] = []
    for child in node[FIRST:]:
        mask = bit_of[child] if isinstance(child, int) else _survey(child, bit_of, masks)
        common &= mask
        union |= mask
        children.append(mask)
    if common:
        best = common
    elif len(children) == 2:
        best = union
    else:
        best = _most_shared(children, union)
    masks[at] = best
    return best


def _most_shared(children: list[int], union: int) -> int:
    best, most = 0, 0
    bit = 1
    while bit <= union:
        if union & bit:
            votes = sum(1 for mask in children if mask & bit)
            if votes > most:
                best, most = bit, votes
            elif votes == most:
                best |= bit
        bit <<= 1
    return best


def _choose(
    root: tuple[Node, ...],
    start: int,
    bit_of: list[int],
    masks: list[int],
    alphabet: str,
    found: list[tuple[str, int]],
) -> None:
    """Walk in the same preorder and emit a prefix wherever the inherited label is not good."""
    next_mask = iter(masks).__next__

    def walk(node: tuple[Node, ...], inherited: int, prefix: str) -> None:
        mask = next_mask()
        if not mask & inherited:
            inherited = start if mask & start else mask & -mask
            found.append((prefix, inherited))
        for char, child in zip(alphabet, node[FIRST:], strict=True):
            if not isinstance(child, int):
                walk(child, inherited, prefix + char)
            elif not bit_of[child] & inherited:
                found.append((prefix + char, bit_of[child]))

    walk(root, start, "")
