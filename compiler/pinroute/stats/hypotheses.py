"""The tests of a plan: what each one asks, its share of the error, and how it spends it.

With C candidates and G guardrails (reference: Bonferroni over candidates; a candidate is
promoted only if all its guardrails pass, which takes no correction over guardrails, Berger
1982; it is stopped if any one fails, which does):

| role | side | error of a candidate | spending |
| --- | --- | --- | --- |
| reward | two | reward / C | the plan's |
| equivalence | one, both bounds | equivalence / C | the plan's |
| non-inferiority | one | promotion / C | the plan's |
| harm (beyond the margin) | one | harm / G | Pocock |
| any-harm (and estimated beyond the margin) | one | any_harm / G | Pocock |
| split | two | split / C | O'Brien-Fleming |
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pinroute.stats.plan import Guardrail, Plan, Rule
from pinroute.stats.spending import Spending


class Role(StrEnum):
    """What a test is for."""

    SPLIT = "split"
    HARM = "harm"
    ANY_HARM = "any-harm"
    REWARD = "reward"
    EQUIVALENCE = "equivalence"
    NON_INFERIORITY = "non-inferiority"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One test. `alpha` is the error of one side; `metric` is empty for the split."""

    role: Role
    candidate: str
    metric: str
    alpha: float
    two_sided: bool
    spending: Spending
    guardrail: Guardrail | None = None


def hypotheses(plan: Plan) -> tuple[Hypothesis, ...]:
    """Return the hypotheses of a plan, always in the same order."""
    if plan.rule is Rule.BEST_VALUE:
        return ()
    return tuple(test for candidate in plan.candidates for test in _of(plan, candidate))


def _of(plan: Plan, candidate: str) -> Iterator[Hypothesis]:
    """Yield the tests of one candidate."""
    errors, many, guards = plan.errors, len(plan.candidates), len(plan.guardrails)
    pocock, obrien = Spending.POCOCK, Spending.OBRIEN_FLEMING
    if plan.shares:
        yield Hypothesis(Role.SPLIT, candidate, "", errors.split / many / 2.0, True, obrien)
    for guard in plan.guardrails:
        name = guard.metric
        yield Hypothesis(Role.HARM, candidate, name, errors.harm / guards, False, pocock, guard)
        yield Hypothesis(
            Role.ANY_HARM, candidate, name, errors.any_harm / guards, False, pocock, guard
        )
    if plan.watch_only:
        return
    reward = plan.reward
    if reward is not None:
        alpha = errors.reward / many / 2.0
        yield Hypothesis(Role.REWARD, candidate, reward.metric, alpha, True, errors.spending)
        if reward.rope is not None:
            alpha = errors.equivalence / many
            yield Hypothesis(
                Role.EQUIVALENCE, candidate, reward.metric, alpha, False, errors.spending
            )
    for guard in plan.guardrails:
        yield Hypothesis(
            Role.NON_INFERIORITY,
            candidate,
            guard.metric,
            errors.promotion / many,
            False,
            errors.spending,
            guard,
        )
