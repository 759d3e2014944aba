"""Does the split that is seen contradict the one that the routing table promises?

On requests it can only be tested with the spread over buckets (a chi-square test on
requests raises the alarm in 78 % of A/A runs), and it cannot tell a broken split from a
version that makes users send more or fewer requests. On counted users it can.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln

from pinroute.stats.effect import Effect, contrast
from pinroute.stats.jackknife import total
from pinroute.stats.tails import Floats

CONCENTRATION = 100.0


def of_requests(
    control: Floats, candidate: Floats, before: tuple[Floats, Floats] | None = None
) -> Effect:
    """Return ln(sum D_B / sum D_A), to be compared with ln(w_B / w_A).

    Arrays of requests per bucket in the last axis. With the requests of the same buckets in
    the `observe` stage it is the change since then, to be compared with 0.
    """
    arms = [total(control).log(), total(candidate).log()]
    if before is not None:
        earlier = [total(counts).log() for counts in before]
        arms = [now.minus(old) for now, old in zip(arms, earlier, strict=True)]
    return contrast(arms[0], arms[1])


def of_users(control: Floats | float, candidate: Floats | float, share: float) -> Effect:
    """Return the excess of the candidate over its share of the users of the two arms.

    n_B - n p with the variance n p (1 - p) of a binomial split, in users. `share` is
    w_B / (w_A + w_B).
    """
    both = control + candidate
    return Effect(
        np.asarray(candidate - both * share),
        np.asarray(both * share * (1.0 - share)),
        np.asarray(np.inf),
    )


def log_odds(users: Sequence[float], shares: Sequence[float]) -> float:
    """Return the logarithm of the odds against the split, valid at any time.

    Dirichlet-multinomial against multinomial with the promised shares; alarm at 1/alpha.
    Source: Lindon and Malek (NeurIPS 2022), concentration 100. 0 without users.
    """
    whole = sum(shares)
    weights = [share / whole for share in shares]
    prior = [CONCENTRATION * weight for weight in weights]
    found = float(gammaln(CONCENTRATION) - gammaln(CONCENTRATION + sum(users)))
    for count, pseudo, weight in zip(users, prior, weights, strict=True):
        found += float(gammaln(pseudo + count) - gammaln(pseudo)) - count * math.log(weight)
    return found
