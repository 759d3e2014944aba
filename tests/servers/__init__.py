"""The real servers of the tests: a Kubernetes API server, istiod with its webhook, Envoy.

    with cluster() as kubernetes:
        kubernetes.kubectl("apply", "--server-side", "-f", "-", stdin=text)

They run on loopback ports, with their state in a folder that goes away with them. There is no
controller manager and no kubelet: deleted namespaces stay, Deployments make no pods.
"""
