"""From the bytes of a file to our documents of the right shape; other kinds are left alone."""

from collections.abc import Iterator
from typing import NamedTuple

from pinroute.diagnostics import Diagnostic, Span, diagnose
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.nodes import Document, Mapping, Node, Scalar, Sequence
from pinroute.spec.parse import decode, parse
from pinroute.spec.schema import API_VERSION, GROUP, KINDS, kind_schema
from pinroute.spec.shape import check_shape, errors


class Loaded(NamedTuple):
    """One file: its text, our documents that may be used, and those of other kinds."""

    text: str
    ours: list[tuple[str, Document]]
    others: list[Document]
    diagnostics: list[Diagnostic]


def load(file: str, data: bytes) -> Loaded:
    """Read a file, and check the shape of the documents that are ours."""
    text, found = decode(file, data)
    if errors(found):
        return Loaded(text, [], [], found)
    documents, problems = parse(file, text)
    found += problems
    ours: list[tuple[str, Document]] = []
    others: list[Document] = []
    for document in _unwrapped(documents):
        root = document.root
        if not isinstance(root, Mapping):
            noun = "a list" if isinstance(root, Sequence) else "a single value"
            found.append(diagnose("PIN111", document.span_of(root), noun=noun))
            continue
        version, kind = _text(root, "apiVersion"), _text(root, "kind")
        if version is None and kind is None:
            found.append(diagnose("PIN112", document.span_of(root)))
        elif not _is_ours(version, kind):
            others.append(document)
        elif version is None or kind is None:
            found.append(_unsaid(document, "apiVersion" if version is None else "kind"))
        elif version != API_VERSION:
            where = document.span(("apiVersion",))
            found.append(
                diagnose("PIN109", where, ("apiVersion",), value=version, known=API_VERSION)
            )
        elif kind not in KINDS:
            hint = did_you_mean(kind, KINDS)
            found.append(
                diagnose("PIN110", document.span(("kind",)), ("kind",), value=kind, hint=hint)
            )
        else:
            wrong = check_shape(document, kind_schema(kind))
            found += wrong
            if not errors(wrong):
                ours.append((kind, document))
    if not documents and not errors(found):
        found.append(diagnose("PIN008", Span(file)))
    return Loaded(text, ours, others, found)


def _is_ours(version: str | None, kind: str | None) -> bool:
    """Tell whether a document is meant for us: other groups have a Metric, too.

    What the commands themselves write, such as a baseline, is nothing to read here.
    """
    if version is not None and version.startswith(f"{GROUP}/"):
        return not version.startswith(f"{GROUP}/cli/")
    return kind == "AffinityExperiment" or (version is None and kind in KINDS)


def _unwrapped(documents: list[Document]) -> Iterator[Document]:
    """Yield documents, and the items of lists in their place."""
    for document in documents:
        root = document.root
        items = root.entries.get("items") if isinstance(root, Mapping) else None
        if (
            isinstance(root, Mapping)
            and isinstance(items, Sequence)
            and _text(root, "kind") == "List"
        ):
            inner = [
                Document(document.file, document.index, item, document.text)
                for item in items.items
            ]
            yield from _unwrapped(inner)
        else:
            yield document


def _unsaid(document: Document, field: str) -> Diagnostic:
    """Return the finding for one of our documents without an API version or a kind."""
    path = (field,)
    known = API_VERSION if field == "apiVersion" else " or ".join(KINDS)
    if document.node(path) is None:
        where = document.span(())
        hint = f"add '{field}: {known}'"
        return diagnose("PIN103", where, field=field, parent="the document", hint=hint)
    hint = f"write {known}"
    got = "an object or a list"
    where = document.span(path)
    return diagnose("PIN101", where, path, field=field, expected="text", got=got, hint=hint)


def _text(node: Mapping, key: str) -> str | None:
    found: Node | None = node.entries.get(key)
    return found.text if isinstance(found, Scalar) else None
