"""`minimise` against the true optimum, found by other means.

Three optima, each checked against the one before it:

*lists*       every ordered first-match list of (prefix, outcome) is tried, shortest first:
              the definition itself, possible for width 2 only;
*sets*        every set of (prefix, outcome), read by longest prefix, smallest first:
              possible for width 3;
*layers*      all sets again, but built up prefix by prefix from the shortest to the
              longest, and those that have made the same assignment so far are tried
              further once only: what longer prefixes do does not depend on how an
              assignment came about, so nothing is lost. Possible for 65,536 tables;
*inheritance* the recursion over (block, inherited outcome): leave the inherited outcome,
              or pay one item for another. Possible for any single table.

The root's outcome is free, and outcomes can be renamed, so tables are searched with root
outcome 0; that `minimise` does not depend on names is checked by trying the others too.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, product
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.table.minimise import Labelled, minimise
from pinroute.table.table import Block, Leaf, Table, table_of, table_of_prefixes
from pinroute.table.tree import Node
from pinroute.table.universe import Universe

Hashes = tuple[int, ...]  # the outcome of each user hash, in order
Cost = tuple[int, ...]  # the optimum for each root outcome

HEX = "0123456789abcdef"
THOUSAND = settings().max_examples * 10


# What is under test, and whether its answer is right.


def tree(values: Hashes, arity: int) -> Node:
    """The tree of a table, with equal blocks folded into leaves."""
    if values.count(values[0]) == len(values):
        return values[0]
    size = len(values) // arity
    children = (tree(values[at : at + size], arity) for at in range(0, len(values), size))
    return (0, 0, *children)


@cache
def leaves_of(outcomes: int) -> tuple[Leaf, ...]:
    return tuple(Leaf(number, f"part {number}") for number in range(outcomes))


def shortened(
    values: Hashes, root: int, outcomes: int, alphabet: str, width: int
) -> list[Labelled]:
    node = tree(values, len(alphabet))
    return minimise(Table(Universe(alphabet, width), leaves_of(outcomes), root, node))


@cache
def spans(alphabet: str, width: int) -> dict[str, tuple[int, int]]:
    """The range of user hashes of each prefix, the shortest prefix first."""
    total = len(alphabet) ** width
    found: dict[str, tuple[int, int]] = {}
    for length in range(width + 1):
        size = total // len(alphabet) ** length
        for number, chars in enumerate(product(alphabet, repeat=length)):
            found["".join(chars)] = (number * size, (number + 1) * size)
    return found


def read(items: Sequence[Labelled], root: int, alphabet: str, width: int) -> Hashes:
    """What a list says about each user hash, the longest prefix first."""
    ranges = spans(alphabet, width)
    said: list[object] = [root] * len(alphabet) ** width
    for prefix, outcome in sorted(items, key=lambda item: len(item.prefix)):
        start, end = ranges[prefix]
        said[start:end] = [outcome] * (end - start)
    return tuple(int(str(outcome)) for outcome in said)


def check(
    values: Hashes, root: int, best: int, outcomes: int, alphabet: str = "01", width: int = 0
) -> None:
    width = width or len(values).bit_length() - 1
    found = shortened(values, root, outcomes, alphabet, width)
    assert len(found) == best, (values, root, found)
    assert len({item.prefix for item in found}) == best
    assert read(found, root, alphabet, width) == values, (values, root, found)


# The optima.


def by_lists(width: int, outcomes: int) -> dict[Hashes, int]:
    """Every ordered first-match list of at most four items."""
    items = list(product(spans("01", width).values(), range(outcomes)))
    best: dict[Hashes, int] = {}
    for length in range(5):
        for chosen in product(items, repeat=length):
            said = [0] * 2**width
            for (start, end), outcome in reversed(chosen):
                said[start:end] = [outcome] * (end - start)
            best.setdefault(tuple(said), length)
    return best


def by_sets(width: int, outcomes: int) -> dict[Hashes, int]:
    """Every set of labelled prefixes, smallest first, until each table is made."""
    ranges = list(spans("01", width).values())
    best: dict[Hashes, int] = {}
    size = 0
    while len(best) < outcomes ** (2**width):
        for chosen in combinations(ranges, size):  # in order: the shortest prefix first
            for labels in product(range(outcomes), repeat=size):
                said = [0] * 2**width
                for (start, end), outcome in zip(chosen, labels, strict=True):
                    said[start:end] = [outcome] * (end - start)
                best.setdefault(tuple(said), size)
        size += 1
    return best


def by_layers(alphabet: str, width: int, outcomes: int) -> dict[Hashes, int]:
    """All sets of labelled prefixes, with equal unfinished assignments taken together.

    An assignment is a number with one digit a hash, so that a block is set by two
    operations of integers.
    """
    total = len(alphabet) ** width
    bits = outcomes.bit_length() if outcomes & (outcomes - 1) else outcomes.bit_length() - 1
    best = {0: 0}
    for start, end in spans(alphabet, width).values():
        ones = sum(1 << bits * place for place in range(start, end))
        keep = ~(ones * ((1 << bits) - 1))
        labels = [ones * outcome for outcome in range(outcomes)]
        for said, cost in list(best.items()):
            left = said & keep
            for label in labels:
                after = left | label
                if cost + 1 < best.get(after, inf):
                    best[after] = cost + 1
    mask = (1 << bits) - 1
    return {
        tuple(said >> bits * place & mask for place in range(total)): cost
        for said, cost in best.items()
    }


def by_inheritance(values: Hashes, outcomes: int, arity: int) -> Cost:
    """The optimum of one table for each outcome that its root may inherit."""
    if len(values) == 1:
        return tuple(int(outcome != values[0]) for outcome in range(outcomes))
    size = len(values) // arity
    parts = [
        by_inheritance(values[at : at + size], outcomes, arity)
        for at in range(0, len(values), size)
    ]
    kept = [sum(costs) for costs in zip(*parts, strict=True)]
    return tuple(min(cost, 1 + min(kept)) for cost in kept)


def all_tables(hashes: int, outcomes: int) -> Iterator[Hashes]:
    return product(range(outcomes), repeat=hashes)


# The optima agree with each other.


def test_longest_prefix_lists_are_as_good_as_any_ordered_list() -> None:
    lists, sets = by_lists(2, 3), by_sets(2, 3)
    assert max(sets.values()) <= 4
    assert lists == sets


@pytest.fixture(scope="module")
def width_three() -> dict[Hashes, int]:
    return by_sets(3, 3)


def test_the_exact_algorithms_agree_with_exhaustive_search(width_three: dict[Hashes, int]) -> None:
    for width, outcomes in ((1, 3), (2, 3), (3, 2)):
        assert by_layers("01", width, outcomes) == by_sets(width, outcomes)
    assert len(width_three) == 3**8
    assert by_layers("01", 3, 3) == width_three
    for values, best in width_three.items():
        assert by_inheritance(values, 3, 2)[0] == best


# `minimise` is as good as they are.


@pytest.mark.parametrize("width", [1, 2, 3])
def test_binary_tables_up_to_width_three(width: int, width_three: dict[Hashes, int]) -> None:
    """Every table with up to three outcomes, with each of them at the root."""
    known = width_three if width == 3 else by_sets(width, 3)
    for values in all_tables(2**width, 3):
        for root in range(3):
            # Exchange the root's outcome and 0: exhaustive search has root 0.
            renamed = tuple({0: root, root: 0}.get(value, value) for value in values)
            check(values, root, known[renamed], 3)


def test_every_binary_table_of_width_four_with_two_outcomes() -> None:
    """All 65,536, against all sets of prefixes; with the root's outcomes exchanged as well."""
    known = by_layers("01", 4, 2)
    assert len(known) == 2**16
    for values, best in known.items():
        check(values, 0, best, 2)
    for values, best in list(known.items())[::7]:
        check(tuple(1 - value for value in values), 1, best, 2)


