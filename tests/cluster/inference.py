"""InferenceServices as the tests need them: the kinds without their controllers.

Not KServe's and KFServing's own definitions: these take any `spec` and have a status.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servers.cluster import Cluster

    from .conftest import Shop

KSERVE, KFSERVING = "serving.kserve.io", "serving.kubeflow.org"


def definition(group: str) -> dict[str, Any]:
    """Return a minimal CustomResourceDefinition of InferenceService, for tests only."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"inferenceservices.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": "inferenceservices",
                "singular": "inferenceservice",
                "kind": "InferenceService",
            },
            "versions": [
                {
                    "name": "v1beta1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": anything, "status": anything},
                        }
                    },
                }
            ],
        },
    }


def install(cluster: Cluster, group: str) -> None:
    """Install a definition; it stays until it is uninstalled."""
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(definition(group)))
    name = f"crd/inferenceservices.{group}"
    cluster.kubectl("wait", "--for", "condition=established", name, "--timeout=30s")


def uninstall(cluster: Cluster, group: str) -> None:
    """Make the API server forget the kind, and all InferenceServices with it."""
    name = f"crd/inferenceservices.{group}"
    cluster.kubectl("delete", name, "--ignore-not-found", "--wait")


def create(
    cluster: Cluster, group: str, namespace: str, name: str, service: str, *, ready: bool
) -> None:
    """Create an InferenceService with a status, and the Service that its controller would make."""
    metadata = {"name": name, "namespace": namespace}
    body = {
        "apiVersion": f"{group}/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": {"tensorflow": {"storageUri": "gs://flowers"}}},
    }
    external = {"type": "ExternalName", "externalName": "knative-local-gateway.istio-system"}
    made = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service, "namespace": namespace},
        "spec": external,
    }
    cluster.namespace(namespace)
    for item in (body, made):
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(item))
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    words = (
        "patch",
        f"inferenceservices.{group}",
        name,
        "-n",
        namespace,
        "--subresource",
        "status",
    )
    cluster.kubectl(*words, "--type", "merge", "-p", json.dumps({"status": status}))


def models(shop: Shop) -> None:
    """Write a spec of two InferenceServices, KServe's, that are there and ready."""
    install(shop.cluster, KSERVE)
    for name in ("flowers", "roses"):
        create(shop.cluster, KSERVE, shop.namespace, name, f"{name}-predictor", ready=True)
    shop.write(
        ("  route:", '  environment: {kserve: {version: "0.16", mode: Standard}}\n  route:'),
        (
            "service: {host: app-v1, port: 80}",
            "inferenceService: {name: flowers, namespace: NAMESPACE}",
        ),
        (
            "service: {host: app-v2, port: 80}",
            "inferenceService: {name: roses, namespace: NAMESPACE, predictor: {tensorflow: {}}}",
        ),
    )
