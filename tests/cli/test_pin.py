"""Slots are pinned by `fmt --pin`, and a ramp goes forward with `stage set`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HEAD = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: shop}
spec:
  route: {hosts: [shop.example.com], gateways: [istio-system/public]}
  userHash: {from: {header: userhash}}
  versions:
  - {name: v1, service: {host: a, port: 80}}
  - {name: v2, service: {host: b, port: 80}}
  baseline: v1
"""
# Each group in another style; every line has a comment that has to stay.
STYLES = """\
  groups:   # three of them
  # the control
  - name: control   # as large as the treatment
    version: v1     # the old one
    percent: 10     # of all users
  - {name: treatment, version: v2, percent: 10}   # the new one
  - version: v1
    name: holdout
    ramp: [1, 5]    # slowly
"""
PINNED = """\
  groups:   # three of them
  # the control
  - name: control   # as large as the treatment
    slot: {from: 0, to: 9.9609375}
    version: v1     # the old one
    percent: 10     # of all users
  - {name: treatment, slot: {from: 12.5, to: 22.4609375}, version: v2, percent: 10}   # the new one
  - slot: {from: 25, to: 29.98046875}
    version: v1
    name: holdout
    ramp: [1, 5]    # slowly
"""


def pinroute(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        cwd=folder,
        input=stdin.encode(),
        capture_output=True,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode in (0, 1, 2), err
    assert "Traceback" not in err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def nobody_moves(folder: Path, old: str, new: str, *stages: str) -> bool:
    return all(
        pinroute(
            folder, "impact", old, new, "--old-stage", stage, "--new-stage", stage
        ).stdout == "nobody moves\n"
        for stage in stages
    )  # fmt: skip


def test_slots_are_written_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(HEAD + STYLES, "utf-8")
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + STYLES, "utf-8")
    assert (
        "PIN251"
        in pinroute(tmp_path, "validate", "a.yaml").stderr
        + pinroute(tmp_path, "validate", "a.yaml").stdout
    )
    done = pinroute(tmp_path, "fmt", "--pin", "a.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "a.yaml formatted\n")
    assert file.read_text("utf-8") == HEAD + PINNED
    assert nobody_moves(tmp_path, "old.yaml", "a.yaml", "ramp-1", "ramp-5", "experiment")
    told = pinroute(tmp_path, "validate", "a.yaml")
    assert "PIN251" not in told.stdout + told.stderr
    again = pinroute(tmp_path, "fmt", "--pin", "a.yaml")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert file.read_text("utf-8") == HEAD + PINNED
    # Pinned, the treatment stays where it is when the control is gone.
    text = file.read_text("utf-8")
    start, end = text.index("  # the control"), text.index("  - {name: treatment")
    (tmp_path / "new.yaml").write_text(text[:start] + text[end:], "utf-8")
    moved = json.loads(pinroute(tmp_path, "impact", "a.yaml", "new.yaml", "-o", "json").stdout)
    assert moved["moves"] == []
    unpinned = HEAD + STYLES
    start, end = unpinned.index("  # the control"), unpinned.index("  - {name: treatment")
    (tmp_path / "new.yaml").write_text(unpinned[:start] + unpinned[end:], "utf-8")
    moved = json.loads(pinroute(tmp_path, "impact", "old.yaml", "new.yaml", "-o", "json").stdout)
    assert moved["moves"] != []


def test_what_is_pinned_already_stays(tmp_path: Path) -> None:
    groups = STYLES.replace("version: v2,", "version: v2, slot: {from: 90, to: 70},")
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + groups, "utf-8")
    assert pinroute(tmp_path, "fmt", "--pin", "a.yaml").returncode == 0
    found = yaml.safe_load(file.read_text("utf-8"))["spec"]["groups"]
    assert found[1]["slot"] == {"from": 90, "to": 70}
    assert found[0]["slot"] == {"from": 0, "to": 9.9609375}


def test_without_pin_nothing_is_pinned(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + STYLES, "utf-8")
    assert pinroute(tmp_path, "fmt", "a.yaml").returncode == 0
    assert file.read_text("utf-8") == HEAD + STYLES


