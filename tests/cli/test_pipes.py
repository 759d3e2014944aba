"""A reader that goes away, as `| head` does, is no error of ours."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words",
    [
        ["compile", "--check", "-d", "nowhere", "samples/plain-services.yaml"],
        ["compile", "samples/plain-services.yaml"],
        ["schema"],
    ],
)
def test_a_closed_pipe_is_silent(words: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pinroute", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) in (0, 1)
    assert said == b""
