"""Spending functions: how much of the error may be used up by a share of the planned time.

Sources: Lan and DeMets (Biometrika 1983), Hwang, Shih and DeCani (Statistics in Medicine
1990). Times and errors are without unit; alpha(0) = 0 and alpha(1) is the whole error.
"""

import math
from enum import StrEnum


class Spending(StrEnum):
    """The shape of a spending function."""

    OBRIEN_FLEMING = "obrien-fleming"
    HWANG_SHIH_DECANI = "hwang-shih-decani"
    POCOCK = "pocock"


GAMMA = -4.0  # of Hwang-Shih-DeCani: stops earlier than O'Brien-Fleming, and costs as little


def spent(spending: Spending, alpha: float, time: float) -> float:
    """Return the error that one side has spent at a time in [0, 1].

    `alpha` is the error of that side, half the level of a two-sided test.

    * O'Brien-Fleming: 2 (1 - Phi(z_(1-alpha/2) / sqrt t)), as gsDesign's sfLDOF
    * Hwang-Shih-DeCani, gamma -4: alpha (1 - e^(-gamma t)) / (1 - e^(-gamma))
    * Pocock: alpha ln(1 + (e - 1) t)
    """
    if time <= 0.0:
        return 0.0
    if time >= 1.0:
        return alpha
    if spending is Spending.OBRIEN_FLEMING:
        return 2.0 * _above(_quantile_above(alpha / 2.0) / math.sqrt(time))
    if spending is Spending.HWANG_SHIH_DECANI:
        return alpha * math.expm1(-GAMMA * time) / math.expm1(-GAMMA)
    return alpha * math.log1p((math.e - 1.0) * time)


def _above(z: float) -> float:
    """Return P(Z > z)."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def _quantile_above(tail: float) -> float:
    """Return the z with P(Z > z) = `tail`."""
    from scipy.special import ndtri

    return -float(ndtri(tail))
