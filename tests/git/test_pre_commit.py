"""The hooks that `.pre-commit-hooks.yaml` offers, run by the real pre-commit on a real repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS = ("pinroute-validate", "pinroute-compile", "pinroute-fmt", "pinroute-impact")


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


# --- pinroute-impact ----------------------------------------------------------------------------

SPEC = (ROOT / "samples" / "plain-services.yaml").read_text("utf-8")
LIMITS = ["--max-moved", "5%", "--forbid-back"]


class Commits:
    """A repository whose commits are looked at by the hook, with limits."""

    def __init__(self, folder: Path, hooks: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        revision = _run(hooks, "git", "rev-parse", "HEAD", environment=environment).stdout.strip()
        hook = {"id": "pinroute-impact", "args": LIMITS}
        configuration = {"repos": [{"repo": str(hooks), "rev": revision, "hooks": [hook]}]}
        (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(configuration), "utf-8")
        self.git("init", "-q")
        done = _run(folder, sys.executable, "-m", "pre_commit", "install", environment=environment)
        assert done.returncode == 0, done.stderr

    def git(self, *words: str) -> None:
        done = _run(self.folder, "git", *words, environment=self.environment)
        assert done.returncode == 0, done.stderr

    def write(self, name: str, prefixes: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SPEC.replace('["01"]', prefixes), "utf-8")

    def commit(self, *words: str) -> tuple[int, str]:
        """Commit everything as a user does; return the exit code and what the hook said."""
        self.git("add", "-A")
        done = _run(
            self.folder, "git", "commit", "-m", "a change", *words, environment=self.environment
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def commits(tmp_path: Path, hooks: Path, environment: dict[str, str]) -> Commits:
    """A repository with one experiment: its first commit has no old side and passes."""
    found = Commits(tmp_path, hooks, environment)
    found.write("experiments/checkout.yaml", '["01"]')
    code, said = found.commit()
    assert code == 0, said
    assert "nobody moves" in said
    return found


def test_a_small_change_is_told_and_passes(commits: Commits) -> None:
    commits.write("experiments/checkout.yaml", '["01", "10000"]')
    code, said = commits.commit()
    assert code == 0, said
    assert "3.1250% of the users move; nobody goes back" in said


def test_a_large_change_is_refused(commits: Commits) -> None:
    commits.write("experiments/checkout.yaml", '["01", "1"]')
    code, said = commits.commit()
    assert code == 1
    page = (ROOT / "docs" / "gitops.md").read_text("utf-8")
    [shown] = re.findall(r"```console\n\$ git commit [^\n]*\n(.*?)```", page, re.DOTALL)
    duration = re.compile(r"duration: [\d.]+s")
    assert duration.sub("", said.strip()) == duration.sub("", shown.strip())
    assert "50.0000% of the users move, 5.0000% are allowed" in said
    assert commits.commit("--no-verify")[0] == 0


def test_a_change_that_moves_users_back_is_refused(commits: Commits) -> None:
    commits.write("experiments/checkout.yaml", '["010", "0110", "01111"]')
    code, said = commits.commit()
    assert code == 1
    assert "3.1250% go back" in said
    assert "users go back, or lose their route" in said


def test_what_is_not_staged_is_not_looked_at(commits: Commits) -> None:
    commits.write("experiments/checkout.yaml", '["01", "10000"]')
    commits.git("add", "-A")
    commits.write("experiments/checkout.yaml", "[]")
    done = _run(commits.folder, "git", "commit", "-m", "a change", environment=commits.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3.1250% of the users move" in done.stdout + done.stderr


def test_a_renamed_spec_is_compared_with_its_old_self(commits: Commits) -> None:
    commits.git("mv", "experiments/checkout.yaml", "experiments/shop.yaml")
    commits.write("experiments/shop.yaml", '["01", "10000"]')
    code, said = commits.commit()
    assert code == 0, said
    assert "3.1250% of the users move" in said
    commits.git("mv", "experiments/shop.yaml", "experiments/cart.yaml")
    commits.write("experiments/cart.yaml", '["01"]')
    code, said = commits.commit()
    assert code == 1
    assert "3.1250% go back" in said


def test_a_deleted_spec_loses_its_host(commits: Commits) -> None:
    """Also in a commit in which pre-commit has no file to show to a hook."""
    commits.git("rm", "-q", "experiments/checkout.yaml")
    code, said = commits.commit()
    assert code == 1
    assert "shop.example.com" in said
    assert "1 host or path loses its route" in said


def test_a_new_spec_moves_nobody(commits: Commits) -> None:
    commits.write("experiments/other.yaml", '["01"]')
    other = commits.folder / "experiments" / "other.yaml"
    text = other.read_text("utf-8").replace("checkout\n", "other\n", 1)
    other.write_text(text.replace("shop.example.com", "other.example.com"), "utf-8")
    code, said = commits.commit()
    assert code == 0, said
    assert "nobody moves" in said


def test_a_commit_without_any_spec(commits: Commits) -> None:
    (commits.folder / "notes.md").write_text("notes", "utf-8")
    code, said = commits.commit()
    assert code == 0, said


def test_a_broken_state_of_before_can_be_mended(commits: Commits) -> None:
    commits.write("experiments/checkout.yaml", '["0x"]')
    assert commits.commit()[0] == 1
    assert commits.commit("--no-verify")[0] == 0
    commits.write("experiments/checkout.yaml", '["01"]')
    code, said = commits.commit()
    assert code == 0, said
    assert "HEAD:experiments/checkout.yaml: passed over, it does not compile" in said
