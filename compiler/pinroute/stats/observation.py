"""What is read at a look: counters per bucket, histograms per bucket, or plain values.

All counters are cumulative since the start of the experiment, a place for each bucket of
the arm, in the same order at every look. Missing is not zero: a counter that could not be
read is None. Whoever reads has to know that a bucket without requests has no series yet,
and writes 0 for it where the arm's other series are fresh.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pinroute.stats.tails import Floats

Counters = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Numerators and denominators: errors and requests, or the sum and number of latencies.

    A numerator that is None beside a denominator is zero: nothing happened yet.
    """

    numerators: Counters
    denominators: Counters


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative histograms as Prometheus has them: `counts[bucket][i]` values <= `bounds[i]`.

    `bounds` are in the metric's unit, in ascending order; the last one is +inf.
    """

    bounds: tuple[float, ...]
    counts: tuple[Counters, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One value for the whole arm. `variance` is its noise where it is declared, else None."""

    value: float | None
    variance: float | None = None


Observation = Counts | Histogram | Reading


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of everything.

    `number` counts the planned looks from 1; None is a reading that was not planned, which
    is shown and never decided on. `elapsed` is in seconds since the start. `metrics` holds
    metric -> arm -> observation; `requests` the requests of each bucket by arm, for the
    sample ratio; `users` the distinct users by arm, where they are counted. `fault` says
    what makes the data worthless, such as a routing that was changed meanwhile; it ends the
    experiment, planned look or not.
    """

    number: int | None
    elapsed: float
    metrics: Mapping[str, Mapping[str, Observation]] = field(default_factory=dict)
    requests: Mapping[str, Counters] = field(default_factory=dict)
    users: Mapping[str, float | None] = field(default_factory=dict)
    fault: str | None = None


def array(counters: Counters) -> Floats:
    """Return counters as numbers; None is NaN."""
    return np.array(counters, dtype=np.float64)


def unreadable(values: Counters, what: str) -> str | None:
    """Return why counters cannot be used, or None: nothing there, missing, or no counts."""
    numbers = array(values)
    if numbers.size and ((numbers >= 0.0) & (numbers < np.inf)).all():
        return None
    if all(value is None for value in values):
        return f"there are no {what}"
    missing = [place for place, value in enumerate(values) if value is None]
    if missing:
        return f"{what} are missing for {_buckets(missing)}"
    wild = np.flatnonzero(~np.isfinite(numbers)).tolist()
    if wild:
        return f"{what} are not finite for {_buckets(wild)}"
    return f"{what} are negative for {_buckets(np.flatnonzero(numbers < 0.0).tolist())}"


def _buckets(places: list[int]) -> str:
    """Return the places of buckets as words, no more than four of them."""
    more = f" and {len(places) - 4} more" if len(places) > 4 else ""
    listed = ", ".join(str(place) for place in places[:4])
    return ("bucket " if len(places) == 1 else "buckets ") + listed + more
