"""`lookup`: group, version, rule, destination, and why."""

import pytest

from pinroute.compilation import Compiled, Source, compile_specs
from pinroute.lookup import Answer, look_up, look_up_many

SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route: {hosts: [a.com], gateways: [a/b]}
  userHash: {from: {header: userhash}, digits: 3, strict: STRICT}
  versions:
  - {name: v1, service: {host: app, port: 80}}
  - {name: v2, service: {host: app, subset: two, labels: {v: two}}}
  - {name: v3, service: {host: other}}
  baseline: v1
  groups:
  - {name: a, version: v2, prefixes: ["11", "101"]}
  - {name: b, version: v3, prefixes: ["01"]}
  fallback: {unassigned: v1, noHash: v3MALFORMED}
"""


def compiled(text: str, stage: str | None = None) -> Compiled:
    result = compile_specs([Source("spec.yaml", text.encode())], stage=stage)
    assert not result.failed, result.diagnostics
    return result.experiments[0]


def loose() -> Compiled:
    return compiled(SPEC.replace("STRICT", "false").replace("MALFORMED", ""))


def strict() -> Compiled:
    return compiled(SPEC.replace("STRICT", "true").replace("MALFORMED", ", malformed: v2"))


def one(experiment: Compiled, value: str | None) -> Answer:
    (answer,) = look_up(experiment, value)
    return answer


@pytest.mark.parametrize(
    ("value", "group", "version", "destination", "why"),
    [
        ("110", "a", "v2", "app.default.svc.cluster.local subset two", "it begins with '11'"),
        ("101", "a", "v2", "app.default.svc.cluster.local subset two", "it begins with '101'"),
        ("010", "b", "v3", "other.default.svc.cluster.local", "it begins with '01'"),
        ("000", "unassigned", "v1", "app.default.svc.cluster.local:80", "it is in no group"),
    ],
)
def test_hashes(value: str, group: str, version: str, destination: str, why: str) -> None:
    for experiment in (loose(), strict()):
        answer = one(experiment, value)
        assert (answer.value, answer.experiment, answer.route) == (value, "exp", "")
        assert (answer.group, answer.version) == (group, version)
        assert (answer.destination, answer.why) == (destination, why)
        assert answer.rule == f"pin/exp/{group}"


@pytest.mark.parametrize(
    ("value", "group"), [("11x", "a"), ("1111", "a"), ("", "unassigned"), ("x", "unassigned")]
)
def test_malformed_hashes_where_nothing_is_strict(value: str, group: str) -> None:
    answer = one(loose(), value)
    assert answer.group == group
    assert "it is no user hash: those are 3 characters of '01'" in answer.why


@pytest.mark.parametrize("value", ["11x", "1111", "", "x", "11"])
def test_malformed_hashes_where_everything_is_strict(value: str) -> None:
    answer = one(strict(), value)
    assert (answer.group, answer.version) == ("malformed", "v2")
    assert answer.why == "it is no user hash: those are 3 characters of '01'"


def test_no_hash() -> None:
    for experiment in (loose(), strict()):
        answer = one(experiment, None)
        assert (answer.group, answer.version) == ("no-hash", "v3")
        assert answer.why == "the request carries no user hash"


@pytest.mark.parametrize(
    ("stage", "version"), [("done", "v1"), ("promote-v2", "v2"), ("promote-v3", "v3")]
)
def test_a_stage_that_splits_nobody(stage: str, version: str) -> None:
    text = SPEC.replace("STRICT", "false").replace("MALFORMED", "")
    for value in ("110", "x", None):
        answer = one(compiled(text, stage), value)
        assert answer.version == version
        assert answer.why == f"stage {stage} sends everybody to {version}"


def test_rules_without_names_are_counted() -> None:
    text = SPEC.replace("STRICT", "false").replace("MALFORMED", "")
    experiment = compiled(text + "  output: {ruleNames: false}\n")
    assert [one(experiment, value).rule for value in ("110", "010", "000", None)] == [
        "http[0]",
        "http[1]",
        "http[2]",
        "http[3]",
    ]


def test_many_are_the_same_as_one_by_one() -> None:
    values = ["110", "101", "010", "000", "", "x", "1111", "11x", "é", "\udcff", "1_1", "٠٠٠"]
    for experiment in (loose(), strict()):
        expected = [(one(experiment, v).version, one(experiment, v).group) for v in values]
        found = [(part.version, part.label) for part in look_up_many(experiment, values)]
        assert found == expected


def test_every_route_that_takes_part_answers() -> None:
    route = """\
  route:
    hosts: [a.com]
    gateways: [a/b]
    http:
    - {name: one, match: [{uri: {prefix: /one}}]}
    - {name: raw, match: [], raw: {match: [{uri: {exact: /raw}}], redirect: {uri: /}}}
    - {name: two}
"""
    text = SPEC.replace("  route: {hosts: [a.com], gateways: [a/b]}\n", route)
    text = text.replace("match: [], ", "").replace("STRICT", "false").replace("MALFORMED", "")
    answers = list(look_up(compiled(text), "110"))
    assert [(item.route, item.rule) for item in answers] == [
        ("one", "pin/exp/a/one"),
        ("two", "pin/exp/a/two"),
    ]
