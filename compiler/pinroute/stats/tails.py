"""Tail probabilities of the normal and of Student's t distribution, and the map between them.

A statistic with an estimated variance is compared with boundaries that are made for a
normal one. So it is first mapped to the normal value of the same tail probability.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Floats = npt.NDArray[np.float64]

FARTHEST = 37.0  # normal values beyond it have a tail probability that a float cannot hold


def above(z: npt.ArrayLike) -> Floats:
    """Return P(Z > z) for a standard normal Z; exact in the far tail too."""
    return np.asarray(ndtr(-np.asarray(z, dtype=np.float64)))


def quantile_above(tail: npt.ArrayLike) -> Floats:
    """Return the z with P(Z > z) = `tail`; +inf for 0."""
    return np.asarray(-ndtri(np.asarray(tail, dtype=np.float64)))


def normal_of_t(t: npt.ArrayLike, df: npt.ArrayLike) -> Floats:
    """Return the normal value with the tail probability of a t value.

    z = -sign(T) Phi^-1(F_df(-|T|)), cut at +-37. Without unit.
    """
    values = np.asarray(t, dtype=np.float64)
    z = -ndtri(stdtr(np.asarray(df, dtype=np.float64), -np.abs(values)))
    return np.asarray(np.sign(values) * np.clip(z, 0.0, FARTHEST))


def t_of_normal(z: npt.ArrayLike, df: npt.ArrayLike) -> Floats:
    """Return the t value with the tail probability of a normal value: the map back."""
    values = np.asarray(z, dtype=np.float64)
    tail = ndtr(-np.abs(values))
    return np.asarray(np.sign(values) * -stdtrit(np.asarray(df, dtype=np.float64), tail))
