"""An arm's estimate, and how it changes when each bucket is left out in turn.

Arrays have the buckets of an arm in their last axis and anything before it: one look, or
thousands of simulated ones. Where there is no estimate it is NaN or infinite; whether numpy
warns of that is up to the caller (numpy.errstate).
"""

from dataclasses import dataclass

import numpy as np

from pinroute.stats.tails import Floats


@dataclass(frozen=True, slots=True)
class Replicates:
    """An estimate on its scale (a rate, or the logarithm of one).

    `left_out[..., j]` is the estimate without bucket j. `effective` is Kish's number of
    equally large buckets, (sum D)^2 / sum D_j^2, at most the number of buckets.
    """

    value: Floats
    left_out: Floats
    effective: Floats

    @property
    def variance(self) -> Floats:
        """The jackknife variance, (R - 1)/R sum_j (l_j - mean l)^2 (Tukey 1958)."""
        return covariance(self.left_out, self.left_out)

    def log(self, offset: float = 0.0) -> "Replicates":
        """Return ln(estimate + offset); -inf or NaN where there is no such logarithm.

        `offset` is in the unit of the estimate.
        """
        return Replicates(
            np.log(self.value + offset), np.log(self.left_out + offset), self.effective
        )

    def minus(self, other: "Replicates") -> "Replicates":
        """Return the change since an earlier estimate on the same buckets."""
        return Replicates(self.value - other.value, self.left_out - other.left_out, self.effective)


def covariance(one: Floats, other: Floats) -> Floats:
    """Return the jackknife covariance of two estimates on the same buckets.

    (R - 1)/R sum_j (l_j - mean l)(p_j - mean p), in the product of their units.
    """
    buckets = one.shape[-1]
    first = one - one.sum(axis=-1, keepdims=True) / buckets
    same = other is one
    second = first if same else other - other.sum(axis=-1, keepdims=True) / buckets
    found: Floats = (first * second).sum(axis=-1) * ((buckets - 1) / buckets)
    return found


def effective(denominators: Floats) -> Floats:
    """Return Kish's number of buckets, (sum D)^2 / sum D_j^2; 0 where there is nothing."""
    squares = (denominators * denominators).sum(axis=-1)
    whole = denominators.sum(axis=-1)
    found: Floats = whole * whole / np.where(squares > 0.0, squares, 1.0)
    return found


def ratio(numerators: Floats, denominators: Floats) -> Replicates:
    """Return sum M / sum D, and (sum M - M_j)/(sum D - D_j). Empty buckets stay in.

    NaN where a denominator is zero.
    """
    top, bottom = numerators.sum(axis=-1), denominators.sum(axis=-1)
    left_out = (top[..., None] - numerators) / (bottom[..., None] - denominators)
    return Replicates(top / bottom, left_out, effective(denominators))


def total(counts: Floats) -> Replicates:
    """Return sum D, and sum D - D_j: the size of an arm, in requests."""
    whole = counts.sum(axis=-1)
    return Replicates(whole, whole[..., None] - counts, effective(counts))


def effective_users(effective_buckets: float, buckets: int) -> float:
    """Return the users that a number of effective buckets stands for: k R / (R - k).

    About n / (1 + CV^2 of the requests per user); +inf where the buckets are all alike.
    """
    if effective_buckets >= buckets:
        return float("inf")
    return effective_buckets * buckets / (buckets - effective_buckets)
