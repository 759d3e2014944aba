"""`pinroute try` as a user runs it, with a real Envoy."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pinroute.spec.schema import load_schema

ROOT = Path(__file__).parents[2]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinroute", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def test_the_tutorial() -> None:
    done = _run(
        "try",
        "samples/tutorial.yaml",
        "--user",
        "1111100000",
        "--user",
        "1010101010",
        "-o",
        "json",
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(load_schema("cli/try")).validate(shown)
    rows = {row["who"]: row for row in shown["rows"]}
    assert rows["user 1111100000"]["seen"] == "flowers-v1"
    assert rows["user 1010101010"]["seen"] == "flowers-v2"
    assert rows["every hash in group-2"]["requests"] == 128
    assert sum(row["requests"] for row in shown["rows"]) == shown["requests"] >= 1024
    assert shown["mismatches"] == 0


def test_without_a_file_the_starter_is_tried() -> None:
    done = _run("try")
    assert done.returncode == 0, done.stderr
    assert "0 mismatches" in done.stdout


def test_a_missing_envoy_is_one_clear_line(tmp_path: Path) -> None:
    done = _run("try", PINROUTE_ENVOY=str(tmp_path / "nowhere"))
    assert done.returncode == 3
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "PINROUTE_ENVOY" in done.stderr


def test_an_invalid_spec_is_not_tried(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    text = (ROOT / "samples" / "tutorial.yaml").read_text("utf-8")
    file.write_text(text.replace('prefixes: ["101"]', 'prefixes: ["1011", "11"]'), "utf-8")
    done = _run("try", str(file))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "PIN201" in done.stderr
