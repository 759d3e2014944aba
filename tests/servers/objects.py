"""Objects that experiments need in a cluster: a Gateway, and Services that take requests."""

import json

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]
"""


def service(namespace: str, name: str, *, port: int = 80, ready: bool = True) -> str:
    """Return a Service with one endpoint: no pod is behind it, and nobody asks it."""
    metadata = {"name": name, "namespace": namespace}
    pieces = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"port": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"port": port}],
            "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": ready}}],
        },
    ]
    return documents(*(json.dumps(piece) for piece in pieces))


def documents(*texts: str) -> str:
    """Return texts as one stream of YAML documents."""
    return "\n---\n".join(texts)
