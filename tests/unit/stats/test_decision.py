"""From looks to verdicts, with made-up counters whose answer is known."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pinroute.stats.decision import decide, finish, step
from pinroute.stats.hypotheses import Role
from pinroute.stats.observation import Counts, Look, Reading
from pinroute.stats.plan import (
    Direction,
    Errors,
    Extension,
    Guardrail,
    Kind,
    Limit,
    Metric,
    Plan,
    Reward,
    Rule,
    Scale,
    Schedule,
)
from pinroute.stats.state import Closed, Memory, Noise, Spent, Total, resume, start
from pinroute.stats.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinroute.stats.observation import Observation
    from pinroute.stats.verdict import Decision, Outcome

BUCKETS = 32
ENGAGED = Metric("engagement", Kind.PROPORTION)
ERRORS = Metric("error-rate", Kind.PROPORTION)
SHARES = {"v1": 0.5, "v2": 0.5}


def plan(**changes: Any) -> Plan:
    """Return a plan with one candidate, one reward and one guardrail."""
    found = Plan(
        control="v1",
        candidates=("v2",),
        metrics=(ENGAGED, ERRORS),
        schedule=Schedule(looks=5),
        reward=Reward("engagement", Direction.HIGH),
        guardrails=(Guardrail("error-rate", Direction.LOW, 0.2),),
        shares=SHARES,
    )
    return replace(found, **changes)


ONLY_REWARD = plan(guardrails=(), metrics=(ENGAGED,))


def counts(rate: float, requests: float, seed: int, buckets: int = BUCKETS) -> Counts:
    """Return counters with some spread over the buckets, and exactly a rate in total."""
    generator = np.random.default_rng(seed)
    size = requests * (1.0 + 0.1 * generator.standard_normal(buckets))
    noise = 0.05 * generator.standard_normal(buckets)
    top = rate * size * (1.0 + noise - (noise * size).sum() / size.sum())
    return Counts(tuple(map(float, top)), tuple(map(float, size)))


def look(
    number: int | None,
    *,
    lift: float = 0.0,
    errors: float = 0.0,
    candidate: str = "v2",
    elapsed: float | None = None,
    requests: float = 1.0,
    seed: int = 1,
    **changes: Any,
) -> Look:
    """Return a look at which the candidate has a relative effect on both metrics."""
    at = number or 1
    v1 = counts(0.1, 1000.0 * at, seed)
    v2 = counts(0.1 * (1.0 + lift), 1000.0 * at * requests, seed + 1)
    metrics: dict[str, dict[str, Observation]] = {
        "engagement": {"v1": v1, candidate: v2},
        "error-rate": {
            "v1": counts(0.02, 1000.0 * at, seed),
            candidate: counts(0.02 * (1.0 + errors), 1000.0 * at * requests, seed + 1),
        },
    }
    found = Look(
        number,
        3600.0 * at if elapsed is None else elapsed,
        metrics,
        {"v1": v1.denominators, candidate: v2.denominators},
    )
    return replace(found, **changes)


def with_metric(one: Look, name: str, arms: Mapping[str, Observation]) -> Look:
    """Return a look with other data for one metric."""
    return replace(one, metrics={**one.metrics, name: arms})


def outcome(decision: Decision, role: Role, at: int = -1) -> Outcome:
    [found] = [one for one in decision.reports[at].outcomes if one.role is role]
    return found


# --- Verdicts -------------------------------------------------------------------------------


def test_a_better_candidate_wins() -> None:
    found = decide(plan(), [look(k, lift=0.2) for k in range(1, 6)])
    assert (found.verdict, found.winner, found.over) == (Verdict.WINNER, "v2", True)
    assert "v2 is better than v1: engagement +20 % (from +1" in found.reason
    assert "within the margin of error-rate" in found.reason
    assert found.look < 5


def test_one_look_is_not_enough_of_several() -> None:
    looks = [look(k, lift=2.0) for k in (2, 3)]
    first = decide(plan(), looks[:1])
    assert (first.verdict, first.over) == (None, False)
    assert "v2 was compared at 1 of at least 2 looks" in first.reason
    assert decide(plan(), looks).verdict is Verdict.WINNER


def test_one_planned_look_is_an_ordinary_test() -> None:
    once = replace(ONLY_REWARD, schedule=Schedule(looks=1))
    found = decide(once, [look(1, lift=0.2)])
    assert found.verdict is Verdict.WINNER
    assert outcome(found, Role.REWARD).critical == pytest.approx(1.959964, abs=1e-6)


def test_a_lower_value_can_be_better() -> None:
    lower = replace(ONLY_REWARD, reward=Reward("engagement", Direction.LOW))
    looks = [look(k, lift=-0.2) for k in range(1, 6)]
    found = decide(lower, looks)
    assert (found.verdict, found.winner) == (Verdict.WINNER, "v2")
    assert "engagement -20 %" in found.reason
    assert decide(ONLY_REWARD, looks).verdict is Verdict.BASELINE


def test_a_worse_candidate_loses() -> None:
    found = decide(plan(), [look(k, lift=-0.2) for k in range(1, 6)])
    assert (found.verdict, found.winner) == (Verdict.BASELINE, None)
    assert found.reason.startswith("v2 is worse than v1: engagement -20 %")
    assert set(found.stopped) == {"v2"}


def test_an_effect_that_may_be_chance_is_inconclusive() -> None:
    found = decide(plan(), [look(k, lift=0.005) for k in range(1, 6)])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("The last look came first. ")
    assert "may be chance: engagement +0.5 % (from -" in found.reason
    assert "is found four times out of five" in found.needs


def test_before_the_last_look_there_is_no_verdict() -> None:
    found = decide(plan(), [look(k, lift=0.005) for k in range(1, 5)])
    assert (found.verdict, found.over, found.look) == (None, False, 4)


def test_no_look_at_all() -> None:
    found = decide(plan(), [])
    assert (found.verdict, found.over, found.reason) == (None, False, "No look yet.")
    assert decide(plan(), [], ended="stopped").verdict is Verdict.INCONCLUSIVE


def test_harm_stops_at_once() -> None:
    found = decide(plan(), [look(1, lift=0.3, errors=1.0)])
    assert (found.verdict, found.over, found.look) == (Verdict.BASELINE, True, 1)
    assert found.reason.startswith("v2 does harm: its error-rate is worse than its margin")


def test_harm_beyond_the_margin_by_the_estimate() -> None:
    """Clearly worse than the control, and not clearly worse than the margin."""
    found = decide(plan(), [look(1, errors=0.21)])
    assert found.verdict is Verdict.BASELINE
    assert "estimated beyond its margin" in found.reason
    within = decide(plan(), [look(1, errors=0.19)])
    assert within.verdict is None
    assert outcome(within, Role.ANY_HARM).z == pytest.approx(
        outcome(found, Role.ANY_HARM).z or 0.0, rel=0.2
    )


def test_a_guardrail_at_its_margin_is_not_promoted() -> None:
    found = decide(plan(), [look(k, lift=0.3, errors=0.195) for k in range(1, 6)])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "v2 is not yet shown to be within the margin of error-rate" in found.reason


@pytest.mark.parametrize(
    ("metric", "guardrail"),
    [
        (ERRORS, Guardrail("error-rate", Direction.LOW, 0.25)),
        (ERRORS, Guardrail("error-rate", Direction.LOW, 0.005, absolute=True)),
        (replace(ERRORS, scale=Scale.DIFFERENCE), Guardrail("error-rate", Direction.LOW, 0.005)),
    ],
)
def test_the_same_margin_in_three_forms(metric: Metric, guardrail: Guardrail) -> None:
    """0.5 points of 2 % are a quarter of it; the edge is in the same place."""
    made = plan(metrics=(ENGAGED, metric), guardrails=(guardrail,))

    def z(errors: float) -> float:
        found = decide(made, [look(1, errors=errors)])
        value = outcome(found, Role.NON_INFERIORITY).z
        assert value is not None
        return value

    assert z(0.25) == pytest.approx(0.0, abs=1e-6)
    assert z(0.2) > 1.0
    assert z(0.3) < -1.0


def test_a_guardrail_that_should_be_high() -> None:
    high = Guardrail("error-rate", Direction.HIGH, 0.1)
    absolute = Guardrail("error-rate", Direction.HIGH, 0.002, absolute=True)
    for guardrail in (high, absolute):
        made = plan(guardrails=(guardrail,))
        edge = decide(made, [look(1, errors=-0.1)])
        assert outcome(edge, Role.NON_INFERIORITY).z == pytest.approx(0.0, abs=1e-6)
        assert decide(made, [look(1, errors=-0.5)]).verdict is Verdict.BASELINE
    too_wide = plan(guardrails=(replace(absolute, margin=0.5),))
    found = decide(too_wide, [look(1)])
    assert "is not above zero after the margin" in (
        outcome(found, Role.NON_INFERIORITY).skipped or ""
    )


def test_no_difference() -> None:
    rope = plan(reward=Reward("engagement", Direction.HIGH, rope=0.1))
    found = decide(rope, [look(k, lift=0.001) for k in range(1, 6)])
    assert found.verdict is Verdict.NO_DIFFERENCE
    assert "in engagement is shown to be smaller than 10 %" in found.reason
    edge = decide(rope, [look(k, lift=0.1) for k in range(1, 3)])
    assert edge.verdict is not Verdict.NO_DIFFERENCE


def test_beyond_the_smallest_effect_that_matters() -> None:
    beyond = replace(ONLY_REWARD, reward=Reward("engagement", Direction.HIGH, beyond=0.1))
    assert decide(beyond, [look(k, lift=0.3) for k in range(1, 6)]).verdict is Verdict.WINNER
    short = decide(beyond, [look(k, lift=0.1) for k in range(1, 6)])
    assert short.verdict is Verdict.INCONCLUSIVE
    assert outcome(short, Role.REWARD).z == pytest.approx(0.0, abs=1e-6)


def test_a_limit_is_compared_without_error_control() -> None:
    limited = plan(limits=(Limit("error-rate", upper=0.0199),))
    found = decide(limited, [look(k, lift=0.3) for k in range(1, 6)])
    assert found.verdict is Verdict.BASELINE
    assert "error-rate of v2 is 0.02, above its limit 0.0199" in found.reason
    assert "without error control" in found.reason
    lower = plan(limits=(Limit("engagement", lower=0.2),))
    found = decide(lower, [look(k, lift=0.3) for k in range(1, 6)])
    assert "below its limit 0.2" in found.reason


def test_only_guardrails() -> None:
    made = plan(reward=None)
    found = decide(made, [look(k) for k in range(1, 6)])
    assert (found.verdict, found.winner) == (Verdict.WINNER, "v2")
    assert found.reason == "v2 is as good as v1; within the margin of error-rate."


def test_nothing_that_decides() -> None:
    made = plan(reward=None, guardrails=())
    found = decide(made, [look(k) for k in range(1, 6)])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "neither a reward nor a guardrail" in found.reason


def test_a_crossing_stays_while_the_guardrail_is_waited_for() -> None:
    """The reward crosses at look 2 and weakens; the guardrail passes at the end."""
    lifts = [0.2, 0.2, 0.2, 0.02, 0.02]
    errors = [0.19, 0.19, 0.19, 0.19, 0.0]
    looks = [look(k, lift=a, errors=b) for k, a, b in zip(range(1, 6), lifts, errors, strict=True)]
    found = decide(plan(), looks)
    assert found.verdict is Verdict.WINNER
    last = outcome(found, Role.REWARD)
    assert last.z is not None
    assert last.critical is not None
    assert last.z < last.critical
    turned = [*looks[:4], look(5, lift=-0.001, errors=0.0)]
    assert decide(plan(), turned).verdict is Verdict.INCONCLUSIVE


# --- Minimums -------------------------------------------------------------------------------


def test_minimum_duration_holds_the_reward_and_not_the_guardrails() -> None:
    patient = plan(schedule=Schedule(looks=5, least_seconds=4 * 3600.0))
    found = decide(patient, [look(k, lift=0.3) for k in range(1, 6)])
    assert (found.verdict, found.look) == (Verdict.WINNER, 4)
    worse = decide(patient, [look(k, lift=-0.3) for k in range(1, 6)])
    assert (worse.verdict, worse.look) == (Verdict.BASELINE, 4)
    assert decide(patient, [look(1, errors=1.0)]).look == 1
    never = plan(schedule=Schedule(looks=5, least_seconds=1e9))
    late = decide(never, [look(k, lift=0.3) for k in range(1, 6)])
    assert late.verdict is Verdict.INCONCLUSIVE
    assert "18,000 of at least 1,000,000,000 seconds have passed" in late.reason


def test_minimum_users() -> None:
    many = plan(schedule=Schedule(looks=5, least_users=1000.0))
    looks = [look(k, lift=0.3, users={"v1": 300.0 * k, "v2": 300.0 * k}) for k in range(1, 6)]
    assert decide(many, looks).look == 4
    uncounted = plan(schedule=Schedule(looks=5, least_users=1e9))
    found = decide(uncounted, [look(k, lift=0.3) for k in range(1, 6)])
    assert "of at least 1,000,000,000 users" in found.reason


# --- The split ------------------------------------------------------------------------------


def test_a_wrong_split_on_requests_names_both_causes() -> None:
    found = decide(plan(), [look(k, lift=0.3, requests=0.5) for k in range(1, 6)])
    assert found.verdict is Verdict.INVALID
    assert "two causes" in found.reason
    assert "count distinct users" in found.needs


def test_a_wrong_split_since_the_observe_stage() -> None:
    before = look(1, requests=0.5, seed=7)
    assert decide(plan(), [look(2, requests=0.5)], before).verdict is None
    found = decide(plan(), [look(2, requests=0.4)], before)
    assert found.verdict is Verdict.INVALID
    assert "since the observe stage" in found.reason


def test_a_wrong_split_of_users() -> None:
    users = {"v1": 5000.0, "v2": 4000.0}
    found = decide(plan(), [look(2, users=users)])
    assert found.verdict is Verdict.INVALID
    assert found.reason.startswith("The users are not split")
    # Half as many requests of equally many users are no wrong split.
    fine = look(2, requests=0.5, users={"v1": 5000.0, "v2": 5010.0})
    assert decide(plan(), [fine]).verdict is None


@pytest.mark.parametrize("users", [{"v1": math.nan, "v2": 1.0}, {"v1": 3.0, "v2": 5.0}])
def test_users_that_cannot_be_tested(users: dict[str, float]) -> None:
    found = decide(plan(), [look(2, users=users)])
    assert "the split cannot be tested" in (outcome(found, Role.SPLIT).skipped or "")


def test_a_fault_makes_it_invalid() -> None:
    found = decide(plan(), [look(1), look(2, fault="the routing was changed by hand")])
    assert (found.verdict, found.look) == (Verdict.INVALID, 2)
    assert found.reason == "the routing was changed by hand."
    unplanned = decide(plan(), [look(1), look(None, fault="users changed arm"), look(2)])
    assert (unplanned.verdict, unplanned.look) == (Verdict.INVALID, 1)


def test_a_loss_that_turned_is_no_loss() -> None:
    patient = plan(schedule=Schedule(looks=5, least_seconds=5 * 3600.0))
    looks = [look(k, lift=-0.3 if k < 5 else 0.001) for k in range(1, 6)]
    assert decide(patient, looks).verdict is Verdict.INCONCLUSIVE


# --- Several candidates ---------------------------------------------------------------------


def three(number: int, second: float, third: float, errors: float = 0.0) -> Look:
    """Return a look with two candidates."""
    one, other = look(number, lift=second), look(number, lift=third, candidate="v3", errors=errors)
    metrics = {
        name: {**one.metrics[name], "v3": other.metrics[name]["v3"]} for name in one.metrics
    }
    requests = {**one.requests, "v3": other.requests["v3"]}
    return replace(one, metrics=metrics, requests=requests)


THREE = plan(candidates=("v2", "v3"), shares={"v1": 1.0, "v2": 1.0, "v3": 1.0})


def test_the_best_of_several_wins() -> None:
    found = decide(THREE, [three(k, 0.2, 0.3) for k in range(1, 6)])
    assert (found.verdict, found.winner) == (Verdict.WINNER, "v3")
    assert "v2 passed too, with a smaller effect" in found.reason


def test_the_error_is_shared_among_candidates() -> None:
    one = decide(plan(), [look(k) for k in range(1, 6)])
    both = decide(THREE, [three(k, 0.0, 0.0) for k in range(1, 6)])
    [first, second] = [found for found in both.reports[-1].outcomes if found.role is Role.REWARD]
    assert first.spent == second.spent == 0.0125
    assert outcome(one, Role.REWARD).spent == 0.025


def test_a_harmful_candidate_leaves_and_the_other_wins() -> None:
    looks = [three(k, 0.2, 0.3, errors=1.0) for k in range(1, 6)]
    first = decide(THREE, looks[:1])
    assert first.verdict is None
    assert set(first.stopped) == {"v3"}
    found = decide(THREE, looks)
    assert (found.verdict, found.winner) == (Verdict.WINNER, "v2")
    assert set(found.stopped) == {"v3"}


def test_worse_and_equal_candidates_end_at_the_baseline() -> None:
    rope = replace(THREE, reward=Reward("engagement", Direction.HIGH, rope=0.1))
    found = decide(rope, [three(k, 0.001, -0.3) for k in range(1, 6)])
    assert found.verdict is Verdict.BASELINE
    assert "v3 is worse than v1" in found.reason
    assert "smaller than 10 %" in found.reason


# --- Looks that are late, missed, repeated, or one too many ---------------------------------


def test_a_missed_look_leaves_its_error_to_the_next() -> None:
    every = decide(ONLY_REWARD, [look(k) for k in range(1, 5)])
    some = decide(ONLY_REWARD, [look(k) for k in (1, 4)])
    assert outcome(every, Role.REWARD).spent == outcome(some, Role.REWARD).spent
    crossing, missed = (outcome(one, Role.REWARD).critical for one in (every, some))
    assert crossing is not None
    assert missed is not None
    assert missed < crossing


def test_an_unreadable_look_spends_nothing() -> None:
    empty = with_metric(look(3), "engagement", {"v1": counts(0.1, 3000.0, 1)})
    found = decide(ONLY_REWARD, [look(1), look(2), empty, look(4)])
    skipped = outcome(found, Role.REWARD, 2)
    assert skipped.skipped == "engagement of v2 has no data"
    assert skipped.spent is None
    direct = decide(ONLY_REWARD, [look(1), look(2), look(4)])
    assert outcome(found, Role.REWARD) == outcome(direct, Role.REWARD)


def test_the_first_reading_after_the_end_is_the_last_look() -> None:
    found = decide(ONLY_REWARD, [look(1), look(2), look(9)])
    assert (found.verdict, found.over) == (Verdict.INCONCLUSIVE, True)
    assert outcome(found, Role.REWARD).spent == 0.025


def test_readings_that_were_not_planned_decide_nothing() -> None:
    found = decide(plan(), [look(1), look(None, errors=3.0), look(1, errors=3.0), look(2)])
    assert [report.note for report in found.reports] == [
        None,
        "it was not planned",
        "look 1 does not come after look 1",
        None,
    ]
    assert found.verdict is None
    assert found.reports[1].values["error-rate", "v2"] == pytest.approx(0.08)


def test_looks_after_the_verdict_decide_nothing() -> None:
    found = decide(plan(), [look(1, errors=1.0), look(2, lift=0.5)])
    assert (found.verdict, found.look) == (Verdict.BASELINE, 1)
    assert found.reports[-1].note == "it came after the verdict"


def test_an_early_end_spends_no_more() -> None:
    found = decide(plan(), [look(k, lift=0.005) for k in range(1, 4)], ended="budget")
    assert (found.verdict, found.over) == (Verdict.INCONCLUSIVE, True)
    assert found.reason.startswith("Ended early, after look 3 of 5: budget. ")
    won = decide(plan(), [look(k, lift=0.3) for k in range(1, 4)], ended="budget")
    assert won.verdict is Verdict.WINNER


def test_an_extension_spends_nothing_until_it_has_caught_up() -> None:
    longer = replace(
        ONLY_REWARD, schedule=Schedule(looks=5, extensions=(Extension(after=3, looks=10),))
    )
    found = decide(longer, [look(k) for k in range(1, 8)])
    assert found.over is False
    shares = [one.outcomes[-1].spent or 0.0 for one in found.reports]
    assert shares[3] == shares[4] == shares[2]
    assert shares[6] > shares[2]
    assert [one.outcomes[-1].critical for one in found.reports][3:5] == [math.inf] * 2
    assert decide(longer, [look(k) for k in range(1, 11)]).over


# --- The same, whichever way it is computed -------------------------------------------------


def restored(memory: Memory) -> Memory:
    """Return a memory that went through JSON."""
    kept = json.loads(json.dumps(asdict(memory)))
    numbers = {name: tuple(kept[name]) for name in ("spent", "evaluated", "crossed", "opposed")}
    return Memory(
        **numbers,
        history=tuple(
            Spent(tuple(one["places"]), tuple(one["information"]), tuple(one["increments"]))
            for one in kept["history"]
        ),
        closed=tuple(Closed(**one) for one in kept["closed"]),
        noise=tuple(Noise(**one) for one in kept["noise"]),
        totals=tuple(Total(**one) for one in kept["totals"]),
        last=kept["last"],
    )


@pytest.mark.parametrize("saved_after", [1, 3, 6])
def test_look_by_look_is_the_same_to_the_last_bit(saved_after: int) -> None:
    made = replace(
        THREE,
        schedule=Schedule(looks=8),
        reward=Reward("engagement", Direction.HIGH, rope=0.02),
    )
    looks = [three(k, 0.01, 0.02, errors=0.01 * k) for k in (1, 2, 3, 5, 6, 7, 8)]
    whole = decide(made, looks)
    state = start(made)
    for number, one in enumerate(looks, 1):
        state = step(state, one)
        if number == saved_after:
            state = resume(made, None, restored(state.memory))
    by_look = finish(state)
    assert by_look.reports == whole.reports[saved_after:]
    assert replace(by_look, reports=()) == replace(whole, reports=())


# --- Without a known end --------------------------------------------------------------------

ENDLESS = replace(ONLY_REWARD, schedule=Schedule(looks=None))


def test_without_a_known_end() -> None:
    looks = [look(k, lift=0.2) for k in range(1, 4)]
    found = decide(ENDLESS, looks)
    assert found.verdict is Verdict.WINNER
    going = decide(ENDLESS, [look(k, lift=0.002) for k in range(1, 400)])
    assert (going.verdict, going.over) == (None, False)
    row = outcome(going, Role.REWARD)
    assert row.critical is not None
    assert row.critical > 2.5
    stopped = decide(ENDLESS, [look(k, lift=0.002) for k in range(1, 4)], ended="enough")
    assert stopped.reason.startswith("Ended early, after look 3: enough. ")


def test_counted_users_without_a_known_end() -> None:
    users = {"v1": 2000.0, "v2": 2220.0}
    found = decide(ENDLESS, [look(1, users=users)])
    row = outcome(found, Role.SPLIT)
    assert row.z == pytest.approx(3.7202, abs=1e-4)
    assert row.critical == pytest.approx(math.log(1000.0))
    wrong = decide(ENDLESS, [look(1, users={"v1": 2000.0, "v2": 2500.0})])
    assert wrong.verdict is Verdict.INVALID


# --- Plain values ---------------------------------------------------------------------------

PLAIN = Metric("engagement", Kind.PLAIN, Scale.DIFFERENCE)
TUTORIAL = Plan(
    "v1",
    ("v2",),
    (PLAIN,),
    Schedule(looks=5, times=tuple(w / 107 for w in (3, 14, 35, 66, 107))),
    Reward("engagement", Direction.HIGH),
)


def readings(number: int, first: float, second: float, noise: float | None = None) -> Look:
    return Look(
        number,
        5.0 * number,
        {"engagement": {"v1": Reading(first, noise), "v2": Reading(second, noise)}},
    )


def test_plain_values_without_noise_never_decide() -> None:
    found = decide(TUTORIAL, [readings(k, 15.0, 200.0) for k in range(1, 6)])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "nobody can say how much of a difference is chance" in found.reason
    assert found.needs == "Values for each bucket, or a declared noise."


def test_plain_values_with_declared_noise() -> None:
    looks = [readings(k, 15.0, 20.0, noise=2.0) for k in range(1, 6)]
    found = decide(TUTORIAL, looks)
    assert (found.verdict, found.winner) == (Verdict.WINNER, "v2")
    assert found.reason == "v2 is better than v1: engagement +5 (from +0.6715 to +9.329)."
    assert found.look == 3
    row = outcome(found, Role.REWARD, 2)
    assert row.information == pytest.approx(3.0 / 4.0)
    assert row.z == pytest.approx(5.0 / math.sqrt(4.0 / 3.0))


@pytest.mark.parametrize(
    "bad", [Reading(None), Reading(math.nan, 1.0), Reading(math.inf, 1.0), Reading(1.0, 0.0)]
)
def test_bad_readings_never_win(bad: Reading) -> None:
    looks = [
        replace(readings(k, 1.0, 2.0, 0.1), metrics={"engagement": {"v1": bad, "v2": bad}})
        for k in range(1, 6)
    ]
    found = decide(TUTORIAL, looks)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason


# --- Iter8's rule ---------------------------------------------------------------------------

BEST = replace(TUTORIAL, rule=Rule.BEST_VALUE)


def test_the_best_value_wins() -> None:
    looks = [readings(k, 15.0, 14.0 + k) for k in range(1, 6)]
    assert decide(BEST, looks[:4]).verdict is None
    found = decide(BEST, looks)
    assert (found.verdict, found.winner) == (Verdict.WINNER, "v2")
    assert found.reason.startswith("Rule best-value, without error control: v2 has the best")
    low = replace(BEST, reward=Reward("engagement", Direction.LOW))
    assert decide(low, looks).verdict is Verdict.BASELINE
    tie = decide(BEST, [readings(5, 15.0, 15.0)])
    assert tie.verdict is Verdict.INCONCLUSIVE
    assert "a tie" in tie.reason


def test_the_best_value_keeps_limits_and_needs_both_values() -> None:
    limited = replace(BEST, limits=(Limit("engagement", upper=16.0),))
    found = decide(limited, [readings(5, 15.0, 20.0)])
    assert found.verdict is Verdict.BASELINE
    nobody = replace(BEST, limits=(Limit("engagement", upper=1.0),))
    assert "no version keeps all limits" in decide(nobody, [readings(5, 15.0, 20.0)]).reason
    for wrong in (math.nan, math.inf):
        missing = decide(BEST, [readings(5, wrong, 20.0)])
        assert missing.verdict is Verdict.INCONCLUSIVE
        assert "engagement of v1" in missing.reason


# --- A rung of a ramp -----------------------------------------------------------------------


def test_a_rung_only_watches() -> None:
    rung = plan(watch_only=True, errors=Errors(harm=0.01, any_harm=0.002))
    found = decide(rung, [look(k, lift=0.5) for k in range(1, 6)])
    assert (found.verdict, found.over) == (None, True)
    assert found.reason == "No harm was found on this rung."
    assert {one.role for one in found.reports[-1].outcomes} == {
        Role.SPLIT,
        Role.HARM,
        Role.ANY_HARM,
    }
    assert decide(rung, [look(1, errors=1.0)]).verdict is Verdict.BASELINE


# --- What cannot be decided -----------------------------------------------------------------


def spoiled(values: Mapping[int, tuple[float | None, float | None]] | str) -> list[Look]:
    """Return looks with a strong effect, in which both arms' reward is spoiled."""
    looks = []
    for number in range(1, 6):
        one = look(number, lift=1.0)
        arms: dict[str, Observation] = {}
        for arm, observation in one.metrics["engagement"].items():
            assert isinstance(observation, Counts)
            top = [value or 0.0 for value in observation.numerators]
            bottom = [value or 0.0 for value in observation.denominators]
            if values == "one bucket":
                top, bottom = [[x[0], *[0.0] * 31] for x in (top, bottom)]
            elif values == "no spread":
                top, bottom = [12.0 if arm == "v1" else 24.0] * 32, [100.0] * 32
            elif values == "all zero":
                top, bottom = [0.0] * 32, [0.0] * 32
            elif values == "no events":
                top = [0.0] * 32
            elif values == "few buckets":
                top, bottom = top[:4], bottom[:4]
            elif values == "other buckets":
                bottom = bottom[:5]
            elif values == "more than all":
                top = [2.0 * x for x in bottom]
            elif values == "events in one bucket":
                top = [x if place == 3 else 0.0 for place, x in enumerate(bottom)]
            elif values == "huge":
                top, bottom = [x * 1e300 for x in top], [x * 1e300 for x in bottom]
            elif values == "few":
                top, bottom = [x / 1e4 for x in top], [x / 1e4 for x in bottom]
            arms[arm] = Counts(tuple(top), tuple(bottom))
            if not isinstance(values, str):
                above = {place: pair[0] for place, pair in values.items()}
                below = {place: pair[1] for place, pair in values.items()}
                arms[arm] = Counts(
                    tuple(above.get(place, value) for place, value in enumerate(top)),
                    tuple(below.get(place, value) for place, value in enumerate(bottom)),
                )
        looks.append(with_metric(one, "engagement", arms))
    return looks


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        (spoiled("one bucket"), "has its requests in so few buckets that they count as 1.0"),
        (spoiled("no spread"), "does not vary between the buckets"),
        (spoiled("all zero"), "engagement of v1 has no requests"),
        (spoiled("no events"), "has 0 events of each kind, and 25 are the least"),
        (spoiled("events in one bucket"), "engagement of v1 or v2 hangs on a single bucket"),
        (spoiled("huge"), "so few buckets that they count as"),
        (spoiled("few buckets"), "has 4 buckets, and 8 are the least"),
        (spoiled("other buckets"), "for different buckets"),
        (spoiled("more than all"), "a bucket has more events than requests"),
        (spoiled("few"), "events of each kind, and 25 are the least"),
        (spoiled({3: (1.0, math.nan)}), "requests are not finite for bucket 3"),
        (spoiled({3: (math.inf, 100.0)}), "numerators are not finite for bucket 3"),
        (spoiled({3: (1.0, -1.0)}), "requests are negative for bucket 3"),
        (spoiled({3: (1.0, None), 7: (1.0, None)}), "requests are missing for buckets 3, 7"),
        ([with_metric(look(k), "engagement", {}) for k in range(1, 6)], "v1 has no data"),
        ([Look(k, 1.0) for k in range(1, 6)], "v1 has no data"),
        (
            [
                with_metric(look(k), "engagement", {"v1": Reading(1.0), "v2": Reading(9.0)})
                for k in range(1, 6)
            ],
            "was read in another form than a proportion needs",
        ),
    ],
)
def test_bad_data_never_win(looks: list[Look], reason: str) -> None:
    found = decide(ONLY_REWARD, looks)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert reason in found.reason
    assert found.needs


