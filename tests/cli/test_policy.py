"""Configuration and baseline as users call them: where they are found, what they change."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
OPEN = (ROOT / "samples/invalid/PIN309-no-default-route.yaml").read_text("utf-8")
SPLIT = (ROOT / "samples/virtualservices/flagger-canary.yaml").read_text("utf-8")
UNDERSCORE = (ROOT / "samples/invalid/PIN212-underscore-in-header.yaml").read_text("utf-8")
OVERLAP = (ROOT / "samples/invalid/PIN201-overlapping-prefixes.yaml").read_text("utf-8")
TOP = "apiVersion: pinroute.dev/v1alpha1\nkind: Configuration\n"


def rules(*items: tuple[str, str, str]) -> str:
    """Return a configuration of rules: paths, codes, severity."""
    found = [
        {
            **({"paths": paths.split(", ")} if paths else {}),
            "codes": codes.split(", "),
            "severity": severity,
            "reason": "why not",
        }
        for paths, codes, severity in items
    ]
    return f"{TOP}severities: {json.dumps(found)}\n"


class Repository:
    def __init__(self, folder: Path):
        self.folder = folder
        (folder / ".git").mkdir()
        self.write("legacy/old/open.yaml", OPEN)
        self.write("legacy/split.yaml", SPLIT)
        self.write("team/open.yaml", OPEN)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def run(self, *words: str, cwd: str = "", stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pinroute", *words],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder / cwd,
            env={**os.environ, "NO_COLOR": "1"},
            check=False,
        )

    def found(self, *words: str, cwd: str = "", code: int | None = None) -> dict[str, str]:
        """Validate, and return the severity of each finding by `code file`."""
        done = self.run("validate", "-o", "json", *words, cwd=cwd)
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return {
            f"{item['code']} {os.path.normpath(os.path.join(cwd, item['file']))}": item["severity"]
            for item in json.loads(done.stdout)["diagnostics"]
        }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


ALL = {
    "PIN309 legacy/old/open.yaml": "warning",
    "PIN310 legacy/split.yaml": "note",
    "PIN309 team/open.yaml": "warning",
}


# --- Severities ------------------------------------------------------------------------------


def test_severities_hold_wherever_the_command_is_run(repository: Repository) -> None:
    assert repository.found("-R", ".", code=0) == ALL
    repository.write(
        "pinroute.yaml",
        rules(("", "PIN309", "error"), ("legacy/", "PIN309, weights-are-not-sticky", "ignore")),
    )
    left = {"PIN309 team/open.yaml": "error"}
    assert repository.found("-R", ".", code=1) == left
    assert repository.found("-R", ".", "../legacy", cwd="team", code=1) == left
    assert repository.found("-R", ".", "../../team", cwd="legacy/old", code=1) == left
    assert repository.found("-R", str(repository.folder), cwd="legacy", code=1)
    assert repository.found("legacy/split.yaml", code=0) == {}
    assert repository.found("-R", ".", "--isolated", code=0) == ALL


def test_the_next_configuration_upwards_holds(repository: Repository, tmp_path: Path) -> None:
    repository.write("pinroute.yaml", rules(("", "PIN309", "error")))
    repository.write("legacy/pinroute.yaml", rules(("old/*", "PIN309", "note")))
    name = "PIN309 legacy/old/open.yaml"
    assert repository.found("old", cwd="legacy") == {name: "note"}
    assert repository.found(".", cwd="legacy/old") == {name: "note"}
    assert repository.found("legacy/old") == {name: "error"}
    assert repository.found("legacy/old", "--config", "legacy/pinroute.yaml") == {name: "note"}


def test_the_search_ends_with_the_repository(repository: Repository) -> None:
    repository.write("pinroute.yaml", rules(("", "PIN309", "error")))
    (repository.folder / "team/.git").write_text("gitdir: elsewhere\n")
    assert repository.found(".", cwd="team") == {"PIN309 team/open.yaml": "warning"}


def test_pyproject(repository: Repository) -> None:
    text = (
        '[tool.pinroute]\nseverities = [{codes = ["PIN309"], severity = "note", reason = "x"}]\n'
    )
    repository.write("pyproject.toml", text)
    assert set(repository.found("-R", ".", code=0).values()) == {"note"}
    assert set(repository.found(".", "--config", "../pyproject.toml", cwd="team").values()) == {
        "note"
    }
    repository.write("pinroute.yaml", rules(("", "PIN309", "error")))
    assert repository.found("team", code=1) == {"PIN309 team/open.yaml": "error"}
    repository.write("team/pinroute.yaml", "apiVersion: v1\nkind: Pod\n")  # no configuration
    repository.write("team/pyproject.toml", "[project]\n")
    assert repository.found("open.yaml", cwd="team") == {"PIN309 team/open.yaml": "error"}


def test_compile_weighs_findings_alike(repository: Repository) -> None:
    repository.write("experiments/a.yaml", UNDERSCORE)
    done = repository.run("compile", "experiments/a.yaml")
    assert done.returncode == 0
    assert "warning[PIN212]" in done.stderr
    repository.write("pinroute.yaml", rules(("experiments/**", "PIN212", "ignore")))
    done = repository.run("compile", "a.yaml", cwd="experiments")
    assert (done.returncode, done.stderr) == (0, "")
    repository.write("pinroute.yaml", rules(("experiments/**", "PIN212", "error")))
    done = repository.run("compile", "experiments/a.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[PIN212]" in done.stderr
    assert done.stderr.endswith("nothing was compiled: 1 error\n")
    assert repository.run("compile", "experiments/a.yaml", "--isolated").returncode == 0


def test_a_comment_ignores_what_only_the_configuration_makes_an_error(
    repository: Repository,
) -> None:
    lines = UNDERSCORE.splitlines(keepends=True)
    marked = "".join(
        f"{line.rstrip()} # pinroute: ignore[PIN212] ours\n" if "_" in line else line
        for line in lines[1:]
    )
    repository.write("experiments/a.yaml", marked)
    repository.write("pinroute.yaml", rules(("", "PIN212", "error")))
    assert "PIN212" not in repository.run("validate", "experiments").stdout
    assert repository.run("compile", "experiments/a.yaml").returncode == 0


def test_a_warning_about_reading_that_is_raised_is_a_no(repository: Repository) -> None:
    text = OPEN.replace("  - match:", "  # pinroute: ignore[PIN309]\n  - match:")
    repository.write("team/open.yaml", text)
    repository.write("pinroute.yaml", rules(("", "PIN012", "error")))
    assert repository.found("team", code=1) == {"PIN012 team/open.yaml": "error"}


def test_an_error_of_a_virtual_service_can_be_lowered(repository: Repository) -> None:
    refused = (ROOT / "samples/invalid/PIN303-refused-header-value.yaml").read_text("utf-8")
    repository.write("team/refused.yaml", refused)
    repository.write("pinroute.yaml", rules(("", "PIN303", "warning")))
    assert repository.found("team/refused.yaml", code=0) == {"PIN303 team/refused.yaml": "warning"}


def test_stdin_has_the_rules_without_paths(repository: Repository) -> None:
    repository.write("pinroute.yaml", rules(("**", "PIN309", "ignore"), ("", "PIN310", "error")))
    done = repository.run("validate", "-", stdin=f"{OPEN}\n---\n{SPLIT}")
    assert done.returncode == 1
    assert "warning[PIN309]" in done.stdout
    assert "error[PIN310]" in done.stdout


def test_a_pattern_is_judged_by_what_exists_not_by_what_is_read(repository: Repository) -> None:
    repository.write(
        "pinroute.yaml",
        rules(("legacy/**, **/open.yaml, nothing/*.yaml, team, team/open.yaml", "PIN309", "note")),
    )
    done = repository.run("validate", "legacy/split.yaml")
    assert done.stdout.count("PIN019") == 2
    assert "no file can match 'nothing/*.yaml': there is no 'nothing'" in done.stdout
    assert "'team' is a folder, write 'team/'" in done.stdout


BROKEN = {
    "a: [": "PIN001",
    TOP + "severity: []\n": "PIN102",
    TOP + "severities: [{codes: [PIN309], severity: off, reason: x}]\n": "PIN105",
    rules(("", "PIN999", "note")): "PIN016",
    rules(("", "PIN201", "note")): "PIN017",
    TOP + "baseline: nowhere.json\n": "PIN009",
    TOP.replace("Configuration", "Configuraton"): "PIN110",
}


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN.values())
def test_with_a_broken_configuration_nothing_is_checked(text: str, repository: Repository) -> None:
    repository.write("pinroute.yaml", text)
    done = repository.run("validate", "-R", "team", "legacy")
    assert done.returncode == 2
    assert f"[{BROKEN[text]}]" in done.stdout
    assert "[PIN309]" not in done.stdout
    reported = json.loads(repository.run("validate", "team", "-o", "json").stdout)
    assert {item["code"] for item in reported["diagnostics"]} == {BROKEN[text]}
    repository.write("experiments/a.yaml", UNDERSCORE)
    done = repository.run("compile", "experiments/a.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"[{BROKEN[text]}]" in done.stderr
    assert repository.run("compile", "experiments/a.yaml", "--isolated").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "team/open.yaml"], "team/open.yaml holds 0 documents of kind Configuration"),
        (["--config", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["--config", "empty.toml"], "empty.toml holds no table [tool.pinroute]"),
        (["--config", "x.yaml", "--isolated"], "exclude each other"),
        (["--baseline", "a.json", "--write-baseline", "b.json"], "exclude each other"),
        (["--baseline", "nowhere.json"], "--write-baseline nowhere.json"),
        (["--baseline", "team"], "cannot read team: Is a directory"),
        (["--write-baseline", "team"], "cannot write team: Is a directory"),
    ],
)
def test_misuse(words: list[str], said: str, repository: Repository) -> None:
    repository.write("empty.toml", "")
    done = repository.run("validate", "team", *words)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_configuration_among_the_files_is_checked_once(repository: Repository) -> None:
    repository.write("pinroute.yaml", rules(("", "PIN309", "note"), ("", "PIN309", "ignore")))
    done = repository.run("validate", "-R", ".")
    assert done.stdout.count("PIN018") == 1
    assert done.stderr == "4 files: 1 warning, 1 note\n"


# --- Baseline --------------------------------------------------------------------------------


def baseline(repository: Repository, *words: str, name: str = "known.json") -> dict[str, Any]:
    done = repository.run("validate", *(words or ("-R", ".")), "--write-baseline", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return read(repository.folder / name)


def read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    schema = json.loads((ROOT / "schemas/cli/baseline.schema.json").read_text("utf-8"))
    jsonschema.validate(data, schema)
    return data


def test_a_baseline_hides_what_it_knows(repository: Repository) -> None:
    assert len(baseline(repository)["findings"]) == 3
    repository.write("pinroute.yaml", f"{TOP}baseline: known.json\n")
    for folder, words in (("", ["-R", "."]), ("team", ["open.yaml", "-R", "../legacy"])):
        done = repository.run("validate", *words, "--fail-on", "note", cwd=folder)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.endswith("no findings\n3 findings of the baseline hidden\n")
    repository.write("team/new.yaml", SPLIT)
    assert repository.found("-R", ".", "--fail-on", "note", code=1) == {
        "PIN310 team/new.yaml": "note"
    }
    assert len(repository.found("-R", ".", "--isolated")) == 4
    found = repository.found("-R", ".", "--isolated", "--baseline", "known.json")
    assert list(found) == ["PIN310 team/new.yaml"]


def test_the_same_findings_are_the_same_bytes(repository: Repository) -> None:
    baseline(repository)
    first = (repository.folder / "known.json").read_bytes()
    baseline(repository, "legacy/split.yaml", "team", "legacy/old/open.yaml")
    assert (repository.folder / "known.json").read_bytes() == first
    repository.write("sub/x", "")
    done = repository.run("validate", "-R", "..", "--write-baseline", "../known.json", cwd="sub")
    assert done.stderr.startswith("../known.json: 3 findings written\n")
    assert (repository.folder / "known.json").read_bytes() == first
    assert sorted(path.name for path in repository.folder.glob("*known*")) == ["known.json"]


def test_writing_looks_at_no_older_baseline(repository: Repository) -> None:
    repository.write("pinroute.yaml", f"{TOP}baseline: known.json\n")
    repository.write("known.json", "<<<<<<< HEAD\n")
    assert repository.run("validate", "team").returncode == 2
    assert len(baseline(repository)["findings"]) == 3
    assert len(baseline(repository)["findings"]) == 3


def test_errors_that_stop_the_compiler_are_in_no_baseline(repository: Repository) -> None:
    repository.write("experiments/a.yaml", OVERLAP)
    done = repository.run("validate", "-R", ".", "--write-baseline", "known.json")
    assert done.returncode == 1
    assert "PIN201" in done.stdout
    assert "PIN309" not in done.stdout
    assert {item["code"] for item in read(repository.folder / "known.json")["findings"]} == {
        "PIN309",
        "PIN310",
    }
    done = repository.run("validate", "-R", ".", "--baseline", "known.json")
    assert done.returncode == 1
    assert "PIN201" in done.stdout


def test_nothing_is_written_when_something_cannot_be_read(repository: Repository) -> None:
    repository.write("team/torn.yaml", "a: [")
    done = repository.run("validate", "team", "--write-baseline", "known.json")
    assert done.returncode == 2
    assert "known.json was not written" in done.stderr
    assert not (repository.folder / "known.json").exists()


def test_what_is_mended_is_a_note(repository: Repository) -> None:
    baseline(repository)
    (repository.folder / "team/open.yaml").write_text("apiVersion: v1\nkind: Pod\n")
    done = repository.run("validate", "team", "--baseline", "known.json")
    assert done.returncode == 0
    assert (
        "note[PIN020] PIN309 of VirtualService bookinfo/reviews in team/open.yaml" in done.stdout
    )
    assert repository.run("validate", "legacy", "--baseline", "known.json").stdout == ""
    code = repository.run("validate", "team", "--baseline", "known.json", "--fail-on", "note")
    assert code.returncode == 1


def test_compile_hides_what_the_baseline_knows(repository: Repository) -> None:
    repository.write("experiments/a.yaml", UNDERSCORE)
    baseline(repository)
    repository.write("pinroute.yaml", rules(("", "PIN212", "error")) + "baseline: known.json\n")
    done = repository.run("compile", "experiments/a.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert repository.run("compile", "experiments/a.yaml", "--isolated").stderr != ""


def test_hidden_findings_are_shown_on_request(repository: Repository) -> None:
    baseline(repository)
    repository.write("team/new.yaml", SPLIT)
    words = ("validate", "-R", ".", "--baseline", "known.json", "--show-hidden")
    done = repository.run(*words)
    assert done.returncode == 0
    assert done.stdout.count("(in the baseline)\n") == 3
    assert "4 files: 1 note\n3 findings of the baseline hidden\n" in done.stderr.replace(
        "5 f", "4 f"
    )
    report = json.loads(repository.run(*words, "-o", "json").stdout)
    schema = json.loads((ROOT / "schemas/cli/diagnostics.schema.json").read_text("utf-8"))
    jsonschema.validate(report, schema)
    assert [item.get("hidden", False) for item in report["diagnostics"]].count(True) == 3
    assert report["summary"] == {"errors": 0, "warnings": 0, "notes": 1, "hidden": 3}
    github = repository.run(*words, "-o", "github").stdout
    assert [line.split(" ", 1)[0] for line in github.splitlines()] == ["::notice"] * 4


def test_sarif_says_what_is_new(repository: Repository) -> None:
    baseline(repository)
    repository.write("team/new.yaml", SPLIT)

    def results(*words: str) -> list[dict[str, Any]]:
        done = repository.run("validate", "-R", ".", "-o", "sarif", *words)
        (one,) = json.loads(done.stdout)["runs"]
        found: list[dict[str, Any]] = one["results"]
        return found

    plain = results()
    assert not any({"baselineState", "suppressions"} & set(item) for item in plain)
    known = ("--baseline", "known.json")
    (new,) = results(*known)
    assert new["baselineState"] == "new"
    assert "suppressions" not in new
    shown = results(*known, "--show-hidden")
    assert sorted(item["baselineState"] for item in shown) == ["new", *["unchanged"] * 3]
    for item in shown:
        suppressed = item["baselineState"] == "unchanged"
        assert len(item["suppressions"]) == suppressed


def test_a_link_leads_to_the_same_files(repository: Repository, tmp_path_factory: Any) -> None:
    baseline(repository)
    link = tmp_path_factory.mktemp("link") / "repository"
    link.symlink_to(repository.folder)
    done = repository.run("validate", "-R", str(link), "--baseline", "known.json")
    assert done.stdout == ""


def test_a_file_name_that_is_no_utf8(repository: Repository) -> None:
    name = os.fsdecode(b"\xff.yaml")
    shutil.copy(repository.folder / "team/open.yaml", repository.folder / "team" / name)
    baseline(repository)
    assert repository.run("validate", "-R", ".", "--baseline", "known.json").stdout == ""
