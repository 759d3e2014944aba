"""Setting the stage in a user's own text, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinroute.edit import CannotEdit, with_fields, with_stage, with_values
from pinroute.spec.parse import parse
from pinroute.spec.scalars import value

if TYPE_CHECKING:
    from pinroute.diagnostics import Path
    from pinroute.spec.scalars import Value


def edited(text: str, index: int = 0) -> str:
    documents, found = parse("f", text)
    assert found == []
    return with_stage(documents[index], "promote-v2")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Block style, where there is a stage.
        ("spec:\n  stage: done\n", "spec:\n  stage: promote-v2\n"),
        (
            "spec:\n  a: 1\n  stage:   done   # é!\n",
            "spec:\n  a: 1\n  stage:   promote-v2   # é!\n",
        ),
        ("spec:\n  stage: 'done' # c\n", "spec:\n  stage: 'promote-v2' # c\n"),
        ('spec:\n  "stage": "done"\n', 'spec:\n  "stage": "promote-v2"\n'),
        ("spec:\n  stage:\n    done\n  b: 1\n", "spec:\n  stage:\n    promote-v2\n  b: 1\n"),
        ("spec:\n  stage: !!str done\n  b: 1\n", "spec:\n  stage: promote-v2\n  b: 1\n"),
        ("# é\r\nspec:\r\n  stage: done\r\n", "# é\r\nspec:\r\n  stage: promote-v2\r\n"),
        ("spec: {stage: done, a: é}", "spec: {stage: promote-v2, a: é}"),
        ("é: ü\nspec: {é: ü, stage: done}\n", "é: ü\nspec: {é: ü, stage: promote-v2}\n"),
        ('{"spec": {"stage":"done"}}', '{"spec": {"stage":"promote-v2"}}'),
        # Where there is none.
        ("spec:\n  a: 1\n", "spec:\n  stage: promote-v2\n  a: 1\n"),
        ("spec:\n\n  # about a\n  a: 1\n", "spec:\n\n  # about a\n  stage: promote-v2\n  a: 1\n"),
        ("spec:\r\n  a: 1\r\n", "spec:\r\n  stage: promote-v2\r\n  a: 1\r\n"),
        ("spec: # {why}\n  a: 1\n", "spec: # {why}\n  stage: promote-v2\n  a: 1\n"),
        ("spec: &x\n  a: 1\n", "spec: &x\n  stage: promote-v2\n  a: 1\n"),
        ("spec:\n  'a': 1\n", "spec:\n  'stage': 'promote-v2'\n  'a': 1\n"),
        ("spec: {a: 1}\n", "spec: {stage: promote-v2, a: 1}\n"),
        ("spec: { a: 1 } # c\n", "spec: { stage: promote-v2, a: 1 } # c\n"),
        ("spec: {\n  a: 1\n}\n", "spec: {\n  stage: promote-v2, a: 1\n}\n"),
        ("spec: {\r\n  a: 1\r\n}", "spec: {\r\n  stage: promote-v2, a: 1\r\n}"),
        ('{"spec":{"a":1}}', '{"spec":{"stage": "promote-v2", "a":1}}'),
        (
            '{\n  "spec": {\n    "a": 1\n  }\n}\n',
            '{\n  "spec": {\n    "stage": "promote-v2", "a": 1\n  }\n}\n',
        ),
        ("spec:\n  a: 1", "spec:\n  stage: promote-v2\n  a: 1"),
        ("kind: x\nspec:\n    a: 1\n", "kind: x\nspec:\n    stage: promote-v2\n    a: 1\n"),
    ],
)
def test_only_the_stage_changes(before: str, after: str) -> None:
    assert edited(before) == after
    assert edited(after) == after


def test_the_right_one_of_several_documents() -> None:
    text = "spec: {a: 1}\n---\n# second\nspec:\n  stage: done\n---\nspec: {stage: done}\n"
    assert edited(text, 1) == text.replace("  stage: done", "  stage: promote-v2")
    assert edited(text, 2) == text.replace("{stage: done}", "{stage: promote-v2}")
    assert edited(text, 0) == text.replace("{a: 1}", "{stage: promote-v2, a: 1}")


@pytest.mark.parametrize(
    "text",
    [
        "spec: 1\n",
        "spec: []\n",
        "spec: {}\n",
        "kind: x\n",
        "spec: {stage: {a: 1}}\n",
        "spec:\n  stage: |\n    done\n",
        "spec:\n  stage: 'do\n    ne'\n",
        # Shared with something else, which would change too.
        "a: &a {stage: done}\nspec: *a\n",
        "a: &a\n  x: 1\nspec: *a\n",
        "a: &a\n  stage: done\nspec:\n  <<: *a\n",
        "a: &a\n  x: 1\nspec:\n  <<: *a\n  b: 1\n",
        "spec:\n  stage: &s done\n  b: *s\n",
        # Unusual forms.
        "spec:\n  ? a\n  : 1\n",
        "spec:\n  stage:\n  b: 1\n",
    ],
)
def test_what_cannot_be_edited_is_left_alone(text: str) -> None:
    with pytest.raises(CannotEdit):
        edited(text)


BLOCK = """\
spec:
  groups:
  - name: a
    version: v
  - version: v
