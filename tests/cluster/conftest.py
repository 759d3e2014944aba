"""A namespace of its own for each test, with backends, and pinroute as its user runs it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from servers.objects import GATEWAY, documents, service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from servers.access import Access
    from servers.cluster import Cluster

NUMBERS = itertools.count(1)
SPEC = """
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: checkout, namespace: NAMESPACE}
spec:
  route:
    hosts: [NAMESPACE.example.com]
    gateways: [istio-system/public]
  userHash: {from: {header: userhash}, alphabet: binary, digits: 8, trust: edge}
  versions:
  - {name: v1, service: {host: app-v1, port: 80}}
  - {name: v2, service: {host: app-v2, port: 80}}
  baseline: v1
  groups:
  - {name: control, version: v1, prefixes: ["111"]}
  - {name: treatment, version: v2, prefixes: ["101"]}
"""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shop:
    """A namespace, and a folder with the spec of an experiment in it."""

    cluster: Cluster
    namespace: str
    folder: Path

    def write(self, *changes: tuple[str, str], name: str = "experiment.yaml") -> None:
        """Write the spec, with texts replaced by others; each must be there."""
        text = SPEC
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        (self.folder / name).write_text(text.replace("NAMESPACE", self.namespace), "utf-8")

    def run(
        self,
        *words: str,
        as_: Access | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run pinroute with the rights of a user, the administrator's if none is named."""
        ran = subprocess.run(
            [sys.executable, "-m", "pinroute", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "NO_COLOR": "1",
                **(as_ or self.cluster).environment,
                **(environment or {}),
            },
        )
        assert "Traceback" not in ran.stderr
        assert "this is a bug" not in ran.stderr
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def create(self, text: str) -> None:
        """Create objects as the administrator."""
        self.cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def live(self, name: str = "checkout", kind: str = "virtualservice") -> Any:
        """Return an object as it is in the cluster, None if it is not there."""
        words = ("get", kind, name, "-n", self.namespace, "-o", "json", "--ignore-not-found")
        text = self.cluster.kubectl(*words, "--show-managed-fields").stdout
        return json.loads(text) if text else None

    def document(self, text: str) -> Any:
        """Return a YAML document of this namespace."""
        return yaml.safe_load(text.replace("NAMESPACE", self.namespace))


@pytest.fixture
def shop(cluster: Cluster, tmp_path: Path) -> Iterator[Shop]:
    namespace = f"shop-{next(NUMBERS)}"
    cluster.namespace(namespace)
    found = Shop(cluster, namespace, tmp_path)
    found.create(GATEWAY)
    found.create(documents(*(service(namespace, name) for name in ("app-v1", "app-v2"))))
    found.write()
    yield found
    cluster.kubectl("delete", "virtualservice", "--all", "-n", namespace)
