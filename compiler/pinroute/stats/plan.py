"""What is decided, and how: fixed before the first look. No numbers from the experiment.

Effects and margins are relative to the control for metrics on the scale `log` (0.02 is two
percent) and in the metric's unit on the scale `difference`, unless said otherwise.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pinroute.stats.spending import Spending


class Kind(StrEnum):
    """What a metric is, and with that what is read for it."""

    PROPORTION = "proportion"  # events among requests: numerator <= denominator
    RATIO = "ratio"  # two counters, such as purchases and requests
    MEAN = "mean"  # sum and number of measured values
    QUANTILE = "quantile"  # from a histogram
    PLAIN = "plain"  # one value for each version, no buckets


class Scale(StrEnum):
    """On what scale two arms are compared: by their ratio, or by their difference."""

    LOG = "log"
    DIFFERENCE = "difference"


class Direction(StrEnum):
    """Whether a higher or a lower value is better, in Iter8's words."""

    HIGH = "High"
    LOW = "Low"


class Rule(StrEnum):
    """How the verdict is found. `best-value` is Iter8's: the better number, no error control."""

    SEQUENTIAL = "sequential"
    BEST_VALUE = "best-value"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `quantile` is the share below it, for the kind of that name.

    `typical` is the size of effects for which an experiment without a known end is most
    sensitive. `scale` is `difference` where the metric may be zero or negative.
    """

    name: str
    kind: Kind
    scale: Scale = Scale.LOG
    quantile: float | None = None
    typical: float = 0.1


@dataclass(frozen=True, slots=True)
class Reward:
    """The metric that decides. `beyond` is the smallest effect that matters.

    `rope`: effects within +-rope are no difference in practice; None: nobody asks.
    """

    metric: str
    direction: Direction
    beyond: float = 0.0
    rope: float | None = None


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that may be worse than the control's by no more than a margin.

    `absolute`: the margin is in the metric's unit, whatever its scale.
    """

    metric: str
    direction: Direction
    margin: float
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A plain limit, as in Iter8: the estimate is compared with it, without error control."""

    metric: str
    upper: float | None = None
    lower: float | None = None


@dataclass(frozen=True, slots=True)
class Extension:
    """More looks, planned after look `after` and before the data of the next were seen."""

    after: int
    looks: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """When is looked. `looks` None: no known end, and the test is a confidence sequence.

    `times` are the shares of the error's time at the looks, by default 1/K, 2/K … 1. A
    verdict on the reward takes `least_looks` evaluated looks (at most `looks`),
    `least_seconds` since the start and `least_users` users in each arm.
    """

    looks: int | None
    times: tuple[float, ...] = ()
    extensions: tuple[Extension, ...] = ()
    least_looks: int = 2
    least_seconds: float = 0.0
    least_users: float = 0.0

    def horizon(self, number: int) -> int | None:
        """Return the number of looks that was planned when look `number` was read."""
        looks = self.looks
        for extension in self.extensions:
            if number > extension.after:
                looks = extension.looks
        return looks

    def time(self, number: int) -> float:
        """Return the share of the planned time at a look; 1 at the last one and later."""
        looks = self.horizon(number)
        if looks is None:
            return 0.0
        if number >= looks:
            return 1.0
        return self.times[number - 1] if self.times else number / looks

    def ends(self, number: int) -> bool:
        """Whether a look is the last one."""
        looks = self.horizon(number)
        return looks is not None and number >= looks

    def needed_looks(self, number: int) -> int:
        """Return how many evaluated looks a verdict on the reward takes."""
        looks = self.horizon(number)
        return self.least_looks if looks is None else min(self.least_looks, looks)


@dataclass(frozen=True, slots=True)
class Errors:
    """The levels, without unit.

    `reward` is two-sided. A candidate at a guardrail's margin is promoted with at most
    `promotion`. `harm`: stopping a candidate that is no worse than a margin; `any_harm`:
    stopping one that is no worse than the control. `equivalence`: calling an effect at the
    edge of the ROPE none. `split`: calling a correct split wrong.
    """

    reward: float = 0.05
    promotion: float = 0.05
    harm: float = 0.05
    any_harm: float = 0.01
    equivalence: float = 0.05
    split: float = 0.001
    spending: Spending = Spending.OBRIEN_FLEMING


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole of it. `shares` are the arms' shares of the users, for the sample ratio.

    `watch_only`: a rung of a ramp before the last one; harm and the split are watched,
    nothing else is decided, and the errors of harm are this rung's part of them.
    """

    control: str
    candidates: tuple[str, ...]
    metrics: tuple[Metric, ...]
    schedule: Schedule
    reward: Reward | None = None
    guardrails: tuple[Guardrail, ...] = ()
    limits: tuple[Limit, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    errors: Errors = Errors()
    rule: Rule = Rule.SEQUENTIAL
    watch_only: bool = False

    def metric(self, name: str) -> Metric:
        """Return a metric by its name; KeyError where there is none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    @property
    def arms(self) -> tuple[str, ...]:
        """The control and the candidates, in this order."""
        return (self.control, *self.candidates)


def problems(plan: Plan) -> tuple[str, ...]:
    """Return what makes a plan impossible, a sentence each; nothing if it can be used."""
    return (
        *_arms(plan),
        *_metrics(plan),
        *_criteria(plan),
        *_schedule(plan.schedule),
        *_levels(plan.errors),
    )


def _arms(plan: Plan) -> Iterator[str]:
    if not plan.candidates:
        yield "there is no candidate to compare with the control"
    if len(set(plan.arms)) != len(plan.arms):
        yield "two arms have the same name"
    for arm in plan.arms if plan.shares else ():
        share = plan.shares.get(arm, 0.0)
        if not (math.isfinite(share) and share > 0.0):
            yield f"arm {arm} has no share of the users"


def _metrics(plan: Plan) -> Iterator[str]:
    names = [metric.name for metric in plan.metrics]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"metric {name} is there twice"
    for metric in plan.metrics:
        if metric.kind is Kind.QUANTILE and not 0.0 < (metric.quantile or 0.0) < 1.0:
            yield f"metric {metric.name} is a quantile, and needs a share between 0 and 1"
        if metric.kind is Kind.PLAIN and metric.scale is Scale.LOG:
            yield f"metric {metric.name} is a plain value: these are compared by difference"
        if not (math.isfinite(metric.typical) and metric.typical > 0.0):
            yield f"metric {metric.name} needs a typical effect above 0"


def _criteria(plan: Plan) -> Iterator[str]:
    known = {metric.name: metric for metric in plan.metrics}
    reward = () if plan.reward is None else (plan.reward,)
    for one in (*reward, *plan.guardrails, *plan.limits):
        if one.metric not in known:
            yield f"metric {one.metric} is not among the metrics"
    if plan.reward is not None:
        edges = (plan.reward.beyond, plan.reward.rope or 0.0)
        if not all(math.isfinite(edge) and edge >= 0.0 for edge in edges):
            yield "the smallest effect that matters and the ROPE are 0 or more"
        if plan.reward.rope == 0.0:
            yield "a ROPE of 0 holds no effect at all"
    if plan.rule is Rule.BEST_VALUE and plan.reward is None:
        yield "the rule best-value needs a reward"
    for guardrail in plan.guardrails:
        if not (math.isfinite(guardrail.margin) and guardrail.margin >= 0.0):
            yield f"the margin of {guardrail.metric} is 0 or more"
        metric = known.get(guardrail.metric)
        if metric is None or guardrail.absolute or metric.scale is not Scale.LOG:
            continue
        if guardrail.direction is Direction.HIGH and guardrail.margin >= 1.0:
            yield f"a relative margin of {guardrail.metric} is below 1: less than nothing is not"


def _schedule(schedule: Schedule) -> Iterator[str]:
    looks = schedule.looks
    if looks is not None and looks < 1:
        yield "there has to be at least one look"
    times = schedule.times
    if times and (
        len(times) != looks
        or times[-1] != 1.0
        or any(not 0.0 < time <= 1.0 for time in times)
        or list(times) != sorted(set(times))
    ):
        yield "the times of the looks are as many as the looks, rise, and end with 1"
    for extension in schedule.extensions:
        if looks is None or times:
            yield "only looks at equal distances to a known end can be extended"
            return
        if not 0 <= extension.after < looks:
            yield f"an extension after look {extension.after} of {looks} comes too late"
        if extension.looks <= extension.after:
            yield "an extension has more looks than were read"
        looks = extension.looks
    least = (schedule.least_looks, schedule.least_seconds, schedule.least_users)
    if not all(math.isfinite(value) and value >= 0.0 for value in least):
        yield "least looks, seconds and users are 0 or more"


def _levels(errors: Errors) -> Iterator[str]:
    levels = (errors.reward, errors.promotion, errors.harm, errors.any_harm)
    if not all(0.0 < level < 0.5 for level in (*levels, errors.equivalence, errors.split)):
        yield "levels are above 0 and below 0.5"
