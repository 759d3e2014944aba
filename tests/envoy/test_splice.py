"""A spliced VirtualService in a real Envoy: the owner's requests go where they went before."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.local.client import Client, Request
from pinroute.local.trial import gateway_for

SAMPLES = Path(__file__).parents[2] / "samples"
SPEC = (SAMPLES / "splice.yaml").read_bytes()
PATHS = ("/", "/healthz", "/healthz/x", "/api/v1", "/api/v1/cart", "/api/v2", "/basket", "/check")
OURS = ("/checkout", "/checkout/pay", "/checkout?x=/api/v1")
HASHES = (None, "", "00000000", "00111111", "01000000", "01111111", "10101010", "01", "x")


def compiled(text: bytes, *, stage: str | None = None, remove: bool = False) -> Compiled:
    source = Source("splice.yaml", text, lambda name: (SAMPLES / name).read_bytes())
    compilation = compile_specs([source], stage=stage, remove=remove)
    assert compilation.diagnostics == ()
    [found] = compilation.experiments
    return found


def request(path: str, value: str | None, method: str = "GET") -> Request:
    headers = () if value is None else (("userhash", value),)
    return Request("www.shop.example", path, method, headers)


def seen(port: int, requests: list[Request]) -> list[tuple[str, ...]]:
    """Return what each request met: status, backend, path as the backend sees it, version."""
    found: list[tuple[str, ...]] = []
    with Client(port) as client:
        for answer in client.send(requests):
            version = ",".join(answer.headers.get("version", ()))
            try:
                echo = json.loads(answer.body)
                found.append((str(answer.status), echo["backend"], echo["path"], version))
            except (ValueError, TypeError):
                found.append((str(answer.status), answer.body.decode(), "", version))
    return found


@pytest.mark.parametrize("stage", ["experiment", "promote-v2", "done"])
def test_the_owners_requests_go_where_they_went(stage: str) -> None:
    trial = {"before": compiled(SPEC, remove=True), "after": compiled(SPEC, stage=stage)}
    theirs = [request(*one) for one in product(PATHS, HASHES, ("GET", "POST"))]
    ours = [request(*one) for one in product(OURS, HASHES)]
    with gateway_for(trial) as gateway:
        before, after = (seen(gateway.port(name), theirs) for name in trial)
        assert before == after
        assert {answer[0] for answer in before} == {"200"}
        assert any(answer[1] == "ok" for answer in before), "the health check is the owner's"
        assert any(answer[2].startswith("/legacy") for answer in before)
        without, within = (seen(gateway.port(name), ours) for name in trial)
    assert not any("checkout" in answer[1] for answer in without)
    assert all("checkout" in answer[1] for answer in within)
    versions = {"experiment": {"checkout-v1", "checkout-v2"}, "promote-v2": {"checkout-v2"}}
    assert {answer[3] for answer in within} == versions.get(stage, {"checkout-v1"})