"""
BLOCK_AFTER = """\
spec:
  groups:
  - name: a
    slot: {from: 0, to: 12.5}
    version: v
  - slot: {from: 50, to: 100}
    version: v
"""
FLOW = """\
spec: {groups: [{name: a, version: v}, {
  version: v}]}
"""
FLOW_AFTER = """\
spec: {groups: [{name: a, slot: {from: 0, to: 12.5}, version: v}, {
  slot: {from: 50, to: 100}, version: v}]}
"""
JSON = """\
{"spec": {"groups": [{"name": "a"}, {
  "b": 1}]}}
"""
JSON_AFTER = """\
{"spec": {"groups": [{"slot": {"from": 0, "to": 12.5}, "name": "a"}, {
  "slot": {"from": 50, "to": 100}, "b": 1}]}}
"""


@pytest.mark.parametrize(
    ("before", "after"), [(BLOCK, BLOCK_AFTER), (FLOW, FLOW_AFTER), (JSON, JSON_AFTER)]
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_several_fields_at_once(before: str, after: str, ending: str) -> None:
    (document,), _ = parse("f", before.replace("\n", ending))
    slots: dict[Path, Value] = {
        ("spec", "groups", 0, "slot"): {"from": 0, "to": 12.5},
        ("spec", "groups", 1, "slot"): {"from": 50.0, "to": 100},
    }
    assert with_fields(document, slots) == after.replace("\n", ending)


def test_a_shared_object_gets_no_field() -> None:
    (document,), _ = parse("f", "spec:\n- &a {name: a, b: 1}\n- *a\n")
    with pytest.raises(CannotEdit):
        with_fields(document, {("spec", 0, "slot"): 1})


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        # There or not, in one line or in several; the others stay.
        (
            "spec:\n  a: old   # why\n  b: {c: 'x', d: 1}\n",
            "spec:\n  e: 'gs://u'\n  a: new   # why\n  b: {f: [1, on-call], c: 'y', d: null}\n",
        ),
        (
            "spec: {a: old, b: {c: 'x', d: 1}}\n",
            "spec: {e: 'gs://u', a: new, b: {f: [1, on-call], c: 'y', d: null}}\n",
        ),
        (
            '{"spec": {"a": "old", "b": {"c": "x", "d": 1}}}\n',
            '{"spec": {"e": "gs://u", "a": "new", "b": {"f": [1, "on-call"], "c": "y", "d": null}}}\n',
        ),
    ],
)
def test_values_of_every_kind(before: str, after: str, ending: str) -> None:
    (document,), _ = parse("f", before.replace("\n", ending))
    values: dict[Path, Value] = {
        ("spec", "a"): "new",
        ("spec", "b", "c"): "y",
        ("spec", "b", "d"): None,
        ("spec", "b", "f"): [1, "on-call"],
        ("spec", "e"): "gs://u",
    }
    assert with_values(document, values) == after.replace("\n", ending)


@pytest.mark.parametrize("text", ["1e5", "on", "it's", 'a "b"', "a\\b", "#", "{", "é", "", "null"])
@pytest.mark.parametrize("before", ["a: x\n", "a: 'x'\n", 'a: "x"\n', "{b: 1, a: x}\n"])
def test_no_text_is_misread(before: str, text: str) -> None:
    (document,), _ = parse("f", before)
    (after,), found = parse("f", with_values(document, {("a",): text}))
    assert found == []
    assert value(after.node(("a",)) or after.root) == text


def test_a_text_of_several_lines_is_not_written() -> None:
    (document,), _ = parse("f", "a: x\n")
    with pytest.raises(CannotEdit):
        with_values(document, {("a",): "x\ny"})
