"""Defaults, and what an Environment says over the spec."""

from typing import Any

import pytest

from pinroute.spec.model import Experiment, HashSource, Platform
from pinroute.spec.resolve import resolve

Json = dict[str, Any]


def spec(**fields: Any) -> Json:
    return {
        "metadata": {"name": "exp"},
        "spec": {
            "route": {"hosts": ["a.example.com"]},
            "userHash": {"from": {"header": "UserHash"}},
            "versions": [
                {"name": "one", "service": {"host": "app-1"}},
                {"name": "two", "inferenceService": {"name": "app-2"}},
            ],
            "baseline": "one",
            **fields,
        },
    }


def resolved(environment: Json | None = None, **fields: Any) -> Experiment:
    return resolve(spec(**fields), environment)


def test_every_default() -> None:
    found = resolved()
    assert (found.name, found.namespace, found.stage) == ("exp", None, "experiment")
    assert (found.generation, found.target, found.promotion) == (1, None, None)
    assert (found.groups, found.extra) == ((), {})
    route = found.route
    assert (route.hosts, route.gateways, route.http) == (("a.example.com",), (), ())
    assert (route.name, route.namespace) == ("exp", "default")
    user_hash = found.user_hash
    assert user_hash.source == HashSource("header", "UserHash")
    assert (user_hash.alphabet, user_hash.digits, user_hash.strict) == ("01", 10, False)
    assert user_hash.trust == "edge"
    fallback = found.fallback
    assert (fallback.unassigned, fallback.no_hash, fallback.malformed) == ("one", "one", None)
    environment = found.environment
    assert environment.istio_api_version == "networking.istio.io/v1"
    assert environment.platform is None
    assert environment.cluster_domain == "cluster.local"
    host = "knative-local-gateway.istio-system.svc.cluster.local"
    assert (environment.local_gateway_host, environment.local_gateway_port) == (host, 80)
    output = found.output
    assert output.rules == "per-group"
    assert (output.rule_names, output.stat_prefixes, output.labels) == (True, True, True)
    assert (output.ports, output.version_header, output.vary) == (True, "version", True)
    assert output.iter8_experiment is False
    one, two = found.versions
    assert one.service is not None
    assert (one.service.host, one.service.port, one.service.subset) == ("app-1", None, None)
    assert (one.inference_service, one.rewrite, one.request.set) == (None, None, {})
    assert two.inference_service is not None
    assert two.inference_service.namespace == "default"


def test_the_namespace_is_that_of_everything() -> None:
    body = spec()
    body["metadata"]["namespace"] = "shop"
    found = resolve(body)
    assert found.namespace == "shop"
    assert found.route.namespace == "shop"
    assert found.versions[1].inference_service is not None
    assert found.versions[1].inference_service.namespace == "shop"


def test_names_of_its_own_win() -> None:
    route = {"hosts": ["a.com"], "virtualService": {"name": "vs", "namespace": "edge"}}
    found = resolved(route=route)
    assert (found.route.name, found.route.namespace) == ("vs", "edge")


@pytest.mark.parametrize(
    ("alphabet", "characters"),
    [
        ("binary", "01"),
        ("decimal", "0123456789"),
        ("hex", "0123456789abcdef"),
        ("cba", "abc"),
        ("zZ9", "9Zz"),
    ],
)
def test_an_alphabet_is_in_the_order_of_its_characters(alphabet: str, characters: str) -> None:
    found = resolved(userHash={"from": {"claim": "sub.hash"}, "alphabet": alphabet, "digits": 4})
    assert found.user_hash.alphabet == characters
    assert found.user_hash.source == HashSource("claim", "sub.hash")


def test_the_fallback_follows_the_baseline() -> None:
    found = resolved(fallback={"noHash": "two", "malformed": "two"}, baseline="two")
    fallback = found.fallback
    assert (fallback.unassigned, fallback.no_hash, fallback.malformed) == ("two", "two", "two")


@pytest.mark.parametrize(
    ("mode", "platform_mode"),
    [
        (None, "Knative"),
        ("Knative", "Knative"),
        ("Serverless", "Knative"),
        ("Standard", "Standard"),
        ("RawDeployment", "Standard"),
    ],
)
def test_the_old_names_of_the_modes(mode: str | None, platform_mode: str) -> None:
    kserve = {"version": "0.16"} if mode is None else {"version": "0.16", "mode": mode}
    found = resolved(environment={"kserve": kserve})
    assert found.environment.platform == Platform("kserve", "0.16", platform_mode)


def test_an_environment_wins_field_by_field() -> None:
    under = {
        "istio": {"apiVersion": "networking.istio.io/v1beta1"},
        "clusterDomain": "one.local",
        "localGateway": {"host": "gateway.one.local", "port": 8080},
        "kserve": {"version": "0.15", "mode": "Standard"},
    }
    over = {
        "clusterDomain": "two.local",
        "localGateway": {"port": 9090},
        "kserve": {"version": "0.16"},
    }
    found = resolve(spec(environment=under), over).environment
    assert found.istio_api_version == "networking.istio.io/v1beta1"
    assert found.cluster_domain == "two.local"
    assert (found.local_gateway_host, found.local_gateway_port) == ("gateway.one.local", 9090)
    assert found.platform == Platform("kserve", "0.16", "Standard")


def test_the_platforms_replace_each_other() -> None:
    kserve, kfserving = {"kserve": {"version": "0.16"}}, {"kfserving": {"version": "0.6"}}
    found = resolve(spec(environment=kserve), kfserving).environment.platform
    assert found == Platform("kfserving", "0.6", "Knative")
    found = resolve(spec(environment=kfserving), kserve).environment.platform
    assert found == Platform("kserve", "0.16", "Knative")


def test_the_local_gateway_is_in_the_cluster_domain() -> None:
    found = resolved(environment={"clusterDomain": "my.cluster"}).environment
    assert found.local_gateway_host == "knative-local-gateway.istio-system.svc.my.cluster"


def test_numbers_are_whole() -> None:
    found = resolved(generation=3, userHash={"from": {"header": "h"}, "digits": 4})
    assert (found.generation, found.user_hash.digits) == (3, 4)
    assert type(found.user_hash.digits) is int


def test_what_iter8_understands_is_handed_on() -> None:
    extra: Json = {"criteria": {"indicators": ["x"]}, "duration": {"intervalSeconds": 5}}
    assert resolved(**extra).extra == extra


def test_a_version_is_found_by_name() -> None:
    found = resolved()
    assert found.version("two") is found.versions[1]
    with pytest.raises(KeyError):
        found.version("three")
