"""What goes wrong while experiments are looked at and written, on the real API server.

A proxy in front of it stands in for what no healthy server shows: too busy, silent, cut off.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from servers.faults import BREAK, HANG, Fault, Proxy, Reply, between, status
from servers.process import until

from .inference import KSERVE, uninstall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from servers.access import Access

    from .conftest import Shop

APPLY = ("apply", "-f", "experiment.yaml")
DIFF = ("diff", "-f", "experiment.yaml")
ISTIO = ["networking.istio.io"]
CREATED = "virtualservice.networking.istio.io/checkout created\n"


@pytest.fixture
def proxy(shop: Shop) -> Iterator[Proxy]:
    with between(shop.cluster, shop.folder) as running:
        yield running


def several(shop: Shop, count: int) -> list[str]:
    """Write specs of so many experiments into a folder, and return the VirtualServices' names."""
    (shop.folder / "many").mkdir()
    names = [f"checkout-{number:02}" for number in range(count)]
    for name in names:
        shop.write(
            ("{name: checkout,", f"{{name: {name},"),
            ("[NAMESPACE.example.com]", f"[{name}.NAMESPACE.example.com]"),
            name=f"many/{name}.yaml",
        )
    return names


def there(shop: Shop) -> set[str]:
    """Return the names of the VirtualServices in the cluster."""
    words = ("get", "virtualservice", "-n", shop.namespace, "-o", "name")
    return {line.rpartition("/")[2] for line in shop.cluster.kubectl(*words).stdout.split()}


def begun(shop: Shop, *words: str, as_: Access | None = None) -> subprocess.Popen[str]:
    """Start pinroute without waiting for its end."""
    return subprocess.Popen(
        [sys.executable, "-m", "pinroute", *words],
        cwd=shop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **(as_ or shop.cluster).environment},
    )