def classes() -> dict[Cost, list[Hashes]]:
    """The width-3 tables by what they cost for each inherited outcome."""
    found: dict[Cost, list[Hashes]] = {}
    for values in all_tables(8, 3):
        found.setdefault(by_inheritance(values, 3, 2), []).append(values)
    return found


def test_every_binary_table_of_width_four_with_three_outcomes() -> None:
    """All 43,046,721, by way of the 6,561 halves they are made of.

    A block's result depends on nothing but its own subtree and the outcome it inherits.
    So does the optimum (`by_inheritance`), where a half enters only by its vector of
    costs, one for each inherited outcome; and so does `minimise`, which sees of a half
    only the set of its best labels before it descends, and then descends into the two
    halves one after the other, each with the same inherited outcome. Hence:

    1. each of the 6,561 halves is minimised to its vector of costs, for each inherited
       outcome (the test of width 3). A half's best labels are those for which the vector
       is least, because just those emit nothing at its top;
    2. so all halves of one vector behave alike, and it is enough to combine each vector
       with each other, with each root. There are few vectors: every half is tried with a
       member of each class beside it, on the side that alternates, and each pair of
       classes with each root, both with their first member and with random ones.
    """
    by_cost = classes()
    assert sum(map(len, by_cost.values())) == 3**8
    costs = list(by_cost)

    def best(left: Cost, right: Cost, root: int) -> int:
        kept = [one + two for one, two in zip(left, right, strict=True)]
        return min(kept[root], 1 + min(kept))

    for left, right in product(costs, repeat=2):
        for root in range(3):
            check(by_cost[left][0] + by_cost[right][-1], root, best(left, right, root), 3)
    random = Random(20_211_231)  # noqa: S311  an example is no secret
    for number, (cost, halves) in enumerate(by_cost.items()):
        for at, half in enumerate(halves):
            for other in costs:
                beside = random.choice(by_cost[other])
                root = (number + at) % 3
                whole = half + beside if at % 2 else beside + half
                check(whole, root, best(cost, other, root), 3)


