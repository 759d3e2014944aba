"""What docs/shares.md shows is what happens: its transcripts are run, its table is computed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "shares.md").read_text("utf-8")
TRANSCRIPTS = re.findall(r"```console\n\$ pinroute ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)
TABLE = re.findall(r"^\| (\d) \| ([\d.]+) \| (.*?) \| ([\d.]+) % \|$", PAGE, re.MULTILINE)


def pinroute(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return done.stdout


@pytest.mark.parametrize(("call", "shown"), TRANSCRIPTS, ids=[call for call, _ in TRANSCRIPTS])
def test_transcripts_are_real(call: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    assert pinroute(tmp_path, *call.split()) == shown


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 6
    assert {call.split()[0] for call, _ in TRANSCRIPTS} == {
        "validate", "fmt", "stage", "impact", "simulate",
    }  # fmt: skip


def five_percent(folder: Path, output: dict[str, Any]) -> tuple[list[str], float]:
    """Return the prefixes of five percent of 1,024 hashes, and the share that they are."""
    spec = {
        "apiVersion": "pinroute.dev/v1alpha1",
        "kind": "AffinityExperiment",
        "metadata": {"name": "shop"},
        "spec": {
            "route": {"hosts": ["shop.example.com"], "gateways": ["istio-system/public"]},
            "userHash": {"from": {"header": "userhash"}},
            "versions": [
                {"name": name, "service": {"host": name, "port": 80}} for name in ("v1", "v2")
            ],
            "baseline": "v1",
            "groups": [
                {"name": "g", "version": "v2", "percent": 5, "slot": {"from": 0, "to": 50}}
            ],
            "output": output,
        },
    }
    (folder / "shop.yaml").write_text(json.dumps(spec), "utf-8")
    service = json.loads(pinroute(folder, "compile", "shop.yaml", "-o", "json"))
    matches = service["spec"]["http"][0]["match"]
    prefixes = [match["headers"]["userhash"]["prefix"] for match in matches]
    return prefixes, 100 * sum(2.0 ** -len(prefix) for prefix in prefixes)


@pytest.mark.parametrize(("budget", "tolerance", "prefixes", "share"), TABLE)
def test_the_table_is_real(
    budget: str, tolerance: str, prefixes: str, share: str, tmp_path: Path
) -> None:
    wanted = re.findall(r"`(\d+)`", prefixes)
    for output in ({"maxRules": int(budget)}, {"tolerance": float(tolerance)}):
        found, percent = five_percent(tmp_path, output)
        assert found == wanted
        assert f"{percent:.2f}" == share


def test_the_table_is_there() -> None:
    assert len(TABLE) == 4


def test_blocks_are_what_they_say() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    fields = {name for block in blocks for name in yaml.safe_load(block)}
    assert fields == {"groups", "rotation"}
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        done = subprocess.run(["bash", "-n"], input=block, text=True, check=False)
        assert done.returncode == 0
        options = set(re.findall(r" (--?[a-zA-Z-]+)", block))
        usage = pinroute(ROOT, block.split()[1], "--help")
        assert all(option in usage for option in options), block


def test_every_finding_about_shares_is_known() -> None:
    for code in re.findall(r"PIN\d{3}", PAGE):
        assert code in (ROOT / "docs" / "diagnostics.md").read_text("utf-8")


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        assert file or anchor in anchors, target
