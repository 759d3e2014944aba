"""What we tell Envoy is what istiod tells it: every sample, every stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.istio.envoy import route_configuration
from pinroute.manifest.dump import dump
from pinroute.manifest.objects import root_snippet
from pinroute.spec.meaning import stage_names

SAMPLES = Path(__file__).parents[2] / "samples"

# What istiod adds to every route, and what we leave out because it does not route.
ADDED = {"metadata", "decorator"}
ADDED_TO_ACTION = {"maxGrpcTimeout", "retryPolicy", "hashPolicy", "maxStreamDuration"}


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


def camel(value: Any) -> Any:
    """Return our configuration with the names that protobuf's JSON uses."""
    if isinstance(value, dict):
        return {_camel(key): camel(item) for key, item in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def settled(value: Any) -> Any:
    """Return JSON without what is at its default, and with lists whose order means nothing sorted."""
    if isinstance(value, dict):
        found = {key: settled(item) for key, item in value.items()}
        if found.get("appendAction") == "APPEND_IF_EXISTS_OR_ADD":
            del found["appendAction"]
        if found.get("caseSensitive") is True:
            del found["caseSensitive"]
        for key in ("valueMatchers", "queryParameters", "headers"):
            if isinstance(found.get(key), list):
                found[key] = sorted(found[key], key=repr)
        return found
    return [settled(item) for item in value] if isinstance(value, list) else value


def plain(route: dict[str, Any]) -> dict[str, Any]:
    """Return a route without what istiod adds."""
    kept: dict[str, Any] = settled({key: item for key, item in route.items() if key not in ADDED})
    if "route" in kept:
        kept["route"] = {
            key: item for key, item in kept["route"].items() if key not in ADDED_TO_ACTION
        }
    return kept


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
