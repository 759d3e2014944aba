"""Faults, one at a time: the real servers say what the table says.

What we say to them is in tests/unit/test_faults.py.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from conformance import faults
from conformance.faults import FAULTS
from servers.admission import API, ISTIO, KUBECTL, TAKEN, verdicts
from servers.envoy import refused

if TYPE_CHECKING:
    from servers.cluster import Cluster

# What kubectl's two ways of applying say to each fate.
SAID = {
    faults.KUBECTL: (KUBECTL, KUBECTL),
    faults.API: (API, API),
    faults.ISTIO: (ISTIO, ISTIO),
    faults.DROPPED: (TAKEN, API),
    faults.DROPPED_REFUSED: (ISTIO, API),
    faults.ENVOY: (TAKEN, TAKEN),
    faults.FINE: (TAKEN, TAKEN),
    faults.HARM: (TAKEN, TAKEN),
}
NAMES = [f"fault-{number:04}" for number in range(len(FAULTS))]
TEXTS = {name: fault.named(name) for name, fault in zip(NAMES, FAULTS, strict=True)}
EACH = pytest.mark.parametrize("number", range(len(FAULTS)), ids=[one.about for one in FAULTS])


class Answers(NamedTuple):
    """What client-side and server-side apply say, by name, and what Envoy refuses."""

    client: Mapping[str, str]
    server: Mapping[str, str]
    envoy: set[str]


@pytest.fixture(scope="module")
def answers(cluster: "Cluster", istiod: Any) -> Answers:
    client = verdicts(cluster, TEXTS, server_side=False)
    server = verdicts(cluster, TEXTS, server_side=True)
    gateway = yaml.safe_dump(istiod.gateway)
    routes = {
        name: istiod.routes_of_text(f"{gateway}---\n{text}")
        for name, text in TEXTS.items()
        if (client[name], server[name]) == (TAKEN, TAKEN)
    }
    return Answers(client, server, refused(routes))


@EACH
def test_the_servers_say_what_the_table_says(number: int, answers: Answers) -> None:
    name, fault = NAMES[number], FAULTS[number]
    assert (answers.client[name], answers.server[name]) == SAID[fault.fate]
    assert (name in answers.envoy) == (fault.fate == faults.ENVOY)