def test_an_empty_bucket_is_no_fault() -> None:
    found = decide(ONLY_REWARD, spoiled({3: (0.0, 0.0)}))
    assert found.verdict is Verdict.WINNER
    missing_numerator = decide(ONLY_REWARD, spoiled({3: (None, 100.0)}))
    assert missing_numerator.verdict is Verdict.WINNER


def test_a_missing_arm_never_makes_the_other_win() -> None:
    for arm in ("v1", "v2"):
        looks = []
        for number in range(1, 6):
            one = look(number, lift=0.5)
            arms = {k: v for k, v in one.metrics["engagement"].items() if k != arm}
            looks.append(with_metric(one, "engagement", arms))
        found = decide(ONLY_REWARD, looks)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert f"engagement of {arm} has no data" in found.reason


def test_a_counter_that_falls_is_not_used() -> None:
    looks = [look(1), look(3), replace(look(2), number=4), look(5)]
    found = decide(ONLY_REWARD, looks)
    assert "a counter fell from" in (outcome(found, Role.REWARD, 2).skipped or "")
    assert "a request counter fell" in (outcome(found, Role.SPLIT, 2).skipped or "")
    assert outcome(found, Role.REWARD).skipped is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"candidates": ()}, "there is no candidate"),
        ({"candidates": ("v1",)}, "two arms have the same name"),
        ({"shares": {"v1": 1.0}}, "arm v2 has no share of the users"),
        ({"shares": {"v1": 1.0, "v2": math.nan}}, "arm v2 has no share of the users"),
        ({"metrics": (ENGAGED,)}, "metric error-rate is not among the metrics"),
        ({"metrics": (ENGAGED, ERRORS, ERRORS)}, "metric error-rate is there twice"),
        ({"metrics": (ENGAGED, replace(ERRORS, kind=Kind.QUANTILE))}, "needs a share between"),
        ({"metrics": (ENGAGED, replace(ERRORS, kind=Kind.PLAIN))}, "compared by difference"),
        ({"metrics": (ENGAGED, replace(ERRORS, typical=0.0))}, "typical effect above 0"),
        ({"schedule": Schedule(looks=0)}, "at least one look"),
        ({"schedule": Schedule(looks=2, times=(0.5,))}, "times of the looks"),
        ({"schedule": Schedule(looks=2, times=(0.7, 0.9))}, "times of the looks"),
        ({"schedule": Schedule(looks=2, times=(math.nan, 1.0))}, "times of the looks"),
        ({"schedule": Schedule(looks=5, extensions=(Extension(5, 9),))}, "comes too late"),
        ({"schedule": Schedule(looks=5, extensions=(Extension(4, 3),))}, "more looks than"),
        ({"schedule": Schedule(looks=None, extensions=(Extension(4, 9),))}, "known end"),
        ({"schedule": Schedule(looks=5, least_users=math.nan)}, "0 or more"),
        ({"errors": Errors(harm=0.0)}, "levels are above 0"),
        ({"errors": Errors(reward=math.nan)}, "levels are above 0"),
        ({"reward": Reward("engagement", Direction.HIGH, rope=0.0)}, "ROPE of 0"),
        ({"reward": Reward("engagement", Direction.HIGH, beyond=-1.0)}, "0 or more"),
        ({"guardrails": (Guardrail("error-rate", Direction.LOW, -1.0),)}, "is 0 or more"),
        ({"guardrails": (Guardrail("error-rate", Direction.HIGH, 1.5),)}, "is below 1"),
        ({"reward": None, "rule": Rule.BEST_VALUE}, "needs a reward"),
    ],
)
def test_a_plan_that_cannot_be_carried_out(changes: dict[str, object], reason: str) -> None:
    found = decide(plan(**changes), [look(k) for k in range(1, 6)])
    assert found.verdict is Verdict.INVALID
    assert reason in found.reason
