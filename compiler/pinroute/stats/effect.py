"""The difference between two arms, its variance and degrees of freedom, and its z value."""

from dataclasses import dataclass

import numpy as np

from pinroute.stats.jackknife import Replicates, covariance
from pinroute.stats.tails import Floats, normal_of_t, t_of_normal


@dataclass(frozen=True, slots=True)
class Effect:
    """Candidate minus control, on the scale of the estimates; a logarithm has no unit.

    `df` are the degrees of freedom of `variance`; +inf for a variance that is known.
    """

    difference: Floats
    variance: Floats
    df: Floats

    def z(self, shift: Floats | float = 0.0) -> Floats:
        """Return the normal value of the hypothesis that the difference is `shift`.

        T = (d - shift)/sqrt V, mapped from Student's t.
        """
        return normal_of_t((self.difference - shift) / np.sqrt(self.variance), self.df)

    def half_width(self, critical: Floats | float) -> Floats:
        """Return half of the interval that belongs to a critical value of z."""
        return t_of_normal(critical, self.df) * np.sqrt(self.variance)


def contrast(control: Replicates, candidate: Replicates) -> Effect:
    """Return the effect: d = l_B - l_A, V = V_A + V_B.

    Degrees of freedom: Welch and Satterthwaite with Kish's numbers of buckets,
    V^2 / (V_A^2/(k_A - 1) + V_B^2/(k_B - 1)).
    """
    return _effect(
        candidate.value - control.value,
        (control.variance, candidate.variance),
        (control.effective, candidate.effective),
    )


def adjusted(
    control: Replicates, candidate: Replicates, before: tuple[Replicates, Replicates]
) -> Effect:
    """Return the effect with what the same buckets did before taken out (CUPED).

    `before` has the same estimates of control and candidate from the `observe` stage, when
    both met the baseline, so that their difference p = p_B - p_A has the mean 0:

        d' = d - beta p,  beta = (C_A + C_B)/(P_A + P_B)
        V'_a = (V_a - 2 beta C_a + beta^2 P_a) nu/(nu - 1),  nu = k_A + k_B - 2

    with the jackknife variances V_a, P_a of an arm's two estimates and their covariance
    C_a. V' is V (1 - correlation^2), up to nu/(nu - 1) for the one estimated beta, which
    also takes one degree of freedom. Source: Deng, Xu, Kohavi and Walker (WSDM 2013), here
    with buckets instead of users.
    """
    pairs = tuple(zip((control, candidate), before, strict=True))
    shared = [covariance(now.left_out, earlier.left_out) for now, earlier in pairs]
    earlier = [old.variance for old in before]
    beta = (shared[0] + shared[1]) / (earlier[0] + earlier[1])
    free = control.effective + candidate.effective - 2.0
    left = [
        (now.variance - 2.0 * beta * common + beta**2 * old) * (free / (free - 1.0))
        for (now, _), common, old in zip(pairs, shared, earlier, strict=True)
    ]
    found = _effect(
        candidate.value - control.value - beta * (before[1].value - before[0].value),
        (left[0], left[1]),
        (control.effective, candidate.effective),
    )
    return Effect(found.difference, found.variance, np.maximum(found.df - 1.0, 1.0))


def _effect(
    difference: Floats, variances: tuple[Floats, Floats], effective: tuple[Floats, Floats]
) -> Effect:
    """Return an effect with the degrees of freedom of the sum of two variances."""
    whole = variances[0] + variances[1]
    parts = sum(v**2 / (k - 1.0) for v, k in zip(variances, effective, strict=True))
    return Effect(difference, whole, np.asarray(whole**2 / parts))