def ended(running: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what it still says, to its end; `communicate` would lose what was read ahead."""
    assert running.stdout is not None
    assert running.stderr is not None
    with running.stdout, running.stderr:
        said = running.stdout.read(), running.stderr.read()
    running.wait(120)
    return said


# Rights


def rule(resource: str, *verbs: str, groups: Sequence[str] = ISTIO) -> dict[str, Sequence[str]]:
    return {"apiGroups": groups, "resources": [resource], "verbs": verbs}


def test_the_missing_right_is_named(shop: Shop) -> None:
    nobody = shop.cluster.user("nobody", shop.namespace, [])
    who = f"system:serviceaccount:{shop.namespace}:nobody"
    for words in (DIFF, APPLY):
        found = shop.run(*words, as_=nobody)
        assert (found.code, found.out) == (3, "")
        assert (
            f"cannot get VirtualService {shop.namespace}/checkout: {who} may not get "
            f'virtualservices.networking.istio.io in namespace "{shop.namespace}"' in found.err
        )
        assert 'resources ["virtualservices"], verbs ["get"]' in found.err
        assert found.err.endswith("nothing was written\n") == (words is APPLY)


def test_who_may_look_may_not_write(shop: Shop) -> None:
    reader = shop.cluster.user("reader", shop.namespace, [rule("virtualservices", "get")])
    refused = shop.run(*APPLY, as_=reader)
    assert (refused.code, refused.out) == (3, "")
    assert "reader may not patch virtualservices.networking.istio.io" in refused.err
    assert 'verbs ["patch"]' in refused.err
    assert f"not written: VirtualService {shop.namespace}/checkout" in refused.err
    patcher = shop.cluster.user(
        "patcher", shop.namespace, [rule("virtualservices", "get", "patch")]
    )
    refused = shop.run(*APPLY, as_=patcher)
    assert refused.code == 3
    assert "patcher may not create virtualservices.networking.istio.io" in refused.err


def test_what_may_not_be_looked_at_is_told_and_does_not_stop(shop: Shop) -> None:
    rights = [rule("virtualservices", "get", "create", "patch")]
    writer = shop.cluster.user("writer", shop.namespace, rights)
    found = shop.run(*APPLY, as_=writer)
    assert (found.code, found.out) == (0, CREATED)
    for resource in ("virtualservices", "gateways", "services"):
        assert f"writer may not {'list' if resource[0] == 'v' else 'get'} {resource}" in found.err


# Namespaces, kinds and admission


def test_a_namespace_that_does_not_exist(shop: Shop) -> None:
    shop.write(("namespace: NAMESPACE", "namespace: nowhere"))
    found = shop.run(*APPLY, "--allow-unready")
    assert (found.code, found.out) == (3, "")
    assert "namespace 'nowhere' does not exist" in found.err
    assert "kubectl create namespace nowhere" in found.err
    assert shop.run(*DIFF).code == 3


def test_a_namespace_that_is_being_deleted(shop: Shop) -> None:
    """Without a controller manager it stays so."""
    name = f"{shop.namespace}-leaving"
    shop.cluster.namespace(name)
    shop.cluster.kubectl("delete", "namespace", name, "--wait=false")
    shop.write(("namespace: NAMESPACE", f"namespace: {name}"))
    found = shop.run(*APPLY, "--allow-unready")
    assert (found.code, found.out) == (3, "")
    assert (
        f"cannot apply VirtualService {name}/checkout: its namespace is being deleted" in found.err
    )
    assert f"not written: VirtualService {name}/checkout" in found.err


def test_a_version_that_is_not_served(shop: Shop) -> None:
    crd = ("patch", "crd", "virtualservices.networking.istio.io", "--type", "json", "-p")
    named = ("get", "crd", "virtualservices.networking.istio.io", "-o", "json")
    versions = json.loads(shop.cluster.kubectl(*named).stdout)["spec"]["versions"]
    index = next(i for i, one in enumerate(versions) if one["name"] == "v1beta1")

    def serve(served: bool) -> str:
        change = {"op": "replace", "path": f"/spec/versions/{index}/served", "value": served}
        return json.dumps([change])

    shop.write(
        (
            "  route:\n",
            "  environment: {istio: {apiVersion: networking.istio.io/v1beta1}}\n  route:\n",
        )
    )
    shop.cluster.kubectl(*crd, serve(False))
    try:
        until("the version goes", lambda: shop.run(*DIFF).code == 3)
        found = shop.run(*APPLY)
    finally:
        shop.cluster.kubectl(*crd, serve(True))
    assert (found.code, found.out) == (3, "")
    assert "does not know the kind of VirtualService" in found.err
    assert "it has it in v1, v1alpha3: mend the apiVersion" in found.err
    until("the version is back", lambda: shop.run(*DIFF).code == 1)


def test_inference_services_where_nobody_knows_them(shop: Shop) -> None:
    uninstall(shop.cluster, KSERVE)
    shop.write(
        ("  route:\n", '  environment: {kserve: {version: "0.16", mode: Knative}}\n  route:\n'),
        (
            "service: {host: app-v2, port: 80}",
            "inferenceService: {name: model, namespace: NAMESPACE}",
        ),
    )
    found = shop.run(*APPLY)
    assert (found.code, found.out) == (1, "")
    assert f"error[PIN407] version 'v2' needs InferenceService {shop.namespace}/model" in found.err
    assert "the API server does not know the kind of InferenceService" in found.err
    assert "install the CustomResourceDefinitions" in found.err


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("{directResponse: {status: 700}}", "HTTP status 700 is not in range 200-599"),
        (
            "{corsPolicy: {maxAge: 1ns}, route: [{destination: {host: a}}]}",
            "must be a valid duration greater than 1ms",
        ),
    ],
)
def test_what_is_refused_is_told_at_its_line(shop: Shop, raw: str, says: str) -> None:
    """A raw route is passed on as it is: one that Istio's webhook refuses, one that its CRD does."""
    entries = "    http:\n    - {name: all, match: [{uri: {prefix: /a}}]}\n"
    shop.write(("    hosts:", f"{entries}    - {{name: rest, raw: {raw}}}\n    hosts:"))
    text = (shop.folder / "experiment.yaml").read_text("utf-8").splitlines()
    line = next(index for index, one in enumerate(text, 1) if "name: rest" in one)
    found = shop.run(*APPLY)
    assert (found.code, found.out) == (3, "")
    assert f"experiment.yaml:{line}:7: error[PIN415]" in found.err
    assert says in found.err
    assert f"not written: VirtualService {shop.namespace}/checkout" in found.err
    shown = shop.run(*DIFF)
    assert (shown.code, shown.out) == (3, "")
    assert f"experiment.yaml:{line}:7: error[PIN415]" in shown.err


def test_a_webhook_that_does_not_answer(shop: Shop) -> None:
    hook = {
        "name": "dead.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [
            {
                "operations": ["*"],
                "apiGroups": ISTIO,
                "apiVersions": ["*"],
                "resources": ["virtualservices"],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": shop.namespace},
        "webhooks": [hook],
    }
    shop.create(json.dumps(configuration))
    try:
        until("the webhook is asked", lambda: shop.run(*DIFF).code == 3)
        found = shop.run(*APPLY)
    finally:
        shop.cluster.kubectl("delete", "validatingwebhookconfiguration", shop.namespace)
    assert (found.code, found.out) == (3, "")
    assert "webhook dead.example.com does not answer the API server" in found.err
    assert "connection refused" in found.err
    assert shop.live() is None


def test_an_object_that_is_too_large(shop: Shop, proxy: Proxy) -> None:
    """pinroute itself refuses before etcd does; a server may have a lower limit."""
    body = status(413, "Request entity too large: limit is 1024", reason="RequestEntityTooLarge")
    proxy.faults.append(Fault("PATCH", reply=Reply(413, {}, body)))
    found = shop.run(*APPLY, as_=proxy.access)
    assert (found.code, found.out) == (3, "")
    assert "error[PIN415] the API server refuses VirtualService" in found.err
    assert "limit is 1024" in found.err
    assert proxy.count("PATCH") == 1


# Two writers


def test_what_changes_between_look_and_write_is_a_conflict(shop: Shop, proxy: Proxy) -> None:
    shop.run(*APPLY)
    shop.write(('"101"', '"10"'))
    words = ("label", "virtualservice", "checkout", "-n", shop.namespace, "by=hand")
    proxy.faults.append(Fault("PATCH", before=lambda: shop.cluster.kubectl(*words)))
    found = shop.run(*APPLY, as_=proxy.access)
    assert (found.code, found.out) == (3, "")
    assert f"VirtualService {shop.namespace}/checkout: somebody changed it in between" in found.err
    assert f"not written: VirtualService {shop.namespace}/checkout" in found.err
    assert shop.live()["metadata"]["labels"]["by"] == "hand"
    assert '"prefix": "101"' in json.dumps(shop.live())
    assert shop.run(*APPLY).code == 0


def test_what_somebody_creates_meanwhile_is_not_overwritten(shop: Shop, proxy: Proxy) -> None:
    body = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "checkout", "namespace": shop.namespace},
        "spec": {"hosts": ["a.example.com"], "http": [{"redirect": {"uri": "/"}}]},
    }
    words = ("create", "-f", "-")

    def create() -> None:
        shop.cluster.kubectl(*words, stdin=json.dumps(body))

    proxy.faults.append(Fault("PATCH", before=create))
    found = shop.run(*APPLY, "--force-conflicts", "--adopt", as_=proxy.access)
    assert (found.code, found.out) == (3, "")
    assert "fields are managed by somebody else" in found.err
    assert shop.live()["spec"] == body["spec"]


