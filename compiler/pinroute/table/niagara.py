"""A whole universe split among arms, with a budget of rules.

Niagara (Kang et al., CoNEXT 2015): start with everything at one arm, and move aligned
blocks from the arm that has most too much to the one that has most too little, each time
the power of the base that brings both closest. For every number of rules the result is as
close as that many rules can be (Sadeh et al., TNSM 2023), and exact splits need as few
rules as any (Sadeh et al., ToN 2020). Binary alphabets.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pinroute.table.ranges import Range, hash_at
from pinroute.table.universe import Universe


class Rule(NamedTuple):
    """A block and the arm it goes to; of nested blocks the longest prefix wins."""

    prefix: str
    arm: int


def split(
    universe: Universe, weights: Sequence[Fraction], budget: int | None = None
) -> list[Rule]:
    """Return a longest-prefix list that gives each arm its weight of the universe.

    `weights` are the user hashes that each arm should have (their sum is the size of the
    universe, they need not be whole); `budget` limits the rules, the root's among them.
    Raises ValueError for an alphabet that is not binary.
    """
    if len(universe.alphabet) != 2:
        raise ValueError("a split with a budget needs a binary alphabet")
    moves = _moves(universe, weights, budget)
    root = max(range(len(weights)), key=lambda arm: weights[arm])
    # Replayed from the largest block to the smallest, so that each finds room in what
    # its giver still holds as one piece.
    free: list[list[Range]] = [[] for _ in weights]
    free[root].append(Range(0, universe.size))
    rules = [Rule("", root)]
    for giver, taker, size in sorted(moves, key=lambda move: -move[2]):
        block = _take(free[giver], size)
        free[taker].append(block)
        length = universe.digits - (size.bit_length() - 1)
        rules.append(Rule(hash_at(universe, block.start)[:length], taker))
    return sorted(rules, key=lambda rule: (-len(rule.prefix), rule.prefix))


def _moves(
    universe: Universe, weights: Sequence[Fraction], budget: int | None
) -> list[tuple[int, int, int]]:
    """Return (giver, taker, size) in the order in which they bring the split closer."""
    arms = range(len(weights))
    root = max(arms, key=lambda arm: weights[arm])
    have = [Fraction(universe.size if arm == root else 0) for arm in arms]
    moves: list[tuple[int, int, int]] = []
    while budget is None or len(moves) + 1 < budget:
        giver = max(arms, key=lambda arm: have[arm] - weights[arm])
        taker = min(arms, key=lambda arm: have[arm] - weights[arm])
        over, under = have[giver] - weights[giver], have[taker] - weights[taker]
        sizes = [1 << bit for bit in range(universe.digits) if 1 << bit <= have[giver]]
        if not sizes:
            break
        best = min(sizes, key=lambda size: (abs(over - size) + abs(under + size), -size))
        if abs(over - best) + abs(under + best) >= abs(over) + abs(under):
            break
        have[giver] -= best
        have[taker] += best
        moves.append((giver, taker, best))
    return moves


def _take(free: list[Range], size: int) -> Range:
    """Cut an aligned block off the smallest free piece that holds one."""
    piece = min((part for part in free if part.size >= size), key=lambda part: part.size)
    free.remove(piece)
    block = Range(piece.start, piece.start + size)
    rest = block.end
    while rest < piece.end:
        step = rest & -rest
        while rest + step > piece.end:
            step >>= 1
        free.append(Range(rest, rest + step))
        rest += step
    return block
