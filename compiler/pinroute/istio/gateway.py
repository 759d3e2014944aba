"""Which hosts a Gateway's servers listen for, and who may claim them.

Rules: `getMinimumOverlap` of a server's hosts and those of a VirtualService, and the
`namespace/host` form, in istio/pilot/pkg/model/gateway.go.
"""

from pinroute.istio.resource import EVERYWHERE, Fields, as_list, as_mapping


def claimable_hosts(spec: Fields, own: str, namespace: str) -> list[str]:
    """Return the hosts of a Gateway of namespace `own` that VirtualServices of another may claim."""
    found: list[str] = []
    for server in as_list(spec.get("servers")):
        for host in as_list(as_mapping(server).get("hosts")):
            claimant, slash, name = str(host).rpartition("/")
            if (
                not slash
                or claimant in (EVERYWHERE, namespace)
                or (claimant == "." and own == namespace)
            ):
                found.append(name.lower())
    return found
