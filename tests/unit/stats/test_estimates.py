"""Jackknife, degrees of freedom, z, sample ratio and mixture: the vectors of a hand calculation."""

from __future__ import annotations

import math
from typing import SupportsFloat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportions_ztest

from pinroute.stats import gate, histogram, mixture, sample_ratio
from pinroute.stats.effect import adjusted, contrast
from pinroute.stats.jackknife import effective_users, ratio, total
from pinroute.stats.observation import Counts, Histogram, unreadable
from pinroute.stats.tails import normal_of_t, t_of_normal

M_A = np.array([12.0, 9, 15, 7, 11, 14, 8, 10])
D_A = np.array([100.0, 90, 120, 80, 95, 130, 85, 100])
M_B = np.array([16.0, 13, 15, 12, 18, 11, 14, 17])
D_B = np.array([105.0, 98, 110, 90, 125, 85, 100, 115])


def exactly(value: SupportsFloat, wanted: float, digits: int = 9) -> None:
    assert float(value) == pytest.approx(wanted, rel=10.0**-digits)


def test_the_jackknife() -> None:
    a, b = ratio(M_A, D_A), ratio(M_B, D_B)
    exactly(a.value, 0.1075)
    exactly(b.value, 0.1400966184)
    exactly(a.effective, 7.80012188, 8)
    exactly(b.effective, 7.88898094, 8)
    exactly(a.variance, 2.0555067327e-05)
    exactly(b.variance, 7.6281366687e-06)
    exactly(a.log().variance, 1.7927085470e-03)
    exactly(b.log().variance, 3.9004403887e-04)


def test_the_effect_on_the_logarithm() -> None:
    found = contrast(ratio(M_A, D_A).log(), ratio(M_B, D_B).log())
    exactly(found.difference, 0.2648414681)
    exactly(np.sqrt(found.variance), 0.0467199378)
    exactly(found.df, 9.631032, 6)
    exactly(found.z(), 3.67461284, 8)


def test_the_effect_as_a_difference() -> None:
    found = contrast(ratio(M_A, D_A), ratio(M_B, D_B))
    exactly(found.difference, 0.0325966184, 8)
    exactly(np.sqrt(found.variance), 0.0053087855, 8)
    exactly(found.df, 11.253888, 7)
    exactly(found.z(), 3.98933244, 8)


def test_an_empty_bucket_stays_in() -> None:
    m, d = M_A.copy(), D_A.copy()
    m[3] = d[3] = 0.0
    found = ratio(m, d)
    exactly(found.value, 0.1097222222)
    exactly(found.variance, 1.9148027235e-05)
    exactly(found.log().variance, 1.6028611036e-03)
    exactly(found.effective, 6.85261071, 8)


def test_many_runs_at_once() -> None:
    both = contrast(
        ratio(np.stack([M_A, M_B]), np.stack([D_A, D_B])).log(),
        ratio(np.stack([M_B, M_A]), np.stack([D_B, D_A])).log(),
    )
    one = contrast(ratio(M_A, D_A).log(), ratio(M_B, D_B).log())
    assert both.z()[0] == one.z()
    assert both.z()[1] == pytest.approx(-float(one.z()))


def test_the_jackknife_of_a_mean_is_the_textbook_variance() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 40)
    found = ratio(values, np.ones(40))
    exactly(found.variance, values.var(ddof=1) / 40)
    exactly(found.effective, 40.0)


def test_welch_with_equal_buckets() -> None:
    """With equally large buckets it is Welch's t test on the rates of the buckets."""
    generator = np.random.default_rng(2)
    a, b = generator.normal(5.0, 2.0, 16), generator.normal(5.5, 1.0, 24)
    found = contrast(ratio(a, np.ones(16)), ratio(b, np.ones(24)))
    peer = stats.ttest_ind(b, a, equal_var=False)
    exactly(found.difference / np.sqrt(found.variance), peer.statistic)
    exactly(found.df, peer.df)
    exactly(2.0 * stats.norm.sf(abs(found.z())), peer.pvalue)


@pytest.mark.parametrize(
    ("t", "df", "z"),
    [(3.0, 14.2, 2.59613462), (-2.5, 62.0, -2.43047875), (8.0, 31.0, 5.84917189)],
)
def test_t_to_z(t: float, df: float, z: float) -> None:
    exactly(normal_of_t(t, df), z, 8)
    exactly(t_of_normal(z, df), t, 8)


def test_t_to_z_far_out() -> None:
    assert normal_of_t(1e9, 1e6) == 37.0
    assert normal_of_t(-1e9, 1e6) == -37.0
    assert normal_of_t(0.0, 3.0) == 0.0
    assert normal_of_t(2.5, math.inf) == pytest.approx(2.5)


