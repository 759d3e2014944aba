"""status on a real API server: what the live rules make of the users, and who edited them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jsonschema
import pytest

from pinroute.local.backend import Backends
from pinroute.manifest.observability import Gateways, scrape_config, series
from pinroute.manifest.relabelling import HISTOGRAM
from servers.gateway import Ingress, ingress
from servers.objects import GATEWAY, service

from .inference import KFSERVING, KSERVE, create, install

if TYPE_CHECKING:
    from .conftest import Shop

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas/cli/status.schema.json").read_text("utf-8"))
APPLY = ("apply", "-f", "experiment.yaml")


def cells(line: str) -> list[str]:
    return re.split(r" {3,}", line)


def patch(shop: Shop, text: str, name: str = "checkout") -> None:
    words = ("patch", "virtualservice", name, "-n", shop.namespace, "--type", "json", "-p", text)
    shop.cluster.kubectl(*words)


LONGER = (
    '[{"op": "replace", "path": "/spec/http/1/match/0/headers/userhash/prefix", "value": "10"}]'
)


def items(shop: Shop, *words: str) -> list[dict[str, Any]]:
    found = shop.run("status", *words, "-o", "json")
    assert found.code == 0, found.err
    body = json.loads(found.out)
    jsonschema.validate(body, SCHEMA)
    return list(body["items"])


def test_a_line_for_each_experiment(shop: Shop) -> None:
    empty = shop.run("status", "-n", shop.namespace)
    assert (empty.code, empty.out) == (0, "")
    assert empty.err == f"no experiments in namespace {shop.namespace}\n"
    shop.run(*APPLY)
    found = shop.run("status", "-n", shop.namespace)
    assert (found.code, found.err) == (0, "")
    head, line = found.out.splitlines()
    assert head.split() == "NAMESPACE NAME STAGE SHARES READY DRIFT OWNER AGE".split()
    assert cells(line)[:-1] == [
        *(shop.namespace, "checkout", "experiment", "v1 87.5%, v2 12.5%"),
        *("2/2", "none", "pinroute"),
    ]
    assert re.fullmatch(r"\d+s", cells(line)[-1])
    everywhere = shop.run("status", "-A").out.splitlines()
    assert [one for one in everywhere if cells(one)[0] == shop.namespace]
    assert shop.run("status", "-n", shop.namespace, "-o", "name").out == "checkout\n"
    assert shop.run("status", "other", "-n", shop.namespace).code == 1


def test_shares_are_those_of_the_rules_that_are_live(shop: Shop) -> None:
    """An edit is seen, and what it does to the users; the digest alone would say only that."""
    shop.run(*APPLY)
    patch(shop, LONGER)
    line = shop.run("status", "-n", shop.namespace).out.splitlines()[1]
    assert cells(line)[3] == "v1 75%, v2 25%"
    assert cells(line)[5:7] == ["edited", "kubectl"]


def test_a_hash_of_hex_digits_is_no_binary_one(shop: Shop) -> None:
    shop.write(("alphabet: binary", "alphabet: hex"), ('"111"', '"1"'), ('"101"', '"0"'))
    shop.run(*APPLY)
    [found] = items(shop, "-n", shop.namespace)
    assert found["assumed"] is False
    assert found["routes"][0]["shares"] == [
        {"version": "v1", "share": 0.9375},
        {"version": "v2", "share": 0.0625},
    ]
    patch(shop, '[{"op": "remove", "path": "/metadata/annotations/pinroute.dev~1user-hash"}]')
    guessed = shop.run("status", "-n", shop.namespace)
    assert "v1 ~50%, v2 ~50%" in guessed.out
    assert "the user hash is taken to be header 'userhash'" in guessed.err
    words = ("annotate", "virtualservice", "checkout", "-n", shop.namespace)
    shop.cluster.kubectl(*words, "pinroute.dev/user-hash=1 x userhash")
    wrong = shop.run("status", "-n", shop.namespace)
    assert (wrong.code, cells(wrong.out.splitlines()[1])[3]) == (0, "v1 ~50%, v2 ~50%")
    sure = shop.run("status", "experiment.yaml")
    assert "v1 93.75%, v2 6.25%" in sure.out


def test_a_spec_is_compared_with_what_is_live(shop: Shop) -> None:
    absent = shop.run("status", "experiment.yaml")
    assert absent.code == 0
    assert cells(absent.out.splitlines()[1])[1:3] == ["checkout", "absent"]
    shop.run(*APPLY, "--stage", "observe")
    line = shop.run("status", "experiment.yaml").out.splitlines()[1]
    assert cells(line)[2:6] == ["observe (spec: experiment)", "v1 100%", "1/1", "other"]
    [found] = items(shop, "experiment.yaml")
    assert (found["stage"], found["specStage"]) == ("observe", "experiment")
    shop.run(*APPLY)
    assert cells(shop.run("status", "experiment.yaml").out.splitlines()[1])[5] == "none"


def test_backends_that_take_no_requests(shop: Shop) -> None:
    shop.create(service(shop.namespace, "app-late", ready=False))
    shop.write(("app-v2", "app-late"))
    shop.run(*APPLY, "--allow-unready")
    [found] = items(shop, "-n", shop.namespace)
    assert found["versions"] == [
        {
            "name": name,
            "backends": [
                {
                    "place": f"{where}.{shop.namespace}.svc.cluster.local:80",
                    "object": f"Service {shop.namespace}/{where}",
                    "state": state,
                }
            ],
        }
        for name, where, state in (("v1", "app-v1", "ready"), ("v2", "app-late", "not ready"))
    ]
    assert cells(shop.run("status", "experiment.yaml").out.splitlines()[1])[4] == "1/2"


@pytest.mark.parametrize(
    ("group", "platform", "names"),
    [
        (KFSERVING, 'kfserving: {version: "0.6"}', "{}-predictor-default"),
        (KSERVE, 'kserve: {version: "0.10", mode: Knative}', "{}-predictor-default"),
        (KSERVE, 'kserve: {version: "0.16", mode: Knative}', "{}-predictor"),
        (KSERVE, 'kserve: {version: "0.16", mode: Standard}', "{}-predictor"),
    ],
)
def test_inference_services_of_both_groups(
    shop: Shop, group: str, platform: str, names: str
) -> None:
    install(shop.cluster, group)
    for name, ready in (("flowers", True), ("roses", False)):
        create(shop.cluster, group, shop.namespace, name, names.format(name), ready=ready)
    shop.write(
        ("  route:", f"  environment: {{{platform}}}\n  route:"),
        ("service: {host: app-v1, port: 80}", "inferenceService: {name: flowers}"),
        (
            "service: {host: app-v2, port: 80}",
            "inferenceService: {name: roses, predictor: {tensorflow: {}}}",
        ),
    )
    text = (shop.folder / "experiment.yaml").read_text("utf-8")
    text = text.replace("name: flowers", f"name: flowers, namespace: {shop.namespace}")
    text = text.replace("name: roses", f"name: roses, namespace: {shop.namespace}")
    (shop.folder / "experiment.yaml").write_text(text, "utf-8")
    applied = shop.run(*APPLY, "--allow-unready")
    assert applied.code == 0, applied.err
    for words in (("-n", shop.namespace), ("experiment.yaml",)):
        [found] = items(shop, *words)
        states = {
            one["name"]: [(place["object"], place["state"]) for place in one["backends"]]
            for one in found["versions"]
        }
        assert states == {
            "v1": [(f"InferenceService {shop.namespace}/flowers", "ready")],
            "v2": [(f"InferenceService {shop.namespace}/roses", "not ready")],
        }


def test_requests_without_a_hash_are_counted_at_the_gateway(shop: Shop) -> None:
    other = ("  baseline:", "  fallback: {unassigned: v1, noHash: v2}\n  baseline:")
    shop.create(GATEWAY)
    with Backends(["v1", "v2"]) as backends:
        clusters = {
            f"outbound|80||app-{name}.{shop.namespace}.svc.cluster.local": backends.endpoint(name)
            for name in ("v1", "v2")
        }
        with ingress(shop.cluster, clusters) as gateway:
            url = f"http://127.0.0.1:{gateway.admin}"
            words = ("status", "-n", shop.namespace, "--gateway-admin", url)
            shop.run(*APPLY)
            assert cells(shop.run(*words).out.splitlines()[1])[7] == "?"
            shop.write(other)
            shop.run(*APPLY, "--gateway-admin", url)
            assert cells(shop.run(*words).out.splitlines()[1])[7] == "no requests"
            for value in ("11100000", "10100000", "00000000", None):
                ask(shop, gateway.port, value)
            line = cells(shop.run(*words).out.splitlines()[1])
            assert line[7] == "25.0000% of 4"
            [found] = items(shop, *words[1:])
            assert found["noHash"] == {"requests": 1, "total": 4}
            assert scraped(gateway, "control") == series(1, HISTOGRAM).least
    silent = shop.run(*words)
    assert silent.code == 3
    assert "does not answer as Envoy's" in silent.err
    assert shop.run("status", "--gateway-admin", "ftp://x").code == 2


@pytest.mark.parametrize("answer", [b"SSH-2.0-server\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>", b""])
def test_an_admin_interface_that_is_none(shop: Shop, answer: bytes) -> None:
    shop.run(*APPLY)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def reply() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        found = shop.run("status", "-n", shop.namespace, "--gateway-admin", url)
        thread.join()
    assert found.code == 3
    assert f"the admin interface {url} of a gateway does not answer as Envoy's" in found.err


def scraped(gateway: Ingress, group: str) -> int:
    """Return how many series of a group that was used are kept, after Envoy's next flush."""
    time.sleep(6)
    [filtered] = scrape_config(Gateways("istio-system", {}), [], HISTOGRAM)["params"]["filter"]
    url = f"http://127.0.0.1:{gateway.admin}/stats/prometheus?{urlencode({'filter': filtered})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(1 for line in lines if re.match(rf"envoy_vhost_.*_route_pin_\w+_{group}_", line))