# Busy, silent, cut off


def test_a_busy_server_is_asked_again_when_it_says(shop: Shop, proxy: Proxy) -> None:
    proxy.faults.append(Fault("PATCH", reply=Reply(429, {"Retry-After": "2"})))
    begin = time.monotonic()
    found = shop.run(*APPLY, as_=proxy.access)
    assert (found.code, found.out) == (0, CREATED)
    assert time.monotonic() - begin > 2
    assert proxy.count("PATCH") == 2


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_server_that_stumbles_is_asked_again(shop: Shop, proxy: Proxy, code: int) -> None:
    proxy.faults += [Fault("GET", times=2, reply=Reply(code)), Fault("PATCH", reply=Reply(code))]
    found = shop.run(*APPLY, as_=proxy.access)
    assert (found.code, found.out) == (0, CREATED)
    assert proxy.count("PATCH") == 2


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_that_keeps_failing_is_left_alone(shop: Shop, proxy: Proxy, code: int) -> None:
    proxy.faults.append(Fault("PATCH", times=1000, reply=Reply(code, {}, status(code, "no luck"))))
    begin = time.monotonic()
    found = shop.run(*APPLY, "--request-timeout", "4s", as_=proxy.access)
    assert (found.code, found.out) == (3, "")
    assert f"the API server answers {code}: no luck" in found.err
    assert f"not written: VirtualService {shop.namespace}/checkout" in found.err
    assert time.monotonic() - begin < 15
    assert 3 <= proxy.count("PATCH") <= 12


