"""How often the verdicts are wrong, and how often they come: simulated users, with seeds.

    python bench/calibration.py [level] [power] [guardrails] [rope] [split] [mock] [speed]
                                [--runs N] [--seed N] [--only TEXT]

Every figure has its interval. Users are drawn, not requests (pinroute.stats.simulation).
The oracle sees every user and tests once, at the end, with a normal test: no test can be
expected to find more. Where its own level is off, no power can be compared with it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv
from scipy.stats import norm

from pinroute.stats import gate
from pinroute.stats.boundary import Flags, advance, begin
from pinroute.stats.decision import decide, finish, step
from pinroute.stats.effect import contrast
from pinroute.stats.jackknife import Replicates, effective, ratio
from pinroute.stats.observation import Counts, Look, Reading
from pinroute.stats.plan import (
    Direction,
    Errors,
    Guardrail,
    Kind,
    Metric,
    Plan,
    Reward,
    Rule,
    Scale,
    Schedule,
)
from pinroute.stats.sample_ratio import of_requests, of_users
from pinroute.stats.simulation import Population, Sample, Traffic, draw
from pinroute.stats.spending import Spending, spent
from pinroute.stats.state import start
from pinroute.stats.tails import Floats
from pinroute.stats.verdict import Decision, Verdict

BUCKETS = 32
MOST = 100  # looks that are drawn; 25 and 5 are every fourth and every twentieth of them
CHUNK = 125


class Rate(NamedTuple):
    """A share of runs, with Clopper and Pearson's bounds."""

    hits: int
    runs: int

    def upper(self, confidence: float = 0.95) -> float:
        """Return the one-sided upper bound."""
        if self.hits == self.runs:
            return 1.0
        return float(betaincinv(self.hits + 1, self.runs - self.hits, confidence))

    def lower(self, confidence: float = 0.95) -> float:
        """Return the one-sided lower bound."""
        if self.hits == 0:
            return 0.0
        return float(betaincinv(self.hits, self.runs - self.hits + 1, 1.0 - confidence))

    @property
    def share(self) -> float:
        return self.hits / self.runs

    def __str__(self) -> str:
        return f"{100 * self.share:5.2f} [{100 * self.lower():5.2f}, {100 * self.upper():5.2f}]"


class Asked(NamedTuple):
    """How many runs of a cell, from which seed, and of which cells: those with a text in them."""

    runs: int
    seed: int
    only: str = ""


class Ends(NamedTuple):
    """Where each run crossed: +1 for the candidate, -1 against it, 0 never; and the time."""

    side: Floats
    time: Floats


def crossings(
    looks: int, z: Callable[[int], tuple[Floats, Floats, Flags]], runs: int, alpha: float
) -> Ends:
    """Run one two-sided test over many runs at once: the same functions as `decide`.

    `z` returns z values, information and fitness of all runs at a look, from 1 on. `alpha`
    is the error of one side.
    """
    paths = begin(np.ones(runs, dtype=np.bool_))
    used = np.zeros(runs)
    side, end = np.zeros(runs), np.ones(runs)
    for look in range(1, looks + 1):
        value, information, fit = z(look)
        rows = np.flatnonzero(fit & (side == 0))
        allowed = spent(Spending.OBRIEN_FLEMING, alpha, look / looks)
        paths = advance(paths, rows, information[rows], allowed - used[rows])
        used[rows] = allowed
        crossed = rows[np.abs(value[rows]) >= paths.critical[rows]]
        side[crossed] = np.sign(value[crossed])
        end[crossed] = look / looks
    return Ends(side, end)


def fitness(rate: Replicates, events: Floats) -> Flags:
    """Return which runs pass the gate."""
    return gate.passes(rate.effective, events, rate.left_out.shape[-1])


def sequential(arms: tuple[Sample, Sample], looks: int) -> Ends:
    """Run the reward's test over many runs."""
    stride = arms[0].events.shape[1] // looks

    def z(look: int) -> tuple[Floats, Floats, Flags]:
        estimates, fit = [], np.ones(len(arms[0].events), dtype=np.bool_)
        for arm in arms:
            events, requests = (x[:, look * stride - 1] for x in (arm.events, arm.requests))
            rate = ratio(events, requests)
            fit &= fitness(rate, np.minimum(events.sum(-1), (requests - events).sum(-1)))
            estimates.append(rate.log())
        effect = contrast(estimates[0], estimates[1])
        return effect.z(), 1.0 / effect.variance, fit & gate.varies(effect.variance)

    return crossings(looks, z, len(arms[0].events), 0.025)