def ask(shop: Shop, port: int, value: str | None) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"host": f"{shop.namespace}.example.com"}
    connection.request("GET", "/", headers=headers | ({"userhash": value} if value else {}))
    assert connection.getresponse().status == 200
    connection.close()


def test_as_a_plugin_of_kubectl(shop: Shop) -> None:
    shop.run(*APPLY)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["kubectl", "pinroute", "status", "-n", shop.namespace],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **shop.cluster.environment, "PATH": path},
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "checkout" in ran.stdout


def test_a_watch_prints_what_changes(shop: Shop) -> None:
    shop.run(*APPLY)
    words = ("status", "-n", shop.namespace, "-w", "--timeout", "20s")
    running = subprocess.Popen(
        [sys.executable, "-m", "pinroute", *words],
        cwd=shop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **shop.cluster.environment, "NO_COLOR": "1"},
    )
    assert running.stdout is not None
    try:
        assert running.stdout.readline().startswith("NAMESPACE")
        assert "v1 87.5%, v2 12.5%" in running.stdout.readline()
        began = time.monotonic()
        patch(shop, LONGER)
        assert "v1 75%, v2 25%" in running.stdout.readline()
        shop.cluster.kubectl("delete", "virtualservice", "checkout", "-n", shop.namespace)
        assert "deleted" in running.stdout.readline()
        assert time.monotonic() - began < 15
    finally:
        running.terminate()
        running.communicate(timeout=30)
    ended = shop.run(*words[:-1], "1s")
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-A", "-n", "x"), "contradict"),
        (("experiment.yaml", "-w"), "name no files"),
        (("experiment.yaml", "checkout"), "not both"),
        (("--timeout", "5s"), "how long -w watches"),
        (("-w", "-o", "json"), "-o json is for one look"),
        (("-w", "--timeout", "soon"), "is no time: write 30s"),
    ],
)
def test_options_that_make_no_sense(shop: Shop, words: tuple[str, ...], said: str) -> None:
    found = shop.run("status", *words)
    assert found.code == 2
    assert said in found.err


def test_a_selector_that_is_none_is_refused_by_the_server(shop: Shop) -> None:
    found = shop.run("status", "-l", "a b c", "-n", shop.namespace)
    assert found.code == 3
    assert "the API server refuses" in found.err