def test_check_shows_the_slots_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + STYLES, "utf-8")
    done = pinroute(tmp_path, "fmt", "--pin", "--check", "a.yaml")
    assert done.returncode == 1
    added = [line for line in done.stdout.splitlines() if line.startswith("+ ")]
    assert added == [
        "+    slot: {from: 0, to: 9.9609375}",
        "+  - {name: treatment, slot: {from: 12.5, to: 22.4609375}, version: v2, percent: 10}   # the new one",
        "+  - slot: {from: 25, to: 29.98046875}",
        "+    version: v1",
    ]
    assert file.read_text("utf-8") == HEAD + STYLES
    file.write_text(HEAD + PINNED, "utf-8")
    assert pinroute(tmp_path, "fmt", "--pin", "--check", "a.yaml").returncode == 0


def test_stdin_is_pinned_to_stdout(tmp_path: Path) -> None:
    done = pinroute(tmp_path, "fmt", "--pin", "-", stdin=HEAD + STYLES)
    assert (done.returncode, done.stdout, done.stderr) == (0, HEAD + PINNED, "")


def test_json_stays_json(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    body = yaml.safe_load(HEAD + STYLES)
    for indent in (None, 2):
        file.write_text(json.dumps(body, indent=indent) + "\n", "utf-8")
        assert pinroute(tmp_path, "fmt", "--pin", "a.json").returncode == 0
        assert json.loads(file.read_text("utf-8")) == yaml.safe_load(HEAD + PINNED)


@pytest.mark.parametrize("prefixes", ["[111]", "[0b11]", "[1e5]"])
def test_what_fmt_mends_is_no_obstacle(tmp_path: Path, prefixes: str) -> None:
    """An unquoted prefix is an error to all others, and quoted here."""
    alphabet = "userHash: {from: {header: userhash}, alphabet: hex}"
    head = HEAD.replace("userHash: {from: {header: userhash}}", alphabet)
    listed = f"  - {{name: listed, version: v2, prefixes: {prefixes}}}\n"
    file = tmp_path / "a.yaml"
    file.write_text(head + STYLES + listed, "utf-8")
    done = pinroute(tmp_path, "fmt", "--pin", "a.yaml")
    assert (done.returncode, done.stderr) == (0, "a.yaml formatted\n")
    found = yaml.safe_load(file.read_text("utf-8"))["spec"]["groups"]
    assert found[3]["prefixes"] == [prefixes.strip("[]")]
    assert all("slot" in group for group in found[:3])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + STYLES.replace("percent: 10}", "percent: 99}"), "there is no place of 99 %"),
        (HEAD.replace("baseline: v1", "baseline: v3") + STYLES, "'v3'"),
        ("a: [\n", "line"),
    ],
)
def test_a_file_with_errors_is_left_as_it_is(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, "utf-8")
    (tmp_path / "b.yaml").write_text(HEAD + STYLES, "utf-8")
    done = pinroute(tmp_path, "fmt", "--pin", "a.yaml", "b.yaml")
    assert done.returncode == 2
    assert "a.yaml: left as it is: " in done.stderr
    assert said in done.stderr
    assert file.read_text("utf-8") == text
    # The others are pinned all the same.
    assert (tmp_path / "b.yaml").read_text("utf-8") == HEAD + PINNED


