"""Exit codes and streams of the real command, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: user_hash}, digits: 4}
  versions:
  - {name: v1, service: {host: app, port: 80}}
  - name: v2
    service: {host: other, port: 80}
    headers: {response: {set: {x-name: "Zoë 日本"}}}
  baseline: v1
  groups: [{name: g, version: v2, prefixes: ["1"]}]
"""
RAW_ONLY = SPEC.replace(
    "gateways: [a/b]}", "gateways: [a/b], http: [{name: r, raw: {redirect: {uri: /}}}]}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").write_text(SPEC, "utf-8")
    (tmp_path / "wrong.yaml").write_text(SPEC.replace('["1"]', '["2"]'), "utf-8")
    (tmp_path / "broken.yaml").write_text("a: [\n", "utf-8")
    (tmp_path / "raw.yaml").write_text(RAW_ONLY, "utf-8")
    return tmp_path


def run(
    folder: Path,
    *words: str | bytes,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    ran = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        cwd=folder,
        input=stdin.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
    )
    assert b"Traceback" not in ran.stderr
    assert b"this is a bug" not in ran.stderr
    return ran


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `pinroute` is this one."""
    return subprocess.run(
        ["bash", "-c", f'pinroute() {{ "{sys.executable}" -m pinroute "$@"; }}; {line}'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["compile", "spec.yaml"], 0),
        (["validate", "spec.yaml"], 0),
        (["validate", "spec.yaml", "--fail-on", "warning"], 1),
        (["lookup", "1", "--absent", "-f", "spec.yaml"], 0),
        (["stage", "list", "-f", "spec.yaml"], 0),
        (["explain", "PIN201"], 0),
        (["--help"], 0),
        (["compile", "wrong.yaml"], 1),
        (["compile", "spec.yaml", "wrong.yaml"], 1),
        (["validate", "wrong.yaml"], 1),
        (["lookup", "1", "-f", "wrong.yaml"], 1),
        (["compile", "spec.yaml", "--check"], 1),
        (["compile", "broken.yaml"], 2),
        (["compile", "wrong.yaml", "broken.yaml"], 2),
        (["compile", "missing.yaml"], 2),
        (["compile", "spec.yaml", "--stage", "promote-v3"], 2),
        (["compile", "spec.yaml", "--check", "--write"], 2),
        (["compile", "spec.yaml", "-d", "spec.yaml"], 2),
        (["compile", "spec.yaml", "-d", "/proc/pinroute"], 2),
        (["compile", "--nonsense"], 2),
        (["compil"], 2),
        (["--", "-f"], 2),
        (["lookup", "1", "-f", "raw.yaml"], 2),
        (["lookup", "--hashes", "spec.yaml", "-f", "raw.yaml"], 2),
        (["explain", "PIN999"], 2),
        (["stage", "set", "nonsense", "-f", "spec.yaml"], 2),
    ],
)
def test_exit_codes(folder: Path, words: list[str], code: int) -> None:
    ran = run(folder, *words)
    assert ran.returncode == code, ran.stderr.decode()
    if words[0] == "compile" and "--check" not in words and code != 0:
        assert ran.stdout == b""
    if code != 0:
        assert ran.stdout or ran.stderr


def test_stdout_is_the_payload_and_stderr_the_rest(folder: Path) -> None:
    ran = run(folder, "compile", "-", stdin=SPEC)
    assert ran.returncode == 0
    (service,) = yaml.safe_load_all(ran.stdout)
    assert service["kind"] == "VirtualService"
    assert b"PIN212" in ran.stderr
    as_json = run(folder, "compile", "-o", "json", stdin=SPEC)
    assert json.loads(as_json.stdout) == service


def test_the_same_bytes_in_every_locale(folder: Path) -> None:
    environments = (
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONHASHSEED": "1"},
        {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2"},
    )
    found = {run(folder, "compile", "spec.yaml", environment=env).stdout for env in environments}
    (one,) = found
    assert "Zoë 日本".encode() in one


def test_a_value_that_is_no_text(folder: Path) -> None:
    ran = run(folder, "lookup", "é", b"\xff", "-f", "spec.yaml")
    assert ran.returncode == 0
    assert [line.split()[0] for line in ran.stdout.splitlines()] == [
        b"VALUE",
        "é".encode(),
        b"\xff",
    ]


@pytest.mark.parametrize(
    "words", ["compile spec.yaml", "validate spec.yaml", "lookup 1 -f spec.yaml", "schema"]
)
def test_a_full_disk_behind_stdout(folder: Path, words: str) -> None:
    ran = shell(folder, f"pinroute {words} > /dev/full")
    assert ran.returncode == 2
    assert "No space left on device" in ran.stderr
    assert "bug" not in ran.stderr


@pytest.mark.parametrize("close", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_streams_that_are_closed(folder: Path, close: str) -> None:
    ran = shell(folder, f"pinroute compile spec.yaml {close}; pinroute explain {close}")
    assert ran.returncode == 0, ran.stderr


def test_stdin_that_is_closed(folder: Path) -> None:
    ran = shell(folder, "pinroute compile - <&-")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "PIN009" in ran.stderr


def test_a_reader_that_goes_away(folder: Path) -> None:
    ran = shell(folder, "pinroute schema | head -c 1; echo ${PIPESTATUS[0]}")
    assert ran.stdout in ("{0\n", "{1\n")
    assert ran.stderr == ""


def test_write_check_and_prune(folder: Path) -> None:
    out = folder / "out" / "exp"
    assert run(folder, "compile", "spec.yaml", "-d", "out").returncode == 0
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert names == {
        "active/kustomization.yaml",
        "active/virtualservice.yaml",
        *(f"stages/{name}.yaml" for name in ("observe", "experiment", "done")),
        *(f"stages/promote-v{number}.yaml" for number in (1, 2)),
        *(f"stages/promote-v{name}.yaml" for name in ("1-phase-1", "2-phase-1", "2-phase-2")),
    }
    assert run(folder, "compile", "spec.yaml", "-d", "out", "--check").returncode == 0
    (out / "active" / "mine.yaml").write_text("kind: Mine\n")
    stale = out / "stages" / "promote-v9.yaml"
    stale.write_text("# Code generated by pinroute from x. DO NOT EDIT.\n")
    check = run(folder, "compile", "spec.yaml", "-d", "out", "--check")
    assert check.returncode == 1
    assert b"+++ /dev/null" in check.stdout
    assert stale.exists()
    assert run(folder, "compile", "spec.yaml", "-d", "out").returncode == 0
    assert not stale.exists()
    assert (out / "active" / "mine.yaml").exists()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert run(folder, "compile", "wrong.yaml", "-d", "out").returncode == 1
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_two_experiments_of_one_name_do_not_share_a_folder(folder: Path) -> None:
    other = SPEC.replace("{name: exp}", "{name: exp, namespace: other}").replace("a.com", "b.com")
    (folder / "both.yaml").write_text(f"{SPEC}---\n{other}", "utf-8")
    assert run(folder, "compile", "both.yaml").returncode == 0
    assert run(folder, "compile", "both.yaml", "-d", "out").returncode == 2
    assert not (folder / "out").exists()


def test_setting_a_stage(folder: Path) -> None:
    (folder / "spec.yaml").write_bytes(b"\xef\xbb\xbf" + SPEC.replace("\n", "\r\n").encode())
    assert run(folder, "stage", "set", "promote-v2", "-f", "spec.yaml").returncode == 0
    expected = SPEC.replace("  route:", "  stage: promote-v2\n  route:", 1).replace("\n", "\r\n")
    assert (folder / "spec.yaml").read_bytes() == b"\xef\xbb\xbf" + expected.encode()