def test_the_split_of_requests() -> None:
    found = sample_ratio.of_requests(D_A, D_B)
    exactly(found.difference, 0.0344014267, 8)
    exactly(found.variance, 5.7393690510e-03)
    exactly(found.difference / np.sqrt(found.variance), 0.45409255, 7)


def test_the_split_since_the_observe_stage() -> None:
    with np.errstate(invalid="ignore"):  # without any variance there are no degrees of freedom
        doubled = sample_ratio.of_requests(D_A, D_B, (2.0 * D_A, 2.0 * D_B))
        lost = sample_ratio.of_requests(D_A, 0.9 * D_B, (D_A, D_B))
    assert float(doubled.difference) == pytest.approx(0.0, abs=1e-12)
    assert float(lost.difference) == pytest.approx(math.log(0.9))
    assert float(lost.variance) < 1e-12


def test_the_split_of_users() -> None:
    found = sample_ratio.of_users(2000.0, 2220.0, 0.5)
    z, _ = proportions_ztest(2220, 4220, value=0.5, prop_var=0.5)
    exactly(found.z(), float(z))


@pytest.mark.parametrize(
    ("users", "shares", "wanted"),
    [
        ((500, 500), (1, 1), -1.20122032),
        ((560, 440), (1, 1), 5.36326890),
        ((600, 400), (1, 1), 17.09894042),
        ((2000, 2220), (1, 1), 3.72021200),
        ((125, 875), (1, 7), -1.20511505),
        ((160, 840), (1, 7), 3.46251733),
        ((200, 800), (1, 7), 19.12375122),
        ((300, 350, 350), (1, 1, 1), -0.09112466),
        ((0, 0), (1, 1), 0.0),
    ],
)
def test_lindon_and_malek(users: list[float], shares: list[float], wanted: float) -> None:
    assert sample_ratio.log_odds(users, shares) == pytest.approx(wanted, abs=2e-8)


@pytest.mark.parametrize(
    ("variance", "mixing", "alpha", "wanted"),
    [
        (1.0, 1.0, 0.05, 3.65639487),
        (0.0004, 0.0001, 0.05, 0.11148639),
        (0.0001, 0.0001, 0.05, 0.03656395),
        (0.0025, 0.01, 0.001, 0.21955173),
    ],
)
def test_the_mixture(variance: float, mixing: float, alpha: float, wanted: float) -> None:
    assert mixture.half_width(variance, mixing, alpha) == pytest.approx(wanted, abs=5e-9)


def test_the_mixture_is_valid_at_any_time() -> None:
    """Brownian motion crosses it with at most 5 %, though it is looked at 2,000 times."""
    generator = np.random.default_rng(5)
    information = np.geomspace(1.0, 1e4, 2000)
    steps = generator.normal(size=(2000, 2000)) * np.sqrt(np.diff(information, prepend=0.0))
    z = np.cumsum(steps, axis=1) / np.sqrt(information)
    critical = [mixture.critical(1.0 / info, 0.01, 0.05) for info in information]
    crossed = (np.abs(z) >= critical).any(axis=1).mean()
    assert 0.01 < crossed < 0.05


# --- The gate -------------------------------------------------------------------------------


@given(st.floats(0.0, 64.0), st.floats(0.0, 60.0), st.integers(1, 64))
def test_the_gate_and_its_words_agree(kish: float, events: float, buckets: int) -> None:
    passed = bool(gate.passes(np.asarray(kish), np.asarray(events), buckets))
    assert passed == (gate.too_few(kish, events, buckets, "events") is None)


def test_effective_users() -> None:
    assert effective_users(8.0, 8) == math.inf
    assert effective_users(16.0, 32) == 32.0


# --- CUPED ----------------------------------------------------------------------------------


def pairs(correlation: float, seed: int, runs: int, buckets: int = 32) -> tuple[float, float]:
    """Return the share of false winners at 5 %, and the mean of V' / V, in A/A runs."""
    generator = np.random.default_rng(seed)
    size = (2, runs, buckets)
    users = generator.poisson(60.0, size).astype(float)
    habit = generator.normal(size=size)
    new = correlation * habit + math.sqrt(1.0 - correlation**2) * generator.normal(size=size)
    now = [ratio(users[arm] * (1.0 + 0.05 * new[arm]), users[arm]).log() for arm in (0, 1)]
    old = [ratio(users[arm] * (1.0 + 0.05 * habit[arm]), users[arm]).log() for arm in (0, 1)]
    with_past = adjusted(now[0], now[1], (old[0], old[1]))
    without = contrast(now[0], now[1])
    false = (np.abs(with_past.z()) > 1.959963984540054).mean()
    return float(false), float((with_past.variance / without.variance).mean())


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_what_was_before_keeps_the_level_and_narrows_the_variance(correlation: float) -> None:
    false, narrowed = pairs(correlation, seed=11, runs=6000)
    assert 0.042 < false < 0.058  # 0.05 +- 2.8 standard errors
    assert narrowed == pytest.approx(1.0 - correlation**2, abs=0.02)


