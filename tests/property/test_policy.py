"""Baselines hide exactly what they know, and patterns mean what their definition says."""

import json
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pinroute.checks.registry import check_virtual_services
from pinroute.cli.exits import Exit
from pinroute.cli.report import exit_code
from pinroute.compilation import Compilation, Source, compile_specs
from pinroute.diagnostics import Diagnostic, Severity
from pinroute.diagnostics.catalogue import is_fixed
from pinroute.policy.baseline import Baseline, baseline_body, known_entries, read_baseline
from pinroute.policy.severities import Severities, SeverityRule, matches
from pinroute.policy.standing import Policy

ROOT = Path(__file__).resolve().parents[2]
# Samples of warnings, notes and everything about VirtualServices: all that a baseline may hold.
TEXTS = [
    path.read_text("utf-8-sig")
    for path in sorted((ROOT / "samples" / "invalid").glob("PIN[023]*.yaml"))
    if not is_fixed(path.name[:6])
]
assert len(TEXTS) > 15

files = st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3), min_size=1, max_size=3)
rules = st.builds(
    SeverityRule,
    st.frozensets(st.sampled_from(["PIN212", "PIN303", "PIN309", "PIN310"]), min_size=1),
    st.sampled_from([None, *Severity]),
    st.sampled_from([(), ("0.yaml",), ("*",), ("none/**",)]),
)


def sources(texts: list[list[str]], before: str = "") -> list[Source]:
    return [
        Source(f"{number}.yaml", (before + "\n---\n".join(one)).encode())
        for number, one in enumerate(texts)
    ]


def places(given: list[Source]) -> dict[str, str]:
    return {source.name: f"x/{source.name}" for source in given}


def run(
    given: list[Source], severities: list[SeverityRule], baseline: Baseline | None = None
) -> Compilation:
    policy = Policy(
        Severities(tuple(severities), {item.name: item.name for item in given}), baseline
    )
    return compile_specs(given, check_others=check_virtual_services, policy=policy)


def written(found: list[Diagnostic], result: Compilation, given: list[Source]) -> Baseline:
    """Write a baseline and read it back."""
    body = baseline_body(known_entries(found, result.documents, places(given)))
    baseline, wrong = read_baseline("known.json", json.dumps(body).encode(), places(given))
    assert wrong == []
    assert baseline is not None
    return baseline


@given(files, st.lists(rules, max_size=3))
def test_after_writing_a_baseline_nothing_is_found(
    texts: list[list[str]], severities: list[SeverityRule]
) -> None:
    given = sources(texts)
    before = run(given, severities)
    fixed = [item for item in before.diagnostics if is_fixed(item.code)]
    after = run(given, severities, written(list(before.diagnostics), before, given))
    assert list(after.diagnostics) == fixed  # as two experiments of one name: no baseline holds it
    assert (exit_code(after.diagnostics, Severity.NOTE) == Exit.OK) == (not fixed)
    assert sorted([*after.hidden, *fixed]) == sorted(before.diagnostics)


@given(files, st.data())
def test_a_baseline_of_some_findings_hides_as_many_and_no_others(
    texts: list[list[str]], data: st.DataObject
) -> None:
    given = sources(texts)
    before = run(given, [])
    known = [item for item in before.diagnostics if data.draw(st.booleans())]
    after = run(given, [], written(known, before, given))
    hideable = [item for item in known if not is_fixed(item.code)]
    assert Counter(map(facts, after.hidden)) == Counter(map(facts, hideable))
    assert sorted([*after.diagnostics, *after.hidden]) == sorted(before.diagnostics)


@given(files, st.integers(1, 9))
def test_lines_above_change_nothing(texts: list[list[str]], lines: int) -> None:
    given = sources(texts)
    before = run(given, [])
    baseline = written(list(before.diagnostics), before, given)
    after = run(sources(texts, "# moved\n" * lines), [], baseline)
    assert all(is_fixed(item.code) for item in after.diagnostics)
    assert Counter(map(facts, [*after.diagnostics, *after.hidden])) == Counter(
        map(facts, before.diagnostics)
    )


def facts(item: Diagnostic) -> tuple[str, str, str]:
    return item.span.file, item.code, item.message


PARTS = st.lists(st.sampled_from(["a", "b", "ab", ".a"]), min_size=1, max_size=5)
GLOBS = st.lists(
    st.sampled_from(["a", "*", "?", "[ab]", "**", "**", "a*"]), min_size=1, max_size=5
)


def takes(parts: list[str], globs: list[str]) -> bool:
    """Tell the same from the definition, by trying every number of parts for each `**`."""
    if not globs:
        return not parts
    if globs[0] == "**":
        least = 1 if len(globs) == 1 else 0
        return any(takes(parts[n:], globs[1:]) for n in range(least, len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and takes(parts[1:], globs[1:])


@given(PARTS, GLOBS)
def test_patterns_mean_what_their_definition_says(parts: list[str], globs: list[str]) -> None:
    assert matches("/".join(parts), "/".join(globs)) == takes(parts, globs)
    if globs[-1] == "**":
        assert matches("/".join(parts), "/".join([*globs[:-1], ""])) == takes(parts, globs)
