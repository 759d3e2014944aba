"""Where a sequence of looks stands, and what of it is kept between two runs of a program."""

import math
from dataclasses import dataclass, replace

import numpy as np

from pinroute.stats.boundary import LEAST_SPENT, Paths, advance, begin
from pinroute.stats.hypotheses import Hypothesis, hypotheses
from pinroute.stats.observation import Look
from pinroute.stats.plan import Plan
from pinroute.stats.verdict import Decision, LookReport


@dataclass(frozen=True, slots=True)
class Spent:
    """What one look spent: the places of its hypotheses, their information, the increments."""

    places: tuple[int, ...]
    information: tuple[float, ...]
    increments: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A candidate that is out: `harmed`, `worse` or `equal`, and the sentence that says why."""

    candidate: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Total:
    """The size of a counter at the last look, to see it fall. No metric: the requests."""

    metric: str
    arm: str
    value: float


@dataclass(frozen=True, slots=True)
class Noise:
    """Readings of known noise so far: sum of w (b - a), and sum of w, w = 1 / variance."""

    metric: str
    candidate: str
    weighted: float
    weight: float


@dataclass(frozen=True, slots=True)
class Memory:
    """All that has to be kept to go on later, in plain numbers and words.

    Tuples by hypothesis are in the order of `hypotheses`. `crossed` is the look of the first
    crossing (0: none), `opposed` that of the first one on the other side, `evaluated` how
    many looks counted. `last` is the number of the last look.
    """

    spent: tuple[float, ...]
    evaluated: tuple[int, ...]
    crossed: tuple[int, ...]
    opposed: tuple[int, ...]
    history: tuple[Spent, ...] = ()
    closed: tuple[Closed, ...] = ()
    noise: tuple[Noise, ...] = ()
    totals: tuple[Total, ...] = ()
    last: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the next look needs. `paths` follow from the memory's history."""

    plan: Plan
    before: Look | None
    hypotheses: tuple[Hypothesis, ...]
    paths: Paths
    memory: Memory
    reports: tuple[LookReport, ...] = ()
    decision: Decision | None = None


def start(plan: Plan, before: Look | None = None) -> State:
    """Return the state before the first look."""
    found = hypotheses(plan)
    many = len(found)
    memory = Memory((0.0,) * many, (0,) * many, (0,) * many, (0,) * many)
    two_sided = np.asarray([one.two_sided for one in found], dtype=np.bool_)
    return State(plan, before, found, begin(two_sided), memory)


def resume(plan: Plan, before: Look | None, memory: Memory) -> State:
    """Return the state that a memory stands for: to the last bit, on the same machine."""
    state = start(plan, before)
    paths = state.paths
    for step in memory.history:
        paths = _advanced(paths, step)
    return replace(state, paths=paths, memory=memory)


def spend(state: State, step: dict[int, tuple[float, float]]) -> State:
    """Return the state after a look: place -> (information, error it may have spent by now).

    What was spent stays spent: a plan that was extended spends nothing until it has caught up.
    """
    memory = state.memory
    spent, evaluated = list(memory.spent), list(memory.evaluated)
    increments = []
    for place, (_, allowed) in step.items():
        evaluated[place] += 1
        increment = max(0.0, allowed - spent[place])
        increments.append(increment)
        if increment >= LEAST_SPENT:
            spent[place] = allowed
    made = Spent(tuple(step), tuple(info for info, _ in step.values()), tuple(increments))
    return replace(
        state,
        paths=_advanced(state.paths, made),
        memory=replace(
            memory,
            spent=tuple(spent),
            evaluated=tuple(evaluated),
            history=(*memory.history, made),
        ),
    )


def critical_values(state: State) -> dict[int, float]:
    """Return the critical values of the last look, by place; +inf where nothing was spent."""
    step = state.memory.history[-1]
    return {
        place: float(state.paths.critical[place]) if increment >= LEAST_SPENT else math.inf
        for place, increment in zip(step.places, step.increments, strict=True)
    }


def _advanced(paths: Paths, step: Spent) -> Paths:
    return advance(
        paths,
        np.asarray(step.places, dtype=np.intp),
        np.asarray(step.information, dtype=np.float64),
        np.asarray(step.increments, dtype=np.float64),
    )
