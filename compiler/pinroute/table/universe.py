"""The universe of user hashes: an alphabet and a number of significant digits."""

from itertools import product
from typing import NamedTuple, NewType

HashPrefix = NewType("HashPrefix", str)


class Universe(NamedTuple):
    """All strings of `digits` characters of `alphabet` (whose characters are distinct, in order)."""

    alphabet: str
    digits: int

    @property
    def size(self) -> int:
        """How many user hashes there are."""
        return int(len(self.alphabet) ** self.digits)

    def contains(self, value: str) -> bool:
        """Tell whether a value is a user hash of this universe."""
        return len(value) == self.digits and all(char in self.alphabet for char in value)

    def values(self) -> list[str]:
        """Return every user hash in order; only for universes that fit into memory."""
        return ["".join(chars) for chars in product(self.alphabet, repeat=self.digits)]

    def first(self, prefix: str) -> str:
        """Return the first user hash that begins with a prefix: a witness for it."""
        return prefix + self.alphabet[0] * (self.digits - len(prefix))
