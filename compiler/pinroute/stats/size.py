"""How many users, which share of them, how many looks and days an experiment takes.

Effects are on the metric's scale: natural logarithms of a ratio, or the metric's unit.
Variances are those of one user, of the same unit squared: an arm of n users has V = v/n.
"""

import math
from dataclasses import dataclass, replace

from scipy.special import ndtri, stdtrit

from pinroute.stats.power import critical_values, drift_for, exits
from pinroute.stats.spending import Spending

MOST_LOOKS = 400
SAFE_MARGIN = 4.2  # standard errors of the last look: below 3.24 promotion is a lottery


@dataclass(frozen=True, slots=True)
class Design:
    """What is fixed. `variance` is of one user; `control` and `candidate` are shares of all.

    `alpha` is the two-sided level of the reward, which `candidates` share; `buckets` are
    those of one arm.
    """

    variance: float
    control: float
    candidate: float
    looks: int
    power: float = 0.8
    alpha: float = 0.05
    spending: Spending = Spending.OBRIEN_FLEMING
    candidates: int = 1
    buckets: int = 32


@dataclass(frozen=True, slots=True)
class Size:
    """What it takes: `users` are all users who come, in the arms or not, until the last look.

    `stop` is the mean part of the days after which the test ends if the effect is as large
    as it was designed for.
    """

    users: float
    control: float
    candidate: float
    looks: int
    days: float
    stop: float


def user_variance(square: float, requests: float, unequal: float, alike: float) -> float:
    """Return the relative variance of one user, for a ratio of sums over users.

    s ((1 - r)/m + r (1 + CV^2)): s `square` is the squared coefficient of variation of one
    request's value ((1 - p)/p for a proportion p), m `requests` are those of a user, CV^2
    `unequal` is their squared coefficient of variation, r `alike` the correlation of two
    requests of one user. Kish's design effect (1965), for clusters of unequal size.
    """
    return square * ((1.0 - alike) / requests + alike * (1.0 + unequal))


def variance_of(information: float, control: float, candidate: float) -> float:
    """Return the variance of one user from a past look: its information and its users.

    V = v (1/n_A + 1/n_B).
    """
    return 1.0 / information / (1.0 / control + 1.0 / candidate)


def users_needed(design: Design, effect: float) -> float:
    """Return how many users have to come, in the arms or not, to find an effect.

    v (1/s_A + 1/s_B) (drift/effect)^2 (t/z)^2: the drift is found by numerical integration,
    the last factor pays for the estimated variance (t with 2 (R - 1) degrees of freedom).
    """
    return _weight(design) * (_drift(design) / effect) ** 2


def smallest_effect(design: Design, users: float) -> float:
    """Return the effect that is found with the design's power if so many users come."""
    return _drift(design) * math.sqrt(_weight(design) / users)


def share_needed(design: Design, effect: float, users: float) -> float | None:
    """Return the share of all users that each of two equal arms takes, or None above a half."""
    whole = users_needed(replace(design, control=1.0, candidate=1.0), effect)
    share = whole / users
    return share if share <= 0.5 else None


def margin_in_errors(design: Design, margin: float, users: float) -> float:
    """Return a guardrail's margin in standard errors of the last look; 4.2 is safe."""
    return margin / math.sqrt(_weight(design) / users)


def size(design: Design, effect: float, users_per_day: float, looks_per_day: float) -> Size:
    """Return what an experiment takes whose looks are at equal distances in time.

    The fewest looks by whose end enough users have come; `design.looks` does not matter.
    `users_per_day` are new users, in the arms or not.
    """
    found = replace(design, looks=1)
    while True:
        users = users_needed(found, effect)
        looks = max(1, math.ceil(users / users_per_day * looks_per_day - 1e-9))
        if looks <= found.looks:
            break
        found = replace(found, looks=looks)
    side = found.alpha / found.candidates / 2.0
    ends = exits(critical_values(found.spending, side, _counted(found)), _drift(found))
    return Size(
        users,
        users * found.control,
        users * found.candidate,
        found.looks,
        found.looks / looks_per_day,
        ends.stop,
    )


def _weight(design: Design) -> float:
    """Return V times the number of all users, with the price of an estimated variance."""
    free = 2.0 * (design.buckets - 1.0)
    side = design.alpha / design.candidates / 2.0
    price = float(stdtrit(free, side) / ndtri(side)) ** 2
    return design.variance * (1.0 / design.control + 1.0 / design.candidate) * price


def _drift(design: Design) -> float:
    """Return the effect, in standard errors of the last look, that the design finds."""
    side = design.alpha / design.candidates / 2.0
    return drift_for(design.power, design.spending, side, _counted(design))


def _counted(design: Design) -> int:
    """Return the looks that are reckoned with: beyond 400, one more changes nothing."""
    return min(design.looks, MOST_LOOKS)
