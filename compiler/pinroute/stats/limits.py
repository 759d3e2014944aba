"""Plain limits, as in Iter8: an estimate is compared with a number, without error control."""

from collections.abc import Mapping

from pinroute.stats.estimate import Estimate
from pinroute.stats.plan import Plan


def broken(plan: Plan, arm: str, estimates: Mapping[tuple[str, str], Estimate]) -> str | None:
    """Return which limit an arm breaks, in words, or None. A value that is missing breaks it."""
    for limit in plan.limits:
        found = estimates[limit.metric, arm]
        if found.value is None:
            return f"{limit.metric} of {arm} {found.unfit or 'has no value'}, and has a limit"
        if limit.upper is not None and not found.value <= limit.upper:
            return f"{limit.metric} of {arm} is {found.value:g}, above its limit {limit.upper:g}"
        if limit.lower is not None and not found.value >= limit.lower:
            return f"{limit.metric} of {arm} is {found.value:g}, below its limit {limit.lower:g}"
    return None