def test_other_kinds_are_left_alone(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind:   Service\nmetadata: {name: a}   \n"
    (tmp_path / "a.yaml").write_text(text, "utf-8")
    assert pinroute(tmp_path, "fmt", "--pin", "a.yaml").returncode == 0
    assert (tmp_path / "a.yaml").read_text("utf-8") == text


def test_two_experiments_of_one_file(tmp_path: Path) -> None:
    other = HEAD.replace("name: shop", "name: other").replace("hosts: [shop", "hosts: [other")
    file = tmp_path / "a.yaml"
    # One of them may lack slots …
    file.write_text(f"{HEAD}{PINNED}---\n{other}{STYLES}", "utf-8")
    assert pinroute(tmp_path, "fmt", "--pin", "a.yaml").returncode == 0
    assert file.read_text("utf-8") == f"{HEAD}{PINNED}---\n{other}{PINNED}"
    # … and two are told.
    both = f"{HEAD}{STYLES}---\n{other}{STYLES}"
    file.write_text(both, "utf-8")
    done = pinroute(tmp_path, "fmt", "--pin", "a.yaml")
    assert done.returncode == 2
    assert "several experiments of one file lack slots" in done.stderr
    assert file.read_text("utf-8") == both


# --- stage set: a ramp goes forward ----------------------------------------------------------------

RAMP = """\
  stage: {stage}   # the live one
  groups:
  - {{name: control, version: v1, ramp: [1, 10, 50], slot: {{from: 100, to: 50}}}}
  - {{name: treatment, version: v2, ramp: [1, 10, 50], slot: {{from: 0, to: 50}}}}
"""
RISING = ["observe", "ramp-1", "ramp-10", "ramp-50", "experiment"]
DECISIONS = ["promote-v1", "promote-v2", "done"]


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    return tmp_path / "ramp.yaml"


def at(file: Path, stage: str) -> str:
    text = HEAD + RAMP.format(stage=stage)
    file.write_text(text, "utf-8")
    return text


def set_stage(file: Path, stage: str, *words: str) -> subprocess.CompletedProcess[str]:
    return pinroute(file.parent, "stage", "set", stage, "-f", file.name, *words)


# From ramp-50 on everybody has arrived: the experiment itself is no larger.
SAME = {("ramp-50", "experiment"), ("experiment", "ramp-50")}


@pytest.mark.parametrize("before", RISING)
def test_a_ramp_goes_forward(ramp: Path, before: str) -> None:
    for after in RISING:
        text = at(ramp, before)
        done = set_stage(ramp, after)
        forward = RISING.index(after) >= RISING.index(before) or (before, after) in SAME
        assert done.returncode == (0 if forward else 2), (after, done.stderr)
        wanted = HEAD + RAMP.format(stage=after) if forward else text
        assert ramp.read_text("utf-8") == wanted
        if not forward:
            assert done.stderr == (
                f"Error: from {before} to {after} users go back to the baseline; "
                "a ramp goes forward: --back if that is meant\n"
            )
            assert set_stage(ramp, after, "--back").returncode == 0
            assert ramp.read_text("utf-8") == HEAD + RAMP.format(stage=after)


@pytest.mark.parametrize("before", ["ramp-1", "experiment"])
@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_is_always_allowed(ramp: Path, before: str, decision: str) -> None:
    at(ramp, before)
    done = set_stage(ramp, decision)
    assert (done.returncode, done.stderr) == (0, f"shop stage set to {decision} (was {before})\n")
    # And so is a new beginning.
    assert set_stage(ramp, "ramp-1").returncode == 0


def test_without_a_ramp_there_is_no_direction(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + STYLES.replace("ramp: [1, 5]", "percent: 5"), "utf-8")
    assert set_stage(file, "observe").returncode == 0
    assert set_stage(file, "experiment").returncode == 0
    assert set_stage(file, "observe").returncode == 0


def test_the_other_experiment_of_the_file_needs_no_such_stage(ramp: Path) -> None:
    other = HEAD.replace("name: shop", "name: other").replace("hosts: [shop", "hosts: [other")
    text = f"{other}{PINNED}---\n{at(ramp, 'ramp-10')}"
    ramp.write_text(text, "utf-8")
    done = set_stage(ramp, "ramp-50", "--experiment", "shop")
    assert (done.returncode, done.stderr) == (0, "shop stage set to ramp-50 (was ramp-10)\n")
    assert ramp.read_text("utf-8") == text.replace("stage: ramp-10", "stage: ramp-50")
    done = set_stage(ramp, "ramp-1", "--experiment", "shop")
    assert done.returncode == 2
    assert "users go back to the baseline" in done.stderr


def test_rungs_are_written_in_full(tmp_path: Path) -> None:
    """0.00001 would be 1e-05 to a careless writer, and 33.333333 lose digits."""
    file = tmp_path / "a.yaml"
    file.write_text(
        HEAD.replace("userhash}}", "userhash}, digits: 40}")
        + "  groups:\n  - {name: g, version: v2, ramp: [0.00001, 33.333333, 33.3333331]}\n",
        "utf-8",
    )
    listed = pinroute(tmp_path, "stage", "list", "-f", "a.yaml").stdout
    rungs = [line.split()[1] for line in listed.splitlines() if "ramp-" in line]
    assert rungs == ["ramp-0.00001", "ramp-33.333333", "ramp-33.3333331"]
    seen = []
    for rung in rungs:
        assert set_stage(file, rung, "--back").returncode == 0
        found = json.loads(pinroute(tmp_path, "simulate", "-f", "a.yaml", "-o", "json").stdout)
        seen.append(found["experiments"][0]["groups"][0]["share"])
    assert seen == pytest.approx([1e-7, 0.33333333, 0.333333331], rel=1e-5)
    assert seen[1] < seen[2]
