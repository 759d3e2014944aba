"""docs/configuration.md: its transcripts, one after the other, in a copy of the sample's folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pinroute.policy.configuration import read_toml, read_yaml

if TYPE_CHECKING:
    from .conftest import Pages

PAGE = "configuration.md"


def test_transcripts_are_real(pages: Pages, tmp_path: Path) -> None:
    folder = tmp_path / "configuration"
    shutil.copytree(pages.root / "samples" / "configuration", folder)
    paths = (str(Path(sys.executable).parent), os.environ["PATH"])
    blocks = pages.blocks(PAGE, "console")
    assert len(blocks) >= 5
    for block in blocks:
        calls = re.findall(r"(?m)^\$ (.*)$", block.text)
        assert calls
        done = subprocess.run(
            ["bash", "-c", "\n".join(calls)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "PATH": os.pathsep.join(paths)},
        )
        assert "".join(f"$ {call}\n" for call in calls) + done.stdout == block.text


def test_the_configuration_is_the_sample(pages: Pages) -> None:
    (block,) = pages.blocks(PAGE, "yaml")
    sample = (pages.root / "samples" / "configuration" / "pinroute.yaml").read_text("utf-8")
    assert yaml.safe_load(block.text) == yaml.safe_load(sample)
    assert read_yaml(PAGE, block.text.encode(), named=True).diagnostics == []


def test_the_table_of_a_pyproject_is_one(pages: Pages) -> None:
    (block,) = pages.blocks(PAGE, "toml")
    assert tomllib.loads(block.text)["tool"]["pinroute"]
    read = read_toml(PAGE, block.text.encode())
    assert read.diagnostics == []
    assert read.configuration is not None


def test_every_field_is_in_the_table(pages: Pages) -> None:
    text = (pages.root / "docs" / PAGE).read_text("utf-8")
    listed = set(re.findall(r"(?m)^\| `([a-z.\[\]]+)` \|", text))
    fields = pages.root / "schemas" / "configuration.v1alpha1.schema.json"
    schema = yaml.safe_load(fields.read_text("utf-8"))
    inner = schema["properties"]["severities"]["items"]["properties"]
    assert listed >= {"baseline", *(f"severities[].{name}" for name in inner)}
