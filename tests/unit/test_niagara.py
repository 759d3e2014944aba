"""A universe split among arms: as few rules as Bit Matcher, and as close as a budget allows.

The oracles are written from the papers and share nothing with the code: Bit Matcher
(Sadeh et al., ToN 2020), and a search through every longest-prefix list there is.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinroute.table.niagara import Rule, split
from pinroute.table.universe import Universe


def partitions(total: int, arms: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to give a total to some arms, nobody's turn included."""
    if arms == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in partitions(total - first, arms - 1):
            yield (first, *rest)


def bit_matcher(demands: Sequence[int], width: int) -> int:
    """Return how many rules an exact split needs: one, and one for each transaction."""
    left = list(demands)
    rules = 1
    for bit in range(width):
        odd = [arm for arm, size in enumerate(left) if size >> bit & 1]
        # By the bits from this one up, the least significant the heaviest.
        odd.sort(key=lambda arm: [left[arm] >> above & 1 for above in range(bit, width + 1)])
        half = len(odd) // 2
        for taker, giver in zip(odd[:half], odd[half:], strict=True):
            left[taker] -= 1 << bit
            left[giver] += 1 << bit
            rules += 1
    assert sorted(left)[-1] == 1 << width
    return rules


def reached(rules: Sequence[Rule], arms: int, width: int) -> list[int]:
    """Count the user hashes of each arm: of the prefixes of a value the longest wins."""
    size = 1 << width
    owner = [-1] * size
    for prefix, arm in sorted(rules, key=lambda rule: len(rule.prefix)):
        block = size >> len(prefix)
        start = int(prefix, 2) * block if prefix else 0
        owner[start : start + block] = [arm] * block
    return [owner.count(arm) for arm in range(arms)]


def exactly(demands: Sequence[int]) -> list[Fraction]:
    return [Fraction(size) for size in demands]


@pytest.mark.parametrize(("arms", "width", "cases"), [(2, 8, 257), (3, 6, 2145), (4, 5, 6545)])
def test_exact_splits_need_as_few_rules_as_bit_matcher(arms: int, width: int, cases: int) -> None:
    universe = Universe("01", width)
    seen = 0
    for demands in partitions(universe.size, arms):
        rules = split(universe, exactly(demands))
        assert len(rules) == bit_matcher(demands, width), demands
        assert reached(rules, arms, width) == list(demands)
        seen += 1
    assert seen == cases


@cache
def fewest(arms: int, width: int, inherited: int) -> dict[tuple[int, ...], int]:
    """Return the fewest rules for every split of a block whose surroundings go to one arm."""
    best: dict[tuple[int, ...], int] = {}
    for arm in range(arms):
        own = int(arm != inherited)
        if width == 0:
            best[tuple(int(other == arm) for other in range(arms))] = own
            continue
        half = fewest(arms, width - 1, arm)
        for (one, left), (two, right) in product(half.items(), repeat=2):
            sizes = tuple(map(sum, zip(one, two, strict=True)))
            best[sizes] = min(best.get(sizes, 1 << 30), own + left + right)
    return best


def fewest_of_all(arms: int, width: int) -> dict[tuple[int, ...], int]:
    """Return the fewest rules for every split, the catch-all among them."""
    return {
        sizes: 1 + min(fewest(arms, width, root)[sizes] for root in range(arms))
        for sizes in fewest(arms, width, 0)
    }


@pytest.mark.parametrize(("arms", "width"), [(2, 3), (2, 5), (3, 3), (3, 4), (4, 3)])
def test_no_longest_prefix_list_is_shorter(arms: int, width: int) -> None:
    universe = Universe("01", width)
    optimum = fewest_of_all(arms, width)
    assert set(optimum) == set(partitions(universe.size, arms))
    for demands, rules in optimum.items():
        assert len(split(universe, exactly(demands))) == rules, demands
        assert bit_matcher(demands, width) == rules, demands