def test_every_ternary_table_of_width_two() -> None:
    known = by_layers("abc", 2, 3)
    assert len(known) == 3**9
    for values, best in known.items():
        assert by_inheritance(values, 3, 3)[0] == best
        check(values, 0, best, 3, "abc", 2)


def test_every_quaternary_table_of_width_two_with_two_outcomes() -> None:
    known = by_layers("0123", 2, 2)
    assert len(known) == 2**16
    for values, best in known.items():
        check(values, 0, best, 2, "0123", 2)


def test_every_quaternary_table_of_width_one() -> None:
    known = by_layers("0123", 1, 4)
    assert len(known) == 4**4
    for values, best in known.items():
        assert by_inheritance(values, 4, 4)[0] == best
        check(values, 0, best, 4, "0123", 1)


def test_every_hexadecimal_table_of_width_one_with_two_outcomes() -> None:
    for values in all_tables(16, 2):
        ones = sum(values)
        # Name all ones, or take them for the rule and name all zeros.
        check(values, 0, min(ones, 1 + 16 - ones), 2, HEX, 1)


def patchwork(random: Random, arity: int, width: int, outcomes: int) -> Hashes:
    """A table of few blocks, of noise, or of both."""
    total = arity**width
    values = [random.randrange(outcomes)] * total
    for _ in range(random.randrange(1, 12)):
        size = total // arity ** random.randint(0, width)
        start = random.randrange(total // size) * size
        values[start : start + size] = [random.randrange(outcomes)] * size
    if random.random() < 0.5:
        start = random.randrange(total)
        for at in range(start, min(total, start + random.randrange(total))):
            values[at] = random.randrange(outcomes)
    return tuple(values)


@given(st.randoms(use_true_random=True), st.integers(5, 8), st.integers(2, 5))
@settings(max_examples=THOUSAND * 3)
def test_random_binary_tables(random: Random, width: int, outcomes: int) -> None:
    values = patchwork(random, 2, width, outcomes)
    best = by_inheritance(values, outcomes, 2)
    root = random.randrange(outcomes)
    check(values, root, best[root], outcomes)


@given(
    st.randoms(use_true_random=True),
    st.sampled_from([("abc", 3), ("abc", 4), ("0123", 2), ("0123", 3), ("0123", 4), (HEX, 2)]),
    st.integers(2, 5),
)
@settings(max_examples=THOUSAND)
def test_random_tables_of_larger_alphabets(
    random: Random, world: tuple[str, int], outcomes: int
) -> None:
    alphabet, width = world
    values = patchwork(random, len(alphabet), width, outcomes)
    best = by_inheritance(values, outcomes, len(alphabet))
    root = random.randrange(outcomes)
    check(values, root, best[root], outcomes, alphabet, width)


@given(st.data(), st.sampled_from([("01", 5), ("abc", 3), ("0123", 2), (HEX, 2)]), st.booleans())
@settings(max_examples=settings().max_examples * 3)
def test_tables_as_they_are_built(
    data: st.DataObject, world: tuple[str, int], strict: bool
) -> None:
    """Built from blocks: strict ones, several leaves of one outcome, odd strings elsewhere."""
    alphabet, width = world
    universe = Universe(alphabet, width)
    outcomes = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=5))
    leaves = [Leaf(outcome, f"part {at}") for at, outcome in enumerate(outcomes)]
    number = st.integers(0, len(leaves) - 1)
    kinds = st.booleans() if strict else st.just(False)
    blocks = st.builds(Block, st.text(alphabet, max_size=width), kinds)
    items = data.draw(st.lists(st.tuples(blocks, number), max_size=8))
    absent, present, root = data.draw(number), data.draw(number), data.draw(st.none() | number)
    table = table_of(universe, leaves, absent, present, items)
    hashes = ["".join(chars) for chars in product(alphabet, repeat=width)]

    def naive(value: str) -> int:
        held = (leaf for block, leaf in items if value.startswith(block.prefix))
        return outcomes[next(held, present)]

    values = tuple(naive(value) for value in hashes)
    free = outcomes[absent if root is None else root]
    found = minimise(table, root)
    assert found == minimise(table, root)
    assert read(found, free, alphabet, width) == values
    assert len(found) == by_inheritance(values, 3, len(alphabet))[free]


