"""From kubectl to a request: API server, webhook, istiod, and a real Envoy that follows it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pinroute.local.backend import Backends
from pinroute.local.client import Client, Request

if TYPE_CHECKING:
    from servers.cluster import Cluster
    from servers.gateway import Ingress

ROOT = Path(__file__).parents[2]
HAND_WRITTEN = ROOT / "tests" / "golden" / "tutorial" / "routing-rule.yaml"
NAMESPACES = ("ns-baseline", "ns-candidate")
HOST = "flowers-predictor-default"
USERS = ("1111100000", "1010101010")


class Met(NamedTuple):
    """In which namespace a request was answered, as which version, and the Host that arrived."""

    namespace: str
    version: str
    host: str


V1 = Met("ns-baseline", "flowers-v1", f"{HOST}.ns-baseline")
V2 = Met("ns-candidate", "flowers-v2", f"{HOST}.ns-candidate")
PROMOTED = Met("ns-baseline", "flowers-v2", f"{HOST}.ns-baseline")  # copied to that place


def _objects() -> list[dict[str, object]]:
    """Return the Gateway that the tutorial names, and a Service for each version."""
    gateway: dict[str, object] = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "knative-ingress-gateway", "namespace": "knative-serving"},
        "spec": {
            "selector": {"istio": "ingressgateway"},
            "servers": [
                {"port": {"number": 8080, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
            ],
        },
    }
    services: list[dict[str, object]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": HOST, "namespace": namespace},
            "spec": {"ports": [{"port": 80, "name": "http"}]},
        }
        for namespace in NAMESPACES
    ]
    return [gateway, *services]


@pytest.fixture(scope="module")
def gateway(cluster: "Cluster") -> Iterator["Ingress"]:
    """A gateway that serves the tutorial's host, with the tutorial's own VirtualService."""
    from servers.gateway import ingress

    cluster.namespace("knative-serving", *NAMESPACES)
    for item in _objects():
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(item))
    cluster.kubectl("apply", "-f", str(HAND_WRITTEN))
    with Backends(NAMESPACES) as backends:
        clusters = {
            f"outbound|80||{HOST}.{namespace}.svc.cluster.local": backends.endpoint(namespace)
            for namespace in NAMESPACES
        }
        with ingress(cluster, clusters) as running:
            yield running
    cluster.kubectl("delete", "-f", str(HAND_WRITTEN))


def _meet(client: Client, user: str) -> Met | None:
    (answer,) = client.send([Request("example.com", headers=(("userhash", user),))])
    if answer.status != 200:
        return None
    echo = json.loads(answer.body)
    return Met(echo["backend"], answer.headers["version"][0], echo["host"])


def _compiled(stage: str) -> str:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pinroute", "compile"),
            *(str(ROOT / "samples" / "tutorial.yaml"), "--stage", stage),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    (service,) = [text for text in run.stdout.split("---\n") if "kind: VirtualService" in text]
    return service


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (None, (V1, V2)),
        ("promote-v2", (PROMOTED, PROMOTED)),
        ("experiment", (V1, V2)),
        ("promote-v1", (V1, V1)),
    ],
    ids=["as-written", "promote-v2", "experiment-again", "promote-v1"],
)
def test_users_meet_their_version(
    cluster: "Cluster", gateway: "Ingress", stage: str | None, expected: tuple[Met, Met]
) -> None:
    from servers.process import until

    if stage is not None:
        cluster.kubectl("apply", "-f", "-", stdin=_compiled(stage))
    with Client(gateway.port) as client:
        until(
            f"stage {stage} serves {expected}",
            lambda: tuple(_meet(client, user) for user in USERS) == expected,
        )
        # From the first new answer on there is no old one.
        for _ in range(20):
            assert tuple(_meet(client, user) for user in USERS) == expected
    assert gateway.refused_updates == 0


def test_what_istio_takes_and_envoy_refuses_is_seen(
    cluster: "Cluster", gateway: "Ingress"
) -> None:
    """The harm that PIN303 is about: nothing says no but the gateway, and nothing else gets through."""
    from servers.process import until

    text = HAND_WRITTEN.read_text("utf-8")
    with Client(gateway.port) as client:
        before = _meet(client, USERS[1])
        cluster.kubectl("apply", "-f", "-", stdin=text.replace("flowers-v2\n", "'%FOO%'\n"))
        until("Envoy refuses", lambda: gateway.refused_updates > 0)
        assert _meet(client, USERS[1]) == before is not None
        cluster.kubectl("apply", "-f", "-", stdin=text)
        until("the tutorial is back", lambda: _meet(client, USERS[1]) == V2)
