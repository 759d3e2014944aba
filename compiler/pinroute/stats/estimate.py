"""What one metric of one arm says at one look: its value, or why there is none."""

import math
from dataclasses import dataclass

from pinroute.stats import gate, histogram
from pinroute.stats.jackknife import Replicates, effective_users, ratio
from pinroute.stats.observation import Counts, Histogram, Observation, array, unreadable
from pinroute.stats.plan import Kind, Metric, Scale


@dataclass(frozen=True, slots=True)
class Estimate:
    """The value in the metric's unit, None if unknown, and whether it may be tested.

    `unfit` says why not, as the end of a sentence about the arm; None where it may.
    `weight` is the sum of the denominators, `users` the effective number of users behind it.
    """

    value: float | None
    replicates: Replicates | None = None
    unfit: str | None = None
    weight: float = 0.0
    users: float = 0.0


def estimate(metric: Metric, observation: Observation | None) -> Estimate:
    """Return the estimate of an arm that is read in buckets."""
    if observation is None:
        return Estimate(None, unfit="has no data")
    if metric.kind is Kind.QUANTILE and isinstance(observation, Histogram):
        return _quantile(metric, observation)
    if metric.kind not in (Kind.QUANTILE, Kind.PLAIN) and isinstance(observation, Counts):
        return _ratio(metric, observation)
    return Estimate(None, unfit=f"was read in another form than a {metric.kind} needs")


def _ratio(metric: Metric, counts: Counts) -> Estimate:
    """Return sum M / sum D, if both can be read."""
    if len(counts.numerators) != len(counts.denominators):
        return Estimate(None, unfit="has numerators and denominators for different buckets")
    wrong = unreadable(counts.denominators, "requests")
    if wrong is not None:
        return Estimate(None, unfit=f"cannot be read: {wrong}")
    known = counts.numerators
    if None in known:
        known = tuple(0.0 if value is None else value for value in known)
    top, bottom = array(known), array(counts.denominators)
    signed = metric.scale is Scale.DIFFERENCE and metric.kind is not Kind.PROPORTION
    wrong = unreadable(tuple(map(abs, top.tolist())) if signed else known, "numerators")
    if wrong is not None:
        return Estimate(None, unfit=f"cannot be read: {wrong}")
    if metric.kind is Kind.PROPORTION and (top > bottom).any():
        return Estimate(None, unfit="cannot be read: a bucket has more events than requests")
    weight = float(bottom.sum())
    if weight <= 0.0:
        return Estimate(None, unfit="has no requests")
    found = ratio(top, bottom)
    events = {
        Kind.PROPORTION: (min(float(top.sum()), weight - float(top.sum())), "events of each kind"),
        Kind.RATIO: (float(top.sum()), "events"),
    }.get(metric.kind, (weight, "measured values"))
    return _fit(float(found.value), found, len(bottom), weight, *events)


def _quantile(metric: Metric, observation: Histogram) -> Estimate:
    """Return a quantile, if the histogram can be read and its classes reach it."""
    wrong = histogram.broken(observation)
    if wrong is not None:
        return Estimate(None, unfit=f"cannot be read: {wrong}")
    whole = array(tuple(counts[-1] for counts in observation.counts))
    weight = float(whole.sum())
    if weight <= 0.0:
        return Estimate(None, unfit="has no requests")
    share = metric.quantile or 0.0
    found = histogram.quantile(observation, share)
    if not math.isfinite(float(found.value)):
        top = observation.bounds[-2]
        return Estimate(
            None, unfit=f"has its quantile above the last class of the histogram, {top:g}"
        )
    rarer = weight * min(share, 1.0 - share)
    return _fit(float(found.value), found, len(whole), weight, rarer, "values beyond the quantile")


def _fit(
    value: float, found: Replicates, buckets: int, weight: float, events: float, what: str
) -> Estimate:
    """Return an estimate, and whether it passes the gate."""
    kish = float(found.effective)
    unfit = gate.too_few(kish, events, buckets, what)
    return Estimate(value, found, unfit, weight, effective_users(kish, buckets))
