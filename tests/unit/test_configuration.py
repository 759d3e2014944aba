"""The configuration: YAML and TOML say the same, and mistakes have their places."""

import pytest

from pinroute.diagnostics import Severity
from pinroute.policy.configuration import (
    Configuration,
    NotOneConfiguration,
    Read,
    literal_part,
    read_toml,
    read_yaml,
)

YAML = """\
apiVersion: pinroute.dev/v1alpha1
kind: Configuration
severities:
- codes: [PIN309, weights-are-not-sticky]
  severity: error
  reason: every request has a rule
- paths: [legacy/**, team-a/*.yaml]
  codes: [PIN309]
  severity: ignore
  reason: these are old
baseline: known.json
"""
TOML = """\
[project]
name = "codes"  # severities, and [tool.pinroute]

[tool.pinroute]
baseline = "known.json"

[[tool.pinroute.severities]]
codes = ["PIN309", 'weights-are-not-sticky']
severity = "error"
reason = "every request has a rule"

[[tool.pinroute.severities]]
# codes = ["PIN303"]
paths = [
  "legacy/**",
  "team-a/*.yaml",
]
codes = ["PIN309"]
severity = "ignore"
reason = "these are old"
"""


def from_yaml(text: str, *, named: bool = True) -> Read:
    return read_yaml("pinroute.yaml", text.encode(), named=named)


def from_toml(text: str) -> Read:
    return read_toml("pyproject.toml", text.encode())


def good(read: Read) -> Configuration:
    assert read.diagnostics == []
    assert read.configuration is not None
    return read.configuration


def places(read: Read) -> list[tuple[str, int, int]]:
    assert read.configuration is None
    return [(item.code, item.span.line, item.span.column) for item in read.diagnostics]


def test_yaml_and_toml_say_the_same() -> None:
    one, other = good(from_yaml(YAML)), good(from_toml(TOML))
    assert one.rules == other.rules
    assert one.baseline == other.baseline == "known.json"
    raised, ignored = one.rules
    assert raised == (frozenset({"PIN309", "PIN310"}), Severity.ERROR, ())
    assert ignored == (frozenset({"PIN309"}), None, ("legacy/**", "team-a/*.yaml"))


def test_an_empty_configuration_is_one() -> None:
    assert good(from_yaml(YAML[: YAML.index("severities")])).rules == ()
    assert good(from_toml("[tool.pinroute]\n")).rules == ()


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("PIN309", "PIN999", "PIN016"),
        ("weights-are-not-sticky", "weights-are-sticky", "PIN016"),
        ("team-a/*.yaml", "/team-a/*.yaml", "PIN106"),
        ("team-a/*.yaml", "../team-a/*.yaml", "PIN106"),
        ("team-a/*.yaml", "team-a/./*.yaml", "PIN106"),
        ("team-a/*.yaml", "team-a//*.yaml", "PIN106"),
        ("ignore", "ignored", "PIN105"),
    ],
)
def test_mistakes_have_their_places(before: str, after: str, code: str) -> None:
    text = YAML.replace(before, after, 1)
    assert places(from_yaml(text)) == [(code, *place_of(text, after))]
    text = TOML.replace(before, after, 1)
    line, column = place_of(text, after)
    assert places(from_toml(text)) == [(code, line, column - 1)]  # with its quote