def distance(sizes: Sequence[int], weights: Sequence[Fraction]) -> Fraction:
    return sum(
        (abs(size - weight) for size, weight in zip(sizes, weights, strict=True)), Fraction(0)
    )


def closest(weights: Sequence[Fraction], width: int, budget: int) -> Fraction:
    """Return the least deviation that any list of so many rules has."""
    possible = fewest_of_all(len(weights), width)
    return min(distance(sizes, weights) for sizes, rules in possible.items() if rules <= budget)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_a_budget_gives_the_closest_split_of_two_arms(width: int) -> None:
    universe = Universe("01", width)
    for quarters in range(4 * universe.size + 1):  # also weights that are no whole numbers
        second = Fraction(quarters, 4)
        weights = [universe.size - second, second]
        for budget in range(1, width + 3):
            rules = split(universe, weights, budget)
            assert len(rules) <= budget
            seen = reached(rules, 2, width)
            assert distance(seen, weights) == closest(weights, width, budget), (weights, budget)


@pytest.mark.parametrize(("arms", "width"), [(3, 3), (3, 4)])
def test_a_budget_gives_the_closest_split_of_three_arms(arms: int, width: int) -> None:
    universe = Universe("01", width)
    for demands in partitions(universe.size, arms):
        for budget in range(1, 2 * width + 2):
            rules = split(universe, exactly(demands), budget)
            seen = reached(rules, arms, width)
            assert len(rules) <= budget
            assert distance(seen, exactly(demands)) == closest(exactly(demands), width, budget), (
                demands,
                budget,
            )


# reference/peers-statistics-prefix-theory.md §6.7: percent reached with 2, 3, 4, … rules.
VECTORS = {
    5: (6.25, 4.69, 5.08, 4.98),
    10: (12.5, 9.38, 10.16, 9.96),
    20: (25, 18.75, 20.31, 19.92, 20.02),
    30: (25, 31.25, 29.69, 30.08, 29.98),
}


@pytest.mark.parametrize("percent", VECTORS)
def test_published_vectors(percent: int) -> None:
    universe = Universe("01", 10)
    part = Fraction(percent * universe.size, 100)
    for budget, wanted in enumerate(VECTORS[percent], 2):
        rules = split(universe, [universe.size - part, part], budget)
        assert len(rules) == budget
        assert round(100 * reached(rules, 2, 10)[1] / universe.size, 2) == wanted


@st.composite
def weighings(draw: st.DrawFn) -> tuple[int, list[Fraction], int | None]:
    width = draw(st.integers(1, 7))
    parts = draw(st.lists(st.integers(0, 60), min_size=2, max_size=6).filter(any))
    weights = [Fraction(part * 2**width, sum(parts)) for part in parts]
    return width, weights, draw(st.none() | st.integers(1, 9))


@given(weighings())
@settings(max_examples=300, deadline=None)
def test_any_weights_make_a_sound_list(case: tuple[int, list[Fraction], int | None]) -> None:
    width, weights, budget = case
    universe = Universe("01", width)
    rules = split(universe, weights, budget)
    assert budget is None or len(rules) <= budget
    assert len({rule.prefix for rule in rules}) == len(rules)
    assert [len(rule.prefix) for rule in rules] == sorted(
        (len(rule.prefix) for rule in rules), reverse=True
    )
    assert rules[-1] == Rule("", max(range(len(weights)), key=lambda arm: weights[arm]))
    seen = reached(rules, len(weights), width)
    assert sum(seen) == universe.size
    fewer = split(universe, weights, len(rules) - 1) if len(rules) > 1 else rules
    assert distance(seen, weights) <= distance(reached(fewer, len(weights), width), weights)
    if budget is None:
        # As close as whole user hashes can be: each arm has its weight, rounded up or down.
        assert all(abs(size - weight) < 1 for size, weight in zip(seen, weights, strict=True))


def test_other_alphabets_are_refused() -> None:
    with pytest.raises(ValueError, match="binary"):
        split(Universe("0123", 3), [Fraction(32), Fraction(32)])
