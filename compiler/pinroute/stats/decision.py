"""From looks to a verdict: `decide` for all of them, `step` for one more.

A look is measured, its hypotheses are tested, and then, in this order: a broken split makes
the experiment invalid; a harmed guardrail stops a candidate at once; a worse reward closes
it; a better reward with every guardrail shown to be non-inferior wins; an effect inside the
ROPE closes it; the last look ends what is still open. Crossings of the reward and of
non-inferiority stay, as long as the estimate stays on its side.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from pinroute.stats import mixture
from pinroute.stats.best_value import best_value
from pinroute.stats.conclusion import Situation, conclude, decided
from pinroute.stats.hypotheses import Hypothesis, Role
from pinroute.stats.measurement import Measured, Statistic, measure
from pinroute.stats.observation import Look
from pinroute.stats.plan import Plan, Rule, problems
from pinroute.stats.sentences import sentence
from pinroute.stats.spending import spent
from pinroute.stats.state import State, critical_values, spend, start
from pinroute.stats.verdict import Decision, LookReport, Outcome, Verdict

_TYPICAL_SPLIT = 0.1  # of the split without a known end: ten percent


def decide(
    plan: Plan, looks: Iterable[Look], before: Look | None = None, ended: str | None = None
) -> Decision:
    """Return the decision after some looks.

    `before` is the last reading of the `observe` stage: all arms on the baseline, the same
    buckets. `ended` says why no more looks will come, if somebody ended the experiment; then
    nothing more is spent. What is wrong in a plan or a look is a reason, never an exception.
    """
    wrong = problems(plan)
    if wrong:
        reason = "The plan cannot be carried out: " + "; ".join(wrong) + "."
        return Decision(Verdict.INVALID, True, None, reason, "Another plan.", 0, {})
    state = start(plan, before)
    for look in looks:
        state = step(state, look)
    return finish(state, ended)


def step(state: State, look: Look) -> State:
    """Return the state after one more look. Looks after the verdict decide nothing."""
    last = state.memory.last
    if state.decision is not None and state.decision.over:
        return _shown(state, look, "it came after the verdict")
    number = last if look.number is None else look.number
    if number <= last and look.fault is None:
        why = f"look {number} does not come after look {last}"
        return _shown(state, look, "it was not planned" if look.number is None else why)
    measured = measure(state.plan, state.hypotheses, look, state.before, state.memory)
    if look.fault is None:
        state, outcomes = _tested(state, measured, number)
    else:
        outcomes = {}
    memory = replace(
        state.memory, last=max(number, last), noise=measured.noise, totals=measured.totals
    )
    report = LookReport(
        look.number,
        state.plan.schedule.time(number),
        {pair: one.value for pair, one in measured.estimates.items()},
        tuple(outcomes.values()),
    )
    state = replace(state, memory=memory, reports=(*state.reports, report))
    situation = Situation(state, look, measured, outcomes, number)
    if look.fault is not None:
        return decided(situation, Verdict.INVALID, look.fault, "Another start, with other users.")
    if state.plan.rule is Rule.BEST_VALUE:
        return _best(situation)
    return conclude(situation)


def finish(state: State, ended: str | None = None) -> Decision:
    """Return the decision of a state, with all its reports."""
    decision = state.decision
    if decision is None:
        verdict = None if ended is None else Verdict.INCONCLUSIVE
        needs = "The first look."
        decision = Decision(verdict, ended is not None, None, "No look yet.", needs, 0, {})
    if ended is not None and not decision.over:
        looks = state.plan.schedule.horizon(decision.look)
        of = "" if looks is None else f" of {looks}"
        early = sentence(f"Ended early, after look {decision.look}{of}: {ended}")
        reason = f"{early} {decision.reason}"
        decision = replace(decision, verdict=Verdict.INCONCLUSIVE, over=True, reason=reason)
    return replace(decision, reports=state.reports)


def _shown(state: State, look: Look, note: str) -> State:
    """Return the state with a reading that is shown and decides nothing."""
    measured = measure(state.plan, (), look, state.before, state.memory)
    values = {pair: one.value for pair, one in measured.estimates.items()}
    time = state.plan.schedule.time(look.number) if look.number is not None else math.nan
    report = LookReport(look.number, time, values, note=note)
    return replace(state, reports=(*state.reports, report))


def _tested(state: State, measured: Measured, number: int) -> tuple[State, dict[int, Outcome]]:
    """Return the state after the tests of a look, and their outcomes by place."""
    plan = state.plan
    out = {one.candidate for one in state.memory.closed}
    time = plan.schedule.time(number)
    pairs = list(zip(state.hypotheses, measured.statistics, strict=True))
    tested = {
        place: (
            one.information,
            0.0
            if plan.schedule.looks is None
            else spent(hypothesis.spending, hypothesis.alpha, time),
        )
        for place, (hypothesis, one) in enumerate(pairs)
        if not isinstance(one, str) and hypothesis.candidate not in out
    }
    state = spend(state, tested)
    critical = critical_values(state)
    outcomes: dict[int, Outcome] = {}
    crossed, opposed = list(state.memory.crossed), list(state.memory.opposed)
    for place, (hypothesis, one) in enumerate(pairs):
        if hypothesis.candidate in out:
            continue
        if isinstance(one, str):
            outcomes[place] = Outcome(
                hypothesis.role, hypothesis.candidate, hypothesis.metric, skipped=one
            )
            continue
        value = critical[place]
        if plan.schedule.looks is None:
            value = one.critical if one.critical is not None else _anytime(plan, hypothesis, one)
        outcome = _outcome(hypothesis, one, value, state.memory.spent[place])
        outcomes[place] = outcome
        if one.z >= value and not crossed[place]:
            crossed[place] = number
        if one.against >= value and not opposed[place]:
            opposed[place] = number
    memory = replace(state.memory, crossed=tuple(crossed), opposed=tuple(opposed))
    return replace(state, memory=memory), outcomes


def _anytime(plan: Plan, hypothesis: Hypothesis, statistic: Statistic) -> float:
    """Return the critical value of an experiment without a known end."""
    size = plan.metric(hypothesis.metric).typical if hypothesis.metric else _TYPICAL_SPLIT
    return mixture.critical(1.0 / statistic.information, size**2, 2.0 * hypothesis.alpha)


def _outcome(
    hypothesis: Hypothesis, statistic: Statistic, critical: float, spent_by_now: float
) -> Outcome:
    """Return the outcome of one hypothesis at one look."""
    effect = statistic.effect
    low = high = None
    if hypothesis.two_sided and math.isfinite(critical):
        half = float(effect.half_width(critical))
        low, high = float(effect.difference) - half, float(effect.difference) + half
    crossed = statistic.z >= critical or statistic.against >= critical
    if hypothesis.role is Role.ANY_HARM:
        crossed = crossed and statistic.beyond
    return Outcome(
        hypothesis.role,
        hypothesis.candidate,
        hypothesis.metric,
        None,
        statistic.z,
        critical,
        statistic.information,
        spent_by_now,
        float(effect.difference),
        low,
        high,
        crossed,
    )


def _best(situation: Situation) -> State:
    """Return the state by Iter8's rule: at the last look, and only there."""
    plan = situation.state.plan
    verdict, winner, reason = best_value(plan, situation.measured.estimates)
    if plan.schedule.ends(situation.number):
        return decided(
            situation,
            verdict,
            reason,
            "The rule sequential, and values for each bucket.",
            winner=winner,
        )
    return decided(situation, None, reason, "The last look decides.", over=False)
