"""Are the hashes of a file what a split needs: uniform, and not ordered by time?

Pearson's chi-square over equally large blocks; its tail by Wilson and Hilferty's cube-root
approximation (1931), which is good to three digits from 30 degrees of freedom on.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import erfc, sqrt
from typing import NamedTuple

from pinroute.table.universe import Universe

LEAST_PER_BLOCK = 20
MOST_BLOCKS = 4096


class Uniformity(NamedTuple):
    """What a sample of hashes looks like. `p` is None if it is too small to tell."""

    hashes: int
    malformed: int
    blocks: int
    p: float | None
    clock: bool

    @property
    def sentence(self) -> str:
        """Say it in plain words."""
        parts = [f"{self.hashes:,} hashes"]
        if self.malformed:
            parts[0] += f", and {self.malformed:,} values that are none"
        if self.clock:
            parts.append(
                "they rise with their place in the file: unless it was sorted, their heads are a "
                "clock (UUIDv7, ULID, a counter), and prefixes split users by when they came"
            )
        if self.p is None:
            parts.append("too few to tell whether they are uniform")
        elif self.p < 0.001:
            parts.append(
                f"not uniform over {self.blocks:,} blocks (p {_shown(self.p)}): shares will differ "
                "from what the prefixes say"
            )
        else:
            parts.append(
                f"uniform over {self.blocks:,} blocks as far as they tell (p {_shown(self.p)})"
            )
        return "; ".join(parts)


def _shown(p: float) -> str:
    return "below 0.0001" if p < 0.0001 else f"= {p:.4f}"


def uniformity(universe: Universe, values: Sequence[str]) -> Uniformity:
    """Look at a sample of values of the user hash, in the order in which they came."""
    hashes = [value for value in values if universe.contains(value)]
    base = len(universe.alphabet)
    length = 0
    while (
        length < universe.digits
        and base ** (length + 1) <= MOST_BLOCKS
        and len(hashes) >= LEAST_PER_BLOCK * base ** (length + 1)
    ):
        length += 1
    blocks = base**length
    p = (
        _chi_square_p(Counter(value[:length] for value in hashes), blocks, len(hashes))
        if length
        else None
    )
    return Uniformity(len(hashes), len(values) - len(hashes), blocks, p, _rises(hashes))


def _chi_square_p(counts: Counter[str], blocks: int, total: int) -> float:
    """Return the probability of a spread this large or larger under uniformity."""
    expected = total / blocks
    missing = (blocks - len(counts)) * expected
    statistic = sum((count - expected) ** 2 for count in counts.values()) / expected + missing
    degrees = blocks - 1
    spread = 2 / (9 * degrees)
    z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / sqrt(spread)
    return erfc(z / sqrt(2)) / 2


def _rises(hashes: Sequence[str]) -> bool:
    """Tell whether nearly every hash is larger than the one before, as clocks are."""
    if len(hashes) < LEAST_PER_BLOCK:
        return False
    rising = sum(1 for one, two in pairwise(hashes) if one <= two)
    return rising > 0.9 * (len(hashes) - 1) and hashes[0] != hashes[-1]
