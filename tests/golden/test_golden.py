"""Everything that pinroute writes for the samples, byte for byte."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml

from pinroute.cli import COMMANDS
from pinroute.cli.group import root

if TYPE_CHECKING:
    from .conftest import Golden, Invalid, Pinroute

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*.yaml"))
RECIPE = ".recipe.json"
INVALID = sorted(
    path
    for path in (ROOT / "samples" / "invalid").iterdir()
    if path.name.endswith((".yaml", RECIPE))
)
TUTORIAL = Path(__file__).parent / "tutorial"


def stem(path: Path) -> str:
    return path.name.removesuffix(RECIPE).removesuffix(".yaml")


def commands() -> list[list[str]]:
    """Return every command and subcommand, as it is typed."""
    context = click.Context(root)
    found: list[list[str]] = []
    for name in COMMANDS:
        command = root.get_command(context, name)
        found.append([name])
        if isinstance(command, click.Group):
            found += [[name, inner] for inner in sorted(command.commands)]
    return found


BROKEN = "samples/invalid/PIN201-overlapping-prefixes.yaml"
CONFIGURED = "samples/configuration"
KNOWN = "tests/golden/baseline.json"  # of its folder legacy/, and an entry that is left over
USERS = ["1010101010", "1111100000", "10", "101x", ""]
CLI: dict[str, list[str]] = {
    "help": ["--help"],
    **{"-".join(["help", *names]): [*names, "--help"] for names in commands()},
    "validate-text": ["validate", BROKEN],
    "validate-json": ["validate", BROKEN, "-o", "json"],
    "validate-github": ["validate", BROKEN, "-o", "github"],
    "validate-sarif": ["validate", BROKEN, "-o", "sarif"],
    "validate-config": ["validate", "-R", CONFIGURED, "--config", f"{CONFIGURED}/pinroute.yaml"],
    "validate-baseline": ["validate", "-R", CONFIGURED, "--baseline", KNOWN],
    "validate-baseline-shown": [
        *("validate", "-R", CONFIGURED, "--baseline", KNOWN, "--show-hidden")
    ],
    "validate-baseline-json": [
        *("validate", "-R", CONFIGURED, "--baseline", KNOWN, "--show-hidden", "-o", "json")
    ],
    "lookup-text": ["lookup", *USERS, "--absent", "-f", "samples/session-affinity.yaml"],
    "lookup-json": [
        *("lookup", *USERS, "--absent", "-f", "samples/session-affinity.yaml", "-o", "json")
    ],
    "lookup-paths": ["lookup", "1010101010", "-f", "samples/paths.yaml"],
    "compile-json": ["compile", "samples/plain-services.yaml", "-o", "json"],
    "compile-unknown-stage": ["compile", "samples/hex.yaml", "--stage", "promote-v4"],
    "promote-text": ["promote", "v2", "-f", "samples/promotion.yaml", "--dry-run=client"],
    "promote-json": [
        *("promote", "tabular", "-f", "samples/promotion.yaml", "--dry-run=client", "-o", "json")
    ],
    "promote-baseline": ["promote", "v1", "-f", "samples/tutorial.yaml", "--dry-run=client"],
    "promote-unknown": ["promote", "v3", "-f", "samples/promotion.yaml", "--dry-run=client"],
    "stage-list": ["stage", "list", "-f", "samples/several-experiments.yaml"],
    "explain": ["explain"],
    "explain-code": ["explain", "PIN201"],
    "explain-field": ["explain", "spec.groups"],
    "explain-unknown-field": ["explain", "spec.group"],
    "unknown-command": ["complie"],
}


def transcript(arguments: list[str], code: int, out: str, err: str) -> str:
    """Return a session with one command as text."""
    typed = " ".join(word if word.strip() else repr(word) for word in arguments)
    err = re.sub(r"(?m)^Try 'pinroute .*\n", "", err)  # in other words from click to click
    errors = f"--- stderr\n{err}" if err else ""
    return f"$ pinroute {typed}\n{out}{errors}--- exit code {code}\n"


@pytest.mark.parametrize("sample", SAMPLES, ids=stem)
def test_sample(sample: Path, golden: Golden, pinroute: Pinroute, tmp_path: Path) -> None:
    name = sample.relative_to(ROOT).as_posix()
    printed = pinroute.run("compile", name)
    assert (printed.code, printed.err) == (0, "")
    written = pinroute.run("compile", name, "-d", str(tmp_path))
    assert (written.code, written.out) == (0, "")
    files = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes().decode("utf-8")
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert all(line.endswith(" created") for line in written.err.splitlines())
    assert len(written.err.splitlines()) == len(files)
    golden.check_tree(golden.root / stem(sample), {**files, "stdout.yaml": printed.out})


@pytest.mark.parametrize("sample", INVALID, ids=stem)
def test_invalid_sample(sample: Path, golden: Golden, invalid: Invalid) -> None:
    result = invalid.compile(sample)
    assert result.code in (0, 1, 2)
    assert bool(result.out) == (result.code == 0), "a failed compile prints nothing on stdout"
    text = f"{result.err}exit code {result.code}\n"
    golden.check(golden.root / "invalid" / f"{stem(sample)}.txt", text)


@pytest.mark.parametrize("case", CLI)
def test_command_line(case: str, golden: Golden, pinroute: Pinroute) -> None:
    result = pinroute.run(*CLI[case])
    text = transcript(CLI[case], result.code, result.out, result.err)
    golden.check(golden.root / "cli" / f"{case}.txt", text)


def test_no_file_in_golden_is_an_orphan(golden: Golden) -> None:
    names = {stem(sample) for sample in SAMPLES}
    assert not names & {"invalid", "cli"}
    known = {f"invalid/{stem(sample)}.txt" for sample in INVALID}
    known |= {f"cli/{case}.txt" for case in CLI}
    orphans: list[str] = []
    for path in sorted(golden.root.rglob("*")):
        place = path.relative_to(golden.root)
        if path.is_dir() or place.parts[0] in names or place.as_posix() in known:
            continue
        orphans.append(place.as_posix())
        if golden.update:
            path.unlink()
    if golden.update:
        for folder in sorted(golden.root.rglob("*"), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return
    assert not orphans


# --- The same bytes in a process of its own, with any hash seed ------------------------------

PROCESSES = [
    ["compile", "samples/tutorial.yaml"],
    ["compile", "samples/kserve-standard.yaml", "--stage", "promote-v2"],
    ["compile", BROKEN],
    ["compile", "no-such-file.yaml"],
    ["lookup", "1010101010", "--absent", "-f", "samples/hex.yaml"],
    ["--help"],
]


@pytest.mark.parametrize("arguments", PROCESSES, ids=" ".join)
def test_a_process_says_the_same(arguments: list[str], pinroute: Pinroute) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *arguments],
        cwd=ROOT,
        env=pinroute.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    here = pinroute.run(*arguments)
    assert done.stderr.decode("utf-8") == here.err
    assert done.stdout.decode("utf-8") == here.out
    assert done.returncode == here.code


EVERYTHING = """
import sys
from pinroute.cli.group import root

