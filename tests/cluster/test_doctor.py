"""doctor on a real API server: each question, and the answer that a fault has."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from servers.gateway import ingress
from servers.objects import GATEWAY, service

from .inference import KFSERVING, KSERVE, create, install

if TYPE_CHECKING:
    from .conftest import Shop

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas/cli/examination.schema.json").read_text("utf-8"))
APPLY = ("apply", "-f", "experiment.yaml")
DOCTOR = ("doctor", "-f", "experiment.yaml")


def answers(shop: Shop, *words: str, **how: Any) -> dict[str, list[tuple[str, str]]]:
    """Return the answers by question."""
    ran = shop.run(*DOCTOR, "-o", "json", *words, **how)
    body = json.loads(ran.out)
    jsonschema.validate(body, SCHEMA)
    found: dict[str, list[tuple[str, str]]] = {}
    for one in body["items"][0]["answers"]:
        found.setdefault(one["question"], []).append((one["state"], one["detail"]))
        assert one["hint"] or one["state"] == "ok"
    bad = any(state == "problem" for told in found.values() for state, _ in told)
    assert ran.code == (1 if bad else 0)
    return found


def test_a_healthy_experiment(shop: Shop) -> None:
    shop.run(*APPLY)
    found = shop.run(*DOCTOR)
    assert found.code == 0, found.out
    lines = found.out.splitlines()
    asked = [line.split()[1] for line in lines if not line.startswith(" ")]
    assert asked == [
        *("api", "rights", "rights", "rights", "kinds", "gateway", "virtualservice", "other"),
        *("hash", "counters", "backends", "backends", "owner", "cost"),
    ]
    states = {line.split()[0] for line in lines if not line.startswith(" ")}
    assert states == {"ok", "unknown"}  # of what stands before the gateway nothing is known
    assert "Gateway istio-system/public serves" in found.out
    assert "  hint: " in found.out


def test_no_cluster_is_the_first_problem(shop: Shop) -> None:
    found = shop.run(*DOCTOR, "--kubeconfig", "absent.yaml")
    assert found.code == 1
    assert found.out.startswith("problem  api server          there is no kubeconfig")
    dead = re.sub(r":\d+\b", ":1", shop.cluster.kubeconfig.read_text("utf-8"), count=0)
    (shop.folder / "dead.kubeconfig").write_text(dead, "utf-8")
    found = shop.run(*DOCTOR, "--kubeconfig", "dead.kubeconfig", "--request-timeout", "1s")
    assert found.code == 1
    assert "cannot be reached" in found.out


def test_rights_that_are_missing_are_named(shop: Shop) -> None:
    role = yaml.safe_load(shop.run("rbac", "--for", "doctor", "-n", shop.namespace).out)
    reader = shop.cluster.user("reader", shop.namespace, role["rules"])
    shop.run(*APPLY)
    found = answers(shop, as_=reader)
    assert found["rights to status"][0][0] == "warning"
    state, detail = found["rights to apply"][0]
    assert state == "warning"
    assert f"patch virtualservices.networking.istio.io in {shop.namespace}" in detail
    assert found["gateway"] == [("unknown", "what tells may not be read")]
    assert answers(shop, "--for", "apply", as_=reader)["rights to apply"][0][0] == "problem"
    nobody = shop.cluster.user("nobody", shop.namespace, [])
    assert answers(shop, as_=nobody)["virtualservice"][0][0] == "unknown"
    assert answers(shop, "--for", "apply")["rights to apply"][0][0] == "ok"


def test_a_kind_that_is_not_installed(shop: Shop) -> None:
    words = ("delete", "crd", f"inferenceservices.{KFSERVING}", "--ignore-not-found")
    shop.cluster.kubectl(*words)
    shop.write(
        ("  route:", '  environment: {kfserving: {version: "0.6"}}\n  route:'),
        ("service: {host: app-v1, port: 80}", "inferenceService: {name: a, namespace: NAMESPACE}"),
    )
    found = answers(shop)
    detail = "the API server does not know InferenceService in serving.kubeflow.org/v1beta1"
    assert found["kinds"] == [("problem", detail)]
    assert "gateway" not in found  # nothing more is asked


def test_a_gateway_that_does_not_serve_the_host(shop: Shop) -> None:
    narrow = GATEWAY.replace("name: public", "name: narrow").replace('"*"', "a.example.org")
    shop.create(narrow)
    shop.write(("istio-system/public", "istio-system/narrow"))
    [(state, detail)] = answers(shop)["gateway"]
    assert state == "problem"
    assert "does not serve" in detail
    assert "it has a.example.org" in detail
    shop.write(("istio-system/public", "istio-system/absent"))
    assert answers(shop)["gateway"] == [("problem", "there is no Gateway istio-system/absent")]


def test_a_virtual_service_that_the_gateway_does_not_see(shop: Shop) -> None:
    assert answers(shop)["virtualservice"][0][0] == "warning"  # not there yet
    shop.run(*APPLY)
    assert answers(shop)["virtualservice"][0][0] == "ok"
    words = ("patch", "virtualservice", "checkout", "-n", shop.namespace, "--type", "merge", "-p")
    shop.cluster.kubectl(*words, '{"spec": {"exportTo": ["."]}}')
    [(state, detail)] = answers(shop)["virtualservice"]
    assert state == "problem"
    assert "istio-system/public does not see it" in detail


def test_others_that_claim_the_host(shop: Shop) -> None:
    assert answers(shop)["other claims"][0][0] == "ok"
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: older, namespace: NAMESPACE}
spec:
  hosts: [NAMESPACE.example.com]
  gateways: [istio-system/public]
  http:
  - match: [{uri: {prefix: /static}}]
    route: [{destination: {host: app-v1, port: {number: 80}}}]
"""
    shop.create(text.replace("NAMESPACE", shop.namespace))
    [(state, detail)] = answers(shop)["other claims"]
    assert state == "warning"
    assert f"first {shop.namespace}/older, then {shop.namespace}/checkout" in detail
    time.sleep(1.1)
    shop.run(*APPLY)
    assert answers(shop)["other claims"][0][0] == "warning"
    shop.create(text.replace("NAMESPACE", shop.namespace).replace("/static", "/"))
    [(state, detail)] = answers(shop)["other claims"]
    assert state == "problem"
    assert f"{shop.namespace}/older takes requests of the experiment" in detail


