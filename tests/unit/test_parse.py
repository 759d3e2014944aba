"""Text to nodes: every place as people count it, and what YAML allows that a spec may not hold."""

import pytest

from pinroute.diagnostics import Diagnostic, Span
from pinroute.spec.nodes import Document, Mapping, Scalar, Sequence
from pinroute.spec.parse import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_DOCUMENTS,
    MAX_EXPANSION,
    MAX_FINDINGS,
    MAX_NODES,
    decode,
    parse,
)
from pinroute.spec.scalars import Value, value

FILE = "spec.yaml"


def document(text: str) -> Document:
    documents, found = parse(FILE, text)
    assert found == []
    (one,) = documents
    return one


def data(text: str) -> Value:
    return value(document(text).root)


def findings(text: str) -> list[Diagnostic]:
    return parse(FILE, text)[1]


def places(text: str) -> list[tuple[str, tuple[int, int]]]:
    return [(item.code, (item.span.line, item.span.column)) for item in findings(text)]


def pointed(text: str, span: Span) -> str:
    """The text that a span of one line points at."""
    assert span.line == span.end_line
    return text.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1]


# Spans.


@pytest.mark.parametrize(
    ("text", "path", "seen"),
    [
        ("a: b", ("a",), "b"),
        ("a: 'b c'", ("a",), "'b c'"),
        ('a: "b\\u00e9"', ("a",), '"b\\u00e9"'),
        ("a: b # c", ("a",), "b"),
        ("é: ü", ("é",), "ü"),
        ("日本: {語: 😀x}", ("日本", "語"), "😀x"),
        ("a:\n  b:\n  - c\n  - d", ("a", "b", 1), "d"),
        ("a: {b: [c, d]}", ("a", "b"), "[c, d]"),
        ("a: {b: [c, d]}", ("a",), "{b: [c, d]}"),
        ("a: []", ("a",), "[]"),
        ("- a\n- b: c", (1, "b"), "c"),
        ("a: &x b\nc: *x", ("c",), "&x b"),
        ("? a\n: b", ("a",), "b"),
        ("a:   b   ", ("a",), "b"),
        ("---\na: b", ("a",), "b"),
        ("a:\r\n  b: c\r\n", ("a", "b"), "c"),
        ("# é\na: b", ("a",), "b"),
    ],
)
def test_a_span_points_at_its_value(text: str, path: tuple[str | int, ...], seen: str) -> None:
    span = document(text).span(path)
    assert span.file == FILE
    assert pointed(text, span) == seen


@pytest.mark.parametrize(
    ("text", "path", "seen"),
    [
        ("a: b", ("a",), "a"),
        ("'a': b", ("a",), "'a'"),
        ("x: {é: 1, ü: 2}", ("x", "ü"), "ü"),
        ("x:\n  a: {b: 1}", ("x", "a"), "a"),
    ],
)
def test_a_key_has_a_place_too(text: str, path: tuple[str, ...], seen: str) -> None:
    assert pointed(text, document(text).span(path, key=True)) == seen


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        (("spec", "groups", 0, "version"), "groups"),
        (("spec", "groups"), "{name: x}"),
        (("spec", "other", "deep"), "spec"),
        (("nothing",), "kind"),
        (("spec", "groups", "name", "deeper"), "name"),
    ],
)
def test_what_does_not_exist_is_at_the_closest_thing_that_does(
    path: tuple[str | int, ...], seen: str
) -> None:
    text = "kind: x\nspec:\n  groups: {name: x}\n"
    span = document(text).span(path)
    assert span.line == span.end_line
    line = text.splitlines()[span.line - 1]
    assert line[span.column - 1 :].startswith(seen)


def test_an_object_of_many_lines_is_its_first_key() -> None:
    text = "spec:\n  a: 1\n  b: 2\nlist:\n- 1\n- 2\n"
    one = document(text)
    assert pointed(text, one.span(("spec",))) == "a"
    assert pointed(text, one.span(("list",))) == "-"


def test_a_text_of_many_lines_spans_them() -> None:
    span = document("a: |\n  b\n  c\nd: e\n").span(("a",))
    assert (span.line, span.column, span.end_line) == (1, 4, 4)


# Documents.


def test_several_documents_and_empty_ones() -> None:
    documents, found = parse(FILE, "# c\n---\na: 1\n---\n---\n# nothing\n---\n- b\n...\n")
    assert found == []
    assert [value(item.root) for item in documents] == [{"a": 1}, ["b"]]
    assert [item.index for item in documents] == [0, 1]


