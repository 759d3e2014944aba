"""Other users than last time: the same blocks, at places that a key chooses.

Each digit of a prefix is shifted in its alphabet by a digit that the key gives (for
binary hashes an exclusive or). Lengths, shares, disjointness and the number of rules
stay. Whole blocks of users move together, so two keys are not independent of each other
as two salts at the edge are.
"""

from pinroute.spec.digest import digest_of
from pinroute.table.universe import Universe


def shifts(universe: Universe, key: str) -> tuple[int, ...]:
    """Return the shift of each digit. Derived from SHA-256 of the key, digit by digit."""
    base = len(universe.alphabet)
    number = int(digest_of(f"rotation:{key}"), 16)
    found: list[int] = []
    for _ in range(universe.digits):
        number, digit = divmod(number, base)
        found.append(digit)
    return tuple(found)


def rotated(universe: Universe, key: str, prefix: str) -> str:
    """Return where a block stands under a key."""
    alphabet = universe.alphabet
    base = len(alphabet)
    return "".join(
        alphabet[(alphabet.index(char) + shift) % base]
        for char, shift in zip(prefix, shifts(universe, key), strict=False)
    )
