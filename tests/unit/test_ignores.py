"""Ignores: which line they cover, and what is said about the ignores themselves."""

import pytest

from pinroute.checks.registry import check_virtual_services
from pinroute.compilation import CheckOthers, Source, compile_specs
from pinroute.diagnostics import Diagnostic, Severity, Span, diagnose
from pinroute.diagnostics.ignores import without_ignored

FILE = "f"


def warning(line: int, code: str = "PIN212", file: str = FILE) -> Diagnostic:
    assert code == "PIN212"
    return diagnose(code, Span(file, line, 3, line, 9), name="a_b")


def error(line: int) -> Diagnostic:
    finding = diagnose("PIN210", Span(FILE, line, 3, line, 9), group="g")
    assert finding.severity is Severity.ERROR
    return finding


def left(text: str, *found: Diagnostic, unused: bool = True) -> list[tuple[str, int]]:
    standing = without_ignored(FILE, text, found, unused=unused)
    return [(item.code, item.span.line) for item in standing]


def test_a_comment_covers_its_own_line() -> None:
    text = "a: 1\nb: 2 # pinroute: ignore[PIN212] the proxy allows it\nc: 3\n"
    assert left(text, warning(2)) == []
    assert left(text, warning(1)) == [("PIN212", 1), ("PIN013", 2)]
    assert left(text, warning(3)) == [("PIN212", 3), ("PIN013", 2)]


def test_a_comment_alone_covers_the_next_line() -> None:
    text = "a: 1\n  # pinroute: ignore[PIN212] why\nb: 2\n"
    assert left(text, warning(3)) == []
    assert left(text, warning(2)) == [("PIN212", 2), ("PIN013", 2)]


def test_several_findings_of_one_line_are_covered() -> None:
    text = "b: 2 # pinroute: ignore[PIN212] why\n"
    assert left(text, warning(1), warning(1)) == []


def test_several_codes() -> None:
    text = "b: 2 # pinroute: ignore[ PIN212 , PIN236 ] why\n"
    assert left(text, warning(1)) == [("PIN013", 1)]


def test_errors_cannot_be_ignored() -> None:
    text = "b: 2 # pinroute: ignore[PIN210] why\n"
    assert left(text, error(1)) == [("PIN210", 1), ("PIN013", 1)]
    assert left(text, error(1), unused=False) == [("PIN210", 1)]


def test_a_reason_is_asked_for() -> None:
    text = "b: 2 # pinroute: ignore[PIN212]\n"
    assert left(text, warning(1)) == [("PIN012", 1)]
    assert left(text.replace("\n", "   \n"), warning(1)) == [("PIN012", 1)]


def test_another_file_is_not_covered() -> None:
    text = "b: 2 # pinroute: ignore[PIN212] why\n"
    assert left(text, warning(1, file="g")) == [("PIN212", 1), ("PIN013", 1)]


@pytest.mark.parametrize(
    "line",
    [
        "b: 2 # pinroute: ignore PIN212 why",
        "b: 2 #pinroute:ignore[PIN212] why",
        "b: 2#pinroute: ignore[PIN212] why",
        "b: 2 # pinroute: ignore[] why",
        "b: 2 # pinroute: ignore[PIN21] why",
        "b: 2 # pinroute: ignore[pin212] why",
    ],
)
def test_what_is_no_ignore(line: str) -> None:
    assert left(line + "\n", warning(1)) == [("PIN212", 1)]


def test_the_place_of_a_complaint() -> None:
    text = "é: 2 # pinroute: ignore[PIN212] why\n"
    (finding,) = without_ignored(FILE, text, [])
    assert finding.code == "PIN013"
    assert finding.span == Span(FILE, 1, 6, 1, len(text))


SPEC = """\
apiVersion: pinroute.dev/v1alpha1
kind: AffinityExperiment
metadata: {name: exp}
spec:
  route: {hosts: [a.com], gateways: [a/b]}
  userHash:
    from: {header: user_hash}{IGNORE}
  versions:
  - {name: v1, service: {host: app, port: 80}}
  baseline: v1
"""


@pytest.mark.parametrize(
    ("ignore", "codes"),
    [
        ("", {"PIN212"}),
        (" # pinroute: ignore[PIN212] our proxy allows it", set()),
        (" # pinroute: ignore[PIN212]", {"PIN012"}),
        (" # pinroute: ignore[PIN236] not here", {"PIN212", "PIN013"}),
    ],
)
def test_in_a_spec(ignore: str, codes: set[str]) -> None:
    text = SPEC.replace("{IGNORE}", ignore)
    result = compile_specs([Source("spec.yaml", text.encode())], all_stages=True)
    found = {item.code for item in result.diagnostics}
    assert found & {"PIN012", "PIN013", "PIN212", "PIN236"} == codes
    assert not result.failed


OTHERS = """\
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: b}
spec:
  hosts: [a.example.com]
  http: [{route: [{destination: {host: a}}]}] # pinroute: ignore[PIN309] the rest is not ours
"""


@pytest.mark.parametrize(("others", "unused"), [(None, False), (check_virtual_services, True)])
def test_an_ignore_is_unused_only_where_its_code_is_looked_for(
    others: CheckOthers | None, unused: bool
) -> None:
    text = SPEC.replace("user_hash", "hash").replace("{IGNORE}", "") + OTHERS
    result = compile_specs([Source("spec.yaml", text.encode())], check_others=others)
    assert [item.code for item in result.diagnostics] == ["PIN013"] * unused
