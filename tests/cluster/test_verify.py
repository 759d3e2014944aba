"""verify --against cluster: what is live is proved, alone and joined with its neighbours."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

if TYPE_CHECKING:
    from .conftest import Shop

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas/cli/verification.schema.json").read_text("utf-8"))
APPLY = ("apply", "-f", "experiment.yaml")
VERIFY = ("verify", "-f", "experiment.yaml", "--against", "cluster")
OLDER = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME, namespace: NAMESPACE}
spec:
  hosts: ["HOST"]
  gateways: [istio-system/public]
  http:
  - match: [{headers: {userhash: {prefix: "1010"}}}]
    route: [{destination: {host: app-v1, port: {number: 80}}}]
"""


def other(shop: Shop, host: str = "NAMESPACE.example.com", name: str = "older") -> None:
    text = OLDER.replace("HOST", host).replace("NAME,", f"{name},")
    shop.create(text.replace("NAMESPACE", shop.namespace))


def test_what_is_live_is_proved(shop: Shop) -> None:
    absent = shop.run(*VERIFY)
    assert (absent.code, absent.out) == (1, "")
    assert f"there is no VirtualService {shop.namespace}/checkout" in absent.err
    shop.run(*APPLY)
    found = shop.run(*VERIFY)
    assert found.code == 0, found.err
    compared = "(5 kinds of requests stand for 256 user hashes)"
    assert found.out == (
        f"the live VirtualService does what the spec promises {compared}\n\n"
        f"{shop.namespace}.example.com at istio-system/public: only {shop.namespace}/checkout claims it\n"
    )


def test_an_edit_is_found_with_a_witness(shop: Shop) -> None:
    shop.run(*APPLY)
    change = '[{"op": "replace", "path": "/spec/http/1/match/0/headers/userhash/prefix", "value": "10"}]'
    words = ("patch", "virtualservice", "checkout", "-n", shop.namespace, "--type", "json")
    shop.cluster.kubectl(*words, "-p", change)
    found = shop.run(*VERIFY)
    assert found.code == 1
    assert "WITNESS" in found.out
    assert "10000000   unassigned   v1         v2" in found.out


def test_an_older_virtual_service_of_the_host_wins(shop: Shop) -> None:
    other(shop)
    time.sleep(1.1)  # ages have seconds
    shop.run(*APPLY)
    found = shop.run(*VERIFY)
    assert found.code == 1
    alone, joined = found.out.split("\n\n", 1)
    assert alone.startswith("the live VirtualService does what the spec promises")
    order = f"first {shop.namespace}/older, then {shop.namespace}/checkout"
    assert f"at istio-system/public: {order}\n" in joined
    assert "TAKEN BY" in joined
    assert "10100000   treatment   v2         app-v1" in joined
    assert f"{shop.namespace}/older\n" in joined
    body = json.loads(shop.run(*VERIFY, "-o", "json").out)
    jsonschema.validate(body, SCHEMA)
    assert body["differences"] == []
    [place] = body["joined"]
    assert place["order"] == [f"{shop.namespace}/older", f"{shop.namespace}/checkout"]
    assert {one["by"] for one in place["differences"]} == {f"{shop.namespace}/older"}


def test_a_younger_one_comes_later(shop: Shop) -> None:
    shop.run(*APPLY)
    time.sleep(1.1)
    other(shop)
    found = shop.run(*VERIFY)
    assert found.code == 0, found.out  # its rule is behind ours for 101, which takes all of it
    assert f"first {shop.namespace}/checkout, then {shop.namespace}/older" in found.out
    assert "\nthere users meet what the spec promises (" in found.out


def test_a_wildcard_is_not_joined(shop: Shop) -> None:
    other(shop, "*.example.com", "wild")
    time.sleep(1.1)
    shop.run(*APPLY)
    found = shop.run(*VERIFY)
    shop.cluster.kubectl("delete", "virtualservice", "wild", "-n", shop.namespace)
    assert found.code == 0, found.out
    assert f"only {shop.namespace}/checkout" in found.out


def test_a_delegate_is_proved_below_its_root(shop: Shop) -> None:
    root = f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: root, namespace: {shop.namespace}}}
spec:
  hosts: [{shop.namespace}.example.com]
  gateways: [istio-system/public]
  http:
  - match: [{{uri: {{prefix: /buy}}}}]
    delegate: {{name: checkout, namespace: {shop.namespace}}}
  - route: [{{destination: {{host: app-v1, port: {{number: 80}}}}}}]
"""
    shop.create(root)
    shop.write(
        ("    hosts:", "    virtualService: {name: checkout, mode: delegate}\n    hosts:"),
    )
    applied = shop.run(*APPLY)
    assert applied.code == 0, applied.err
    found = shop.run(*VERIFY)
    assert found.code == 0, found.out
    assert f"only {shop.namespace}/root claims it" in found.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*VERIFY[:-1], "envoy", "--context", "x"), "--context is about a cluster"),
        ((*VERIFY, "--rate", "5"), "--rate is about requests to a URL"),
        ((*VERIFY, "-n", "elsewhere"), "--namespace says 'elsewhere'"),
    ],
)
def test_options_that_make_no_sense(shop: Shop, words: tuple[str, ...], said: str) -> None:
    found = shop.run(*words)
    assert found.code == 2
    assert said in found.err
