"""Tables against the plainest reading of first match, over every string there is.

A table's tree is at most `digits` deep, so strings of up to `digits + 1` characters, of
the alphabet and one foreign character, reach every leaf.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from fractions import Fraction
from functools import cache
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.table.bulk import leaf_numbers
from pinroute.table.difference import ABSENT, difference, equal, outcome_of
from pinroute.table.measure import sizes
from pinroute.table.table import Block, Leaf, Table, table_of, table_of_prefixes
from pinroute.table.universe import Universe

# Alphabet and the most digits with which "every string" stays small.
WORLDS = (
    ("01", 4),
    ("abc", 3),
    ("0123", 2),
    ("-0x~", 2),
    ("0123456789abcdef", 1),
    ("0123456789abcdef", 2),
)
FOREIGN = ("~", "x", " ", "é", "\n", "A", "_", "٣")
MORE = settings().max_examples * 3


class Plan(NamedTuple):
    """What a table is made from."""

    universe: Universe
    leaves: tuple[Leaf, ...]
    absent: int
    present: int
    items: tuple[tuple[Block, int], ...]
    foreign: str

    def table(self) -> Table:
        return table_of(self.universe, self.leaves, self.absent, self.present, self.items)

    def naive(self, value: str | None) -> int:
        if value is None:
            return self.absent
        for block, leaf in self.items:
            if value.startswith(block.prefix) and (not block.strict or self.is_hash(value)):
                return leaf
        return self.present

    def is_hash(self, value: str) -> bool:
        return len(value) == self.universe.digits and set(value) <= set(self.universe.alphabet)

    def hashes(self) -> list[str]:
        return words(self.universe.alphabet, self.universe.digits, self.universe.digits)

    def strings(self) -> list[str]:
        return words(self.universe.alphabet + self.foreign, 0, self.universe.digits + 1)


@cache
def words(characters: str, shortest: int, longest: int) -> list[str]:
    lengths = range(shortest, longest + 1)
    return ["".join(word) for size in lengths for word in product(characters, repeat=size)]


@st.composite
def universes(draw: st.DrawFn) -> tuple[Universe, str]:
    alphabet, most = draw(st.sampled_from(WORLDS))
    foreign = draw(st.sampled_from([char for char in FOREIGN if char not in alphabet]))
    return Universe(alphabet, draw(st.integers(1, most))), foreign


def prefixes(universe: Universe) -> st.SearchStrategy[str]:
    return st.text(universe.alphabet, max_size=universe.digits)


@st.composite
def plans(
    draw: st.DrawFn, world: tuple[Universe, str] | None = None, strict: bool | None = None
) -> Plan:
    universe, foreign = world or draw(universes())
    strictness = st.booleans() if strict is None else st.just(strict)
    count = draw(st.integers(1, 4))
    outcomes = st.sampled_from(["red", "green", "blue"])
    leaves = tuple(Leaf(draw(outcomes), f"part {index}") for index in range(count))
    number = st.integers(0, count - 1)
    item = st.tuples(st.builds(Block, prefixes(universe), strictness), number)
    items = tuple(draw(st.lists(item, max_size=7)))
    return Plan(universe, leaves, draw(number), draw(number), items, foreign)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Plan, Plan]:
    """Two plans of one universe, often nearly the same."""
    world = draw(universes())
    one = draw(plans(world))
    if draw(st.booleans()):
        return one, draw(plans(world))
    items = list(one.items)
    if items:
        at = draw(st.integers(0, len(items) - 1))
        block, leaf = items[at]
        items[at] = draw(
            st.sampled_from(
                [
                    (block, (leaf + 1) % len(one.leaves)),
                    (Block(block.prefix, not block.strict), leaf),
                    (Block(block.prefix[:-1], block.strict), leaf),
                ]
            )
        )
    return one, one._replace(items=tuple(items))


@given(plans())
@settings(max_examples=MORE)
def test_the_first_block_that_holds_a_value_wins(plan: Plan) -> None:
    table = plan.table()
    assert table.number(None) == plan.absent
    for value in plan.strings():
        assert table.number(value) == plan.naive(value), value
        assert table.leaf(value) is plan.leaves[plan.naive(value)]


@given(plans())
@settings(max_examples=MORE)
def test_many_values_at_once_are_the_same_as_one_by_one(plan: Plan) -> None:
    values = [*plan.strings(), "+1", "1_0", " 1", "١٠", "0x1", "-0", "\x00", "\udcff"]
    expected = [plan.naive(value) for value in values]
    assert list(leaf_numbers(plan.table(), values)) == expected


LARGE = (
    "0123456789abcdefghijklmnopqrstuvwxyz",
    "".join(map(chr, range(ord("0"), ord("z") + 1))),
    "".join(map(chr, range(ord("!"), ord("~") + 1))),
)


@pytest.mark.parametrize("alphabet", LARGE)
@given(data=st.data(), digits=st.integers(1, 12), strict=st.booleans())
def test_large_alphabets_and_long_hashes(
    alphabet: str, data: st.DataObject, digits: int, strict: bool
) -> None:
    universe = Universe(alphabet, digits)
    block = st.text(alphabet, min_size=1, max_size=min(digits, 3))
    items = tuple((Block(prefix, strict), 1) for prefix in data.draw(st.lists(block, max_size=4)))
    leaves = (Leaf("a", 0), Leaf("b", 1))
    plan = Plan(universe, leaves, 0, 0, items, "é")
    heads = st.sampled_from(["", *(item[0].prefix for item in items)])
    tails = st.text(alphabet + "é", max_size=digits + 1)
    whole = st.text(alphabet, min_size=digits, max_size=digits)
    values = data.draw(st.lists(st.builds(str.__add__, heads, tails) | whole, max_size=20))
    values += [
        (prefix + alphabet[-1] * digits)[:digits] for prefix in (i[0].prefix for i in items)
    ]
    expected = [plan.naive(value) for value in values]
    assert list(leaf_numbers(plan.table(), values)) == expected
    assert [plan.table().number(value) for value in values] == expected


@given(universes(), st.data())
@settings(max_examples=MORE)
def test_the_longest_prefix_wins_where_they_are_built_at_once(
    world: tuple[Universe, str], data: st.DataObject
) -> None:
    universe, foreign = world
    leaves = tuple(Leaf(name, name) for name in ("red", "green", "blue"))
    number = st.integers(0, 2)
    given_ = data.draw(st.dictionaries(prefixes(universe), number, max_size=12))
    absent, present = data.draw(number), data.draw(number)
    table = table_of_prefixes(universe, leaves, absent, present, given_)
    longest_first = sorted(given_.items(), key=lambda item: -len(item[0]))
    items = tuple((Block(prefix), leaf) for prefix, leaf in longest_first)
    plan = Plan(universe, leaves, absent, present, items, foreign)
    for value in plan.strings():
        assert table.number(value) == plan.naive(value), value
    assert table.number(None) == absent
    assert equal(table, plan.table())


def counted(plan: Plan, by: Callable[[Leaf], Hashable]) -> dict[Hashable, Fraction]:
    hashes = plan.hashes()
    counts = Counter(by(plan.leaves[plan.naive(value)]) for value in hashes)
    return {key: Fraction(number, len(hashes)) for key, number in counts.items()}


@given(plans())
@settings(max_examples=MORE)
def test_sizes_are_what_counting_says(plan: Plan) -> None:
    table = plan.table()
    assert sizes(table) == counted(plan, outcome_of)
    by_part = sizes(table, lambda leaf: leaf.attribution)
    assert by_part == counted(plan, lambda leaf: leaf.attribution)
    assert sum(sizes(table).values()) == 1


def seen(plan: Plan, value: str | None) -> Hashable:
    return plan.leaves[plan.naive(value)].outcome


def differing(one: Plan, two: Plan, values: Iterable[str | None]) -> list[str | None]:
    return [value for value in values if seen(one, value) != seen(two, value)]


@given(pairs())
@settings(max_examples=MORE)
def test_a_difference_is_found_and_its_witness_is_one(pair: tuple[Plan, Plan]) -> None:
    one, two = pair
    a, b = one.table(), two.table()
    expected = differing(one, two, [None, *one.strings()])
    witness = difference(a, b)
    assert (witness is None) == (not expected)
    assert equal(a, b) == (not expected)
    if witness is not None:
        value = None if witness == ABSENT else witness
        assert seen(one, value) != seen(two, value)


@given(pairs())
@settings(max_examples=MORE)
def test_a_difference_among_user_hashes_alone(pair: tuple[Plan, Plan]) -> None:
    one, two = pair
    expected = differing(one, two, [None, *one.hashes()])
    witness = difference(one.table(), two.table(), hashes_only=True)
    assert (witness is None) == (not expected)
    if witness is not None:
        value = None if witness == ABSENT else witness
        assert value is None or one.is_hash(value)
        assert seen(one, value) != seen(two, value)


@given(pairs())
def test_differences_by_attribution(pair: tuple[Plan, Plan]) -> None:
    one, two = pair
    strings: list[str | None] = [None, *one.strings()]
    same = all(one.naive(value) == two.naive(value) for value in strings)
    found = difference(one.table(), two.table(), lambda leaf: leaf.attribution)
    assert (found is None) == same


@given(universes(), st.data())
def test_the_parts_of_a_universe(world: tuple[Universe, str], data: st.DataObject) -> None:
    universe, foreign = world
    everything = words(universe.alphabet, universe.digits, universe.digits)
    assert universe.values() == everything
    assert universe.size == len(everything)
    prefix = data.draw(prefixes(universe))
    inside = [value for value in everything if value.startswith(prefix)]
    assert universe.first(prefix) == inside[0]
    known = set(everything)
    for value in words(universe.alphabet + foreign, 0, universe.digits + 1):
        assert universe.contains(value) == (value in known)