@pytest.mark.parametrize("text", ["", "\n", "# c\n", "---\n", "---\n...\n", "%YAML 1.2\n---\n"])
def test_nothing_is_no_document(text: str) -> None:
    assert parse(FILE, text) == ([], [])


def test_documents_before_a_mistake_are_there() -> None:
    documents, found = parse(FILE, "a: 1\n---\nb: [\n")
    assert [value(item.root) for item in documents] == [{"a": 1}]
    assert [item.code for item in found] == ["PIN001"]


def test_flow_style_is_json() -> None:
    text = '{"a": [1, "b", true, null, {"c": -1.5e3}], "d": {}}'
    assert data(text) == {"a": [1, "b", True, None, {"c": -1500}], "d": {}}


def test_block_texts() -> None:
    assert data("a: |\n  x\n  y\nb: >-\n  x\n  y\n") == {"a": "x\ny\n", "b": "x y"}


# Anchors, aliases, merge keys.


def test_an_alias_is_what_it_names() -> None:
    text = "a: &x {b: [1]}\nc: *x\nd: &y 1\ne: *y\n"
    assert data(text) == {"a": {"b": [1]}, "c": {"b": [1]}, "d": 1, "e": 1}


def test_an_anchor_can_be_given_again() -> None:
    assert data("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_an_anchor_ends_with_its_document() -> None:
    assert places("a: &x 1\n---\nb: *x\n") == [("PIN001", (3, 4))]


def test_an_alias_of_itself_is_refused() -> None:
    assert places("a: &x [*x]") == [("PIN001", (1, 8))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x: &x {a: 1}\ny: {<<: *x, b: 2}", {"a": 1, "b": 2}),
        ("x: &x {a: 1}\ny: {<<: *x, a: 2}", {"a": 2}),
        ("x: &x {a: 1}\ny: {a: 2, <<: *x}", {"a": 2}),
        ("x: &x {a: 1, b: 1}\ny: {<<: [*x, {b: 2, c: 2}]}", {"a": 1, "b": 1, "c": 2}),
        ("x: &x {a: 1}\ny: {<<: *x, <<: {a: 3, d: 4}}", {"a": 1, "d": 4}),
        ("x: 1\ny: {'<<': 1}", {"<<": 1}),
    ],
)
def test_merge_keys(text: str, expected: Value) -> None:
    found = data(text)
    assert isinstance(found, dict)
    assert found["y"] == expected


def test_a_merged_field_is_where_it_is_written() -> None:
    text = "x: &x {a: one}\ny:\n  <<: *x\n  b: two\n"
    assert document(text).span(("y", "a")).line == 1
    assert document(text).span(("y", "b")).line == 4


@pytest.mark.parametrize("text", ["a: {<<: b}", "a: {<<: [b]}", "a: {<<: [[{}]]}", "a: {<<: }"])
def test_only_objects_can_be_merged(text: str) -> None:
    assert [item.code for item in findings(text)] == ["PIN001"]


# Duplicate keys.


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 2\na: 3\n",
        "{a: 1, b: 2, a: 3}",
        "a: 1\n'a': 3\n",
        "x: &x {a: 0}\ny: {<<: *x, a: 1, a: 3}",
    ],
)
def test_a_key_given_twice_names_both_places(text: str) -> None:
    (finding,) = findings(text)
    assert finding.code == "PIN005"
    (first,) = finding.related
    assert pointed(text, finding.span).strip("'") == "a"
    assert pointed(text, first.span).strip("'") == "a"
    assert first.span < finding.span


def test_the_first_of_two_keys_is_kept_and_reading_goes_on() -> None:
    documents, found = parse(FILE, "a: 1\na: 2\nb: 1\nb: 2\n")
    assert [value(item.root) for item in documents] == [{"a": 1, "b": 1}]
    assert [item.code for item in found] == ["PIN005", "PIN005"]


# Tags and quotes.


def test_quotes_and_tags_decide_what_is_plain() -> None:
    root = document("a: 1\nb: '1'\nc: !!str 1\nd: !!int 1\ne: ! 1\nf: |\n  1\n").root
    assert isinstance(root, Mapping)
    scalars = {key: node for key, node in root.entries.items() if isinstance(node, Scalar)}
    assert {key: node.plain for key, node in scalars.items()} == {
        "a": True,
        "b": False,
        "c": False,
        "d": True,
        "e": False,
        "f": False,
    }


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!x", "!!binary", "!!timestamp"])
def test_other_tags_are_refused(tag: str) -> None:
    text = f"a: {tag} b"
    (finding,) = findings(text)
    assert finding.code == "PIN010"
    assert pointed(text, finding.span) == f"{tag} b"


