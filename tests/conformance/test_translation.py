"""What we tell Envoy is what istiod tells it: every sample, every stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.istio.envoy import route_configuration
from pinroute.istio.envoy_form import camel, plain
from pinroute.manifest.dump import dump
from pinroute.manifest.objects import root_snippet
from pinroute.spec.meaning import stage_names

SAMPLES = Path(__file__).parents[2] / "samples"


def _beside(folder: Path) -> Callable[[str], bytes]:
    return lambda name: (folder / name).read_bytes()


def _every_stage() -> dict[str, Compiled]:
    found: dict[str, Compiled] = {}
    for file in sorted(SAMPLES.glob("*.yaml")):
        source = Source(file.name, file.read_bytes(), _beside(file.parent))
        stages = {
            stage
            for compiled in compile_specs([source]).experiments
            for stage in stage_names(compiled.checked.spec.experiment).values()
        }
        for stage in sorted(stages):
            for compiled in compile_specs([source], stage=stage).experiments:
                name = compiled.checked.spec.experiment.name
                found[f"{file.stem}/{name}/{stage}"] = compiled
    return found


EVERY_STAGE = _every_stage()


def _unnamed(route: dict[str, Any]) -> dict[str, Any]:
    """Return a route without its name: istiod puts the root's before a delegate's."""
    return {key: item for key, item in route.items() if key != "name"}


def entry(host: str, port: int) -> dict[str, Any]:
    """Return a ServiceEntry: a sidecar has routes for services that it knows only."""
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "known", "namespace": "bookinfo"},
        "spec": {
            "hosts": [host],
            "ports": [{"number": port, "name": "http", "protocol": "HTTP"}],
            "resolution": "DNS",
        },
    }


@pytest.mark.parametrize("name", EVERY_STAGE)
def test_istiod_makes_the_same_routes(name: str, istiod: Any) -> None:
    compiled = EVERY_STAGE[name]
    service: Any = yaml.safe_load(dump(compiled.rendered[0].virtual_service))
    experiment = compiled.checked.spec.experiment
    root = root_snippet(experiment) if experiment.route.delegate else service
    on_gateway = bool(root["spec"].get("gateways"))
    if on_gateway:
        root["spec"]["gateways"] = ["istio-system/public"]
    known = [] if on_gateway else [entry(host, 9080) for host in service["spec"]["hosts"]]
    both = [service] if root is service else [root, service]
    found = istiod.routes([*known, *both], "router" if on_gateway else "sidecar")
    hosts = {
        domain: [plain(route) for route in host["routes"]]
        for configuration in found
        for host in configuration.get("virtualHosts", ())
        for domain in host["domains"]
    }
    service["spec"].setdefault("hosts", list(experiment.route.hosts))
    ours = camel(route_configuration([service]))
    expected = [plain(route) for route in ours["virtualHosts"][0]["routes"]]
    for host in service["spec"]["hosts"]:
        assert [_unnamed(route) for route in hosts[host.lower()]] == [
            _unnamed(route) for route in expected
        ]
        if root is service:
            assert hosts[host.lower()] == expected
