"""Power and size: exact figures of the literature, and a fixed test of another library."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from pinroute.stats.power import critical_values, drift_for, exits, inflation
from pinroute.stats.simulation import Population, draw
from pinroute.stats.size import (
    Design,
    margin_in_errors,
    share_needed,
    size,
    smallest_effect,
    user_variance,
    users_needed,
    variance_of,
)
from pinroute.stats.spending import Spending

OBF, HSD, POCOCK = Spending
DESIGN = Design(variance=1.45, control=0.25, candidate=0.25, looks=25, buckets=100_000)


def test_the_power_of_25_looks() -> None:
    found = exits(critical_values(OBF, 0.025, 25), 3.2415)
    assert found.up == pytest.approx(0.8868, abs=5e-5)
    assert found.stop == pytest.approx(0.683, abs=5e-4)
    assert found.down < 1e-6


@pytest.mark.parametrize("spending", list(Spending))
def test_without_an_effect_the_error_is_spent(spending: Spending) -> None:
    found = exits(critical_values(spending, 0.025, 20), 0.0)
    assert (found.up, found.down) == pytest.approx((0.025, 0.025), abs=1e-9)
    one = exits(critical_values(spending, 0.05, 20, two_sided=False), 0.0, two_sided=False)
    assert (one.up, one.down) == pytest.approx((0.05, 0.0), abs=1e-8)


@pytest.mark.parametrize(
    ("spending", "wanted"),
    [(OBF, (1.023, 1.046, 1.052)), (HSD, (1.023, 1.041, 1.047)), (POCOCK, (1.192, 1.245, 1.257))],
)
def test_the_price_of_looking(spending: Spending, wanted: tuple[float, ...]) -> None:
    found = [inflation(0.9, spending, 0.025, looks) for looks in (5, 25, 100)]
    assert found == pytest.approx(wanted, abs=6e-4)
    assert inflation(0.9, spending, 0.025, 1) == pytest.approx(1.0, abs=1e-6)


def test_the_drift_is_found_with_its_power() -> None:
    drift = drift_for(0.95, HSD, 0.0125, 12)
    assert exits(critical_values(HSD, 0.0125, 12), drift).up == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.9, 0.01)])
def test_one_look_is_a_fixed_test(power: float, alpha: float) -> None:
    once = replace(DESIGN, looks=1, power=power, alpha=alpha)
    users = users_needed(once, 0.1)
    fixed = NormalIndPower().solve_power(
        effect_size=0.1 / math.sqrt(1.45), power=power, alpha=alpha, ratio=1.0
    )
    assert users * 0.25 == pytest.approx(fixed, rel=1e-4)


def test_effect_users_and_share_agree() -> None:
    users = users_needed(DESIGN, 0.1)
    assert smallest_effect(DESIGN, users) == pytest.approx(0.1)
    assert share_needed(DESIGN, 0.1, users) == pytest.approx(0.25)
    assert share_needed(DESIGN, 0.1, users / 2.1) is None
    assert users_needed(DESIGN, 0.05) == pytest.approx(4 * users)
    assert users_needed(replace(DESIGN, control=0.5), 0.1) == pytest.approx(0.75 * users)
    assert users_needed(replace(DESIGN, candidates=2), 0.1) > 1.1 * users
    assert users_needed(replace(DESIGN, buckets=8), 0.1) > 1.1 * users
    drift = drift_for(0.8, OBF, 0.025, 25)
    assert margin_in_errors(DESIGN, 0.1, users) == pytest.approx(drift, rel=1e-4)


def test_looks_and_days_hold_together() -> None:
    found = size(DESIGN, 0.1, users_per_day=1000.0, looks_per_day=4.0)
    assert found.looks == math.ceil(found.users / 1000.0 * 4.0)
    assert found.days == found.looks / 4.0
    assert found.users == pytest.approx(users_needed(replace(DESIGN, looks=found.looks), 0.1))
    assert found.control == found.candidate == found.users / 4
    assert 0.5 < found.stop < 0.9
    at_once = size(DESIGN, 5.0, users_per_day=1e6, looks_per_day=1.0)
    assert (at_once.looks, at_once.stop) == (1, 1.0)


def test_the_variance_of_a_user_is_that_of_simulated_users() -> None:
    population = Population(1500.0)
    sample = draw(population, 1, 32, 1500, np.random.default_rng(1))
    formula = user_variance(9.0, 30.0, math.e - 1.0, 1.0 / 21.0)
    assert float(np.var(sample.oracle[0])) * 1500.0 == pytest.approx(formula, rel=0.1)


def test_the_variance_from_a_past_look() -> None:
    information = 1.0 / (1.45 * (1 / 300 + 1 / 700))
    assert variance_of(information, 300.0, 700.0) == pytest.approx(1.45)
