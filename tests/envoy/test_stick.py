"""A split by weight made sticky: the shares on a real Envoy, and the same user twice."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from pinroute.istio.envoy import clusters, route_configuration
from pinroute.local.backend import Backends
from pinroute.local.client import Client, Request
from pinroute.local.server import Listener, running
from pinroute.manifest.dump import dump
from pinroute.sticky import NothingToStick, stick
from pinroute.table.universe import Universe

CANARY = Path(__file__).parents[2] / "samples" / "virtualservices" / "flagger-canary.yaml"
UNIVERSE = Universe("01", 10)


def _counts(service: dict[str, Any], values: list[str | None]) -> Counter[str]:
    configuration = route_configuration([yaml.safe_load(dump(service))])
    names = clusters(configuration)
    host = service["spec"]["hosts"][0]
    requests = [
        Request(host, headers=(("userhash", value),) if value is not None else ())
        for value in values
    ]
    with (
        Backends(names) as backends,
        running(
            [Listener("all", configuration)], {name: backends.endpoint(name) for name in names}
        ) as gateway,
        Client(gateway.port("all")) as client,
    ):
        answers = client.send(requests)
    return Counter(
        json.loads(answer.body)["backend"].split("|")[-1].split(".")[0] for answer in answers
    )


def test_flaggers_canary_becomes_sticky_with_the_same_shares() -> None:
    service = yaml.safe_load(CANARY.read_text("utf-8"))
    after, done = stick(service, "userhash", UNIVERSE)
    shares = {arm.host.split(".")[0]: arm.share for arm in done[0].arms}
    counts = _counts(after, list(UNIVERSE.values()))
    assert dict(counts) == {name: share * UNIVERSE.size for name, share in shares.items()}
    assert counts["podinfo-canary"] == 102
    # The same user, many times: one version. Before, both.
    for user in ("0000000000", "0001100101", "1111100000"):
        assert len(_counts(after, [user] * 60)) == 1
    assert len(_counts(service, ["0000000000"] * 200)) == 2


def test_requests_without_a_hash_are_drawn_as_before() -> None:
    service = yaml.safe_load(CANARY.read_text("utf-8"))
    after, _ = stick(service, "userhash", UNIVERSE)
    counts = _counts(after, [None] * 600)
    assert 20 <= counts["podinfo-canary"] <= 120


@pytest.mark.parametrize(
    ("budget", "share"), [(2, 12.5), (3, 9.375), (4, 10.15625), (5, 9.9609375)]
)
def test_a_budget_gives_the_closest_share(budget: int, share: float) -> None:
    service = yaml.safe_load(CANARY.read_text("utf-8"))
    _, done = stick(service, "userhash", UNIVERSE, budget)
    assert done[0].prefixes == budget
    assert float(done[0].arms[1].share) * 100 == share


def test_headers_that_the_rule_won_stay_the_rules() -> None:
    service = yaml.safe_load(CANARY.read_text("utf-8"))
    rule = service["spec"]["http"][0]
    rule["headers"] = {"response": {"set": {"x-who": "rule"}}}
    rule["route"][0]["headers"] = {"response": {"set": {"X-Who": "destination", "x-own": "1"}}}
    after, _ = stick(service, "userhash", UNIVERSE)
    alone = next(
        made["route"][0]
        for made in after["spec"]["http"]
        if len(made["route"]) == 1 and "primary" in made["route"][0]["destination"]["host"]
    )
    assert alone["headers"] == {"response": {"set": {"x-own": "1"}}}


def test_what_cannot_be_made_sticky_is_said() -> None:
    service = yaml.safe_load(CANARY.read_text("utf-8"))
    after, _ = stick(service, "userhash", UNIVERSE)
    single = {**service, "spec": {**service["spec"], "http": after["spec"]["http"][:1]}}
    with pytest.raises(NothingToStick):
        stick(single, "userhash", UNIVERSE)
    service["spec"]["http"][0]["match"] = [{"headers": {"UserHash": {"prefix": "1"}}}]
    with pytest.raises(NothingToStick):
        stick(service, "userhash", UNIVERSE)
