"""Everything that is compiled from the samples, given to a real API server and Istio's webhook."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

if TYPE_CHECKING:
    from servers.cluster import Cluster

GOLDEN = Path(__file__).parents[2] / "golden"
SAMPLES = sorted(file.parent.name for file in GOLDEN.glob("*/stdout.yaml"))
FOLDERS = sorted(file.parent for file in GOLDEN.glob("*/*/active/kustomization.yaml"))
# What the samples compile to and this API server has no definition of.
NOT_SERVED = {
    "iter8.tools/v2alpha2 Experiment",  # Iter8's
    "serving.kserve.io/v1beta1 InferenceService",  # KServe's
    "serving.kubeflow.org/v1beta1 InferenceService",  # KFServing's
    "kustomize.config.k8s.io/v1beta1 Kustomization",  # read by kubectl itself
}


class Document(NamedTuple):
    """One object, as it was written."""

    kind: str
    namespace: str
    text: str


def _documents(folder: Path) -> list[Document]:
    found = []
    for file in sorted(folder.rglob("*.yaml")):
        for text in re.split(r"(?m)^---$", file.read_text("utf-8")):
            item = yaml.safe_load(text)
            if item is not None:
                kind = f"{item['apiVersion']} {item['kind']}"
                namespace = item.get("metadata", {}).get("namespace", "default")
                found.append(Document(kind, namespace, text))
    return found


EVERYTHING = {sample: _documents(GOLDEN / sample) for sample in SAMPLES}


def test_every_sample_is_there() -> None:
    samples = {file.stem for file in (GOLDEN.parent / "samples").glob("*.yaml")}
    assert set(SAMPLES) == samples
    assert sum(len(found) for found in EVERYTHING.values()) > 8 * len(samples)


@pytest.fixture(scope="module")
def namespaced(cluster: "Cluster") -> "Cluster":
    """The cluster, with every namespace that a sample names."""
    cluster.namespace(*{one.namespace for found in EVERYTHING.values() for one in found})
    return cluster


@pytest.mark.parametrize("side", ["true", "false"], ids=["server-side", "client-side"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_stage_is_accepted(namespaced: "Cluster", sample: str, side: str) -> None:
    asked = [one.text for one in EVERYTHING[sample] if one.kind not in NOT_SERVED]
    words = (f"--server-side={side}", "--dry-run=server", "--validate=strict", "-f", "-")
    said = namespaced.kubectl("apply", *words, stdin="---\n".join(asked))
    assert len(said.stdout.splitlines()) == len(asked) > 0, said.stdout
    assert said.stderr == ""  # Istio warns of rules that are never reached


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.parts[-2] for path in FOLDERS])
def test_what_git_syncs_is_accepted(namespaced: "Cluster", folder: Path) -> None:
    said = namespaced.kubectl("apply", "--server-side", "--dry-run=server", "-k", str(folder))
    assert "serverside-applied (server dry run)" in said.stdout


def test_what_cannot_be_asked_is_known(cluster: "Cluster") -> None:
    """Nothing is left out silently: these kinds, and no others."""
    resources = cluster.kubectl("api-resources", "--no-headers").stdout.splitlines()
    groups = {(line.split()[-3].partition("/")[0], line.split()[-1]) for line in resources}
    kinds = {one.kind for found in EVERYTHING.values() for one in found}
    unserved = {
        kind for kind in kinds if (kind.partition("/")[0], kind.rpartition(" ")[2]) not in groups
    }
    assert unserved == NOT_SERVED & kinds
    assert {kind.rpartition(" ")[2] for kind in kinds - unserved} == {
        "DestinationRule",
        "VirtualService",
    }