def test_who_asks_to_wait_for_too_long_is_told_of(shop: Shop, proxy: Proxy) -> None:
    busy = Reply(429, {"Retry-After": "3600"}, status(429, "come back later"))
    proxy.faults.append(Fault("GET", times=1000, reply=busy))
    found = shop.run(*APPLY, as_=proxy.access)
    assert (found.code, found.out) == (3, "")
    assert "the API server answers 429: come back later" in found.err
    assert found.err.endswith("nothing was written\n")
    assert len(proxy.seen) == 1


def test_an_answer_of_something_else_is_no_object(shop: Shop, proxy: Proxy) -> None:
    page = Reply(200, {"Content-Type": "text/html"}, b"<html>\n<p>Please log in</p>")
    proxy.faults.append(Fault("GET", reply=page))
    found = shop.run(*APPLY, as_=proxy.access)
    assert (found.code, found.out) == (3, "")
    assert "the answer is none of a Kubernetes API server: status 200: <html>" in found.err


@pytest.mark.parametrize("live", [False, True])
def test_an_answer_that_is_lost_is_no_failure(shop: Shop, proxy: Proxy, live: bool) -> None:
    if live:
        shop.run(*APPLY)
        shop.write(('"101"', '"10"'))
    proxy.faults.append(Fault("PATCH", reply=BREAK, is_late=True))
    found = shop.run(*APPLY, as_=proxy.access)
    assert found.code == 0, found.err
    assert found.out == (CREATED.replace("created", "configured") if live else CREATED)
    assert proxy.count("PATCH") == 2


def test_an_answer_that_never_comes_is_looked_for(shop: Shop, proxy: Proxy) -> None:
    proxy.faults.append(Fault("PATCH", reply=HANG, is_late=True))
    found = shop.run(*APPLY, "--request-timeout", "2s", as_=proxy.access)
    assert (found.code, found.out) == (0, CREATED), found.err
    assert proxy.count("PATCH") == 1


def test_a_deletion_whose_answer_is_lost_is_done(shop: Shop, proxy: Proxy) -> None:
    shop.run(*APPLY)
    shop.write(("    hosts:", "    virtualService: {name: renamed}\n    hosts:"))
    proxy.faults.append(Fault("DELETE", reply=HANG, is_late=True))
    found = shop.run(*APPLY, "--prune", "--request-timeout", "2s", as_=proxy.access)
    assert found.code == 0, found.err
    assert "checkout pruned" in found.out
    assert shop.live() is None


def test_a_server_that_falls_silent_while_it_is_looked_at(shop: Shop, proxy: Proxy) -> None:
    proxy.faults.append(Fault("GET", reply=HANG))
    found = shop.run(*APPLY, "--request-timeout", "1s", as_=proxy.access)
    assert (found.code, found.out) == (4, "")
    assert "did not answer within 1 s" in found.err
    assert found.err.endswith("nothing was written\n")


