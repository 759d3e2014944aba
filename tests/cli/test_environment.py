"""`--env`: exactly one Environment, or nothing is compiled."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", [["compile"], ["validate"], ["lookup", "1", "-f"]])
def test_a_file_without_an_environment_is_refused(command: list[str]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pinroute",
            *command,
            "samples/plain-services.yaml",
            "--env",
            "samples/paths.yaml",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "holds 0 documents of kind Environment" in done.stderr
