"""The VirtualService of another owner: which one is meant, what it lends, what is said of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from pinroute.compilation import Compilation, Source, compile_specs, load

OWNED: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "exp"},
    "spec": {
        "hosts": ["A.example"],
        "gateways": ["public", "infra/other"],
        "http": [{"name": "site", "route": [{"destination": {"host": "site"}}]}],
    },
}


def spec(**route: Any) -> str:
    fields = {
        "hosts": ["a.example"],
        "virtualService": {"mode": "splice", "file": "vs.yaml"},
        "http": [{"name": "r", "match": [{"uri": {"prefix": "/x"}}]}],
        **route,
    }
    return json.dumps(
        {
            "apiVersion": "pinroute.dev/v1alpha1",
            "kind": "AffinityExperiment",
            "metadata": {"name": "exp", "namespace": "ns"},
            "spec": {
                "route": {name: item for name, item in fields.items() if item is not None},
                "userHash": {"from": {"claim": "sub"}},
                "versions": [
                    {"name": "v1", "service": {"host": "v1", "port": 80}},
                    {"name": "v2", "service": {"host": "v2", "port": 80}},
                ],
                "baseline": "v1",
                "groups": [{"name": "g", "version": "v2", "prefixes": ["01"]}],
            },
        }
    )


def dumped(*objects: dict[str, Any]) -> str:
    return yaml.safe_dump_all(objects, sort_keys=False)


def source(owned: str, text: str | None = None) -> Source:
    return Source("specs/s.yaml", (text or spec()).encode(), lambda _: owned.encode())


def compiled(owned: str, text: str | None = None) -> Compilation:
    return compile_specs([source(owned, text)])


def said(compilation: Compilation) -> list[tuple[str, str]]:
    return [(item.code, item.message) for item in compilation.diagnostics]


def changed(**fields: Any) -> dict[str, Any]:
    return {**OWNED, "spec": {**OWNED["spec"], **fields}}


def test_gateways_are_the_owners_where_the_spec_names_none() -> None:
    compilation = compiled(dumped(OWNED))
    assert said(compilation) == []  # a claim is for gateways only: these are some
    [one] = compilation.experiments
    assert one.checked.spec.experiment.route.gateways == ("ns/public", "infra/other")
    [file] = compilation.owner_files
    assert file.file == "specs/vs.yaml"
    assert yaml.safe_load(file.after) == one.rendered[0].virtual_service


@pytest.mark.parametrize(
    ("gateways", "fine"),
    [
        (["infra/other", "ns/public"], True),
        (["ns/public", "infra/other", "ns/public"], True),
        (["infra/public", "infra/other"], False),
        (["ns/public"], False),
        (["mesh", "ns/public", "infra/other"], False),
    ],
)
def test_gateways_of_the_spec_are_those_of_the_owner(gateways: list[str], fine: bool) -> None:
    codes = {code for code, _ in said(compiled(dumped(OWNED), spec(gateways=gateways)))}
    assert ("PIN258" not in codes) == fine


def test_an_owner_without_gateways_is_on_the_mesh() -> None:
    owned = changed()
    del owned["spec"]["gateways"]
    codes = [code for code, _ in said(compiled(dumped(owned)))]
    assert codes == ["PIN220"], "a claim on the mesh"
    both = said(compiled(dumped(owned), spec(gateways=["ns/public"])))
    assert ("PIN258", "gateways are ns/public, and in the owner's file mesh") in both


@pytest.mark.parametrize("hosts", [["b.example"], ["a.example", "b.example"], [], None])
def test_other_hosts_are_refused(hosts: list[str] | None) -> None:
    owned = changed(hosts=hosts)
    if hosts is None:
        del owned["spec"]["hosts"]
    [finding] = compiled(dumped(owned)).diagnostics
    assert finding.code == "PIN258"
    assert ("delegate" in finding.hint) == (not hosts)


def test_which_of_several_is_meant() -> None:
    others = [
        {**OWNED, "metadata": {"name": "exp", "namespace": "elsewhere"}},
        {**OWNED, "metadata": {"name": "other"}},
        {**OWNED, "apiVersion": "example.org/v1"},
    ]
    compilation = compiled(dumped(*others[:2], OWNED, others[2]))
    assert said(compilation) == []
    found = list(yaml.safe_load_all(compilation.owner_files[0].after))
    assert [len(item["spec"]["http"]) for item in found] == [1, 1, 3, 1]
    [(code, message)] = said(compiled(dumped(*others)))
    assert (code, message) == (
        "PIN257",
        "cannot splice into 'vs.yaml': it holds no VirtualService ns/exp",
    )
    [(_, message)] = said(
        compiled(dumped(OWNED, {**OWNED, "metadata": {"name": "exp", "namespace": "ns"}}))
    )
    assert message.endswith("it holds 2 VirtualServices ns/exp")


def test_a_source_that_has_no_folder() -> None:
    [finding] = compile_specs([Source("s.yaml", spec().encode())]).diagnostics
    assert finding.code == "PIN257"


def front(match: dict[str, Any]) -> str:
    rule = {"name": "first", "match": [match], "route": [{"destination": {"host": "f"}}]}
    text = dumped(changed(http=[rule, *OWNED["spec"]["http"]]))
    return text.replace("  - name: site", "  # pinroute: here\n  - name: site")


@pytest.mark.parametrize(
    ("match", "code"),
    [
        ({"uri": {"exact": "/y"}}, None),
        ({"uri": {"prefix": "/y"}}, None),
        ({"uri": {"regex": "/y.*"}}, "PIN260"),
        ({"uri": {"exact": "/x/y"}}, "PIN260"),
        ({"uri": {"prefix": "/"}}, "PIN259"),
        ({"uri": {"prefix": "/x"}}, "PIN259"),
        ({"uri": {"prefix": "/X"}, "ignoreUriCase": True}, "PIN260"),
        ({"method": {"exact": "POST"}}, "PIN260"),
        ({"headers": {"@request.auth.claims.sub": {"prefix": "0"}}}, "PIN259"),
        ({"headers": {"@request.auth.claims.sub": {"prefix": "1"}}}, "PIN260"),
        ({"uri": {"prefix": "/x"}, "gateways": ["ns/public"]}, "PIN260"),
    ],
)
def test_rules_of_the_owner_in_front(match: dict[str, Any], code: str | None) -> None:
    found = compiled(front(match)).diagnostics
    assert [item.code for item in found] == ([code] if code else [])
    for item in found:
        assert "rule 'first' of the owner's file" in item.message
        assert item.related[0].span.file == "specs/vs.yaml"
        assert item.related[0].span.line == 12


def test_warnings_can_be_ignored_with_a_reason() -> None:
    owned = dumped(changed(gateways=["ns/public", "infra/other"]))
    lines = yaml.safe_dump(json.loads(spec(http=None)), sort_keys=False).splitlines(keepends=True)
    assert [code for code, _ in said(compiled(owned, "".join(lines)))] == ["PIN261"]
    place = next(number for number, line in enumerate(lines) if "file: vs.yaml" in line)
    lines.insert(place, "      # pinroute: ignore[PIN261] everybody takes part\n")
    assert said(compiled(owned, "".join(lines))) == []
    # Who does not splice does not complain that there is nothing to ignore.
    assert load([source(owned, "".join(lines))]).diagnostics == ()
    unused = "".join(lines).replace("PIN261", "PIN260")
    assert [code for code, _ in said(compiled(owned, unused))] == ["PIN013", "PIN261"]


def test_a_rule_that_the_owners_own_rules_cover_is_no_news() -> None:
    rules = [{"name": name, "route": [{"destination": {"host": name}}]} for name in ("a", "b")]
    found = said(compiled(dumped(changed(http=rules)), spec(http=None)))
    assert [message.split(" of ")[0] for _, message in found] == ["rule 'a'"]


def test_one_match_of_a_rule() -> None:
    matches = [{"uri": {"prefix": "/x/y"}}, {"uri": {"prefix": "/z"}}]
    rule = {"match": matches, "route": [{"destination": {"host": "f"}}]}
    found = said(compiled(dumped(changed(http=[rule]))))
    assert [(code, message.split(" of the")[0]) for code, message in found] == [
        ("PIN261", "match 0 of rule #0")
    ]
