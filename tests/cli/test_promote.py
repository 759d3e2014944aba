"""`pinroute promote` without a cluster, and `stage set` through the phases of a promotion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "cli" / "promotion.schema.json").read_text("utf-8"))
SPEC = (ROOT / "samples" / "promotion.yaml").read_text("utf-8")
DRY = "--dry-run=client"


def pinroute(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC, "utf-8")
    return tmp_path


def live(folder: Path, stage: str) -> None:
    (folder / "spec.yaml").write_text(
        SPEC.replace("stage: experiment", f"stage: {stage}"), "utf-8"
    )


def told(folder: Path, *words: str) -> dict[str, Any]:
    done = pinroute(folder, "promote", *words, "-f", "spec.yaml", DRY, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    return found


@pytest.mark.parametrize("name", ["v2", "tabular"])
def test_a_version_has_two_names(folder: Path, name: str) -> None:
    found = told(folder, name)
    assert (found["version"], found["strategy"], found["forward"]) == ("tabular", "copy", True)
    assert found["moved"] == 0.875
    assert found["movedBack"] == []
    assert [phase["number"] for phase in found["phases"]] == [1, 2, 3, 4, 5]


def test_the_baseline_goes_back_and_says_so(folder: Path) -> None:
    found = told(folder, "v1")
    assert (found["forward"], found["strategy"]) == (False, "none")
    assert found["movedBack"] == [{"from": "tabular", "to": "boosted-trees", "share": 0.125}]
    assert found["reason"] == "boosted-trees is the baseline"


@pytest.mark.parametrize(
    ("stage", "left"),
    [
        ("observe", [1, 2, 3, 4, 5]),
        ("promote-v2-phase-1", [2, 3, 4, 5]),
        ("promote-tabular-phase-4", [5]),
        ("promote-v2", []),
        ("done", [1, 2, 3, 4, 5]),
    ],
)
def test_it_goes_on_from_the_live_stage(folder: Path, stage: str, left: list[int]) -> None:
    live(folder, stage)
    assert [phase["number"] for phase in told(folder, "v2")["phases"]] == left
    text = pinroute(folder, "promote", "v2", "-f", "spec.yaml", DRY).stdout
    assert ("nothing is left to do" in text) == (not left)


@pytest.mark.parametrize("stage", ["promote-v2-phase-3", "promote-v2"])
def test_back_after_a_copy_restores_the_model(folder: Path, stage: str) -> None:
    """The Service of the transformer goes with it: its users wait in the candidate's place."""
    live(folder, stage)
    kinds = [phase["kind"] for phase in told(folder, "v1")["phases"]]
    assert kinds == ["route", "update", "route"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("v3", "-f", "spec.yaml", DRY), "known: boosted-trees, tabular"),
        (("v2-phase-1", "-f", "spec.yaml", DRY), "no version 'v2-phase-1'"),
        (("", "-f", "spec.yaml", DRY), "no version ''"),
        (("v2", "-f", "spec.yaml"), "'--dry-run'"),
        (("v2", "-f", "spec.yaml", "--dry-run=server"), "'client'"),
        (("v2", DRY), "'-f'"),
        (("-f", "spec.yaml", DRY), "VERSION"),
        (("v2", "-f", "none.yaml", DRY), "none.yaml"),
        (("v2", "-f", "spec.yaml", DRY, "--experiment", "x"), "no experiment 'x'"),
        (("v2", "-f", "spec.yaml", "-f", "other.yaml", DRY), "--experiment"),
    ],
)
def test_what_makes_no_sense(folder: Path, words: tuple[str, ...], problem: str) -> None:
    (folder / "other.yaml").write_text(
        SPEC.replace("name: pricing-model", "name: other").replace("pricing.example", "other.ex"),
        "utf-8",
    )
    done = pinroute(folder, "promote", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


def test_raw_routes_look_at_nobody(folder: Path) -> None:
    raw = "http: [{name: all, raw: {route: [{destination: {host: x}}]}}]\n  userHash:"
    (folder / "spec.yaml").write_text(SPEC.replace("userHash:", f"  {raw}"), "utf-8")
    done = pinroute(folder, "promote", "v2", "-f", "spec.yaml", DRY)
    assert (done.returncode, done.stdout) == (2, "")
    assert "all routes of pricing-model are raw" in done.stderr


def test_one_of_several_experiments(folder: Path) -> None:
    (folder / "other.yaml").write_text(
        SPEC.replace("name: pricing-model", "name: other").replace("pricing.example", "other.ex"),
        "utf-8",
    )
    found = told(folder, "v2", "-f", "other.yaml", "--experiment", "other")
    assert found["experiment"] == "other"


# --- stage set: the same phases, one commit each -------------------------------------------------


def test_a_promotion_by_commits(folder: Path) -> None:
    phases = [f"promote-v2-phase-{number}" for number in range(1, 6)]
    for stage in (*phases, "promote-v2"):
        done = pinroute(folder, "stage", "set", stage, "-f", "spec.yaml")
        assert done.returncode == 0, done.stderr
        text = (folder / "spec.yaml").read_text("utf-8")
        assert text == SPEC.replace("stage: experiment", f"stage: {stage}")


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ("experiment", "promote-v2", 1, "PIN270"),
        ("experiment", "promote-v2-phase-4", 1, "PIN268"),
        ("promote-v2-phase-2", "promote-v2-phase-1", 1, "PIN268"),
        ("promote-v2-phase-2", "experiment", 2, "a promotion goes forward"),
        ("promote-v2-phase-2", "observe", 2, "a promotion goes forward"),
        ("promote-v2-phase-1", "experiment", 0, ""),
        ("promote-v2-phase-4", "promote-v1", 0, ""),  # a decision, as ever
        ("promote-v2-phase-2", "done", 0, ""),
        ("promote-v2", "experiment", 0, ""),
    ],
)
def test_forward_only(folder: Path, before: str, after: str, code: int, said: str) -> None:
    live(folder, before)
    text = (folder / "spec.yaml").read_text("utf-8")
    done = pinroute(folder, "stage", "set", after, "-f", "spec.yaml")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    if code:
        assert (folder / "spec.yaml").read_text("utf-8") == text
        forced = pinroute(folder, "stage", "set", after, "-f", "spec.yaml", "--back")
        assert forced.returncode == 0
    assert f"stage: {after}\n" in (folder / "spec.yaml").read_text("utf-8")


def test_impact_looks_at_versions_and_not_at_places(folder: Path) -> None:
    def impact(old: str, new: str) -> str:
        words = ("spec.yaml", "spec.yaml", "--old-stage", old, "--new-stage", new)
        return pinroute(folder, "impact", *words).stdout

    for number in (2, 3, 4):
        stages = (f"promote-v2-phase-{number}", f"promote-v2-phase-{number + 1}")
        assert impact(*stages) == "nobody moves\n"
    assert "87.5000% of the users move; nobody goes back" in impact(
        "promote-v2-phase-1", "promote-v2-phase-2"
    )


def test_the_place_serves_the_winner_from_phase_three_on(folder: Path) -> None:
    """Of a VirtualService only places are known: the spec's stage tells what they serve."""
    written = pinroute(folder, "compile", "spec.yaml", "--stage", "promote-v2-phase-4")
    (folder / "live.yaml").write_text(written.stdout, "utf-8")
    for number in (3, 4, 5):
        stage = f"promote-v2-phase-{number}"
        shown = pinroute(folder, "impact", "spec.yaml", "live.yaml", "--old-stage", stage).stdout
        assert shown == "nobody moves\n"
