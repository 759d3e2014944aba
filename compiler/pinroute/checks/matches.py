"""Matches that Istio refuses, or that the API server turns into something else."""

import re
from collections.abc import Iterator

from pinroute.checks.target import Target, is_null
from pinroute.diagnostics import Diagnostic, Related, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.istio.limits import header_name_problem
from pinroute.istio.regex import regex_problem
from pinroute.spec.nodes import Mapping, Node, Scalar, Sequence, at
from pinroute.spec.scalars import misread, scalar_value

KINDS = ("exact", "prefix", "regex")
CLAIM = re.compile(r"(?is)@request\.auth\.claims(?:\..+|\[.+\])")
PSEUDO = frozenset({":path", ":method", ":scheme", ":authority"})


def nulls(target: Target) -> Iterator[Diagnostic]:
    """Find nulls that the API server drops: what is left matches far more."""
    document = target.document
    for path, item in target.matches:
        for name, field_node in item.entries.items():
            if is_null(field_node):
                inner = (*path, name)
                becomes = (
                    "a match on nothing, which takes every request"
                    if len(item.entries) == 1
                    else "no condition"
                )
                yield diagnose(
                    "PIN305", document.span(inner, key=True), inner, field=name, becomes=becomes
                )
    for path, _, node in target.strings:
        name = str(path[-1])
        if is_null(node) and len(path) > 6:
            becomes = "no condition: the whole match can then take every request"
            yield diagnose(
                "PIN305", document.span(path, key=True), path, field=name, becomes=becomes
            )
        elif isinstance(node, Mapping):
            for kind, text in node.entries.items():
                if is_null(text):
                    inner = (*path, kind)
                    becomes = f"presence of {name!r}: every request that carries it"
                    yield diagnose(
                        "PIN305",
                        document.span(inner, key=True),
                        inner,
                        field=kind,
                        becomes=becomes,
                    )


def refused(target: Target) -> Iterator[Diagnostic]:
    """Find StringMatches that the API server or Istio refuses."""
    for path, field, node in target.strings:
        problem = _problem(field, node)
        if problem is not None:
            yield diagnose(
                "PIN308",
                target.document.span(path, key=True),
                path,
                field=path[-1],
                problem=problem,
            )


def _problem(field: str, node: Node | None) -> str | None:
    if is_null(node):
        return None
    if not isinstance(node, Mapping):
        return "it is an object with exact, prefix or regex"
    kinds = [name for name in node.entries if name in KINDS]
    if len(kinds) < len(node.entries):
        odd = next(name for name in node.entries if name not in KINDS)
        return f"it has no field {odd!r}: {did_you_mean(odd, KINDS)}"
    if len(kinds) > 1:
        return f"it has both {kinds[0]!r} and {kinds[1]!r}"
    if not kinds:
        return None
    text = node.entries[kinds[0]]
    if not isinstance(text, Scalar):
        return f"{kinds[0]!r} is text"
    if is_null(text):
        return None
    if text.plain and (not isinstance(scalar_value(text), str) or misread(text.text)):
        return (
            f'{text.text} is not quoted, so it is no text to the API server: write "{text.text}"'
        )
    if text.text == "" and kinds[0] == "prefix" and field != "uri":
        return "an empty prefix is refused; leave it out for 'present'"
    if kinds[0] == "regex" and not (field == "withoutHeaders" and text.text == "*"):
        return regex_problem(text.text)
    if text.text != text.text.strip(" \t") and field in ("headers", "withoutHeaders"):
        return f"{text.text!r} never matches: blanks around a header's value are taken off"
    return None


def names(target: Target) -> Iterator[Diagnostic]:
    """Find names of headers that no request can have."""
    document = target.document
    for path, field, _ in target.strings:
        name = str(path[-1])
        if field == "queryParams" and not name:
            problem = "it is empty, which Envoy refuses"
            where = document.span(path, key=True)
            yield diagnose("PIN304", where, path, hint="name it", name=name, problem=problem)
        if field == "queryParams" or len(path) < 7:
            continue
        if CLAIM.fullmatch(name):
            if target.on_mesh:
                problem = "claims are matched on gateways only"
                yield diagnose(
                    "PIN304", document.span(path, key=True), path, name=name, problem=problem
                )
            continue
        problem_of_name = None if name in PSEUDO else header_name_problem(name)
        if problem_of_name is not None:
            yield diagnose(
                "PIN304", document.span(path, key=True), path, name=name, problem=problem_of_name
            )


def repeated(target: Target) -> Iterator[Diagnostic]:
    """Find one header under two spellings: both conditions have to hold."""
    document = target.document
    for path, item in target.matches:
        headers = item.entries.get("headers")
        seen: dict[str, str] = {}
        for name in headers.entries if isinstance(headers, Mapping) else ():
            first = seen.setdefault(name.lower(), name)
            if first != name:
                inner = (*path, "headers", name)
                before = document.span((*path, "headers", first), key=True)
                related = (Related(before, "the other spelling"),)
                where = document.span(inner, key=True)
                yield diagnose("PIN312", where, inner, related=related, name=name, first=first)


def null_rules(target: Target) -> Iterator[Diagnostic]:
    """Find matches that are null: kubectl takes some of them for no match at all."""
    document = target.document
    for rule in target.rules:
        path = (*rule.path, "match")
        node = at(target.entries[rule.number], "match")
        if is_null(node):
            becomes = "a rule without a match, which takes every request"
            yield diagnose(
                "PIN305", document.span(path, key=True), path, field="match", becomes=becomes
            )
        elif isinstance(node, Sequence):
            for index, item in enumerate(node.items):
                if is_null(item):
                    inner = (*path, index)
                    becomes = "a match that takes every request, where it is not refused"
                    yield diagnose(
                        "PIN305", document.span(inner), inner, field="match", becomes=becomes
                    )
