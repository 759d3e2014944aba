"""kubectl pinroute: the real kubectl finds the plugin, its help says so, and words complete."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def kubectl(*words: str) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(BIN / "kubectl"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
    )


def test_kubectl_lists_the_plugin() -> None:
    assert str(BIN / "kubectl-pinroute") in kubectl("plugin", "list").stdout.splitlines()


def test_usage_says_how_it_was_called() -> None:
    shown = kubectl("pinroute", "status", "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith("Usage: kubectl pinroute status [OPTIONS]")
    wrong = kubectl("pinroute", "statsu")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Usage: kubectl pinroute [OPTIONS] COMMAND")
    assert "there is no command 'statsu': did you mean 'status'?" in wrong.stderr
    done = subprocess.run(
        [str(BIN / "pinroute"), "status", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: pinroute status [OPTIONS]")


def test_the_exit_code_is_ours() -> None:
    assert kubectl("pinroute", "compile", "no-such-file.yaml").returncode == 2
    assert kubectl("pinroute", "version").returncode == 0


@pytest.mark.parametrize(
    ("words", "choices", "directive"),
    [
        (("sta",), ["stage", "status"], 4),
        (("status", "--all"), ["--all-namespaces"], 4),
        (("status", "-o", ""), ["text", "json", "name"], 4),
        (("rbac", "--for", "p"), ["prune", "promote"], 4),
        (("status", "-f", ""), [], 0),
        (("nosuch", "zz"), [], 0),
    ],
)
def test_kubectl_completes(words: tuple[str, ...], choices: list[str], directive: int) -> None:
    *lines, last = kubectl("__complete", "pinroute", *words).stdout.splitlines()
    assert [line.partition("\t")[0] for line in lines] == choices
    assert last == f":{directive}"
