"""Iter8's decision: the version with the better number wins. No error control.

As in iter8-analytics 2.1.7: of the versions that keep all limits, the one with the best
reward at the last look; a tie has no winner. Unlike there, a version without data makes
the comparison impossible instead of making the other one win.
"""

import math
from collections.abc import Mapping

from pinroute.stats.estimate import Estimate
from pinroute.stats.limits import broken
from pinroute.stats.plan import Direction, Plan
from pinroute.stats.verdict import Verdict

LABEL = "Rule best-value, without error control"


def best_value(
    plan: Plan, estimates: Mapping[tuple[str, str], Estimate]
) -> tuple[Verdict, str | None, str]:
    """Return verdict, winner and reason from the estimates by metric and arm."""
    reward = plan.reward
    if reward is None:
        return Verdict.INCONCLUSIVE, None, f"{LABEL}: there is no reward."
    values: dict[str, float] = {}
    for arm in plan.arms:
        value = estimates[reward.metric, arm].value
        if value is None or not math.isfinite(value):
            why = estimates[reward.metric, arm].unfit or "has no value"
            return Verdict.INCONCLUSIVE, None, f"{LABEL}: {reward.metric} of {arm} {why}."
        values[arm] = value
    feasible = [arm for arm in plan.arms if broken(plan, arm, estimates) is None]
    if not feasible:
        return Verdict.INCONCLUSIVE, None, f"{LABEL}: no version keeps all limits."
    sign = 1.0 if reward.direction is Direction.HIGH else -1.0
    best = max(sign * values[arm] for arm in feasible)
    leaders = [arm for arm in feasible if sign * values[arm] == best]
    listed = ", ".join(f"{arm} {values[arm]:g}" for arm in plan.arms)
    if len(leaders) > 1:
        return Verdict.INCONCLUSIVE, None, f"{LABEL}: a tie in {reward.metric} ({listed})."
    reason = f"{LABEL}: {leaders[0]} has the best {reward.metric} of the versions that keep all limits ({listed})."
    if leaders[0] == plan.control:
        return Verdict.BASELINE, None, reason
    return Verdict.WINNER, leaders[0], reason
