"""Boundaries by spending: published and recomputed values, to four decimals."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from pinroute.stats.boundary import advance, begin
from pinroute.stats.spending import Spending, spent

if TYPE_CHECKING:
    from collections.abc import Sequence

OBF, HSD, POCOCK = Spending


def boundary(
    spending: Spending,
    alpha: float,
    times: int | Sequence[float],
    information: Sequence[float] | None = None,
    *,
    two_sided: bool = True,
) -> list[float]:
    """Return the critical values of looks; `alpha` is the error of one side."""
    shares = [k / times for k in range(1, times + 1)] if isinstance(times, int) else list(times)
    paths, used, found = begin(np.array([two_sided])), 0.0, []
    for share, info in zip(shares, information or shares, strict=True):
        allowed = spent(spending, alpha, share)
        paths = advance(paths, np.array([0]), np.array([float(info)]), np.array([allowed - used]))
        used = allowed
        found.append(float(paths.critical[0]))
    return found


def close(found: Sequence[float], wanted: str) -> None:
    assert [round(value, 4) for value in found] == [float(value) for value in wanted.split()]


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        (1, "1.9600"),
        (2, "2.9626 1.9686"),
        (3, "3.7103 2.5114 1.9930"),
        (5, "4.8769 3.3570 2.6803 2.2898 2.0310"),  # Lan and DeMets; gsDesign's sfLDOF
        (10, "6.9914 4.8769 3.9297 3.3671 2.9893 2.7148 2.5041 2.3358 2.1975 2.0812"),
        (
            25,
            (
                "11.1455 7.8380 6.3648 5.4825 4.8796 4.4364 4.0941 3.8200 3.5943 3.4042 3.2414 "
                "3.1000 2.9755 2.8650 2.7659 2.6764 2.5951 2.5208 2.4525 2.3895 2.3311 2.2768 "
                "2.2261 2.1787 2.1342"
            ),
        ),
    ],
)
def test_obrien_fleming(looks: int, wanted: str) -> None:
    close(boundary(OBF, 0.025, looks), wanted)


def test_a_hundred_looks() -> None:
    close(boundary(OBF, 0.025, 100)[-1:], "2.1854")


def test_pocock() -> None:
    close(boundary(POCOCK, 0.025, 5), "2.4380 2.4268 2.4102 2.3966 2.3860")
    close(
        boundary(POCOCK, 0.025, 10),
        "2.6551 2.6232 2.5896 2.5621 2.5397 2.5214 2.5061 2.4931 2.4819 2.4722",
    )
    many = boundary(POCOCK, 0.025, 25)
    close([*many[:3], many[-1]], "2.9361 2.8961 2.8529 2.5454")


def test_hwang_shih_decani() -> None:
    close(boundary(HSD, 0.025, 5), "3.2527 2.9860 2.6917 2.3737 2.0253")


def test_one_sided() -> None:
    close(boundary(OBF, 0.05, 5, two_sided=False), "4.2292 2.8881 2.2981 1.9618 1.7397")
    lasts = [boundary(OBF, 0.05, looks, two_sided=False)[-1] for looks in (10, 25, 100)]
    close(lasts, "1.7949 1.8509 1.9035")
    close(boundary(POCOCK, 0.05, 5, two_sided=False), "2.1762 2.1437 2.1133 2.0896 2.0710")
    close(boundary(POCOCK, 0.01 / 3, 5, two_sided=False), "3.0948 3.1167 3.1217 3.1235 3.1246")


def test_small_errors() -> None:
    close(boundary(OBF, 0.0005, 5), "7.6951 5.3801 4.3442 3.7262 3.3095")
    close(boundary(POCOCK, 0.0005, 5), "3.6193 3.6542 3.6686 3.6771 3.6832")


def test_unequal_looks() -> None:
    close(boundary(OBF, 0.025, [0.2, 0.4, 1.0]), "4.8769 3.3570 1.9623")
    close(boundary(OBF, 0.025, [0.1, 0.5, 0.9, 1.0]), "6.9914 2.9626 2.1050 2.0572")


def test_time_is_spent_and_information_correlates() -> None:
    found = boundary(OBF, 0.025, 5, [10, 30, 60, 100, 110])
    close(found, "4.8769 3.3571 2.6891 2.3181 2.0017")


def test_the_unit_of_information_does_not_matter() -> None:
    one = boundary(OBF, 0.025, 5, [10, 30, 60, 100, 110])
    other = boundary(OBF, 0.025, 5, [10e9, 30e9, 60e9, 100e9, 110e9])
    assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("two_sided", [True, False])
def test_crossing_probabilities_are_those_of_a_multivariate_normal(two_sided: bool) -> None:
    information = [1.0, 1.7, 4.0, 4.4]
    times = [0.3, 0.5, 0.9, 1.0]
    critical = boundary(POCOCK, 0.02, times, information, two_sided=two_sided)
    size = len(information)
    covariance = np.sqrt(np.minimum.outer(information, information))
    covariance = covariance / np.sqrt(np.maximum.outer(information, information))
    inside = [1.0]
    for looks in range(1, size + 1):
        part = covariance[:looks, :looks]
        lower = np.full(looks, -np.inf) if not two_sided else -np.array(critical[:looks])
        inside.append(
            float(
                multivariate_normal.cdf(
                    np.array(critical[:looks]),
                    np.zeros(looks),
                    part,
                    abseps=1e-7,
                    releps=1e-7,
                    lower_limit=lower,
                )
            )
        )
    sides = 2 if two_sided else 1
    for time, now in zip(times, inside[1:], strict=True):
        assert (1.0 - now) / sides == pytest.approx(spent(POCOCK, 0.02, time), abs=2e-5)
    assert all(before > now for before, now in pairwise(inside))


def test_a_look_that_may_spend_nothing_changes_nothing() -> None:
    paths = begin(np.array([True]))
    row, nothing = np.array([0]), np.array([0.0])
    assert advance(paths, row, np.array([3.0]), nothing) is paths
    first = advance(paths, row, np.array([0.5]), np.array([0.01]))
    again = advance(first, row, np.array([0.7]), nothing)
    last = [advance(one, row, np.array([1.0]), np.array([0.015])) for one in (first, again)]
    assert last[0].critical[0] == last[1].critical[0]


def test_information_that_falls_is_made_to_rise() -> None:
    assert np.isfinite(boundary(OBF, 0.025, 5, [10.0, 5.0, 5.0, 1.0, 11.0])).all()
    fallen = boundary(POCOCK, 0.025, 3, [10.0, 5.0, 5.0])
    risen = boundary(POCOCK, 0.025, 3, [10.0, 10.0 * 1.005, 10.0 * 1.005**2])
    assert fallen == pytest.approx(risen)


def test_rows_are_independent() -> None:
    """Tests of different sides, starts and information, together and one by one."""
    generator = np.random.default_rng(3)
    two_sided = np.array([True, False, True, False])
    information = np.cumsum(generator.uniform(0.01, 3.0, (8, 4)), axis=0)
    plays = generator.random((8, 4)) < 0.7
    together = begin(two_sided)
    alone = [begin(two_sided[row : row + 1]) for row in range(4)]
    for look in range(8):
        rows = np.flatnonzero(plays[look])
        spend = np.full(len(rows), 0.003)
        together = advance(together, rows, information[look][rows], spend)
        for row in rows.tolist():
            alone[row] = advance(
                alone[row], np.array([0]), information[look][row : row + 1], spend[:1]
            )
    for row in range(4):
        assert together.critical[row] == pytest.approx(alone[row].critical[0], abs=1e-8)


def test_the_first_look_is_the_quantile() -> None:
    assert boundary(POCOCK, 0.025, 1)[0] == pytest.approx(norm.isf(0.025))


@pytest.mark.parametrize("spending", list(Spending))
def test_spending_rises_to_the_whole_error(spending: Spending) -> None:
    assert spent(spending, 0.025, 0.0) == 0.0
    assert spent(spending, 0.025, 1.0) == 0.025
    assert spent(spending, 0.025, 7.0) == 0.025
    values = [spent(spending, 0.025, time / 50) for time in range(51)]
    assert all(before < after for before, after in pairwise(values))