bad = [name for name in sys.argv[1:] if "/invalid/" in name]
for name in sys.argv[1:]:
    if name not in bad:
        root.main(["compile", name], standalone_mode=False)
root.main(["validate", "-o", "json", *bad], standalone_mode=False)
"""


def everything(seed: int, pinroute: Pinroute) -> str:
    """Return all samples compiled, and all findings in the invalid ones, in one process."""
    names = [path.relative_to(ROOT).as_posix() for path in (*SAMPLES, *INVALID)]
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, *(name for name in names if name.endswith(".yaml"))],
        cwd=ROOT,
        env={**pinroute.environment(), "PYTHONHASHSEED": str(seed)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("utf-8")


def test_the_hash_seed_does_not_matter(golden: Golden, pinroute: Pinroute) -> None:
    first = everything(0, pinroute)
    for sample in SAMPLES:
        assert (golden.root / stem(sample) / "stdout.yaml").read_text("utf-8") in first
    assert all(everything(seed, pinroute) == first for seed in (1, 12345))


# --- The tutorial --------------------------------------------------------------------------------


def documents(path: Path) -> list[Any]:
    return [item for item in yaml.safe_load_all(path.read_text("utf-8")) if item is not None]


def without_weights(objects: list[Any]) -> list[Any]:
    """Return objects without the weight of destinations that stand alone: Istio ignores it."""
    for item in objects:
        for rule in item["spec"].get("http", ()):
            if len(rule.get("route", ())) == 1:
                rule["route"][0].pop("weight", None)
    return objects


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("active/virtualservice.yaml", "routing-rule.yaml"),
        ("stages/experiment.yaml", "routing-rule.yaml"),
        ("stages/promote-v1.yaml", "promote-v1.yaml"),
        ("stages/promote-v2.yaml", "promote-v2.yaml"),
        ("iter8-experiment.yaml", "experiment.yaml"),
    ],
)
def test_the_tutorial_compiles_to_its_own_manifests(
    ours: str, theirs: str, pinroute: Pinroute, tmp_path: Path
) -> None:
    assert pinroute.run("compile", "samples/tutorial.yaml", "-d", str(tmp_path)).code == 0
    written = without_weights(documents(tmp_path / "session-affinity-exp" / ours))
    assert written == without_weights(documents(TUTORIAL / theirs))


def test_the_tutorial_on_stdout_is_its_routing_rule(pinroute: Pinroute) -> None:
    printed = list(yaml.safe_load_all(pinroute.run("compile", "samples/tutorial.yaml").out))
    assert printed == documents(TUTORIAL / "routing-rule.yaml")
