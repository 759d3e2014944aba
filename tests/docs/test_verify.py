"""The page about `verify`: its transcripts are run, against a real Envoy on the port it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pinroute.compilation import Source, compile_specs
from pinroute.local.trial import gateway_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Pages

SHOWN = "127.0.0.1:8080"


@pytest.fixture(scope="module")
def gateway(pages: Pages) -> Iterator[str]:
    """Somebody has made the prefix of the treatment longer."""
    spec = pages.root / "samples" / "plain-services.yaml"
    [compiled] = compile_specs([Source(spec.name, spec.read_bytes())]).experiments
    rendered = compiled.rendered[0]
    text = json.dumps(rendered.virtual_service)
    assert text.count('"prefix": "01"') == 1
    edited = json.loads(text.replace('"prefix": "01"', '"prefix": "011"'))
    wrong = compiled._replace(rendered=(rendered._replace(objects=(edited,)),))
    with gateway_for({"edited": wrong}) as running:
        yield f"127.0.0.1:{running.port('edited')}"


def test_transcripts_are_real(pages: Pages, gateway: str) -> None:
    blocks = pages.blocks("verify.md", "console")
    assert len(blocks) == 4
    version = re.compile(r"Envoy [\d.]+\d")
    for block in blocks:
        call, shown = block.text.removeprefix("$ pinroute ").split("\n", 1)
        done = subprocess.run(
            [sys.executable, "-m", "pinroute", *call.replace(SHOWN, gateway).split()],
            cwd=pages.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        printed = done.stdout.replace(gateway, SHOWN)
        assert version.sub("Envoy", printed) == version.sub("Envoy", shown), call