def place_of(text: str, word: str) -> tuple[int, int]:
    before = text[: text.index(word)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def test_errors_that_stop_the_compiler_cannot_be_lowered() -> None:
    for severity in ("ignore", "note", "warning"):
        text = YAML.replace("PIN309]\n  severity: ignore", f"PIN201]\n  severity: {severity}")
        assert places(from_yaml(text)) == [("PIN017", 8, 11)]
    assert good(from_yaml(YAML.replace("PIN309", "PIN303")))
    assert good(from_yaml(YAML.replace("PIN309", "PIN201", 1)))  # an error stays an error


def test_off_is_no_word_of_ours() -> None:
    for word in ("off", '"off"', "no", "12"):
        read = from_yaml(YAML.replace("ignore", word))
        assert places(read) in ([("PIN105", 9, 13)], [("PIN101", 9, 13)])


def test_a_rule_that_a_later_one_takes_whole() -> None:
    rule = "- {codes: [%s], severity: note, reason: x%s}\n"
    top = YAML[: YAML.index("- codes")]

    def overridden(*rules: tuple[str, str]) -> list[int]:
        text = top + "".join(rule % (codes, paths) for codes, paths in rules)
        read = from_yaml(text)
        assert read.configuration is not None
        assert {item.code for item in read.diagnostics} <= {"PIN018"}
        return [item.span.line for item in read.diagnostics]

    a, ab = ", paths: [a]", ", paths: [a, b]"
    assert overridden(("PIN309", a), ("PIN309, PIN310", "")) == [4]
    assert overridden(("PIN309", ""), ("no-default-route", "")) == [4]
    assert overridden(("PIN309", a), ("PIN309", ab)) == [4]
    assert overridden(("PIN309, PIN310", a), ("PIN309", ""), ("PIN310", ab)) == [4]
    assert overridden(("PIN309", ab), ("PIN309", a)) == []
    assert overridden(("PIN309", ""), ("PIN309", a)) == []
    assert overridden(("PIN309, PIN310", ""), ("PIN309", "")) == []


def test_what_is_not_toml() -> None:
    assert places(from_toml("[tool.pinroute]\nbaseline = \n")) == [("PIN021", 2, 12)]
    assert places(from_toml("[tool.pinroute]\nx = [")) == [("PIN021", 2, 6)]
    for deep in ("x = " + "[" * 100_000, "x = " + "[" * 100 + "]" * 100, "a." * 200 + "b = 1"):
        assert places(from_toml(f"[tool.pinroute]\n{deep}")) == [("PIN021", 1, 1)]
    assert places(from_toml("tool = {pinroute = 3} # [tool.pinroute]\n")) == [("PIN101", 1, 25)]
    assert places(from_toml("[tool.pinroute]\nbaseline = 1979-05-27T07:32:00\nx = 1")) == [
        ("PIN102", 3, 1)
    ]


@pytest.mark.parametrize(
    "text", ["", "[tool.x]\n", "# [tool.pinroute]\n", "tool = 3 # [tool.pinroute"]
)
def test_a_pyproject_without_the_table_holds_none(text: str) -> None:
    assert from_toml(text) == (None, [])


@pytest.mark.parametrize("place", ["# [tool.pinroute]\n", 'description = "[tool.pinroute]"\n'])
def test_the_words_may_stand_elsewhere_first(place: str) -> None:
    read = from_toml(f"{place}[tool.pinroute]\nbaselin = 'x'\n")
    assert places(read) == [("PIN102", 3, 1)]


def test_a_file_that_the_user_has_not_named_may_be_something_else() -> None:
    pod = "apiVersion: v1\nkind: Pod\n"
    spec = "apiVersion: pinroute.dev/v1alpha1\nkind: AffinityExperiment\n"
    for text in (pod, spec):
        assert from_yaml(text, named=False) == (None, [])
    assert places(from_yaml(spec.replace("Affinity", "Affinty"), named=False)) == [
        ("PIN110", 2, 7)
    ]
    with pytest.raises(NotOneConfiguration, match="holds 0 documents"):
        from_yaml(pod)
    with pytest.raises(NotOneConfiguration, match="holds 2 documents"):
        from_yaml(f"{YAML}---\n{YAML}", named=False)


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [("a/b/*.yaml", "a/b"), ("**/x", ""), ("a/", "a"), ("a/b.yaml", "a/b.yaml"), ("a/b?/c", "a")],
)
def test_the_part_of_a_pattern_that_has_to_exist(pattern: str, literal: str) -> None:
    assert literal_part(pattern) == literal