# Not YAML.


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a:\n\tb: 1\n", "PIN002", (2, 1)),
        ("a: 'x", "PIN001", (1, 6)),
        ("é: [é, }", "PIN001", (1, 8)),
        ("a: é: b", "PIN001", (1, 5)),
        ("- a\n b: c", "PIN001", (2, 3)),
        ("a: *x", "PIN001", (1, 4)),
        ("? [a]\n: b", "PIN014", (1, 3)),
        ("a: \x07", "PIN001", (1, 4)),
        ("éé: 1\nü: é\x01", "PIN001", (2, 5)),
        ("日本\r\né: \x00", "PIN001", (2, 4)),
        ("a: @b", "PIN001", (1, 4)),
    ],
)
def test_a_mistake_has_a_place(text: str, code: str, place: tuple[int, int]) -> None:
    assert places(text) == [(code, place)]


# Encoding.


def test_utf_8_is_read_and_a_mark_is_taken_off() -> None:
    assert decode(FILE, "é".encode()) == ("é", [])
    text, found = decode(FILE, b"\xef\xbb\xbfa: b")
    assert text == "a: b"
    assert [item.code for item in found] == ["PIN004"]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a: \xff", (1, 4)),
        ("é: ".encode() + b"\x80", (1, 4)),
        (b"a\nbc\xc3", (2, 3)),
        ("a: é".encode("latin-1"), (1, 4)),
        ("a: b".encode("utf-16"), (1, 1)),
        (b"\xed\xa0\x80", (1, 1)),
    ],
)
def test_a_byte_that_is_no_utf_8_has_a_place(data: bytes, place: tuple[int, int]) -> None:
    text, (finding,) = decode(FILE, data)
    assert text == ""
    assert finding.code == "PIN003"
    assert (finding.span.line, finding.span.column) == place


# Limits: refused quickly, in bounded memory.


def test_a_file_that_is_too_large() -> None:
    assert decode(FILE, b"a" * MAX_BYTES)[1] == []
    assert [item.code for item in decode(FILE, b"a" * (MAX_BYTES + 1))[1]] == ["PIN011"]


def test_nesting_up_to_the_limit() -> None:
    assert findings("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    deep = MAX_DEPTH + 1
    assert [item.code for item in findings("[" * deep + "]" * deep)] == ["PIN006"]
    assert [item.code for item in findings("[" * 100_000)] == ["PIN006"]
    assert [item.code for item in findings("- " * 100_000 + "a")] == ["PIN006"]


def test_nesting_by_aliases_counts() -> None:
    text = "a: &a []\n" + "".join(f"a{n}: &a [*a]\n" for n in range(MAX_DEPTH + 2))
    assert [item.code for item in findings(text)] == ["PIN006"]


def test_an_alias_bomb_of_many_nodes() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert [item.code for item in findings(text)] == ["PIN007"]


def test_an_alias_bomb_of_few_long_texts() -> None:
    """200 kB that would be 400 MB: each alias is one node, but a heavy one."""
    text = f"a: &a '{'x' * 200_000}'\nb: [{', '.join(['*a'] * 2_000)}]\n"
    assert [item.code for item in findings(text)] == ["PIN007"]


def test_many_harmless_aliases() -> None:
    text = f"a: &a {{b: c}}\nd: [{', '.join(['*a'] * 20_000)}]\n"
    assert MAX_EXPANSION > 60_000
    assert findings(text) == []


def test_too_many_values_documents_and_findings() -> None:
    assert [item.code for item in findings("[" + "1," * (MAX_NODES + 1) + "]")] == ["PIN011"]
    assert [item.code for item in findings("--- 1\n" * (MAX_DOCUMENTS + 1))] == ["PIN011"]
    assert len(findings("a: 1\n" * (MAX_FINDINGS * 3))) == MAX_FINDINGS


def test_nodes_keep_their_order() -> None:
    root = document("b: 1\na: 2\nc: [3]\n").root
    assert isinstance(root, Mapping)
    assert list(root.entries) == ["b", "a", "c"]
    assert list(root.keys) == ["b", "a", "c"]
    assert isinstance(root.entries["c"], Sequence)
