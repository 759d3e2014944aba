"""Baselines: what a finding is known by, what is hidden, what is said of mended entries."""

import json
from collections.abc import Sequence
from typing import Any

from pinroute.checks.registry import check_virtual_services
from pinroute.compilation import Compilation, Source, compile_specs
from pinroute.diagnostics import Diagnostic
from pinroute.policy.baseline import Baseline, baseline_body, known_entries, read_baseline
from pinroute.policy.standing import Policy

FILE = "a.yaml"
SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: NAME, namespace: shop}
spec:
  hosts: [NAME.example.com]
  gateways: [istio-system/public]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: one}, weight: 50}, {destination: {host: two}, weight: 50}]
"""
ONE, TWO = SERVICE.replace("NAME", "one"), SERVICE.replace("NAME", "two")


def run(text: str, baseline: Baseline | None = None, *, others: bool = True) -> Compilation:
    check = check_virtual_services if others else None
    policy = Policy(baseline=baseline)
    return compile_specs([Source(FILE, text.encode())], check_others=check, policy=policy)


def body(text: str) -> dict[str, Any]:
    result = run(text)
    return baseline_body(known_entries(result.diagnostics, result.documents, {}))


def known(text: str, *, times: int = 1) -> Baseline:
    """Return a baseline of a text, as it is read back; entries can be repeated."""
    found = body(text)
    findings = found["findings"]
    assert isinstance(findings, list)
    data = json.dumps({**found, "findings": findings * times}).encode()
    baseline, wrong = read_baseline("known.json", data, {FILE: FILE})
    assert wrong == []
    assert baseline is not None
    return baseline


def codes(found: Sequence[Diagnostic]) -> list[str]:
    return [item.code for item in found]


def test_an_entry_holds_no_line() -> None:
    assert body(ONE)["findings"] == [
        {
            "file": FILE,
            "code": "PIN309",
            "object": {"kind": "VirtualService", "namespace": "shop", "name": "one"},
            "path": "spec.http[0]",
            "digest": "9f57766ebc8d85f9",
            "count": 1,
        },
        {
            "file": FILE,
            "code": "PIN310",
            "object": {"kind": "VirtualService", "namespace": "shop", "name": "one"},
            "path": "spec.http[0].route",
            "digest": "2d8853c2ae74f7d3",
            "count": 1,
        },
    ]


def test_what_is_known_is_hidden() -> None:
    result = run(ONE, known(ONE))
    assert codes(result.diagnostics) == []
    assert codes(result.hidden) == ["PIN309", "PIN310"]


def test_edits_elsewhere_change_nothing() -> None:
    moved = f"# two\n# lines\n{TWO}---\n{ONE}"
    result = run(moved, known(ONE))
    assert codes(result.diagnostics) == ["PIN309", "PIN310"]
    assert {item.span.line for item in result.diagnostics} == {10, 11}


def test_another_object_another_file_or_another_field_is_new() -> None:
    assert len(run(TWO, known(ONE)).hidden) == 0
    elsewhere = known(ONE)._replace(places={FILE: "b.yaml"})
    assert len(run(ONE, elsewhere).hidden) == 0
    shifted = ONE.replace(
        "  - match",
        "  - name: first\n    match: [{uri: {prefix: /b}}]\n    route: [{destination: {host: one}}]\n  - match",
    )
    assert codes(run(shifted, known(ONE)).hidden) == []


def test_items_of_a_list_are_objects_of_their_own() -> None:
    def item(text: str) -> str:
        first, *rest = text.splitlines(keepends=True)
        return f"- {first}" + "".join(f"  {line}" for line in rest)

    listed = f"apiVersion: v1\nkind: List\nitems:\n{item(TWO)}{item(ONE)}"
    result = run(listed, known(ONE))
    assert codes(result.hidden) == ["PIN309", "PIN310"]
    assert len(result.diagnostics) == 2


def test_equal_findings_are_counted() -> None:
    twice = f"{ONE}---\n{ONE}"
    assert {item["count"] for item in body(twice)["findings"]} == {2}
    result = run(twice, known(ONE))
    assert codes(result.hidden) == codes(result.diagnostics) == ["PIN309", "PIN310"]
    assert result.hidden[0].span < result.diagnostics[0].span
    assert codes(run(twice, known(ONE, times=2)).diagnostics) == []


def test_what_is_mended_is_said_where_it_was_looked_at() -> None:
    mended = ONE.replace(", weight: 50}, {destination: {host: two}, weight: 50}", "}")
    result = run(mended, known(ONE))
    assert codes(result.diagnostics) == ["PIN020"]
    (note,) = result.diagnostics
    assert note.message == "PIN310 of VirtualService shop/one in a.yaml no longer occurs"
    assert note.span.file == "known.json"
    (note,) = run(ONE, known(ONE, times=2)).diagnostics[:1]
    assert note.message.endswith("no longer occurs (1 of 2)")
    elsewhere = known(ONE)._replace(places={})
    assert "PIN020" not in codes(run(mended, elsewhere).diagnostics)


def test_a_run_that_looks_for_less_says_nothing_of_the_rest() -> None:
    assert codes(run(ONE, known(ONE), others=False).diagnostics) == []
    broken = "apiVersion: pinroute.dev/v1alpha1\nkind: AffinityExperiment\n---\n"
    assert "PIN020" not in codes(run(broken + TWO, known(ONE)).diagnostics)


def test_errors_of_virtual_services_can_be_known_and_others_not() -> None:
    refused = ONE.replace("host: one}", "host: one}, headers: {request: {set: {x: '%A%'}}}")
    result = run(refused, known(refused))
    assert codes(result.hidden) == ["PIN309", "PIN310", "PIN303"]
    assert not result.failed
    assert body("apiVersion: pinroute.dev/v1alpha1\nkind: AffinityExperiment\n")["findings"] == []


def broken(text: str) -> list[tuple[str, int, int]]:
    baseline, found = read_baseline("known.json", text.encode(), {})
    assert baseline is None
    return [(item.code, item.span.line, item.span.column) for item in found]


def test_a_broken_baseline_is_refused_with_its_place() -> None:
    good = json.dumps(body(ONE), indent=1)
    assert broken("") == [("PIN021", 1, 1)]
    assert broken(good.replace("[", "<<<<<<< HEAD\n[", 1)) == [("PIN021", 4, 14)]
    for depth in (66, 500, 900, 100_000):
        assert broken("[" * depth + "]" * depth) == [("PIN021", 1, 1)]
    assert broken("[]") == [("PIN101", 1, 1)]
    assert broken("null") == [("PIN101", 1, 1)]
    assert broken(good.replace('"PIN310"', '"PIN31"')) == [("PIN106", 19, 12)]
    assert broken(good.replace('"path"', '"paht"', 1))[0][0] in ("PIN102", "PIN103")
    assert broken(good.replace('"one"', "1", 1)) == [("PIN101", 11, 13)]
    assert broken(good.replace('"count": 1', '"count": 0', 1)) == [("PIN107", 15, 13)]
    assert broken(good.replace('"one"', '"\\ud800"', 1)) == [("PIN021", 1, 1)]