def test_a_server_that_falls_silent_half_way(shop: Shop, proxy: Proxy) -> None:
    names = several(shop, 20)
    silent = names[3]
    proxy.faults += [Fault("PATCH", silent, reply=HANG), Fault("GET", silent, 1000, reply=HANG)]
    found = shop.run("apply", "-f", "many", "--request-timeout", "2s", as_=proxy.access)
    assert found.code == 4
    assert "did not answer within 2 s" in found.err
    assert (
        f"not known whether it was written: VirtualService {shop.namespace}/{silent}" in found.err
    )
    told = {line.partition("/")[2].removesuffix(" created") for line in found.out.splitlines()}
    assert told == there(shop)
    unwritten = [
        line.rpartition("/")[2]
        for line in found.err.splitlines()
        if line.startswith("not written")
    ]
    assert {*told, *unwritten, silent} == set(names)
    proxy.faults.clear()
    again = shop.run("apply", "-f", "many", as_=proxy.access)
    assert again.code == 0
    assert again.out.count(" unchanged") == len(told)
    assert there(shop) == set(names)


def test_the_first_refusal_stops_what_was_not_begun(shop: Shop, proxy: Proxy) -> None:
    names = several(shop, 40)
    refused = Reply(403, {}, status(403, "not today"))
    proxy.faults.append(Fault("PATCH", names[0], reply=refused))
    found = shop.run("apply", "-f", "many", as_=proxy.access)
    assert found.code == 3
    assert "not today" in found.err
    written = there(shop)
    assert len(names) - len(written) > 0
    for name in names:
        line = f"virtualservice.networking.istio.io/{name} created\n"
        assert (line in found.out) == (name in written)
        line = f"not written: VirtualService {shop.namespace}/{name}\n"
        assert (line in found.err) == (name not in written)


def test_an_api_server_that_restarts_is_waited_for(shop: Shop) -> None:
    names = several(shop, 60)
    running = begun(shop, "apply", "-f", "many")
    assert running.stdout is not None
    first = running.stdout.readline()
    shop.cluster.api_server.restart()
    rest, told = ended(running)
    until("the API server is back", lambda: _answers(shop))
    assert running.returncode == 0, told
    assert (first + rest).count(" created\n") == len(names)
    assert there(shop) == set(names)


def _answers(shop: Shop) -> bool:
    words = ("get", "--raw", "/readyz")
    return shop.cluster.kubectl(*words, check=False).returncode == 0


# Interrupted, and not listened to


def test_interrupted_while_looking(shop: Shop, proxy: Proxy) -> None:
    several(shop, 3)
    proxy.faults.append(Fault("GET", times=100, reply=HANG))
    running = begun(shop, "apply", "-f", "many", as_=proxy.access)
    assert proxy.hanging.wait(30)
    running.send_signal(signal.SIGINT)
    out, told = running.communicate(timeout=10)
    assert (running.returncode, out, told) == (130, "", "nothing was written\n\ninterrupted\n")


def test_interrupted_in_a_write_waits_for_its_end(shop: Shop, proxy: Proxy) -> None:
    names = several(shop, 3)
    proxy.faults.append(Fault("PATCH", names[1], reply=None, before=lambda: _pause(proxy)))
    running = begun(shop, "apply", "-f", "many", as_=proxy.access)
    assert proxy.hanging.wait(30)
    until("the others are written", lambda: len(there(shop)) == 2)
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    assert "waiting for the write that is under way" in running.stderr.readline()
    proxy.released.set()
    out, told = ended(running)
    assert running.returncode == 130
    assert f"{names[1]} created" in out
    assert told == "\ninterrupted\n"
    assert out.count(" created\n") == len(there(shop)) == 3


def _pause(proxy: Proxy) -> None:
    proxy.hanging.set()
    proxy.released.wait(30)


