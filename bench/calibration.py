"""How often the verdicts are wrong, and how often they come: simulated users, with seeds.

    python bench/calibration.py [level] [power] [guardrails] [rope] [split] [mock] [speed]
                                [--runs N] [--seed N]

Every figure has its interval. Users are drawn, not requests (pinroute.stats.simulation).
The oracle sees every user and tests once, at the end, with a normal test: no test can be
expected to find more. Where its own level is off, no power can be compared with it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtri

from pinroute.stats import gate
from pinroute.stats.boundary import advance, begin
from pinroute.stats.effect import contrast
from pinroute.stats.jackknife import ratio
from pinroute.stats.simulation import Population, Sample, Traffic, draw
from pinroute.stats.spending import Spending, spent
from pinroute.stats.tails import Floats

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


class Ends(NamedTuple):
    """Where each run crossed: +1 for the candidate, -1 against it, 0 never; and the time."""

    side: Floats
    time: Floats


def sequential(arms: tuple[Sample, Sample], looks: int) -> Ends:
    """Run the reward's test over many runs at once: the same functions as `decide`."""
    runs = len(arms[0].events)
    stride = arms[0].events.shape[1] // looks
    paths = begin(np.ones(runs, dtype=np.bool_))
    used = np.zeros(runs)
    side, end = np.zeros(runs), np.ones(runs)
    for look in range(1, looks + 1):
        at = look * stride - 1
        estimates = []
        fit = np.ones(runs, dtype=np.bool_)
        for arm in arms:
            events, requests = arm.events[:, at], arm.requests[:, at]
            rate = ratio(events, requests)
            rarer = np.minimum(events.sum(-1), requests.sum(-1) - events.sum(-1))
            fit &= gate.passes(rate.effective, rarer, events.shape[-1])
            estimates.append(rate.log())
        effect = contrast(estimates[0], estimates[1])
        fit &= gate.varies(effect.variance)
        rows = np.flatnonzero(fit & (side == 0))
        allowed = spent(Spending.OBRIEN_FLEMING, 0.025, look / looks)
        paths = advance(paths, rows, 1.0 / effect.variance[rows], allowed - used[rows])
        used[rows] = allowed
        z = effect.z()[rows]
        crossed = np.abs(z) >= paths.critical[rows]
        side[rows[crossed]] = np.sign(z[crossed])
        end[rows[crossed]] = look / looks
    return Ends(side, end)


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


def level(runs: int, seed: int) -> None:
    """A/A: how often a winner is found where there is none (either side)."""
    print(f"A/A, nominal 5 %, {BUCKETS} buckets an arm; share in % [95 % bounds, one-sided]")
    print("| users per arm | 5 looks | 25 looks | 100 looks | oracle |")
    print("| --- | --- | --- | --- | --- |")
    for number, (name, population) in enumerate(populations()):
        found = cell(population, population, runs, seed + number)
        shares = [
            Rate(int(sum((ends.side != 0).sum() for ends in parts)), runs)
            for parts in found.sides.values()
        ]
        shares.append(Rate(int(sum((side != 0).sum() for side in found.oracle)), runs))
        print(f"| {name} | {' | '.join(map(str, shares))} |", flush=True)


def lift_for(population: Population, power: float) -> float:
    """Return the relative effect that the oracle finds with a probability, about.

    A user's relative variance is (1 - p)/p ((1 - r)/m + r (1 + CV^2)), r = 1/(1 + c) for a
    concentration c, m requests per user.
    """
    stay = 0.5 if population.traffic is Traffic.ARRIVING else 1.0
    unequal = np.exp(population.spread**2) * (
        4.0 / 3.0 if population.traffic is Traffic.ARRIVING else 1.0
    )
    within = 1.0 / (1.0 + population.concentration)
    odds = (1.0 - population.rate) / population.rate
    variance = odds * ((1.0 - within) / (population.requests * stay) + within * unequal)
    z = 1.959963984540054 + float(-ndtri(1.0 - power))
    return float(np.expm1(z * np.sqrt(2.0 * variance / population.users)))


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


def power(runs: int, seed: int) -> None:
    """Print how often a better candidate wins, next to the oracle, and when."""
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


PARTS: dict[str, tuple[Callable[[int, int], None], int]] = {
    "level": (level, 5000),
    "power": (power, 2000),
}


def main() -> None:
    """Run the parts that were asked for, or all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], help="default: all of them")
    parser.add_argument("--runs", type=int, help="runs of each cell")
    parser.add_argument("--seed", type=int, default=20261125)
    options = parser.parse_args()
    print(f"numpy {np.__version__}, Python {sys.version.split()[0]}, seed {options.seed}")
    for name in options.part or PARTS:
        part, runs = PARTS[name]
        start = time.process_time()
        print(f"\n## {name}\n")
        part(options.runs or runs, options.seed)
        print(f"\n{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main()
