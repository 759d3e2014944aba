"""Severities for paths: which files a pattern takes, which rule holds, what keeps its severity."""

import pytest

from pinroute.diagnostics import Diagnostic, Severity, Span, diagnose
from pinroute.policy.severities import Severities, SeverityRule, matches, weighed


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("legacy/**", ["legacy/a.yaml", "legacy/x/y/a.yaml"], ["legacy", "a.yaml", "x/legacy/a"]),
        ("legacy/", ["legacy/a.yaml", "legacy/x/y/a.yaml"], ["legacy", "legacy2/a.yaml"]),
        ("legacy", ["legacy"], ["legacy/a.yaml"]),
        (
            "team/*.yaml",
            ["team/a.yaml", "team/.a.yaml"],
            ["team/x/a.yaml", "team/a.yml", "a.yaml"],
        ),
        ("*.yaml", ["a.yaml"], ["team/a.yaml"]),
        ("**/a.yaml", ["a.yaml", "x/a.yaml", "x/y/a.yaml"], ["x/ba.yaml", "a.yaml/x"]),
        ("**", ["a", "x/y"], []),
        ("x/**/a.yaml", ["x/a.yaml", "x/y/z/a.yaml"], ["a.yaml", "y/x/a.yaml"]),
        ("**/x/**", ["x/a", "y/x/a", "y/x/z/a"], ["x", "y/x", "y/a"]),
        ("**/**/a", ["a", "x/a", "x/y/a"], ["b", "a/b"]),
        ("a?.yaml", ["ab.yaml"], ["a.yaml", "a/.yaml", "abc.yaml"]),
        ("a[bc].yaml", ["ab.yaml", "ac.yaml"], ["ad.yaml"]),
        ("a[!b].yaml", ["ac.yaml"], ["ab.yaml"]),
        ("A.yaml", ["A.yaml"], ["a.yaml"]),
        ("a.yaml", ["a.yaml"], ["abyaml"]),
        ("ä/*", ["ä/b"], ["a/b"]),
    ],
)
def test_patterns(pattern: str, taken: list[str], left: list[str]) -> None:
    assert [path for path in taken + left if matches(path, pattern)] == taken


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not matches("/".join(["a"] * 200), "/".join(["**", "a"] * 100) + "/b")


def finding(code: str, file: str = "legacy/a.yaml") -> Diagnostic:
    return diagnose(code, Span(file), name="x_y", group="x")


def severity(code: str, *rules: SeverityRule, file: str = "legacy/a.yaml") -> Severity | None:
    places = {"legacy/a.yaml": "legacy/a.yaml", "../../team/b.yaml": "team/b.yaml"}
    found = weighed([finding(code, file)], Severities(rules, places))
    return found[0].severity if found else None


def rule(code: str, own: Severity | None, *paths: str) -> SeverityRule:
    return SeverityRule(frozenset({code}), own, paths)


def test_without_a_rule_the_catalogue_holds() -> None:
    assert severity("PIN212") is Severity.WARNING
    assert severity("PIN212", rule("PIN236", None)) is Severity.WARNING
    assert severity("PIN212", rule("PIN212", None, "team/**")) is Severity.WARNING


@pytest.mark.parametrize("own", [None, *Severity])
def test_a_rule_holds(own: Severity | None) -> None:
    assert severity("PIN212", rule("PIN212", own)) is own
    assert severity("PIN212", rule("PIN212", own, "x", "legacy/*")) is own


def test_the_last_rule_holds() -> None:
    wide, narrow = rule("PIN212", Severity.ERROR), rule("PIN212", None, "legacy/**")
    assert severity("PIN212", wide, narrow) is None
    assert severity("PIN212", narrow, wide) is Severity.ERROR
    assert severity("PIN212", wide, narrow, file="../../team/b.yaml") is Severity.ERROR


def test_a_file_outside_has_rules_without_paths_only() -> None:
    assert severity("PIN212", rule("PIN212", None, "**"), file="<stdin>") is Severity.WARNING
    assert severity("PIN212", rule("PIN212", None), file="<stdin>") is None


def test_paths_are_those_below_the_configuration() -> None:
    assert severity("PIN212", rule("PIN212", None, "team/*"), file="../../team/b.yaml") is None


def test_errors_that_stop_the_compiler_keep_their_severity() -> None:
    assert severity("PIN210", rule("PIN210", None)) is Severity.ERROR
    assert severity("PIN210", rule("PIN210", Severity.NOTE)) is Severity.ERROR


def test_weighing_twice_changes_nothing() -> None:
    severities = Severities((rule("PIN212", Severity.NOTE),), {})
    once = weighed([finding("PIN212"), finding("PIN210")], severities)
    assert weighed(once, severities) == once