def test_a_delegate_needs_a_root(shop: Shop) -> None:
    shop.write(("    hosts:", "    virtualService: {name: checkout, mode: delegate}\n    hosts:"))
    assert shop.run(*APPLY).code == 0
    assert answers(shop)["root"][0][0] == "problem"
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root, namespace: NAMESPACE}
spec:
  hosts: [NAMESPACE.example.com]
  gateways: [istio-system/public]
  http: [{delegate: {name: checkout, namespace: NAMESPACE}}]
"""
    shop.create(text.replace("NAMESPACE", shop.namespace))
    [(state, detail)] = answers(shop)["root"]
    assert state == "ok"
    assert f"{shop.namespace}/root hands requests on" in detail


def test_who_makes_the_hash(shop: Shop) -> None:
    assert answers(shop)["hash header"][0][0] == "unknown"
    rule: dict[str, Any] = {
        "apiVersion": "security.istio.io/v1",
        "kind": "RequestAuthentication",
        "metadata": {"name": "tokens", "namespace": "istio-system"},
        "spec": {
            "jwtRules": [
                {
                    "issuer": "https://issuer.example.com",
                    "outputClaimToHeaders": [{"header": "UserHash", "claim": "userhash"}],
                }
            ]
        },
    }
    claim = ("{header: userhash}", "{claim: userhash}")
    shop.write(claim, ("alphabet: binary, digits: 8, trust: edge", "alphabet: binary, digits: 8"))
    assert answers(shop)["hash header"][0][0] == "problem"
    shop.create(json.dumps(rule))
    try:
        assert answers(shop)["hash header"][0][0] == "ok"
        shop.write()
        [(state, detail)] = answers(shop)["hash header"]
        assert (state, "overwrites header userhash" in detail) == ("ok", True)
        rule["spec"]["selector"] = {"matchLabels": {"app": "other"}}
        shop.create(json.dumps(rule))
        assert answers(shop)["hash header"][0][0] == "unknown"
        shop.write(
            claim, ("alphabet: binary, digits: 8, trust: edge", "alphabet: binary, digits: 8")
        )
        [(state, detail)] = answers(shop)["hash header"]
        assert (state, "may not be the gateway's" in detail) == ("unknown", True)
        shop.write(("trust: edge", "trust: client"))
        assert answers(shop)["hash header"][0][0] == "warning"
    finally:
        shop.cluster.kubectl("delete", "requestauthentication", "tokens", "-n", "istio-system")


def pod(regex: str | None) -> str:
    config = {"proxyStatsMatcher": {"inclusionRegexps": [regex]}} if regex else {}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "gateway-0",
                "namespace": "istio-system",
                "labels": {"istio": "ingressgateway"},
                "annotations": {"proxy.istio.io/config": json.dumps(config)},
            },
            "spec": {"containers": [{"name": "proxy", "image": "proxy"}]},
        }
    )


@pytest.mark.parametrize(
    ("regex", "state"),
    [
        (None, "unknown"),
        (r"vhost\..*\.route\.pin_.*", "ok"),
        ("listener.*", "unknown"),
        ("(", "unknown"),
    ],
)
def test_the_pods_of_the_gateway_count(shop: Shop, regex: str | None, state: str) -> None:
    assert answers(shop)["counters"][0][0] == "unknown"
    shop.cluster.kubectl("create", "-f", "-", stdin=pod(regex))
    try:
        assert answers(shop)["counters"][0][0] == state
    finally:
        words = ("delete", "pod", "gateway-0", "-n", "istio-system", "--force", "--grace-period=0")
        shop.cluster.kubectl(*words)


def test_a_gateway_is_asked_for_its_counters(shop: Shop) -> None:
    shop.create(GATEWAY)
    with ingress(shop.cluster, {}) as gateway:
        url = f"http://127.0.0.1:{gateway.admin}"
        [(state, detail)] = answers(shop, "--gateway-admin", url)["counters"]
        assert state == "problem"
        assert "has no counters of pin_" in detail
        shop.run(*APPLY, "--gateway-admin", url)
        found = answers(shop, "--gateway-admin", url)["counters"]
        assert found == [("ok", f"{url} counts all 3 groups")]
    assert answers(shop, "--gateway-admin", url)["counters"][0][0] == "unknown"


@pytest.mark.parametrize(
    ("group", "spec", "live", "state"),
    [
        (KFSERVING, 'kfserving: {version: "0.6"}', "{}-predictor-default", "ok"),
        (KSERVE, 'kserve: {version: "0.10", mode: Knative}', "{}-predictor", "problem"),
        (KSERVE, 'kserve: {version: "0.16", mode: Knative}', "{}-predictor", "ok"),
        (KSERVE, 'kserve: {version: "0.16", mode: Standard}', "{}-predictor-default", "problem"),
    ],
)
def test_services_are_called_as_the_release_calls_them(
    shop: Shop, group: str, spec: str, live: str, state: str
) -> None:
    install(shop.cluster, group)
    for name in ("flowers", "roses"):
        create(shop.cluster, group, shop.namespace, name, live.format(name), ready=name == "roses")
    shop.write(
        ("  route:", f"  environment: {{{spec}}}\n  route:"),
        (
            "service: {host: app-v1, port: 80}",
            "inferenceService: {name: flowers, namespace: NAMESPACE}",
        ),
        (
            "service: {host: app-v2, port: 80}",
            "inferenceService: {name: roses, namespace: NAMESPACE, predictor: {tensorflow: {}}}",
        ),
    )
    found = answers(shop)
    assert [one[0] for one in found["service names"]] == [state, state]
    if state == "problem":
        assert live.format("flowers") in found["service names"][0][1]
    assert [one[0] for one in found["backends"]] == ["problem", "ok"]


def test_backends_that_are_absent_or_not_ready(shop: Shop) -> None:
    shop.create(service(shop.namespace, "app-late", ready=False))
    shop.write(("app-v1", "app-gone"), ("app-v2", "app-late"))
    found = answers(shop)["backends"]
    assert sorted(found) == [
        ("problem", f"v1: Service {shop.namespace}/app-gone is absent"),
        ("problem", f"v2: Service {shop.namespace}/app-late is not ready"),
    ]


def test_what_is_synced_from_git(shop: Shop) -> None:
    shop.run(*APPLY)
    patch = "metadata: {annotations: {argocd.argoproj.io/tracking-id: 'shop:x'}}"
    words = ("patch", "virtualservice", "checkout", "-n", shop.namespace, "--type", "merge", "-p")
    shop.cluster.kubectl(*words, patch)
    [(state, detail)] = answers(shop)["owner"]
    assert (state, detail) == ("warning", "synced from Git by Argo CD (application shop)")