def oracle(arms: tuple[Sample, Sample]) -> Floats:
    """Return the oracle's side of each run: +1, -1, or 0."""
    (a, va), (b, vb) = arms[0].oracle, arms[1].oracle
    with np.errstate(invalid="ignore"):
        z = (b - a) / np.sqrt(va + vb)
    return np.where(np.abs(z) >= 1.959963984540054, np.sign(z), 0.0)


@dataclass
class Cell:
    """The counts of one population: by number of looks, and of the oracle."""

    sides: dict[int, list[Ends]]
    oracle: list[Floats]


def cell(control: Population, candidate: Population, runs: int, seed: int) -> Cell:
    """Draw and test `runs` runs."""
    generator = np.random.default_rng(seed)
    found = Cell({5: [], 25: [], 100: []}, [])
    left = runs
    while left > 0:
        size = min(CHUNK, left)
        left -= size
        arms = (
            draw(control, MOST, BUCKETS, size, generator),
            draw(candidate, MOST, BUCKETS, size, generator),
        )
        for looks, ends in found.sides.items():
            ends.append(sequential(arms, looks))
        found.oracle.append(oracle(arms))
    return found


def populations() -> Iterator[tuple[str, Population]]:
    """Yield the populations of the table."""
    for users in (1500.0, 200.0, 50.0):
        for traffic in Traffic:
            yield f"{traffic} {users:.0f}", Population(users, traffic)
        yield (
            f"heavy visits {users:.0f}",
            Population(users, Traffic.VISITS, spread=1.5, heavy=0.002),
        )


def level(asked: Asked) -> None:
    """A/A: how often a winner is found where there is none (either side)."""
    runs, seed = asked.runs, asked.seed
    print(f"A/A, nominal 5 %, {BUCKETS} buckets an arm; share in % [95 % bounds, one-sided]")
    print("| users per arm | 5 looks | 25 looks | 100 looks | oracle |")
    print("| --- | --- | --- | --- | --- |")
    for number, (name, population) in enumerate(populations()):
        if asked.only not in name:
            continue
        found = cell(population, population, runs, seed + number)
        shares = [
            Rate(int(sum((ends.side != 0).sum() for ends in parts)), runs)
            for parts in found.sides.values()
        ]
        shares.append(Rate(int(sum((side != 0).sum() for side in found.oracle)), runs))
        print(f"| {name} | {' | '.join(map(str, shares))} |", flush=True)


def standard_error(population: Population) -> float:
    """Return the standard error of ln(rate B / rate A) at the last look, two equal arms.

    A user's relative variance is (1 - p)/p ((1 - r)/m + r (1 + CV^2)), r = 1/(1 + c) for a
    concentration c, m requests per user; 1 + CV^2 = e^(sigma^2), times 4/3 for users who come
    at any time and stay.
    """
    arriving = population.traffic is Traffic.ARRIVING
    unequal = float(np.exp(population.spread**2)) * (4.0 / 3.0 if arriving else 1.0)
    requests = population.requests * (0.5 if arriving else 1.0)
    within = 1.0 / (1.0 + population.concentration)
    odds = (1.0 - population.rate) / population.rate
    variance = odds * ((1.0 - within) / requests + within * unequal)
    return float(np.sqrt(2.0 * variance / population.users))


def lift_for(population: Population, power: float) -> float:
    """Return the relative effect that the oracle finds with a probability, about."""
    return float(np.expm1((norm.isf(0.025) + norm.ppf(power)) * standard_error(population)))


