"""A confidence sequence for experiments without a known end: valid at any time.

Robbins' normal mixture, as in Howard, Ramdas, McAuliffe and Sekhon (Annals of Statistics
2021) and Johari et al. (2017). It is wider than group sequential boundaries.
"""

import math


def half_width(variance: float, mixing: float, alpha: float) -> float:
    """Return half of the interval's width, in the unit of the estimate.

    sqrt(V (V + q)/q (ln((V + q)/V) + 2 ln(1/alpha))): `variance` V of the estimate,
    `mixing` q = tau^2, the square of the size of effects for which it is narrowest (same
    unit squared), `alpha` two-sided.
    """
    together = variance + mixing
    inner = math.log(together / variance) + 2.0 * math.log(1.0 / alpha)
    return math.sqrt(variance * together / mixing * inner)


def critical(variance: float, mixing: float, alpha: float) -> float:
    """Return the normal value that has to be passed: half the width over sqrt V."""
    return half_width(variance, mixing, alpha) / math.sqrt(variance)
