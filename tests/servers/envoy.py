"""What Envoy says to the routes that istiod makes of a configuration."""

from collections.abc import Mapping
from typing import Any

from pinroute.local.server import EnvoyRefused, Listener, running


def refused(configurations: Mapping[str, list[dict[str, Any]]]) -> set[str]:
    """Return the names of those whose RouteConfigurations Envoy does not take.

    One Envoy is asked about all; where it refuses, halves are asked.
    """
    listeners = [
        Listener(
            f"{name}-{index}",
            {
                "name": "http.80",
                "virtual_hosts": configuration.get("virtualHosts", []),
                "validate_clusters": False,
            },
        )
        for name, found in configurations.items()
        for index, configuration in enumerate(found)
    ]
    if not listeners:
        return set()
    try:
        with running(listeners, {}, timeout=60):
            return set()
    except EnvoyRefused:
        if len(configurations) == 1:
            return set(configurations)
    names = list(configurations)
    half = len(names) // 2
    parts = (names[:half], names[half:])
    return {
        name for part in parts for name in refused({each: configurations[each] for each in part})
    }