class Ratio(NamedTuple):
    """One share of runs over another of the same runs, with a 95 % interval (two-sided)."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ±{1.96 * self.error:.3f}"


def relative(found: Floats, of: Floats) -> Ratio:
    """Return mean(found)/mean(of), with the standard error of paired runs."""
    value = float(found.mean() / of.mean())
    residual = found - value * of
    return Ratio(value, float(residual.std() / of.mean() / np.sqrt(len(found))))


def power(asked: Asked) -> None:
    """Print how often a better candidate wins, next to the oracle, and when."""
    runs, seed = asked.runs, asked.seed
    print(f"Power, {BUCKETS} buckets an arm; stop: mean part of the planned time")
    print("| users per arm | lift | oracle % | looks | relative power | stop | wrong side |")
    print("| --- | --: | --: | --: | --- | --: | --: |")
    number = 100
    for traffic in Traffic:
        for wanted in (0.80, 0.93):
            number += 1
            control = Population(1500.0, traffic)
            lift = lift_for(control, wanted)
            candidate = replace(control, rate=control.rate * (1.0 + lift))
            found = cell(control, candidate, runs, seed + number)
            best = np.concatenate(found.oracle) > 0
            for looks, parts in found.sides.items():
                side = np.concatenate([ends.side for ends in parts])
                stop = np.concatenate([ends.time for ends in parts])
                print(
                    f"| {traffic} 1500 | {lift:.3f} | {100 * best.mean():.1f} | {looks} "
                    f"| {relative((side > 0).astype(float), best.astype(float))} "
                    f"| {stop.mean():.3f} ±{1.96 * stop.std() / np.sqrt(runs):.3f} "
                    f"| {int((side < 0).sum())} of {runs} |",
                    flush=True,
                )


REWARD, GUARD = Metric("reward", Kind.PROPORTION), Metric("guardrail", Kind.PROPORTION)


def verdicts(
    plan: Plan, effects: dict[str, float], runs: int, seed: int, looks: int = 25
) -> Iterator[Decision]:
    """Yield what `decide` says to runs with visits, 1,500 users an arm.

    `effects` are those of the candidate, by metric, as natural logarithms. Every metric has
    users of its own, so that metrics are independent.
    """
    generator = np.random.default_rng(seed)
    control = Population(1500.0)
    for done in range(0, runs, CHUNK):
        size = min(CHUNK, runs - done)
        drawn = {
            name: [
                draw(population, looks, BUCKETS, size, generator)
                for population in (control, replace(control, rate=control.rate * np.exp(effect)))
            ]
            for name, effect in effects.items()
        }
        for run in range(size):
            seen = (
                Look(
                    look + 1,
                    float(look + 1),
                    {
                        name: {
                            arm: Counts(
                                tuple(sample.events[run, look].tolist()),
                                tuple(sample.requests[run, look].tolist()),
                            )
                            for arm, sample in zip(plan.arms, arms, strict=True)
                        }
                        for name, arms in drawn.items()
                    },
                )
                for look in range(looks)
            )
            yield until_over(plan, seen)


def until_over(plan: Plan, looks: Iterable[Look]) -> Decision:
    """Return the decision, and read no look after it."""
    state = start(plan)
    for look in looks:
        state = step(state, look)
        if state.decision is not None and state.decision.over:
            break
    return finish(state)


def guardrails(asked: Asked) -> None:
    """Print what one guardrail does, at 25 looks, with a margin of 3.24 standard errors."""
    runs, seed = asked.runs, asked.seed
    error = standard_error(Population(1500.0))
    margin = 3.24 * error
    plan = Plan(
        "v1",
        ("v2",),
        (REWARD, GUARD),
        Schedule(25),
        Reward("reward", Direction.HIGH),
        (Guardrail("guardrail", Direction.LOW, float(np.expm1(margin))),),
    )
    print("| reward | guardrail | promoted % | stopped for harm % | mean time of all |")
    print("| --- | --- | --- | --- | --: |")
    cases = {
        "found in 90 %": (3.24 * error, {"none": 0.0, "margin": 1.0, "2 margins": 2.0}),
        "no effect": (0.0, {"none": 0.0}),
    }
    for number, (name, (lift, harms)) in enumerate(cases.items()):
        for other, (label, harm) in enumerate(harms.items()):
            effects = {"reward": lift, "guardrail": harm * margin}
            found = list(verdicts(plan, effects, runs, seed + 200 + 10 * number + other))
            won = Rate(sum(one.verdict is Verdict.WINNER for one in found), runs)
            harmed = Rate(sum("does harm" in one.reason for one in found), runs)
            when = np.mean([one.look / 25 for one in found])
            print(f"| {name} | {label} | {won} | {harmed} | {when:.3f} |", flush=True)


def rope(asked: Asked) -> None:
    """Print how often an effect at the edge of the ROPE, or none, is called no difference."""
    runs, seed = asked.runs, asked.seed
    edge = 3.24 * standard_error(Population(1500.0))
    reward = Reward("reward", Direction.HIGH, rope=float(np.expm1(edge)))
    plan = Plan("v1", ("v2",), (REWARD,), Schedule(25), reward)
    print("ROPE of 3.24 standard errors of the last look, 25 looks")
    print("| true effect | no-difference % | candidate % | mean time |")
    print("| --- | --- | --- | --: |")
    for number, (name, share) in enumerate({"none": 0.0, "half": 0.5, "edge": 1.0}.items()):
        found = list(verdicts(plan, {"reward": share * edge}, runs, seed + 300 + number))
        same = Rate(sum(one.verdict is Verdict.NO_DIFFERENCE for one in found), runs)
        won = Rate(sum(one.verdict is Verdict.WINNER for one in found), runs)
        when = np.mean([one.look / 25 for one in found])
        print(f"| {name} | {same} | {won} | {when:.3f} |", flush=True)


def split(asked: Asked) -> None:
    """Print how often the split is called wrong: when it is right, and when users are lost."""
    runs, seed = asked.runs, asked.seed
    print("| split on | users per arm | lost % | looks | alarms % |")
    print("| --- | --- | --: | --: | --- |")
    few = max(runs // 20, 1)
    cases: list[tuple[str, Population, float, int, int]] = [
        ("requests", Population(1500.0), 0.0, 10, runs),
        ("requests", Population(1500.0, Traffic.PRESENT), 0.0, 10, runs),
        ("requests", Population(500.0, spread=1.5, heavy=0.002), 0.0, 10, runs),
        ("requests since observe", Population(1500.0, Traffic.PRESENT), 0.0, 10, runs),
        ("counted users", Population(1500.0), 0.0, 10, runs),
        ("requests", Population(15_000.0), 0.11, 25, few),
        ("counted users", Population(6000.0), 0.11, 25, few),
        ("requests since observe", Population(2000.0, Traffic.PRESENT), 0.11, 25, few),
    ]
    for number, (kind, population, lost, looks, count) in enumerate(cases):
        if asked.only not in kind:
            continue
        generator = np.random.default_rng(seed + 400 + number)
        alarms = 0
        chunk = max(1, min(CHUNK, int(400_000 / population.users)))
        for begin_at in range(0, count, chunk):
            size = min(chunk, count - begin_at)
            ends = crossings(
                looks, _split(kind, population, lost, looks, size, generator), size, 0.0005
            )
            alarms += int((ends.side != 0).sum())
        name = f"{population.traffic}{' heavy' if population.heavy else ''} {population.users:.0f}"
        row = f"| {kind} | {name} | {100 * lost:.0f} | {looks} |"
        print(f"{row} {Rate(alarms, count)} |", flush=True)


def _split(
    kind: str,
    population: Population,
    lost: float,
    looks: int,
    runs: int,
    generator: np.random.Generator,
) -> Callable[[int], tuple[Floats, Floats, Flags]]:
    """Return the split's z values at a look, for runs that are drawn here.

    With an observe stage, twice as many looks are drawn, and the users who are lost are
    there in the first half only.
    """
    since = kind == "requests since observe"
    drawn = 2 * looks if since else looks
    keeps = replace(population, users=population.users * (1.0 - lost))
    arms = [draw(one, drawn, BUCKETS, runs, generator) for one in (population, keeps)]
    requests = [arm.requests for arm in arms]
    before: tuple[Floats, Floats] | None = None
    if since:
        old = [counts[:, looks - 1] for counts in requests]
        requests = [
            counts[:, looks:] - first[:, None] for counts, first in zip(requests, old, strict=True)
        ]
        if lost:
            gone = replace(population, users=population.users * lost)
            old[1] = old[1] + draw(gone, drawn, BUCKETS, runs, generator).requests[:, looks - 1]
        before = (old[0], old[1])

    def z(look: int) -> tuple[Floats, Floats, Flags]:
        if kind == "counted users":
            a, b = (arm.users[:, look - 1].sum(-1) for arm in arms)
            effect = of_users(a, b, 0.5)
            return effect.z(), a + b, a + b >= gate.LEAST_EVENTS
        now = [counts[:, look - 1] for counts in requests]
        effect = of_requests(now[0], now[1], before)
        fit = gate.varies(effect.variance)
        for counts in now:
            fit = fit & gate.passes(effective(counts), counts.sum(-1), BUCKETS)
        return effect.z(), 1.0 / effect.variance, fit

    return z


ELAPSED = (1, 5, 10, 15, 20)  # seconds at the tutorial's five looks


def mock(asked: Asked) -> None:
    """Print what becomes of the tutorial's made-up values: 15 against 20, and 15 against 15.

    Iter8 draws each as twice the level times Beta(e, e), e the seconds since the start:
    variance level^2 / (2 e + 1). Here the noise is declared; beside it is Iter8's rule.
    """
    runs, seed = asked.runs, asked.seed
    weights = np.cumsum([2 * e + 1 for e in ELAPSED])
    times = tuple(float(w) for w in weights / weights[-1])
    value = Metric("user-engagement", Kind.PLAIN, Scale.DIFFERENCE)
    reward = Reward("user-engagement", Direction.HIGH)
    plan = Plan("v1", ("v2",), (value,), Schedule(5, times), reward)
    print("| levels | rule | v2 % | v1 % | inconclusive % |")
    print("| --- | --- | --- | --- | --- |")
    for number, levels in enumerate(((15.0, 20.0), (15.0, 15.0))):
        for rule in Rule:
            generator = np.random.default_rng(seed + 500 + number)
            found = []
            for _ in range(runs):
                looks = (_mock_look(k, e, levels, generator) for k, e in enumerate(ELAPSED, 1))
                found.append(until_over(replace(plan, rule=rule), looks).verdict)
            shares = [
                str(Rate(sum(one is verdict for one in found), runs))
                for verdict in (Verdict.WINNER, Verdict.BASELINE, Verdict.INCONCLUSIVE)
            ]
            print(f"| {levels[0]:g}, {levels[1]:g} | {rule} | {' | '.join(shares)} |", flush=True)


def _mock_look(
    number: int, elapsed: int, levels: tuple[float, float], generator: np.random.Generator
) -> Look:
    values = {
        arm: Reading(
            float(2.0 * level * generator.beta(elapsed, elapsed)), level**2 / (2 * elapsed + 1)
        )
        for arm, level in zip(("v1", "v2"), levels, strict=True)
    }
    return Look(number, float(elapsed), {"user-engagement": values})


def speed(asked: Asked) -> None:
    """Print what a look costs: two arms of 64 buckets, one reward and some guardrails."""
    runs, seed = asked.runs, asked.seed
    generator = np.random.default_rng(seed)
    print("| metrics | looks | CPU of one look, ms: median, largest | 10,000 looks, s |")
    print("| --: | --: | --- | --: |")
    for metrics in (1, 2, 5):
        names = [f"m{number}" for number in range(metrics)]
        plan = Plan(
            "v1",
            ("v2",),
            tuple(Metric(name, Kind.PROPORTION) for name in names),
            Schedule(25),
            Reward("m0", Direction.HIGH, rope=1e-6),
            tuple(Guardrail(name, Direction.LOW, 0.0001) for name in names[1:]),
            shares={"v1": 0.5, "v2": 0.5},
            errors=Errors(any_harm=1e-6, harm=1e-6),
        )
        costs, whole = [], 0.0
        for run in range(2 * runs):
            looks = list(_looks(plan, 25, 64, generator))
            if run % 2:  # a whole record, as it is recomputed
                begun = time.process_time()
                decide(plan, looks)
                whole += time.process_time() - begun
                continue
            state = start(plan)
            for look in looks:
                begun = time.process_time()
                state = step(state, look)
                costs.append(time.process_time() - begun)
        median, most = 1000 * np.median(costs), 1000 * np.max(costs)
        total = whole / (25 * runs) * 1e4
        print(f"| {metrics} | {25 * runs} | {median:.2f}, {most:.2f} | {total:.1f} |", flush=True)


def _looks(plan: Plan, looks: int, buckets: int, generator: np.random.Generator) -> Iterator[Look]:
    """Yield looks of one A/A run: every metric has users of its own."""
    arms = {
        (metric.name, arm): draw(Population(1500.0), looks, buckets, 1, generator)
        for metric in plan.metrics
        for arm in plan.arms
    }
    for look in range(looks):
        counts = {
            pair: Counts(
                tuple(sample.events[0, look].tolist()), tuple(sample.requests[0, look].tolist())
            )
            for pair, sample in arms.items()
        }
        yield Look(
            look + 1,
            float(look),
            {
                metric.name: {arm: counts[metric.name, arm] for arm in plan.arms}
                for metric in plan.metrics
            },
            {arm: counts[plan.metrics[0].name, arm].denominators for arm in plan.arms},
        )


PARTS: dict[str, tuple[Callable[[Asked], None], int]] = {
    "level": (level, 5000),
    "power": (power, 2000),
    "guardrails": (guardrails, 2000),
    "rope": (rope, 2000),
    "split": (split, 20_000),
    "mock": (mock, 20_000),
    "speed": (speed, 20),
}


def main() -> None:
    """Run the parts that were asked for, or all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], help="default: all of them")
    parser.add_argument("--runs", type=int, help="runs of each cell")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--only", default="", help="cells of level and split with this in them")
    options = parser.parse_args()
    print(f"numpy {np.__version__}, Python {sys.version.split()[0]}, seed {options.seed}")
    for name in options.part or PARTS:
        part, runs = PARTS[name]
        begun = time.process_time()
        print(f"\n## {name}\n")
        with np.errstate(all="ignore"):  # arms without events have no logarithm
            part(Asked(options.runs or runs, options.seed, options.only))
        print(f"\n{time.process_time() - begun:.0f} s of CPU")


if __name__ == "__main__":
    main()
