"""What the README shows is what happens: its transcripts are run, its spec is the sample."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pinroute.cli import COMMANDS
from pinroute.cli.exits import MEANING

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES_TOO = ("virtualservices.md", "splice.md", "promotion.md", "buckets.md")
DOCS = [(ROOT / "docs" / name).read_text("utf-8") for name in PAGES_TOO]
PAGES = README + "".join(DOCS)
TRANSCRIPTS = re.findall(r"```console\n\$ pinroute ([^\n]*)\n(.*?)```", PAGES, re.DOTALL)


@pytest.mark.parametrize(("call", "shown"), TRANSCRIPTS, ids=[call for call, _ in TRANSCRIPTS])
def test_transcripts_are_real(call: str, shown: str, tmp_path: Path) -> None:
    for folder in ("samples", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *call.split()],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    version = re.compile(r"Envoy [\d.]+")
    printed = version.sub("Envoy", done.stdout)
    if call.startswith("stick"):  # the page shows the shares, not the manifest
        printed = printed[: printed.index("apiVersion")]
    assert printed == version.sub("Envoy", shown)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 4


def test_the_spec_is_the_sample() -> None:
    spec = re.findall(r"```yaml\n(apiVersion.*?)```", README, re.DOTALL)[0]
    sample = (ROOT / "samples" / "plain-services.yaml").read_text("utf-8")
    assert yaml.safe_load(spec) == yaml.safe_load(sample)


def test_every_command_and_exit_code_is_there() -> None:
    for command in COMMANDS:
        assert f"`{command}" in README
    for code, meaning in MEANING.items():
        assert f"| {int(code)} | {meaning} |" in README


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_rooms_of_the_picture_are_those_there_are() -> None:
    rooms = {path.parent.name for path in (ROOT / "compiler" / "pinroute").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^        (\w+)/  ", README, re.MULTILINE))
