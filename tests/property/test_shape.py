"""The quick walk over the nodes agrees with jsonschema, which is the authority."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pinroute.spec.nodes import Document
from pinroute.spec.parse import parse
from pinroute.spec.schema import KINDS, kind_schema
from pinroute.spec.shape import check_shape, conforms

MORE = settings().max_examples * 10
VALIDATORS = {kind: Draft202012Validator(kind_schema(kind)) for kind in KINDS}
Mutate = Callable[..., dict[str, Any]]


def document_of(text: str) -> Document:
    documents, found = parse("f", text)
    assert not found, (text, found)
    (document,) = documents
    return document


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    inner = list(schema.get("properties", {}).values())
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for item in inner:
        if isinstance(item, dict):
            yield from subschemas(item)


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_use_only_what_the_walk_knows(kind: str) -> None:
    schema = kind_schema(kind)
    Draft202012Validator.check_schema(schema)
    checked = {
        "type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems",
        "minProperties", "enum", "minLength", "maxLength", "pattern", "minimum", "maximum",
    }  # fmt: skip
    words = {"$schema", "$id", "title", "description", "default", "examples"}
    for inner in subschemas(schema):
        other = set(inner) - checked - words
        assert all(key.startswith("x-kubernetes-") for key in other), other
        texts = {"enum", "minLength", "maxLength", "pattern"} & set(inner)
        assert not texts or inner["type"] == "string"
        numbers = {"minimum", "maximum"} & set(inner)
        assert not numbers or inner["type"] in ("integer", "number")
        assert inner.get("type") in {
            "object", "array", "string", "integer", "number", "boolean",
        }  # fmt: skip


ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 2.0, 2.5, -0.5, 64, 65, 100, 100.5, 101, 65535, 65536, 10**20,
    "", "x", "X", "a.b", "a-b", "-a", "a\n", "0.16", "0.16.1", "5s", "5", "done", "ramp-10", "ramp-",
    "a" * 63, "a" * 64, "a" * 253, "a" * 254, [], [None], ["x"], [{}], {}, {"x": None}, {"x": "y"},
    {"name": "x"}, {"header": "x"}, {"x": "y", "z": 1},
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_walk_agrees_on_every_part_of_a_schema(kind: str) -> None:
    for part in subschemas(kind_schema(kind)):
        authority = Draft202012Validator(part)
        for odd in [*ODD, *part.get("examples", []), *part.get("enum", [])]:
            root = document_of(json.dumps(odd)).root
            assert conforms(root, part, quoted=False) == authority.is_valid(odd), (part, odd)


@given(data=st.data())
@settings(max_examples=MORE)
def test_the_walk_agrees_with_jsonschema(
    data: st.DataObject, documents: list[dict[str, Any]], mutate: Mutate
) -> None:
    """Every scalar as JSON writes it, so that jsonschema can judge the very same data."""
    kind = data.draw(st.sampled_from(KINDS))
    own = [document for document in documents if document["kind"] == kind]
    changed = mutate(data.draw, data.draw(st.sampled_from(own)))
    root = document_of(json.dumps(changed)).root
    valid = VALIDATORS[kind].is_valid(changed)
    assert conforms(root, kind_schema(kind), quoted=False) == valid


@given(data=st.data())
def test_the_walk_agrees_on_another_kind(
    data: st.DataObject, documents: list[dict[str, Any]]
) -> None:
    document, kind = data.draw(st.sampled_from(documents)), data.draw(st.sampled_from(KINDS))
    root = document_of(json.dumps(document)).root
    assert conforms(root, kind_schema(kind), quoted=False) == (document["kind"] == kind)


@given(data=st.data())
@settings(max_examples=MORE // 2)
def test_what_does_not_conform_is_explained(
    data: st.DataObject, documents: list[dict[str, Any]], mutate: Mutate
) -> None:
    """With quotes taken away at random, so that texts turn into numbers and the like."""
    document = data.draw(st.sampled_from(documents))
    kind = document["kind"]
    changed = mutate(data.draw, document, 2)
    text = flow(changed, data.draw(st.randoms(use_true_random=False)).random)
    parsed, problems = parse("f", text)
    if problems:  # a text without its quotes may be no YAML, or a merge key
        return
    found = check_shape(parsed[0], kind_schema(kind))
    assert bool(found) != conforms(parsed[0].root, kind_schema(kind)), text
    assert all(item.severity.value == "error" for item in found)
    lines = text.split("\n")
    for item in found:
        assert item.code.startswith("PIN10")
        assert 1 <= item.span.line <= len(lines)
        assert 1 <= item.span.column <= len(lines[item.span.line - 1]) + 1


WORDS = ["1e5", "0x1", "0b1", "012", "1_000", "1:20", "on", "y", "No", "~", "null", ".5", ".inf"]


def flow(value: Any, chance: Callable[[], float]) -> str:
    """YAML in flow style, in which some texts stand without quotes."""
    if isinstance(value, dict):
        inner = (f"{json.dumps(key)}: {flow(item, chance)}" for key, item in value.items())
        return "{" + ",\n ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item, chance) for item in value) + "]"
    if isinstance(value, str) and chance() < 0.3 and value.replace(".", "").isalnum():
        return value if chance() < 0.9 else WORDS[int(chance() * len(WORDS))]
    return json.dumps(value)
