"""Whatever is read, `decide` answers: never an exception, never a winner from broken data."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pinroute.stats.decision import decide
from pinroute.stats.observation import Counts, Histogram, Look, Observation, Reading
from pinroute.stats.plan import (
    Direction,
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
from pinroute.stats.verdict import Verdict

numbers = st.one_of(
    st.none(),
    st.floats(),
    st.sampled_from([0.0, 1.0, 30.0, 1e-300, 1e300, -1.0, math.nan, math.inf]),
    st.floats(0.0, 1e6),
)
counters = st.lists(numbers, max_size=12).map(tuple)
sound = st.lists(st.floats(10.0, 1e4), min_size=9, max_size=9).map(tuple)
observations: st.SearchStrategy[Observation] = st.one_of(
    st.builds(Counts, sound, sound),
    st.builds(Counts, counters, counters),
    st.builds(Reading, numbers, numbers),
    st.builds(
        Histogram,
        st.lists(st.floats(), max_size=4).map(tuple),
        st.lists(counters, max_size=9).map(tuple),
    ),
)
arms = st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), observations)
looks = st.builds(
    Look,
    st.one_of(st.none(), st.integers(-1, 9)),
    st.floats(),
    st.dictionaries(st.sampled_from(["reward", "guard"]), arms),
    st.dictionaries(st.sampled_from(["v1", "v2"]), st.one_of(counters, sound)),
    st.dictionaries(st.sampled_from(["v1", "v2"]), numbers),
)
metrics = st.builds(
    Metric,
    st.just("reward"),
    st.sampled_from(Kind),
    st.sampled_from(Scale),
    st.sampled_from([None, 0.9]),
)
plans = st.builds(
    Plan,
    st.just("v1"),
    st.sampled_from([("v2",), ("v2", "v3"), ()]),
    st.tuples(
        metrics, metrics.map(lambda one: Metric("guard", one.kind, one.scale, one.quantile))
    ),
    st.builds(Schedule, st.sampled_from([None, 1, 5])),
    st.builds(
        Reward,
        st.just("reward"),
        st.sampled_from(Direction),
        st.floats(0.0, 1.0),
        st.sampled_from([None, 0.1, math.inf]),
    ),
    st.tuples(
        st.builds(
            Guardrail,
            st.just("guard"),
            st.sampled_from(Direction),
            st.floats(0.0, 2.0),
            st.booleans(),
        )
    ),
    st.sampled_from([(), (Limit("guard", upper=3.0),)]),
    st.sampled_from([{}, {"v1": 0.5, "v2": 0.25, "v3": 0.25}]),
    rule=st.sampled_from(Rule),
)


@given(plans, st.lists(looks, max_size=6), st.one_of(st.none(), looks))
def test_there_is_always_an_answer(plan: Plan, seen: list[Look], before: Look | None) -> None:
    found = decide(plan, seen, before, ended="enough")
    assert found.verdict is not None
    assert found.over
    assert found.reason
    assert found.needs
    if found.verdict is Verdict.WINNER:
        assert found.winner in plan.candidates


@given(st.lists(counters, min_size=4, max_size=4), st.integers(1, 5))
def test_a_few_buckets_never_win(read: list[tuple[float | None, ...]], looks: int) -> None:
    plan = Plan(
        "v1",
        ("v2",),
        (Metric("reward", Kind.PROPORTION),),
        Schedule(looks),
        Reward("reward", Direction.HIGH),
    )
    few = [counts[:7] for counts in read]
    seen = [
        Look(k, 1.0, {"reward": {"v1": Counts(few[0], few[1]), "v2": Counts(few[2], few[3])}})
        for k in range(1, looks + 1)
    ]
    found = decide(plan, seen)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "cannot be compared" in found.reason
