"""`pinroute fmt`: layout changes, values and comments never do."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pinroute.formatting import CannotFormat, formatted

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "samples").rglob("*.yaml"))


def _fmt(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pinroute", "fmt", *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("file", SPECS, ids=[file.stem for file in SPECS])
def test_every_sample_is_formatted_once_and_for_all(file: Path) -> None:
    data = file.read_bytes()
    try:
        once = formatted(file.name, data)
    except CannotFormat:
        return
    if once is not None:
        assert formatted(file.name, once.encode()) == once
        if "invalid" not in file.parts:
            assert once.encode() == data


UGLY = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: a}
spec:
    # who decides
    baseline: v1   # the old one
    versions:
      - name: v1
        service: {host: a}
    groups:
      - {name: g, version: v1, prefixes: [101, 1e5]}   # two blocks
    userHash: {from: {header: h}}
    route:
      hosts: [a.b]


"""


def test_layout_changes_and_comments_stay() -> None:
    done = _fmt("-", stdin=UGLY)
    assert done.returncode == 0, done.stderr
    assert 'prefixes: ["101", "1e5"]' in done.stdout
    for comment in ("# who decides", "# the old one", "# two blocks"):
        assert comment in done.stdout
    assert "\n  baseline: v1" in done.stdout
    assert done.stdout.endswith("hosts: [a.b]\n")
    before, after = yaml.safe_load(UGLY), yaml.safe_load(done.stdout)
    before["spec"]["groups"][0]["prefixes"] = ["101", "1e5"]
    assert before == after


def test_blanks_that_mean_something_stay() -> None:
    text = UGLY.rstrip() + "\n    target: |\n      a  \n      b\n"
    done = formatted("a.yaml", text.encode())
    assert done is not None
    assert yaml.safe_load(done)["spec"]["target"] == "a  \nb\n"


def test_check_shows_what_would_change(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(UGLY, "utf-8")
    done = _fmt("--check", str(file))
    assert done.returncode == 1
    assert "-    baseline: v1   # the old one" in done.stdout
    assert file.read_text("utf-8") == UGLY
    assert _fmt(str(file)).returncode == 0
    assert _fmt("--check", str(file)).returncode == 0


def test_other_kinds_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = "apiVersion: v1\nkind:   Service\nmetadata: {name: a}   \n"
    file.write_text(text, "utf-8")
    assert _fmt(str(file)).returncode == 0
    assert file.read_text("utf-8") == text


@pytest.mark.parametrize("data", [b"a: [\n", b"\xff\xfe\x00", b"a: 1\na: 2\n"])
def test_what_cannot_be_read_is_left_as_it_is(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(data)
    done = _fmt(str(file))
    assert done.returncode == 2
    assert "left as it is" in done.stderr
    assert file.read_bytes() == data
