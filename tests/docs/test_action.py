"""action.yml: inputs never reach a script as text, and the scripts do what they say."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "action.yml").read_text(encoding="utf-8")
ACTION = cast("dict[str, Any]", yaml.safe_load(TEXT))
INSTALL, CHECK = cast("list[dict[str, Any]]", ACTION["runs"]["steps"])

HOSTILE = 'x\'; touch pwned; "$(touch pwned)" `touch pwned` ; #'

# Each stub writes its arguments to a file and answers with the exit code that the test set.
STUB = """\
#!/usr/bin/env bash
printf '%s\\0' "$@" | tr '\\n' ' ' >> "$RUNNER_TEMP/calls"
printf '\\n' >> "$RUNNER_TEMP/calls"
echo "output of $1 $3"
case "$1" in validate) exit "${VALIDATE_EXIT:-0}";; compile) exit "${COMPILE_EXIT:-0}";; esac
"""


class Runner:
    """Runs a step's script as GitHub's runner does, with a stub in the place of pinroute."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temp = folder / "temp"
        self.work = folder / "work"
        self.stub(self.temp / "pinroute" / "bin" / "pinroute", STUB)
        self.work.mkdir()

    def stub(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def run(self, step: dict[str, Any], **given: str) -> subprocess.CompletedProcess[str]:
        inputs = {name: about["default"] for name, about in ACTION["inputs"].items()}
        inputs |= {
            name.replace("_", "-"): value for name, value in given.items() if name.islower()
        }
        env = {name: value for name, value in given.items() if name.isupper()}
        for name, expression in step["env"].items():
            match = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", expression)
            assert match is not None, expression
            env[name] = inputs[match[1]]
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.work,
            env={
                **os.environ,
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_ACTION_PATH": "/actions/pinroute",
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def calls(self) -> list[list[str]]:
        lines = (self.temp / "calls").read_text(encoding="utf-8").splitlines()
        return [line.split("\0")[:-1] for line in lines]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_it_is_a_composite_action() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert set(ACTION["inputs"]) >= {"files", "args", "version", "sarif-file"}
    assert ACTION["inputs"]["files"]["default"] == "experiments/"
    for about in ACTION["inputs"].values():
        assert about["description"]
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"


def test_no_expression_is_pasted_into_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]


def test_every_input_is_used_and_every_used_input_exists() -> None:
    used = set(re.findall(r"\binputs\.([a-z-]+)", TEXT))
    assert used == set(ACTION["inputs"])


def test_every_variable_of_a_step_is_read_by_its_script() -> None:
    for step in ACTION["runs"]["steps"]:
        for name in step["env"]:
            assert re.search(rf"\$\{{?{name}\b", step["run"]), name


def test_check_runs_validate_and_compile(runner: Runner) -> None:
    done = runner.run(CHECK)
    assert (done.returncode, done.stderr) == (0, "")
    assert runner.calls() == [
        ["validate", "-o", "github", "--", "experiments/"],
        ["compile", "--check", "--", "experiments/"],
    ]


def test_files_are_lines_and_arguments_are_words(runner: Runner) -> None:
    files = "a folder/one.yaml\n\n-odd.yaml\n"
    done = runner.run(CHECK, files=files, args="--fail-on  warning", compile_args="-d\nout")
    assert done.returncode == 0
    assert runner.calls() == [
        [
            "validate",
            "-o",
            "github",
            "--fail-on",
            "warning",
            "--",
            "a folder/one.yaml",
            "-odd.yaml",
        ],
        ["compile", "--check", "-d", "out", "--", "a folder/one.yaml", "-odd.yaml"],
    ]


def test_empty_files_are_refused(runner: Runner) -> None:
    done = runner.run(CHECK, files=" \n")
    assert done.returncode == 2
    assert done.stdout == "::error title=pinroute::the input 'files' is empty\n"
    assert not (runner.temp / "calls").exists()


@pytest.mark.parametrize(
    ("validate", "compiled", "expected"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 2, 2), (2, 1, 2)]
)
def test_the_worse_exit_code_wins_and_both_run(
    validate: int, compiled: int, expected: int, runner: Runner
) -> None:
    done = runner.run(CHECK, VALIDATE_EXIT=str(validate), COMPILE_EXIT=str(compiled))
    assert done.returncode == expected
    assert [call[0] for call in runner.calls()] == ["validate", "compile"]


def test_sarif_is_written_with_findings_too(runner: Runner) -> None:
    done = runner.run(CHECK, sarif_file="reports/pinroute.sarif", VALIDATE_EXIT="1")
    assert done.returncode == 1
    assert runner.calls()[0] == ["validate", "-o", "sarif", "--", "experiments/"]
    written = runner.work / "reports" / "pinroute.sarif"
    assert written.read_text(encoding="utf-8") == "output of validate sarif\n"


def test_no_sarif_when_validate_could_not_answer(runner: Runner) -> None:
    done = runner.run(CHECK, sarif_file="pinroute.sarif", VALIDATE_EXIT="2")
    assert done.returncode == 2
    assert list(runner.work.iterdir()) == []


def test_hostile_inputs_stay_text(runner: Runner) -> None:
    done = runner.run(CHECK, files=HOSTILE, args=HOSTILE, compile_args=HOSTILE, sarif_file=HOSTILE)
    assert done.returncode == 0
    assert not list(runner.folder.rglob("pwned"))
    assert [call[-1] for call in runner.calls()] == [HOSTILE] * 3
    assert (runner.work / HOSTILE).is_file()


@pytest.mark.parametrize(
    ("version", "wanted"), [("", "/actions/pinroute"), ("0.1.0rc1", "pinroute==0.1.0rc1")]
)
def test_install(version: str, wanted: str, runner: Runner, tmp_path: Path) -> None:
    runner.stub(tmp_path / "bin" / "python3", STUB)
    runner.stub(runner.temp / "pinroute" / "bin" / "python", STUB)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = runner.run(INSTALL, version=version, PATH=path)
    assert done.returncode == 0, done.stderr
    probe, *calls = runner.calls()
    assert probe[0] == "-c"
    assert [call[:2] for call in calls] == [["-m", "venv"], ["-m", "pip"], ["version"]]
    assert calls[1][-1] == wanted


@pytest.mark.parametrize("version", [HOSTILE, "--index-url=x", "1.0 --pre", "git+x", "1.0\n--pre"])
def test_install_refuses_what_is_no_version(version: str, runner: Runner) -> None:
    done = runner.run(INSTALL, version=version)
    assert done.returncode == 2
    assert done.stdout == "::error title=pinroute::the input 'version' is not a version number\n"
    assert not list(runner.folder.rglob("pwned"))


def test_install_says_when_python_is_too_old(runner: Runner, tmp_path: Path) -> None:
    runner.stub(tmp_path / "bin" / "python3", "#!/bin/sh\nexit 1\n")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = runner.run(INSTALL, PATH=path)
    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stdout
