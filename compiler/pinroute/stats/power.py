"""How likely a group sequential test is to find an effect, and when it ends. No simulation.

The density of the paths is carried from look to look, as for the boundaries, with the drift
that the effect gives them (Jennison and Turnbull 2000, ch. 19).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from pinroute.stats.boundary import HIGHEST, advance, begin
from pinroute.stats.density import beyond, density, panels, quadrature, step
from pinroute.stats.spending import Spending, spent
from pinroute.stats.tails import Floats

_LOWEST = -HIGHEST  # under an effect paths also come from far below


@dataclass(frozen=True, slots=True)
class Exits:
    """The probability to cross upwards and downwards, and the mean part of the time at the end."""

    up: float
    down: float
    stop: float


@lru_cache(maxsize=64)
def critical_values(
    spending: Spending, alpha: float, looks: int, *, two_sided: bool = True
) -> tuple[float, ...]:
    """Return the boundary of equally distant looks with as much new information at each.

    `alpha` is the error of one side.
    """
    paths, used, found = begin(np.array([two_sided])), 0.0, []
    for look in range(1, looks + 1):
        time = look / looks
        allowed = spent(spending, alpha, time)
        before = paths
        paths = advance(paths, np.array([0]), np.array([time]), np.array([allowed - used]))
        found.append(float(paths.critical[0]) if paths is not before else float("inf"))
        used = allowed
    return tuple(found)


def exits(critical: Sequence[float], drift: float, *, two_sided: bool = True) -> Exits:
    """Return how paths end whose last look has the mean `drift` (effect / standard error).

    Looks are equally distant, with as much new information at each.
    """
    looks = len(critical)
    now = np.array([1.0 / looks])
    up = down = stop = 0.0
    mean, mass, width = drift * np.sqrt(now)[:, None], np.ones((1, 1)), np.ones(1)
    for look, value in enumerate(critical, 1):
        high = np.array([min(value, HIGHEST + abs(drift))])
        low = -high if two_sided else np.array([_LOWEST - abs(drift)])
        over, _ = beyond(high, mean, mass, width)
        under = _below(low, mean, mass, width)
        up, down = up + float(over[0]), down + (float(under[0]) if two_sided else 0.0)
        time = look / looks
        stop += time * (float(over[0]) + (float(under[0]) if two_sided else 0.0))
        if look == looks:
            break
        then = np.array([(look + 1) / looks])
        factor, shift, ahead = step(now, then, drift)
        count = int(panels(low, high, np.minimum(width, ahead / factor))[0])
        nodes, weights = quadrature(low, high, count)
        mass = weights * density(nodes, mean, mass, width)
        mean, width, now = nodes * factor + shift, ahead, then
    return Exits(up, down, stop + (1.0 - up - down))


def _below(value: Floats, mean: Floats, mass: Floats, width: Floats) -> Floats:
    """Return the probability below a value, for each row."""
    found: Floats = (mass * ndtr((value[:, None] - mean) / width[:, None])).sum(axis=-1)
    return found


@lru_cache(maxsize=256)
def drift_for(
    power: float, spending: Spending, alpha: float, looks: int, *, two_sided: bool = True
) -> float:
    """Return the effect, in standard errors of the last look, that is found with a power.

    `power` is above a half.
    """
    critical = critical_values(spending, alpha, looks, two_sided=two_sided)
    single = -float(ndtri(alpha)) + float(ndtri(power))

    def lacks(drift: float) -> float:
        return exits(critical, drift, two_sided=two_sided).up - power

    return float(brentq(lacks, single - 0.1, single + 3.0, xtol=1e-9))


def inflation(power: float, spending: Spending, alpha: float, looks: int) -> float:
    """Return how many times as much information this takes as one test at the end."""
    single = -float(ndtri(alpha)) + float(ndtri(power))
    return (drift_for(power, spending, alpha, looks) / single) ** 2
