"""Overlays of specs: the real kustomize merges groups and versions by name, with our OpenAPI."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBECTL = Path(sys.executable).with_name("kubectl")

OVERLAY = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "resources": ["experiment.yaml"],
    "openapi": {"path": "openapi.json"},
    "patches": [{"path": "patch.yaml"}],
}
PATCH = {
    "apiVersion": "pinroute.dev/v1alpha1",
    "kind": "AffinityExperiment",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {
        "groups": [{"name": "treatment", "prefixes": ["010"]}],
        "versions": [{"name": "checkout-v2", "service": {"host": "checkout-v3"}}],
    },
}


def _pinroute(*words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pinroute", *words],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_overlay_merges_by_name(tmp_path: Path) -> None:
    spec = (ROOT / "samples" / "plain-services.yaml").read_text("utf-8")
    (tmp_path / "experiment.yaml").write_text(spec, "utf-8")
    (tmp_path / "openapi.json").write_text(_pinroute("schema", "--kustomize"), "utf-8")
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(OVERLAY), "utf-8")
    (tmp_path / "patch.yaml").write_text(yaml.safe_dump(PATCH), "utf-8")
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built: dict[str, Any] = yaml.safe_load(done.stdout)
    groups = {group["name"]: group for group in built["spec"]["groups"]}
    assert groups["control"] == {"name": "control", "version": "checkout-v1", "prefixes": ["00"]}
    assert groups["treatment"]["version"] == "checkout-v2"
    assert groups["treatment"]["prefixes"] == ["010"]
    compiled = json.loads(_pinroute("compile", "-o", "json", "-", stdin=done.stdout))
    hosts = {
        rule["name"]: rule["route"][0]["destination"]["host"].split(".")[0]
        for rule in compiled["spec"]["http"]
    }
    assert hosts == {
        "pin/checkout/control": "checkout-v1",
        "pin/checkout/treatment": "checkout-v3",
        "pin/checkout/fallback": "checkout-v1",
    }


def test_the_output_folder_is_a_kustomization(tmp_path: Path) -> None:
    _pinroute("compile", "samples/plain-services.yaml", "-d", str(tmp_path))
    active = tmp_path / "checkout" / "active"
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(active)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    stdout = yaml.safe_load(_pinroute("compile", "samples/plain-services.yaml"))
    assert yaml.safe_load(done.stdout) == stdout
