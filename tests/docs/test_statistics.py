"""What docs/statistics.md shows is what happens, and its tables are those of the calibration."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pinroute.stats.decision import decide
from pinroute.stats.observation import Counts, Look
from pinroute.stats.plan import Direction, Kind, Metric, Plan, Reward, Schedule
from pinroute.stats.simulation import Population, Traffic, draw
from pinroute.stats.verdict import Verdict

if TYPE_CHECKING:
    from types import ModuleType

    from .conftest import Pages

ROOT = Path(__file__).parents[2]


def text(pages: Pages) -> str:
    return (pages.root / "docs" / "statistics.md").read_text(encoding="utf-8")


def rows(pages: Pages, header: str) -> list[list[str]]:
    """Return the cells of the table whose header begins like this."""
    lines = text(pages).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"| {header}"))
    found = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_example_prints_what_it_says(pages: Pages) -> None:
    [block] = pages.blocks("statistics.md", "python")
    ran = subprocess.run(
        [sys.executable, "-c", block.text], check=True, capture_output=True, text=True
    )
    assert ran.stdout.splitlines() == re.findall(r"^# (.*)$", block.text, re.MULTILINE)


def test_every_verdict_and_kind_is_there(pages: Pages) -> None:
    assert {row[0].strip("`") for row in rows(pages, "verdict")} == {*Verdict}
    assert [row[0] for row in rows(pages, "metric")] == [*Kind]


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    """The module bench/calibration.py."""
    spec = importlib.util.spec_from_file_location("calibration", ROOT / "bench" / "calibration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    return module


def test_the_tables_have_the_cells_of_the_calibration(
    pages: Pages, calibration: ModuleType
) -> None:
    """The figures take half an hour; that no cell was left out can be seen at once."""
    level = rows(pages, "users per arm | 5 looks")
    assert [row[0] for row in level] == [name for name, _ in calibration.populations()]
    power = rows(pages, "users per arm | lift")
    assert [row[0].split()[0] for row in power[::6]] == [*Traffic]


@pytest.mark.parametrize("lift", [0.0, 0.2])
def test_what_is_calibrated_is_what_decides(calibration: ModuleType, lift: float) -> None:
    """Many runs at once cross where `decide` crosses in each."""
    generator = np.random.default_rng(4)
    control = Population(800.0, Traffic.GROWING)
    candidate = replace(control, rate=control.rate * (1.0 + lift))
    arms = [draw(one, 10, 16, 40, generator) for one in (control, candidate)]
    with np.errstate(all="ignore"):  # nobody has come by the first looks
        ends = calibration.sequential(tuple(arms), 10)
    plan = Plan(
        "v1",
        ("v2",),
        (Metric("reward", Kind.PROPORTION),),
        Schedule(10, least_looks=1),
        Reward("reward", Direction.HIGH),
    )
    for run in range(40):
        looks = [
            Look(
                look + 1,
                0.0,
                {
                    "reward": {
                        arm: Counts(
                            tuple(sample.events[run, look].tolist()),
                            tuple(sample.requests[run, look].tolist()),
                        )
                        for arm, sample in zip(plan.arms, arms, strict=True)
                    }
                },
            )
            for look in range(10)
        ]
        found = decide(plan, looks)
        side = float(found.verdict is Verdict.WINNER) - float(found.verdict is Verdict.BASELINE)
        assert (ends.side[run], ends.time[run]) == (side, found.look / 10)
