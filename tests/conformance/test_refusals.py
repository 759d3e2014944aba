"""Faults, one at a time: what a real server refuses we refuse, what we accept all of them take."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from conformance import faults
from conformance.faults import FAULTS, Fault
from pinroute.checks.registry import check_virtual_service
from pinroute.diagnostics import Severity
from pinroute.spec.parse import parse
from servers.admission import API, ISTIO, KUBECTL, TAKEN, verdicts
from servers.envoy import refused

if TYPE_CHECKING:
    from servers.cluster import Cluster

PAGE = Path(__file__).parents[2] / "docs" / "virtualservices.md"
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
# Where we do not look, as the page says.
BLIND = {"metadata": "`metadata`", "instead": "`tcp` and `tls`", "beside": "`tcp` and `tls`"}
NAMES = [f"fault-{number:04}" for number in range(len(FAULTS))]
TEXTS = {name: fault.text.replace("@@", name) for name, fault in zip(NAMES, FAULTS, strict=True)}
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


def _codes(text: str) -> set[str]:
    documents, broken = parse("vs.yaml", text)
    found = broken or check_virtual_service(documents[0])
    return {finding.code for finding in found if finding.severity is Severity.ERROR}


@EACH
def test_the_servers_say_what_the_table_says(number: int, answers: Answers) -> None:
    name, fault = NAMES[number], FAULTS[number]
    assert (answers.client[name], answers.server[name]) == SAID[fault.fate]
    assert (name in answers.envoy) == (fault.fate == faults.ENVOY)


@EACH
def test_we_say_what_the_table_says(number: int) -> None:
    fault = FAULTS[number]
    assert _codes(TEXTS[NAMES[number]]) == set(fault.codes.split())
    if not _is_blind(fault):
        assert bool(fault.codes) == (fault.fate != faults.FINE)


def _is_blind(fault: Fault) -> bool:
    return fault.about.split()[0] in BLIND


def test_the_page_names_the_exceptions() -> None:
    text = PAGE.read_text("utf-8")
    section = text[text.index("## Where validate and the servers differ") :]
    section = section.split("\n## ")[0] if "\n## " not in section[3:] else section
    harm = {code for fault in FAULTS if fault.fate == faults.HARM for code in fault.codes.split()}
    assert set(re.findall(r"(?m)^\| .* \| (PIN\d+) \|", section)) == harm
    missed = [fault for fault in FAULTS if fault.fate != faults.FINE and not fault.codes]
    assert missed
    for fault in missed:
        assert BLIND[fault.about.split()[0]] in section
