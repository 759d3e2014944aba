"""What a look says about each hypothesis: a z value and its information, or why it does not.

Effects are oriented here: positive is better for a reward, and worse for a guardrail.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pinroute.stats import gate, sample_ratio
from pinroute.stats.effect import Effect, adjusted, contrast
from pinroute.stats.estimate import Estimate, estimate
from pinroute.stats.hypotheses import Hypothesis, Role
from pinroute.stats.jackknife import Replicates, effective
from pinroute.stats.observation import Look, Observation, Reading, array, unreadable
from pinroute.stats.plan import Direction, Guardrail, Kind, Metric, Plan, Scale
from pinroute.stats.state import Memory, Noise, Total
from pinroute.stats.tails import Floats


@dataclass(frozen=True, slots=True)
class Statistic:
    """A hypothesis at a look.

    `z` is large where the hypothesis fails, `against` where it fails on its other side (of
    two). `information` is 1 / variance of what is tested. `effect` is candidate minus
    control as it is reported, positive where the candidate's value is higher. `beyond`: a
    guardrail is estimated to be worse than its margin. `critical` is there where the
    critical value depends on nothing but the look itself.
    """

    z: float
    against: float
    information: float
    effect: Effect
    beyond: bool = False
    critical: float | None = None


Pair = tuple[str, str]  # metric and arm, or metric and candidate


@dataclass(frozen=True, slots=True)
class Measured:
    """One look: the estimates by metric and arm, and what each hypothesis says (or why not)."""

    estimates: Mapping[Pair, Estimate]
    statistics: tuple[Statistic | str, ...]
    noise: tuple[Noise, ...]
    totals: tuple[Total, ...]


def measure(
    plan: Plan,
    hypotheses: tuple[Hypothesis, ...],
    look: Look,
    before: Look | None,
    memory: Memory,
) -> Measured:
    """Return what a look says.

    `before` is the last reading of the `observe` stage, in which all arms met the baseline.
    `noise` and `totals` of the result are those of `memory` with this look.
    """
    with np.errstate(all="ignore"):  # what is no number is found by the gate
        return _measured(plan, hypotheses, look, before, memory)


def _measured(
    plan: Plan,
    hypotheses: tuple[Hypothesis, ...],
    look: Look,
    before: Look | None,
    memory: Memory,
) -> Measured:
    totals = {(one.metric, one.arm): one.value for one in memory.totals}
    estimates: dict[Pair, Estimate] = {}
    seen = dict(totals)
    for metric in plan.metrics:
        for arm in plan.arms:
            observation = look.metrics.get(metric.name, {}).get(arm)
            pair = (metric.name, arm)
            found = (
                _plain(observation) if metric.kind is Kind.PLAIN else estimate(metric, observation)
            )
            if found.replicates is not None:
                fallen = _fallen(totals.get(pair), found.weight, "counter")
                if fallen is not None:
                    found = Estimate(found.value, unfit=fallen)
                else:
                    seen[pair] = found.weight
            estimates[pair] = found
    known = _noise(plan, look, memory.noise)
    reader = _Reader(plan, look, before, estimates, known, totals, {})
    statistics = tuple(reader.statistic(hypothesis) for hypothesis in hypotheses)
    for arm, counts in look.requests.items():
        if unreadable(counts, "requests") is None:
            seen["", arm] = max(float(array(counts).sum()), totals.get(("", arm), 0.0))
    return Measured(
        estimates,
        statistics,
        tuple(known.values()),
        tuple(Total(*pair, value) for pair, value in seen.items()),
    )


def _plain(observation: Observation | None) -> Estimate:
    """Return the estimate of an arm that is read as one value."""
    if observation is None:
        return Estimate(None, unfit="has no data")
    if not isinstance(observation, Reading):
        return Estimate(None, unfit="was read in buckets, and is declared as a plain value")
    if observation.value is None:
        return Estimate(None, unfit="has no data")
    if not math.isfinite(observation.value):
        return Estimate(None, unfit=f"cannot be read: {observation.value} is no number")
    return Estimate(observation.value)


def _noise(plan: Plan, look: Look, noise: tuple[Noise, ...]) -> Mapping[Pair, Noise]:
    """Return the readings of known noise with those of this look."""
    found = {(one.metric, one.candidate): one for one in noise}
    for metric in plan.metrics:
        arms = look.metrics.get(metric.name, {})
        control = _declared(arms.get(plan.control))
        for candidate in plan.candidates:
            other = _declared(arms.get(candidate))
            if metric.kind is not Kind.PLAIN or control is None or other is None:
                continue
            weight = 1.0 / (control[1] + other[1])
            last = found.get((metric.name, candidate))
            weighted = weight * (other[0] - control[0])
            if last is not None:
                weighted, weight = last.weighted + weighted, last.weight + weight
            found[metric.name, candidate] = Noise(metric.name, candidate, weighted, weight)
    return found


def _declared(observation: Observation | None) -> tuple[float, float] | None:
    """Return value and variance of a reading that has both."""
    if not isinstance(observation, Reading):
        return None
    value, variance = observation.value, observation.variance
    if value is None or variance is None or not math.isfinite(value):
        return None
    return (value, variance) if math.isfinite(variance) and variance > 0.0 else None


def _fallen(last: float | None, now: float, what: str) -> str | None:
    """Return the reason against a counter that went back."""
    if last is None or now >= last:
        return None
    return (
        f"cannot be read: a {what} fell from {last:g} to {now:g}, a reset that nobody made up for"
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the hypotheses of one look are read from. `effects` are those that were needed."""

    plan: Plan
    look: Look
    before: Look | None
    estimates: Mapping[Pair, Estimate]
    noise: Mapping[Pair, Noise]
    totals: Mapping[Pair, float]
    effects: dict[tuple[str, str, float], Effect | str]

    def statistic(self, hypothesis: Hypothesis) -> Statistic | str:
        """Return what the look says about one hypothesis."""
        if hypothesis.role is Role.SPLIT:
            return self._split(hypothesis)
        metric = self.plan.metric(hypothesis.metric)
        if hypothesis.guardrail is not None:
            return self._guardrail(hypothesis, metric, hypothesis.guardrail)
        effect = self._effect(metric, hypothesis.candidate)
        reward = self.plan.reward
        if isinstance(effect, str) or reward is None:
            return effect if isinstance(effect, str) else "there is no reward"
        better = _oriented(effect, reward.direction)
        information = 1.0 / float(effect.variance)
        log = metric.scale is Scale.LOG
        if hypothesis.role is Role.EQUIVALENCE:
            edge = reward.rope or 0.0
            edge = math.log1p(edge) if log else edge
            z = min(float(better.z(-edge)), -float(better.z(edge)))
            return Statistic(z, -math.inf, information, effect)
        beyond = math.log1p(reward.beyond) if log else reward.beyond
        return Statistic(float(better.z(beyond)), -float(better.z()), information, effect)

    def _guardrail(
        self, hypothesis: Hypothesis, metric: Metric, guardrail: Guardrail
    ) -> Statistic | str:
        """Return a guardrail's statistic: against its margin, or against the control."""
        shift, offset = shift_of(metric, guardrail)
        effect = self._effect(metric, hypothesis.candidate)
        shifted = self._effect(metric, hypothesis.candidate, offset)
        if isinstance(effect, str) or isinstance(shifted, str):
            return effect if isinstance(effect, str) else str(shifted)
        low = guardrail.direction is Direction.LOW
        worse_is = Direction.HIGH if low else Direction.LOW
        worse = _oriented(shifted, worse_is)
        beyond = float(worse.difference) > shift
        if hypothesis.role is Role.ANY_HARM:
            z, tested = float(_oriented(effect, worse_is).z()), effect
        elif hypothesis.role is Role.HARM:
            z, tested = float(worse.z(shift)), shifted
        else:
            z, tested = -float(worse.z(shift)), shifted
        return Statistic(z, -math.inf, 1.0 / float(tested.variance), effect, beyond)

    def _effect(self, metric: Metric, candidate: str, offset: float = 0.0) -> Effect | str:
        """Return candidate minus control (+ offset, in the metric's unit), or why not."""
        key = (metric.name, candidate, offset)
        if key not in self.effects:
            self.effects[key] = self._compared(metric, candidate, offset)
        return self.effects[key]

    def _compared(self, metric: Metric, candidate: str, offset: float) -> Effect | str:
        arms = (self.plan.control, candidate)
        found = [self.estimates[metric.name, arm] for arm in arms]
        for arm, one in zip(arms, found, strict=True):
            if one.unfit is not None:
                return f"{metric.name} of {arm} {one.unfit}"
        if metric.kind is Kind.PLAIN:
            return self._known_noise(metric, candidate)
        first, second = found[0].replicates, found[1].replicates
        if first is None or second is None:
            return f"{metric.name} has no buckets"
        control, other = _scaled(first, metric, offset), _scaled(second, metric)
        old = self._before(metric, arms)
        effect = contrast(control, other) if old is None else adjusted(control, other, old)
        if not math.isfinite(float(effect.difference)):
            return (
                f"{metric.name} of {arms[0]} or {candidate} is not above zero"
                f"{' after the margin' if offset else ''}, so there is no ratio"
            )
        if not math.isfinite(float(effect.variance)):
            return f"{metric.name} of {arms[0]} or {candidate} hangs on a single bucket"
        if not gate.varies(effect.variance):
            return f"{metric.name} of {arms[0]} and {candidate} does not vary between the buckets"
        return effect

    def _known_noise(self, metric: Metric, candidate: str) -> Effect | str:
        """Return the mean difference of readings with declared noise.

        d = sum w (b - a) / sum w, V = 1 / sum w: the best weights for independent readings.
        """
        if any(
            _declared(self.look.metrics.get(metric.name, {}).get(arm)) is None
            for arm in (self.plan.control, candidate)
        ):
            return (
                f"{metric.name} is one value for each version, without buckets and without a "
                "declared noise: nobody can say how much of a difference is chance"
            )
        noise = self.noise[metric.name, candidate]
        return Effect(
            np.asarray(noise.weighted / noise.weight),
            np.asarray(1.0 / noise.weight),
            np.asarray(math.inf),
        )

    def _before(
        self, metric: Metric, arms: tuple[str, str]
    ) -> tuple[Replicates, Replicates] | None:
        """Return what the same buckets did before, if all of it is fit for use."""
        if self.before is None:
            return None
        found = []
        for arm in arms:
            old = estimate(metric, self.before.metrics.get(metric.name, {}).get(arm))
            now = self.estimates[metric.name, arm].replicates
            if old.unfit is not None or old.replicates is None or now is None:
                return None
            if old.replicates.left_out.shape != now.left_out.shape:
                return None
            found.append(_scaled(old.replicates, metric))
        if not all(gate.varies(one.variance) for one in found):
            return None
        return found[0], found[1]

    def _split(self, hypothesis: Hypothesis) -> Statistic | str:
        """Return how far the arms' sizes are from the promised shares."""
        shares, candidate = self.plan.shares, hypothesis.candidate
        arms = (self.plan.control, candidate)
        users = [self.look.users.get(arm) for arm in arms]
        if all(count is not None for count in users):
            return _of_users(
                [float(count or 0.0) for count in users],
                [shares[arm] for arm in arms],
                None if self.plan.schedule.looks is not None else 2.0 * hypothesis.alpha,
            )
        counts = []
        for arm in arms:
            read = self.look.requests.get(arm, ())
            wrong = unreadable(read, "requests")
            if wrong is not None:
                return f"the split cannot be tested: {wrong} in {arm}"
            fallen = _fallen(
                self.totals.get(("", arm)), float(array(read).sum()), "request counter"
            )
            if fallen is not None:
                return f"the split cannot be tested: {arm} {fallen}"
            counts.append(array(read))
        for arm, read_counts in zip(arms, counts, strict=True):
            kish, whole = float(effective(read_counts)), float(read_counts.sum())
            few = gate.too_few(kish, whole, len(read_counts), "requests")
            if few is not None:
                return f"the split cannot be tested: {arm} {few}"
        old = self._requests_before(arms, counts)
        effect = sample_ratio.of_requests(counts[0], counts[1], old)
        if not gate.varies(effect.variance):
            return "the split cannot be tested: requests do not vary between the buckets"
        expected = 0.0 if old is not None else math.log(shares[candidate] / shares[arms[0]])
        z = float(effect.z(expected))
        off = Effect(effect.difference - expected, effect.variance, effect.df)
        return Statistic(z, -z, 1.0 / float(effect.variance), off)

    def _requests_before(
        self, arms: tuple[str, str], counts: list[Floats]
    ) -> tuple[Floats, Floats] | None:
        """Return the requests of the same buckets in the `observe` stage, if fit for use."""
        if self.before is None:
            return None
        found = []
        for arm, now in zip(arms, counts, strict=True):
            read = self.before.requests.get(arm, ())
            if unreadable(read, "requests") is not None or len(read) != len(now):
                return None
            old = array(read)
            if gate.too_few(float(effective(old)), float(old.sum()), len(old), "") is not None:
                return None
            found.append(old)
        return found[0], found[1]


