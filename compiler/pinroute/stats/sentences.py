"""The words of a verdict: effects, intervals, and what it would take to know more."""

import math
from collections.abc import Sequence

from pinroute.stats.plan import Metric, Scale
from pinroute.stats.verdict import Outcome

POWER_80 = 0.8416212335729143  # the normal value of 80 %


def amount(metric: Metric, value: float, *, signed: bool = True) -> str:
    """Return an effect in words: percent of the control, or in the metric's unit."""
    sign = "+" if signed else ""
    if metric.scale is Scale.LOG:
        return f"{math.expm1(min(value, 700.0)) * 100.0:{sign}.3g} %"
    return f"{value:{sign}.4g}"


def effect(metric: Metric, outcome: Outcome) -> str:
    """Return an effect with its interval: `+12.1 % (from +3.2 % to +21.8 %)`."""
    if outcome.effect is None:
        return "unknown"
    text = amount(metric, outcome.effect)
    if outcome.low is None or outcome.high is None or not math.isfinite(outcome.low):
        return text
    return f"{text} (from {amount(metric, outcome.low)} to {amount(metric, outcome.high)})"


def detectable(metric: Metric, outcome: Outcome) -> str:
    """Return what a test of this size finds, and what finding half of it takes.

    (b + z_.8) sqrt V: the smallest effect that is found four times out of five.
    """
    if outcome.critical is None or outcome.information is None:
        return ""
    if not math.isfinite(outcome.critical):
        return ""
    found = (outcome.critical + POWER_80) / math.sqrt(outcome.information)
    least = amount(metric, found, signed=False)
    return (
        f"With as many users an effect of {least} is found four times out of five; "
        "to find one of half the size takes four times as many users."
    )


def joined(parts: Sequence[str]) -> str:
    """Return sentences' parts as one list: `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def sentence(text: str) -> str:
    """Return a text with a full stop at its end."""
    return text if text.endswith(".") else f"{text}."


SPLIT_OF_USERS = (
    "The users are not split as the routing table promises: routing, or what counts the users, "
    "is broken, and nothing else in these data can be trusted."
)
SPLIT_OF_REQUESTS = (
    "The requests are not split as the routing table promises. There are two causes, and requests "
    "alone cannot tell them apart: the split is broken (users are lost or go to the other version), "
    "or the version itself makes users send more or fewer requests, which is an effect and no fault."
)
SPLIT_SINCE = (
    "The split of the requests has changed since the observe stage. There are two causes, and "
    "requests alone cannot tell them apart: the routing loses users of one version, or the version "
    "makes its users send more or fewer requests, which is an effect and no fault."
)
SPLIT_NEEDS = (
    "Compare the routing with the table (pinroute verify), and count distinct users for each group: "
    "they tell a broken split from a version that changes how much users send."
)
