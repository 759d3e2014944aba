"""What docs/statistics.md shows is what happens, and its tables are those of the calibration."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pinroute.stats.plan import Kind
from pinroute.stats.simulation import Traffic
from pinroute.stats.verdict import Verdict

if TYPE_CHECKING:
    import pytest

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


def test_the_example_prints_what_it_says(pages: Pages, capsys: pytest.CaptureFixture[str]) -> None:
    [block] = pages.blocks("statistics.md", "python")
    exec(compile(block.text, "statistics.md", "exec"), {})  # noqa: S102  our own page
    said = re.findall(r"^# (.*)$", block.text, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


def test_every_verdict_and_kind_is_there(pages: Pages) -> None:
    assert {row[0].strip("`") for row in rows(pages, "verdict")} == {*Verdict}
    assert [row[0] for row in rows(pages, "metric")] == [*Kind]


def test_the_tables_have_the_cells_of_the_calibration(pages: Pages) -> None:
    """The figures take half an hour; that no cell was left out can be seen at once."""
    place = ROOT / "bench" / "calibration.py"
    spec = importlib.util.spec_from_file_location("calibration", place)
    assert spec is not None
    assert spec.loader is not None
    calibration = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = calibration
    spec.loader.exec_module(calibration)
    names = [name for name, _ in calibration.populations()]
    level = [row for row in rows(pages, "users per arm | 5 looks") if len(row) == 5]
    assert [row[0] for row in level] == names
    power = rows(pages, "users per arm | lift")
    assert [row[0].split()[0] for row in power[::6]] == [*Traffic]