def test_interrupted_twice_leaves_a_write_alone(shop: Shop, proxy: Proxy) -> None:
    names = several(shop, 2)
    proxy.faults.append(Fault("PATCH", names[1], reply=HANG))
    running = begun(shop, "apply", "-f", "many", as_=proxy.access)
    assert proxy.hanging.wait(30)
    assert running.stdout is not None
    line = f"virtualservice.networking.istio.io/{names[0]} created\n"
    assert running.stdout.readline() == line
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    assert "interrupt again" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, told = ended(running)
    assert running.returncode == 130
    assert out == ""
    assert told == (
        f"not known whether it was written: VirtualService {shop.namespace}/{names[1]}\n"
        "\ninterrupted\n"
    )


def test_everything_is_written_also_if_nobody_reads_on(shop: Shop) -> None:
    names = several(shop, 30)
    running = begun(shop, "apply", "-f", "many")
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline()
    running.stdout.close()  # as `| head -1` does
    assert running.stderr.read() == ""
    assert running.wait(60) == 0
    assert there(shop) == set(names)
    running.stderr.close()


def test_a_full_disk_behind_stdout_stops_no_write(shop: Shop) -> None:
    several(shop, 3)
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "pinroute", "apply", "-f", "many"],
            cwd=shop.folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1", **shop.cluster.environment},
        )
    assert len(there(shop)) == 3
    assert "cannot write stdout: No space left on device" in ran.stderr
    assert ran.returncode == 0


# Words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--request-timeout", "1x"), "is no time"),
        (("--request-timeout", "-1"), "is no time"),
        (("--request-timeout", "999999h"), "a day is the most"),
        (("-n", "elsewhere"), "--namespace says 'elsewhere'"),
        (("-l", "a=b=c"), "--selector 'a=b=c': write name=value"),
        (("-l", "app=shop"), "no experiment has these labels"),
        (("--stage", "experimnt"), "did you mean 'experiment'?"),
        (("--expect-digest", "12"), "prints 16 digits"),
        (("-f", "empty"), "holds no .yaml, .yml or .json file"),
        (("-f", "nowhere.yaml"), "cannot read nowhere.yaml"),
        (("-f", "objects.yaml"), "the files hold no experiment"),
    ],
)
def test_words_that_make_no_sense(shop: Shop, words: tuple[str, ...], says: str) -> None:
    (shop.folder / "empty").mkdir()
    (shop.folder / "objects.yaml").write_text("{apiVersion: v1, kind: Service}\n", "utf-8")
    spec = () if words[0] == "-f" else ("-f", "experiment.yaml")
    found = shop.run("apply", *spec, *words)
    assert (found.code, found.out) == (2, ""), found.err
    assert says in found.err
    if words[0] != "--expect-digest":
        assert shop.run("diff", *spec, *words).code == 2


def test_no_limit_of_time(shop: Shop) -> None:
    assert shop.run(*DIFF, "--request-timeout", "0").code == 1


def test_two_experiments_of_one_virtual_service(shop: Shop) -> None:
    shop.write(name="again.yaml")
    shop.write(
        ("{name: checkout,", "{name: other,"),
        ("    hosts:", "    virtualService: {name: checkout}\n    hosts:"),
    )
    found = shop.run(*APPLY, "-f", "again.yaml")
    assert (found.code, found.out) == (1, "")
    assert shop.live() is None


def test_fields_that_api_servers_add_are_no_difference(shop: Shop) -> None:
    """What is only somebody's else: their label stays, and is not ours to compare."""
    shop.run(*APPLY)
    words: tuple[Any, ...] = ("label", "virtualservice", "checkout", "-n", shop.namespace, "a=b")
    shop.cluster.kubectl(*words)
    assert shop.run(*DIFF).code == 0
    assert shop.run(*APPLY).out.endswith("unchanged\n")
    assert shop.live()["metadata"]["labels"]["a"] == "b"