def _of_users(users: list[float], shares: list[float], anytime: float | None) -> Statistic | str:
    """Return how far counted users are from a split by shares.

    `anytime`: the level of a test that is valid without a known end, with its own odds.
    """
    if not all(math.isfinite(count) and count >= 0.0 for count in users):
        return "the split cannot be tested: the numbers of users are no counts"
    whole = sum(users)
    if whole < gate.LEAST_EVENTS:
        return f"the split cannot be tested: {whole:g} users are too few"
    effect = sample_ratio.of_users(users[0], users[1], shares[1] / sum(shares))
    # As a share, so that the information grows with the users.
    off = Effect(effect.difference / whole, effect.variance / whole**2, effect.df)
    information = 1.0 / float(off.variance)
    if anytime is not None:
        odds = sample_ratio.log_odds(users, shares)
        return Statistic(odds, -math.inf, information, off, critical=-math.log(anytime))
    z = float(effect.z())
    return Statistic(z, -z, information, off)


def shift_of(metric: Metric, guardrail: Guardrail) -> tuple[float, float]:
    """Return the margin as (shift on the metric's scale, offset of the control's value).

    An absolute margin on the scale `log` is the ratio to a control that is worse by it:
    ln theta_B - ln(theta_A + margin).
    """
    low = guardrail.direction is Direction.LOW
    if metric.scale is not Scale.LOG:
        return guardrail.margin, 0.0
    if guardrail.absolute:
        return 0.0, guardrail.margin if low else -guardrail.margin
    return math.log1p(guardrail.margin) if low else -math.log1p(-guardrail.margin), 0.0


def _scaled(replicates: Replicates, metric: Metric, offset: float = 0.0) -> Replicates:
    """Return an estimate (+ offset) on the scale on which arms are compared."""
    return replicates.log(offset) if metric.scale is Scale.LOG else replicates


def _oriented(effect: Effect, direction: Direction) -> Effect:
    """Return an effect that is positive where the candidate's value is in a direction."""
    if direction is Direction.HIGH:
        return effect
    return Effect(-effect.difference, effect.variance, effect.df)
