"""The hooks that `.pre-commit-hooks.yaml` offers, run by the real pre-commit on a real repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS = ("pinroute-validate", "pinroute-compile", "pinroute-fmt")


def _run(
    folder: Path, *command: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which neither the user's git settings nor a cache take part."""
    home = tmp_path_factory.mktemp("home")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "PRE_COMMIT"))
    }
    return {
        **kept,
        "HOME": str(home),
        "PRE_COMMIT_HOME": str(home / "pre-commit"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The project as a git repository of its own, as pre-commit wants it."""
    folder = tmp_path_factory.mktemp("hooks") / "pinroute"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    for command in (["git", "init", "-q"], ["git", "add", "-A"], ["git", "commit", "-qm", "all"]):
        assert _run(folder, *command, environment=environment).returncode == 0
    return folder


@pytest.fixture
def repository(tmp_path: Path, hooks: Path, environment: dict[str, str]) -> Path:
    """A user's repository with the hooks configured and one good experiment committed."""
    revision = _run(hooks, "git", "rev-parse", "HEAD", environment=environment).stdout.strip()
    configuration = {
        "repos": [{"repo": str(hooks), "rev": revision, "hooks": [{"id": name} for name in HOOKS]}]
    }
    (tmp_path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(configuration), "utf-8")
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    shutil.copy2(ROOT / "samples" / "plain-services.yaml", experiments)
    (experiments / "service.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", "utf-8"
    )
    for command in (
        ["git", "init", "-q"],
        [
            sys.executable,
            "-m",
            "pinroute",
            "compile",
            "--write",
            "experiments/plain-services.yaml",
        ],
        ["git", "add", "-A"],
    ):
        done = _run(tmp_path, *command, environment=environment)
        assert done.returncode == 0, done.stderr
    return tmp_path


def _hooks(repository: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    _run(repository, "git", "add", "-A", environment=environment)
    command = (sys.executable, "-m", "pre_commit", "run", "--all-files")
    return _run(repository, *command, environment=environment)


def test_a_good_repository_passes(repository: Path, environment: dict[str, str]) -> None:
    done = _hooks(repository, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(HOOKS)


def test_each_hook_finds_its_own_fault(repository: Path, environment: dict[str, str]) -> None:
    spec = repository / "experiments" / "plain-services.yaml"
    good = spec.read_text("utf-8")

    spec.write_text(good.replace('["01"]', '["001"]'), "utf-8")
    done = _hooks(repository, environment)
    assert done.returncode == 1
    assert "PIN201" in done.stdout

    spec.write_text(good.replace('["01"]', '["011"]'), "utf-8")
    done = _hooks(repository, environment)
    assert done.returncode == 1
    assert "files were modified by this hook" in done.stdout
    compiled = repository / "experiments/compiled/checkout/active/virtualservice.yaml"
    assert "prefix: '011'" in compiled.read_text("utf-8")
    assert _hooks(repository, environment).returncode == 0

    spec.write_text(good.replace('["01"]', '["011"]') + "\n\n", "utf-8")
    done = _hooks(repository, environment)
    assert done.returncode == 1
    assert "formatted" in done.stdout
    assert _hooks(repository, environment).returncode == 0


def test_the_configuration_of_the_repository_holds(
    repository: Path, environment: dict[str, str]
) -> None:
    split = (ROOT / "samples/virtualservices/flagger-canary.yaml").read_text("utf-8")
    (repository / "experiments" / "canary.yaml").write_text(split, "utf-8")
    rule = "{codes: [PIN310], severity: error, reason: our users keep their version}"
    configuration = repository / "pinroute.yaml"
    configuration.write_text(
        f"apiVersion: pinroute.dev/v1alpha1\nkind: Configuration\nseverities:\n- {rule}\n", "utf-8"
    )
    done = _hooks(repository, environment)
    assert done.returncode == 1
    assert "error[PIN310]" in done.stdout
    with configuration.open("a", encoding="utf-8") as file:
        file.write("baseline: known.json\n")
    written = _run(
        repository,
        *(sys.executable, "-m", "pinroute", "validate", "experiments"),
        *("--write-baseline", "known.json"),
        environment=environment,
    )
    assert written.returncode == 0, written.stderr
    assert _hooks(repository, environment).returncode == 0
