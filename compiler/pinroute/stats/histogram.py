"""Quantiles and shares from cumulative histograms per bucket of users.

Prefer the share of requests above a limit: it is a proportion and has everything that
proportions have. A quantile is interpolated in its class, so it is as exact as the classes
are narrow. Leaving out one bucket of users leaves out many requests at once, which is what
makes the jackknife valid for a quantile (Shao and Wu, Annals of Statistics 1989).
"""

import math

import numpy as np

from pinroute.stats.jackknife import Replicates, effective
from pinroute.stats.observation import Counters, Counts, Histogram, unreadable
from pinroute.stats.tails import Floats


def broken(histogram: Histogram) -> str | None:
    """Return why a histogram cannot be used, or None."""
    bounds = histogram.bounds
    if len(bounds) < 2 or not math.isinf(bounds[-1]) or bounds[-1] < 0:
        return "the classes of the histogram do not end with +Inf"
    if any(math.isnan(bound) for bound in bounds) or list(bounds) != sorted(set(bounds)):
        return "the classes of the histogram are not in ascending order"
    if any(len(counts) != len(bounds) for counts in histogram.counts):
        return "the histograms of the buckets do not have the same classes"
    whole = tuple(counts[-1] for counts in histogram.counts)
    flat: Counters = tuple(count for counts in histogram.counts for count in counts)
    wrong = unreadable(whole, "counts")
    if wrong is not None:
        return wrong
    if any(count is None or not math.isfinite(count) or count < 0.0 for count in flat):
        return "a class of the histogram is missing or is no number"
    if np.any(np.diff(_array(histogram), axis=-1) < 0.0):
        return "the counts of the histogram are not cumulative"
    return None


def above(histogram: Histogram, limit: float) -> Counts | None:
    """Return how many values of each bucket are above a limit, as a proportion.

    None if no class ends at the limit: nobody knows how many values are above it then.
    """
    if limit not in histogram.bounds:
        return None
    place = histogram.bounds.index(limit)
    whole = tuple(counts[-1] for counts in histogram.counts)
    parts = tuple(
        None if count is None or counts[place] is None else count - (counts[place] or 0.0)
        for count, counts in zip(whole, histogram.counts, strict=True)
    )
    return Counts(parts, whole)


def quantile(histogram: Histogram, share: float) -> Replicates:
    """Return a quantile in the metric's unit; NaN where it lies in the class up to +Inf.

    The classes are those of all buckets together, with linear interpolation as in
    Prometheus' histogram_quantile; then without each bucket.
    """
    counts = _array(histogram)
    whole = counts.sum(axis=0)
    left_out = whole[None, :] - counts
    bounds = np.asarray(histogram.bounds)
    return Replicates(
        _interpolated(bounds, whole[None, :], share)[0],
        _interpolated(bounds, left_out, share),
        effective(counts[:, -1]),
    )


def _array(histogram: Histogram) -> Floats:
    return np.asarray(histogram.counts, dtype=np.float64)


def _interpolated(bounds: Floats, counts: Floats, share: float) -> Floats:
    """Return the quantiles of rows of cumulative counts."""
    rank = share * counts[:, -1]
    place = np.argmax(counts >= rank[:, None], axis=1)
    rows = np.arange(len(counts))
    first = place == 0
    start = np.where(first, np.minimum(bounds[0], 0.0), bounds[place - 1])
    under = np.where(first, 0.0, counts[rows, place - 1])
    inside = counts[rows, place] - under
    part = (rank - under) / np.where(inside > 0.0, inside, np.inf)
    found = start + (np.where(np.isinf(bounds), 0.0, bounds)[place] - start) * part
    return np.where((place == len(bounds) - 1) | (counts[:, -1] <= 0.0), np.nan, found)