@given(st.dictionaries(st.text("01", max_size=6), st.integers(0, 2)), st.integers(0, 2))
def test_the_result_is_a_table_again(prefixes: dict[str, int], present: int) -> None:
    """Minimising what has been minimised changes nothing, and neither does its source."""
    universe = Universe("01", 6)
    table = table_of_prefixes(universe, leaves_of(3), present, present, prefixes)
    once = minimise(table)
    again = {item.prefix: int(str(item.outcome)) for item in once}
    rebuilt = table_of_prefixes(universe, leaves_of(3), present, present, again)
    assert len(minimise(rebuilt)) == len(once)
    assert len(once) <= len(prefixes)
    for value in universe.values():
        assert rebuilt.leaf(value) == table.leaf(value)
    assert rebuilt.number(None) == table.number(None)


def test_of_equally_good_labels_the_inherited_one_is_kept_then_the_roots() -> None:
    """The block 111 is half 0 and half 1, inside of one that is 2: it is named for either."""

    def found(outside: int, root: int) -> list[tuple[str, object]]:
        values = (outside,) * 8 + (2, 2, 2, 2, 2, 2, 0, 1)
        return [(item.prefix, item.outcome) for item in shortened(values, root, 4, "01", 4)]

    assert found(0, 0) == [("1", 2), ("111", 0), ("1111", 1)]
    assert found(1, 1) == [("1", 2), ("111", 1), ("1110", 0)]
    assert found(3, 3) == [("1", 2), ("111", 0), ("1111", 1)]
    # Where 2 is one of the two, it is inherited, and nothing is named for the block.
    values = (0,) * 8 + (2, 2, 2, 2, 2, 2, 2, 1)
    assert [item.prefix for item in shortened(values, 0, 3, "01", 4)] == ["1", "1111"]
