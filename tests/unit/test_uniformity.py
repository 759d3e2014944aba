"""What a file of hashes looks like: the tail of chi-square, bias, and heads that are clocks."""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from math import erfc, exp, lgamma, log, sqrt

import pytest

from pinroute.table.universe import Universe
from pinroute.uniformity import LEAST_PER_BLOCK, MOST_BLOCKS, uniformity

HEX = "0123456789abcdef"
ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def tail(degrees: int, statistic: float) -> float:
    """Return the probability that chi-square is larger: the finite sums of the gamma function."""
    half = statistic / 2
    if half == 0:
        return 1.0
    first = 0.0 if degrees % 2 == 0 else 0.5
    terms = (
        exp(power * log(half) - half - lgamma(power + 1))
        for power in (step + first for step in range(degrees // 2))
    )
    return sum(terms) if degrees % 2 == 0 else erfc(sqrt(half)) + sum(terms)


@pytest.mark.parametrize(
    ("degrees", "statistic", "known"),
    [  # scipy.stats.chi2.sf, and any printed table
        (1, 3.841458820694124, 0.05),
        (1, 10.827566170662733, 0.001),
        (2, 5.991464547107979, 0.05),
        (5, 11.070497693516351, 0.05),
        (10, 18.307038053275146, 0.05),
        (30, 43.77297182574219, 0.05),
        (100, 124.34211340400407, 0.05),
        (100, 149.44925277903886, 0.001),
        (2, 1.3862943611198906, 0.5),
    ],
)
def test_the_oracle_is_the_published_tail(degrees: int, statistic: float, known: float) -> None:
    assert tail(degrees, statistic) == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("degrees", [15, 63, 255, 1023, 4095])
def test_the_oracle_is_the_integral_of_the_density(degrees: int) -> None:
    half, spread = degrees / 2, sqrt(2 * degrees)

    def density(x: float) -> float:
        return exp((half - 1) * log(x / 2) - x / 2 - lgamma(half)) / 2

    for start in (degrees - spread, degrees, degrees + spread, degrees + 3 * spread):
        steps, step = 4_000, 14 * spread / 4_000
        weights = (1 if at in (0, steps) else 4 if at % 2 else 2 for at in range(steps + 1))
        simpson = sum(weight * density(start + at * step) for at, weight in enumerate(weights))
        assert simpson * step / 3 == pytest.approx(tail(degrees, start), rel=1e-6, abs=1e-9)


def seeded(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311  repeatable, not secret


def sample(counts: Sequence[int], alphabet: str, length: int) -> list[str]:
    """Return values whose heads occur as often as told, in no order."""
    heads = [""]
    for _ in range(length):
        heads = [head + char for head in heads for char in alphabet]
    values = [
        head + "".join(seeded(f"{head}{turn}").choices(alphabet, k=3))
        for head, count in zip(heads, counts, strict=True)
        for turn in range(count)
    ]
    seeded(7).shuffle(values)
    return values


def pearson(counts: Sequence[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


@pytest.mark.parametrize("uneven", [0.0, 0.5, 1.0, 1.3, 1.7])
@pytest.mark.parametrize(
    ("alphabet", "length"), [("01", 1), ("01", 3), ("01", 5), ("01", 8), (HEX, 1), (HEX, 2)]
)
def test_p_is_the_tail_of_chi_square(alphabet: str, length: int, uneven: float) -> None:
    blocks = len(alphabet) ** length
    generator = seeded(blocks)
    # Large enough for this many blocks, too small for more.
    mean = LEAST_PER_BLOCK * (1.3 if len(alphabet) == 2 else 2)
    spread = uneven * sqrt(mean)
    counts = [max(0, round(generator.gauss(mean, spread))) for _ in range(blocks)]
    while sum(counts) < LEAST_PER_BLOCK * blocks:
        counts[0] += 1
    look = uniformity(Universe(alphabet, length + 3), sample(counts, alphabet, length))
    assert (look.hashes, look.malformed, look.blocks) == (sum(counts), 0, blocks)
    assert look.p is not None
    exact = tail(blocks - 1, pearson(counts))
    if blocks > 30:  # three digits, as the module says
        assert look.p == pytest.approx(exact, rel=0.01, abs=5e-4)
    else:
        assert look.p == pytest.approx(exact, rel=0.05, abs=0.02)
    assert not look.clock


def test_a_block_without_hashes_counts_too() -> None:
    counts = [0, *[28] * 100, *[29] * 155]
    look = uniformity(Universe("01", 11), sample(counts, "01", 8))
    assert look.p == pytest.approx(tail(255, pearson(counts)), abs=1e-6)
    counts = [0, *[round(seeded(turn).gauss(28, 5)) for turn in range(255)]]
    look = uniformity(Universe("01", 11), sample(counts, "01", 8))
    exact = tail(255, pearson(counts))
    assert 0.05 < exact < 0.95
    assert look.p == pytest.approx(exact, abs=1e-3)


def uniform(universe: Universe, number: int, seed: int) -> list[str]:
    generator = seeded(seed)
    return [
        "".join(generator.choices(universe.alphabet, k=universe.digits)) for _ in range(number)
    ]


@pytest.mark.parametrize(
    "universe",
    [Universe("01", 10), Universe("0123456789", 6), Universe(HEX, 16), Universe("abc", 8)],
)
def test_random_hashes_pass(universe: Universe) -> None:
    looks = [uniformity(universe, uniform(universe, 3_000, seed)) for seed in range(60)]
    ps = [look.p for look in looks if look.p is not None]
    assert len(ps) == 60
    assert not any(look.clock for look in looks)
    # p is uniform itself: about 6 of 60 are below a tenth, and none is below 0.001.
    assert 1 <= sum(p < 0.1 for p in ps) <= 14
    assert min(ps) > 0.001
    assert all("as far as they tell" in look.sentence for look in looks)


def test_sha256_of_names_passes() -> None:
    values = [hashlib.sha256(f"user-{turn}".encode()).hexdigest() for turn in range(20_000)]
    look = uniformity(Universe(HEX, 64), values)
    assert look.p is not None
    assert look.p > 0.001
    assert (
        look.sentence
        == f"20,000 hashes; uniform over 256 blocks as far as they tell (p = {look.p:.4f})"
    )


def test_the_blocks_are_many_but_not_too_many() -> None:
    look = uniformity(Universe("01", 20), uniform(Universe("01", 20), 100_000, 5))
    assert look.blocks == MOST_BLOCKS
    assert uniformity(Universe("01", 3), uniform(Universe("01", 3), 1_000, 5)).blocks == 8


@pytest.mark.parametrize("lost", [0.1, 0.5, 1.0])
def test_biased_hashes_fail(lost: float) -> None:
    """One of 16 heads lacks a tenth of its hashes, half of them, all."""
    universe = Universe(HEX, 8)
    generator = seeded(11)
    values = [
        value
        for value in uniform(universe, 40_000, 3)
        if not (value[0] == "7" and generator.random() < lost)
    ]
    look = uniformity(universe, values)
    assert look.p is not None
    if lost > 0.1:  # a tenth of a sixteenth is seen by larger files only
        assert look.p < 0.001
        assert "shares will differ from what the prefixes say" in look.sentence
    assert not look.clock


def test_a_hash_in_upper_and_lower_case_is_not_one() -> None:
    universe = Universe(HEX, 8)
    values = [value.upper() for value in uniform(universe, 1_000, 3)]
    look = uniformity(universe, values)
    # Values of digits alone have no case: (10 / 16) ** 8 of them.
    digits = sum(value.isdecimal() for value in values)
    assert (look.hashes, look.malformed) == (digits, 1_000 - digits)
    assert look.sentence.startswith(f"{digits} hashes, and {1_000 - digits} values that are none")


@pytest.mark.parametrize(
    "values", [[], [""], ["1" * 9], ["0101010101"] * 39, ["0", "01", "x" * 10]]
)
def test_too_few_to_tell(values: list[str]) -> None:
    look = uniformity(Universe("01", 10), values)
    assert (look.p, look.blocks, look.clock) == (None, 1, False)
    assert "too few to tell" in look.sentence


def uuid7(milliseconds: int, generator: random.Random) -> str:
    return f"{milliseconds:012x}7{generator.getrandbits(76):019x}"


def ulid(milliseconds: int, generator: random.Random) -> str:
    number = milliseconds << 80 | generator.getrandbits(80)
    return "".join(ULID[number >> 5 * place & 31] for place in reversed(range(26)))


CLOCKS = {
    "uuid7": (Universe(HEX, 32), uuid7),
    "ulid": (Universe("".join(sorted(ULID)), 26), ulid),
    "counter": (Universe("0123456789", 14), lambda now, _: f"{now:014d}"),
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_heads_that_are_clocks(kind: str) -> None:
    universe, make = CLOCKS[kind]
    generator = seeded(13)
    now = 1_790_000_000_000
    values: list[str] = []
    for _ in range(5_000):
        now += generator.randrange(1, 400)
        values.append(make(now, generator))
    look = uniformity(universe, values)
    assert look.clock
    assert "their heads are a clock (UUIDv7, ULID, a counter)" in look.sentence
    assert "not uniform" in look.sentence
    # A few that came late do not hide it.
    for _ in range(100):
        at = generator.randrange(len(values) - 1)
        values[at], values[at + 1] = values[at + 1], values[at]
    assert uniformity(universe, values).clock
    # In no order nobody sees the clock, but equal heads show as bias.
    generator.shuffle(values)
    look = uniformity(universe, values)
    assert not look.clock
    assert look.p is not None
    assert look.p < 0.001


def test_a_sorted_file_is_told_as_possibly_sorted() -> None:
    universe = Universe(HEX, 16)
    values = sorted(uniform(universe, 5_000, 2))
    look = uniformity(universe, values)
    assert look.clock
    assert "unless it was sorted" in look.sentence
    assert "uniform over 16 blocks as far as they tell" in look.sentence


def test_one_hash_over_and_over_is_no_clock() -> None:
    look = uniformity(Universe("01", 10), ["1010101010"] * 5_000)
    assert not look.clock
    assert look.p is not None
    assert look.p < 0.0001
    assert "(p below 0.0001)" in look.sentence


def test_the_order_of_counting_does_not_matter() -> None:
    universe = Universe("01", 10)
    values = uniform(universe, 2_000, 4)
    assert uniformity(universe, values).p == uniformity(universe, values[::-1]).p
    counted = Counter(value[:6] for value in values)
    assert len(counted) == uniformity(universe, values).blocks
