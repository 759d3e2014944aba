"""The schema that `validate` ships is the one of Istio's CustomResourceDefinition."""

import json
from pathlib import Path

import pytest
import yaml

from pinroute.istio.definition import FILE, reduced
from servers.process import built


def test_our_schema_is_istios(pytestconfig: pytest.Config) -> None:
    text = built("istio-crds.yaml").read_text("utf-8")
    documents = [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]
    (definition,) = [
        item
        for item in documents
        if item["metadata"]["name"] == "virtualservices.networking.istio.io"
    ]
    first, *others = [
        reduced(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
        for version in definition["spec"]["versions"]
    ]
    assert all(other == first for other in others)
    if pytestconfig.getoption("--update-golden"):
        shown = json.dumps(first, indent=1, separators=(",", ":"), sort_keys=True)
        Path(FILE).write_text(shown + "\n", "utf-8")
    assert json.loads(Path(FILE).read_text("utf-8")) == first