# --- Histograms -----------------------------------------------------------------------------

BOUNDS = (0.1, 0.2, 0.4, math.inf)


def test_a_quantile_is_interpolated_as_in_prometheus() -> None:
    one = Histogram(BOUNDS, ((10.0, 20.0, 40.0, 40.0), (0.0, 0.0, 40.0, 40.0)))
    found = histogram.quantile(one, 0.5)
    # 80 values, the 40th: 10, 20, 80 are at or below 0.1, 0.2, 0.4
    assert float(found.value) == pytest.approx(0.2 + 0.2 * (40 - 20) / 60)
    assert found.left_out == pytest.approx([0.2 + 0.2 * 20 / 40, 0.2])
    assert float(found.effective) == 2.0
    first = histogram.quantile(one, 0.05)
    assert float(first.value) == pytest.approx(0.1 * 4 / 10)


def test_a_quantile_in_the_last_class_is_unknown() -> None:
    one = Histogram(BOUNDS, ((1.0, 2.0, 3.0, 40.0),) * 2)
    assert math.isnan(float(histogram.quantile(one, 0.9).value))
    empty = Histogram(BOUNDS, ((0.0, 0.0, 0.0, 0.0),) * 2)
    assert math.isnan(float(histogram.quantile(empty, 0.9).value))


def test_the_share_above_a_limit() -> None:
    one = Histogram(BOUNDS, ((10.0, 20.0, 40.0, 41.0), (0.0, 0.0, 40.0, 40.0)))
    assert histogram.above(one, 0.2) == Counts((21.0, 40.0), (41.0, 40.0))
    assert histogram.above(one, 0.3) is None


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (Histogram((0.1, 0.2), ((1.0, 2.0),)), "+Inf"),
        (Histogram((), ()), "+Inf"),
        (Histogram((0.2, 0.1, math.inf), ((1.0, 2.0, 3.0),)), "ascending"),
        (Histogram((math.nan, 0.1, math.inf), ((1.0, 2.0, 3.0),)), "ascending"),
        (Histogram((0.1, math.inf), ((1.0, 2.0, 3.0),)), "same classes"),
        (Histogram((0.1, math.inf), ((1.0, None),)), "no counts"),
        (Histogram((0.1, math.inf), ((None, 1.0),)), "missing"),
        (Histogram((0.1, math.inf), ((2.0, 1.0),)), "cumulative"),
        (Histogram((0.1, math.inf), ()), "no counts"),
    ],
)
def test_broken_histograms(one: Histogram, wanted: str) -> None:
    found = histogram.broken(one)
    assert found is not None
    assert wanted in found


def test_the_jackknife_of_a_quantile_has_the_right_variance() -> None:
    """Against the variance over many runs, at clustered values."""
    generator = np.random.default_rng(7)
    bounds = (*np.round(np.linspace(0.5, 12.0, 47), 2), math.inf)
    found, guessed = [], []
    for _ in range(400):
        shift = generator.normal(0.0, 0.15, 32)
        values = np.exp(generator.normal(1.0 + shift[:, None], 0.5, (32, 200)))
        counts = tuple(
            tuple(float(np.count_nonzero(row <= bound)) for bound in bounds) for row in values
        )
        quantile = histogram.quantile(Histogram(bounds, counts), 0.9)
        found.append(float(quantile.log().value))
        guessed.append(float(quantile.log().variance))
    assert np.mean(guessed) == pytest.approx(np.var(found), rel=0.2)


# --- Counters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((), "there are no requests"),
        ((None, None), "there are no requests"),
        ((1.0, None), "requests are missing for bucket 1"),
        ((1.0, None, None), "requests are missing for buckets 1, 2"),
        ((1.0, *(None,) * 9), "requests are missing for buckets 1, 2, 3, 4 and 5 more"),
        ((1.0, math.nan), "requests are not finite for bucket 1"),
        ((1.0, math.inf), "requests are not finite for bucket 1"),
        ((1.0, -2.0), "requests are negative for bucket 1"),
        ((0.0, 2.0), None),
    ],
)
def test_unreadable_counters(values: tuple[float | None, ...], wanted: str | None) -> None:
    assert unreadable(values, "requests") == wanted


def test_a_total_and_its_change() -> None:
    change = total(D_A).log().minus(total(D_B).log())
    assert float(change.value) == pytest.approx(math.log(800 / 828))
