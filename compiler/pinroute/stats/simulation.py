"""Simulated users: what counters per bucket look like when users, not requests, are assigned.

Users of an arm are Poisson; each has a random bucket (as a hash gives it), a log-normal
number of requests and a rate of events of its own, from a beta distribution. Many runs are
drawn at once. The same seed gives the same numbers with the same version of numpy.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from pinroute.stats.tails import Floats

Whole = npt.NDArray[np.int64]


class Traffic(StrEnum):
    """When users come. It decides how fast information grows, and so how early a test ends."""

    PRESENT = "present"  # all from the start, and they stay
    ARRIVING = "arriving"  # one by one, and they stay
    VISITS = "visits"  # one by one, each for a short visit
    GROWING = "growing"  # visits, more and more of them


@dataclass(frozen=True, slots=True)
class Population:
    """The users of one arm.

    `users` is their expected number. `requests` is the mean number of requests of a user who
    is there all the time and `spread` the sigma of its logarithm; a share `heavy` sends 50
    times as many. A user's rate of events has the mean `rate` and the variance of a beta
    distribution of that `concentration`.
    """

    users: float
    traffic: Traffic = Traffic.VISITS
    requests: float = 30.0
    spread: float = 1.0
    heavy: float = 0.0
    rate: float = 0.1
    concentration: float = 20.0


HEAVY = 50.0  # a heavy user's requests, as a multiple


@dataclass(frozen=True, slots=True)
class Sample:
    """What was counted in one arm, in many runs: arrays (runs, looks, buckets), cumulative.

    `oracle` has, for each run, ln(rate) and its variance from the users themselves at the end.
    """

    events: Floats
    requests: Floats
    users: Floats
    oracle: tuple[Floats, Floats]


def draw(
    population: Population, looks: int, buckets: int, runs: int, generator: np.random.Generator
) -> Sample:
    """Return `runs` independent runs of one arm."""
    sizes = generator.poisson(population.users, runs)
    run = np.repeat(np.arange(runs), sizes)
    count = len(run)
    bucket = generator.integers(0, buckets, count)
    arrival, stay = _arrivals(population.traffic, looks, count, generator)
    mean = generator.lognormal(
        np.log(population.requests) - population.spread**2 / 2.0, population.spread, count
    )
    if population.heavy:
        mean[generator.random(count) < population.heavy] *= HEAVY
    alpha = population.rate * population.concentration
    rate = generator.beta(alpha, population.concentration - alpha, count)
    # The thinning of a Poisson number: events and other requests are independent.
    events = generator.poisson(mean * stay * rate)
    others = generator.poisson(mean * stay * (1.0 - rate))
    place = (run * looks + arrival) * buckets + bucket
    shape = (runs, looks, buckets)
    stays = population.traffic in (Traffic.PRESENT, Traffic.ARRIVING)
    counted = [
        _over_time(_sums(place, values, shape), generator, stays=stays)
        for values in (events, others)
    ]
    present = (generator.random(count) < -np.expm1(-mean * stay)).astype(np.int64)
    return Sample(
        counted[0],
        counted[0] + counted[1],
        np.cumsum(_sums(place, present, shape), axis=1).astype(np.float64),
        _of_users(run, runs, events, events + others),
    )


def _arrivals(
    traffic: Traffic, looks: int, count: int, generator: np.random.Generator
) -> tuple[Whole, Floats]:
    """Return before which look each user comes, and for which part of the run it stays.

    A visit counts as a whole run: `Population.requests` are then the requests of the visit.
    """
    if traffic is Traffic.PRESENT:
        return np.zeros(count, dtype=np.int64), np.ones(count)
    moment = generator.random(count)
    if traffic is Traffic.GROWING:
        moment = np.sqrt(moment)
    arrival = np.minimum((moment * looks).astype(np.int64), looks - 1)
    if traffic is Traffic.ARRIVING:
        return arrival, 1.0 - arrival / looks
    return arrival, np.ones(count)


def _sums(
    place: Whole,
    values: Whole,
    shape: tuple[int, int, int],
) -> Whole:
    """Return the sums of values over runs, looks of arrival and buckets."""
    flat = np.bincount(place, weights=values, minlength=shape[0] * shape[1] * shape[2])
    return np.rint(flat).astype(np.int64).reshape(shape)


def _over_time(
    arrived: Whole,
    generator: np.random.Generator,
    *,
    stays: bool,
) -> Floats:
    """Return cumulative counts from those by look of arrival.

    What users who stay do is spread evenly over the looks that they have left: of what is
    still to come at look k of K, each happens now with the probability 1 / (K - k + 1).
    """
    if not stays:
        return np.cumsum(arrived, axis=1).astype(np.float64)
    looks = arrived.shape[1]
    found = np.empty(arrived.shape)
    waiting = np.zeros_like(arrived[:, 0])
    done = np.zeros_like(waiting)
    for look in range(looks):
        waiting = waiting + arrived[:, look]
        now = generator.binomial(waiting, 1.0 / (looks - look))
        waiting, done = waiting - now, done + now
        found[:, look] = done
    return found


def _of_users(run: Whole, runs: int, events: Whole, requests: Whole) -> tuple[Floats, Floats]:
    """Return ln(sum M / sum D) of each run, and its variance from the spread of the users.

    sum (M - theta D)^2 / (theta sum D)^2: the delta method.
    """
    top = np.bincount(run, weights=events, minlength=runs)
    bottom = np.bincount(run, weights=requests, minlength=runs)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = top / bottom
        residual = events - rate[run] * requests
        squares = np.bincount(run, weights=residual**2, minlength=runs)
        return np.log(rate), squares / top**2
