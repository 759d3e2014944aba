"""Faults, one at a time: what a real server refuses we refuse, what we accept all of them take.

That the servers say so is asked in tests/conformance/test_refusals.py.
"""

import re
from pathlib import Path

import pytest

from conformance.faults import BLIND, FAULTS, FINE, HARM, Fault
from pinroute.checks.registry import check_virtual_services
from pinroute.diagnostics import Severity
from pinroute.spec.parse import parse

PAGE = Path(__file__).parents[2] / "docs" / "virtualservices.md"


def _codes(text: str) -> set[str]:
    documents, broken = parse("vs.yaml", text)
    found = broken or check_virtual_services(documents)
    return {finding.code for finding in found if finding.severity is Severity.ERROR}


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.about for fault in FAULTS])
def test_we_say_what_the_table_says(fault: Fault) -> None:
    assert _codes(fault.named("fault")) == set(fault.codes.split())
    if fault.place not in BLIND:
        assert bool(fault.codes) == (fault.fate != FINE)


def test_every_finding_says_where_and_what_to_do() -> None:
    for fault in FAULTS:
        documents, broken = parse("vs.yaml", fault.named("fault"))
        for finding in broken or check_virtual_services(documents):
            assert finding.span.line > 0
            assert finding.hint or finding.code == "PIN310", (fault.about, finding)


def test_the_page_names_the_exceptions() -> None:
    section = PAGE.read_text("utf-8").partition("## Where validate and the servers differ")[2]
    section = section.partition("\n## ")[0]
    harm = {code for fault in FAULTS if fault.fate == HARM for code in fault.codes.split()}
    assert set(re.findall(r"(?m)^\| .* \| (PIN\d+) \|", section)) == harm
    missed = [fault for fault in FAULTS if fault.fate != FINE and not fault.codes]
    assert missed
    for fault in missed:
        assert BLIND[fault.place] in section
