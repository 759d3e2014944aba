"""istiod's own route generation, built from its Go module, as an oracle for the tests."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GATEWAY = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "public", "namespace": "istio-system"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    },
}


class Refused(Exception):
    """Istio's validation does not take a configuration; the message is Istio's."""


class Istiod:
    """A running `istiod-routes`: one question a line, one answer a line."""

    Refused = Refused
    gateway = GATEWAY

    def __init__(self, process: "subprocess.Popen[str]"):
        self._process = process

    def routes(self, documents: Sequence[Any], kind: str = "router") -> list[dict[str, Any]]:
        """Return the RouteConfigurations that istiod makes of some objects."""
        return self.routes_of_text(
            yaml.safe_dump_all([GATEWAY, *documents], allow_unicode=True), kind
        )

    def routes_of_text(self, text: str, kind: str = "router") -> list[dict[str, Any]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"config": text, "type": kind}) + "\n")
        stdin.flush()
        answer: dict[str, Any] = json.loads(stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        found: list[dict[str, Any]] = answer.get("routes", [])
        return found


@pytest.fixture(scope="session")
def istiod() -> Iterator[Istiod]:
    built = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "build.py"), "istiod-routes"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    with subprocess.Popen(
        [built.stdout.strip()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Istiod(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)
