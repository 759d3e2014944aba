"""`pinroute simulate`: what the rules promise, what a sample shows, what a file looks like."""

import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "cli" / "simulation.schema.json").read_text("utf-8"))

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {{name: {name}}}
spec:
  route: {{hosts: [{name}.example.com], gateways: [istio-system/public]}}
  userHash: {{from: {{header: userhash}}, alphabet: hex, digits: 8, strict: {strict}}}
  versions:
  - {{name: v1, service: {{host: a, port: 80}}}}
  - {{name: v2, service: {{host: b, port: 80}}}}
  baseline: v1
  groups:
  - {{name: control, version: v1, prefixes: ["f"]}}
  - {{name: treatment, version: v2, ramp: [6.25, 25], slot: {{from: 0, to: 25}}}}
"""


def spec(name: str = "shop", *, strict: bool = False) -> str:
    return SPEC.format(name=name, strict=str(strict).lower())


def simulate(folder: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", "simulate", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def told(folder: Path, *words: str, stdin: bytes = b"") -> list[dict[str, Any]]:
    """Return the simulations as JSON; they validate against their schema."""
    done = simulate(folder, *words, "-o", "json", stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    experiments: list[dict[str, Any]] = found["experiments"]
    return experiments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(spec(), "utf-8")
    return tmp_path


def shares(found: dict[str, Any]) -> dict[str, float]:
    return {row["group"]: row["share"] for row in found["groups"]}


def test_what_the_rules_say(folder: Path) -> None:
    done = simulate(folder, "-f", "spec.yaml")
    assert done.stderr == b""
    assert done.stdout.decode() == (
        "VERSION   GROUP        SHARE\n"
        "v1        control      6.2500%\n"
        "v2        treatment    25.0000%\n"
        "v1        unassigned   68.7500%\n"
    )
    [found] = told(folder, "-f", "spec.yaml")
    assert (found["experiment"], found["stage"]) == ("shop", "experiment")
    assert shares(found) == {"control": 0.0625, "treatment": 0.25, "unassigned": 0.6875}
    assert all(set(row) == {"version", "group", "share"} for row in found["groups"])


def test_another_stage(folder: Path) -> None:
    [found] = told(folder, "-f", "spec.yaml", "--stage", "ramp-6.25")
    assert found["stage"] == "ramp-6.25"
    assert shares(found)["treatment"] == 0.0625
    [found] = told(folder, "-f", "spec.yaml", "--stage", "promote-v2")
    assert found["groups"] == [{"version": "v2", "group": "promote-v2", "share": 1}]


def test_random_hashes_are_the_same_for_the_same_seed(folder: Path) -> None:
    first = told(folder, "-f", "spec.yaml", "-n", "5000", "--seed", "7")
    assert told(folder, "-f", "spec.yaml", "-n", "5000", "--seed", "7") == first
    assert told(folder, "-f", "spec.yaml", "-n", "5000", "--seed", "8") != first
    [found] = first
    assert "hashes" not in found
    assert sum(row["counted"] for row in found["groups"]) == 5000
    for row in found["groups"]:
        assert row["expected"] == 5000 * row["share"]
        deviation = (5000 * row["share"] * (1 - row["share"])) ** 0.5
        assert abs(row["counted"] - row["expected"]) < 5 * deviation
    lines = simulate(folder, "-f", "spec.yaml", "-n", "5000", "--seed", "7").stdout.decode()
    assert lines.splitlines()[0] == "VERSION   GROUP        SHARE      EXPECTED   COUNTED"


def sha256(number: int) -> list[str]:
    return [hashlib.sha256(f"user-{turn}".encode()).hexdigest()[:8] for turn in range(number)]


def group_of(value: str) -> str:
    """Return the group as the spec says it; a quarter of hex are the digits below 4."""
    if value.startswith("f"):
        return "control"
    return "treatment" if value[:1] in ("0", "1", "2", "3") else "unassigned"


def test_a_file_of_real_hashes_is_counted_one_by_one(folder: Path) -> None:
    values = sha256(20_000)
    (folder / "hashes.txt").write_text("\n".join(values), "utf-8")
    [found] = told(folder, "-f", "spec.yaml", "--hashes", "hashes.txt")
    assert {row["group"]: row["counted"] for row in found["groups"]} == Counter(
        map(group_of, values)
    )
    assert {row["group"]: row["expected"] for row in found["groups"]} == {
        "control": 1250,
        "treatment": 5000,
        "unassigned": 13750,
    }
    look = found["hashes"]
    assert (look["sound"], look["malformed"], look["blocks"]) == (20_000, 0, 256)
    assert look["p"] > 0.001
    assert look["clock"] is False
    done = simulate(folder, "-f", "spec.yaml", "--hashes", "hashes.txt")
    assert done.stdout.decode().endswith(f"\n\n{look['sentence']}\n")
    assert "uniform over 256 blocks as far as they tell" in look["sentence"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_stdin_and_windows_lines(folder: Path, ending: str) -> None:
    data = ending.join([*sha256(1_000), ""]).encode()
    (folder / "hashes.txt").write_bytes(data)
    assert told(folder, "-f", "spec.yaml", "--hashes", "-", stdin=data) == told(
        folder, "-f", "spec.yaml", "--hashes", "hashes.txt"
    )


ODD = ["", "f", "ffffffffff", "0x000000", "FFFFFFFF", "zzzzzzzz", "\udcff"]


def test_values_that_are_no_hashes(folder: Path) -> None:
    """They are counted where the rules send them, and nothing is expected of them."""
    data = "\n".join([*sha256(1_000), *ODD]).encode("utf-8", "surrogateescape")
    [found] = told(folder, "-f", "spec.yaml", "--hashes", "-", stdin=data)
    assert found["hashes"]["malformed"] == len(ODD)
    assert found["hashes"]["sound"] == 1_000
    assert sum(row["expected"] for row in found["groups"]) == 1_000
    assert sum(row["counted"] for row in found["groups"]) == 1_000 + len(ODD)
    values = [*sha256(1_000), *ODD]
    assert {row["group"]: row["counted"] for row in found["groups"]} == Counter(
        map(group_of, values)
    )
    (folder / "strict.yaml").write_text(spec(strict=True), "utf-8")
    [found] = told(folder, "-f", "strict.yaml", "--hashes", "-", stdin=data)
    assert found["groups"][-1] == {
        "version": "v1",
        "group": "malformed",
        "share": 0,
        "expected": 0,
        "counted": len(ODD),
    }


def test_biased_hashes_are_told(folder: Path) -> None:
    values = [value for value in sha256(20_000) if value[0] != "3" or value[1] < "8"]
    data = "\n".join(values).encode()
    [found] = told(folder, "-f", "spec.yaml", "--hashes", "-", stdin=data)
    assert found["hashes"]["p"] < 0.0001
    assert "not uniform over 256 blocks (p below 0.0001)" in found["hashes"]["sentence"]


def test_heads_that_are_clocks_are_told(folder: Path) -> None:
    generator = random.Random(5)  # noqa: S311  repeatable, not secret
    now = 0x68000000
    values = []
    for _ in range(3_000):
        now += generator.randrange(1, 60)
        values.append(f"{now:08x}")
    done = simulate(folder, "-f", "spec.yaml", "--hashes", "-", stdin="\n".join(values).encode())
    assert "their heads are a clock (UUIDv7, ULID, a counter)" in done.stdout.decode()


def test_several_experiments_in_one_answer(folder: Path) -> None:
    (folder / "two.yaml").write_text(f"{spec('one')}---\n{spec('two')}", "utf-8")
    data = "\n".join(sha256(1_000)).encode()
    one, two = told(folder, "-f", "two.yaml", "--hashes", "-", stdin=data)
    assert (one["experiment"], two["experiment"]) == ("one", "two")
    assert one["groups"] == two["groups"]
    assert one["hashes"] == two["hashes"]
    assert sum(row["counted"] for row in two["groups"]) == 1_000
    text = simulate(folder, "-f", "two.yaml", "--hashes", "-", stdin=data).stdout.decode()
    lines = text.splitlines()
    assert lines[0].split() == ["EXPERIMENT", "VERSION", "GROUP", "SHARE", "EXPECTED", "COUNTED"]
    assert [line.split()[0] for line in lines[1:7]] == ["one"] * 3 + ["two"] * 3
    assert [line.split(":")[0] for line in lines[8:]] == ["one", "two"]
    assert len(told(folder, "-f", "two.yaml", "-f", "spec.yaml", "-n", "10")) == 3


def test_no_rows_for_nobody(folder: Path) -> None:
    for words in (["--hashes", "-"], ["-n", "1"]):
        [found] = told(folder, "-f", "spec.yaml", *words)
        assert shares(found) == {"control": 0.0625, "treatment": 0.25, "unassigned": 0.6875}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--filename"),
        (["-f", "missing.yaml"], "PIN009"),
        (["-f", "spec.yaml", "--hashes", "missing.txt"], "cannot read missing.txt"),
        (["-f", "spec.yaml", "--hashes", "."], "cannot read ."),
        (["-f", "spec.yaml", "--hashes", "-", "-n", "3"], "exclude each other"),
        (["-f", "spec.yaml", "-n", "0"], "0 is not in the range"),
        (["-f", "spec.yaml", "-n", "x"], "'x'"),
        (["-f", "spec.yaml", "--stage", "ramp-7"], "no stage 'ramp-7'"),
        (["-f", "other.yaml"], "hold no experiment"),
        (["-f", "raw.yaml"], "all routes of shop are raw"),
        (["-f", "spec.yaml", "-o", "yaml"], "yaml"),
    ],
)
def test_mistakes_are_told_in_a_sentence(folder: Path, words: list[str], said: str) -> None:
    (folder / "other.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")
    raw = "http: [{name: a, raw: {route: [{destination: {host: a}}]}}]"
    (folder / "raw.yaml").write_text(spec().replace("hosts:", f"{raw}, hosts:"))
    done = simulate(folder, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()


def test_findings_are_told_and_nothing_else(folder: Path) -> None:
    (folder / "bad.yaml").write_text(spec().replace('"f"', '"g"'))
    done = simulate(folder, "-f", "bad.yaml")
    assert (done.returncode, done.stdout) == (1, b"")
    assert "error[PIN203]" in done.stderr.decode()
