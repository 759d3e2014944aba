"""The schema that `validate` ships is the one of Istio's CustomResourceDefinition."""

import yaml

from pinroute.istio.definition import reduced, spec_schema
from servers.process import built


def test_our_schema_is_istios() -> None:
    text = built("istio-crds.yaml").read_text("utf-8")
    documents = [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]
    (definition,) = [
        item
        for item in documents
        if item["metadata"]["name"] == "virtualservices.networking.istio.io"
    ]
    for version in definition["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        assert reduced(schema["properties"]["spec"]) == spec_schema()
