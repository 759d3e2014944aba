"""A baseline: the findings that are known, so that only new ones are reported.

A finding is known by its file, code, object, path and message, not by its line: edits
elsewhere in the file leave it known. Equal findings are counted.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from pinroute.diagnostics import Diagnostic, Path, Span, diagnose
from pinroute.diagnostics.catalogue import is_fixed
from pinroute.diagnostics.model import path_text
from pinroute.policy.placed import not_read, placed
from pinroute.spec.nodes import Document, Mark, Scalar, at
from pinroute.spec.parse import decode
from pinroute.spec.schema import load_schema
from pinroute.spec.shape import check_shape, errors

API_VERSION = "pinroute.dev/cli/v1"
KIND = "Baseline"
SCHEMA = "cli/baseline"
_AGAIN = "write it again with 'pinroute validate --write-baseline FILE'"
DIGITS = 16


class Entry(NamedTuple):
    """What a finding is known by. `file` is relative to the folder of the baseline."""

    file: str
    code: str
    kind: str
    namespace: str
    name: str
    path: str
    digest: str

    @property
    def object(self) -> str:
        """What people call the object."""
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}".strip() or "the file"


class Known(NamedTuple):
    """How many findings are equal, and where the baseline says so."""

    number: int
    span: Span
    path: Path


class Baseline(NamedTuple):
    """The entries of a file, and how the entries call each file that findings name."""

    file: str
    entries: Mapping[Entry, Known]
    places: Mapping[str, str]


class Compared(NamedTuple):
    """Findings that are new, those that are hidden, and notes on entries that are mended."""

    standing: list[Diagnostic]
    hidden: list[Diagnostic]
    mended: list[Diagnostic]


Keyed = list[tuple[Entry, Diagnostic]]


def compare(
    found: Sequence[Diagnostic],
    documents: Iterable[Document],
    baseline: Baseline,
    sure: Callable[[str], bool],
) -> Compared:
    """Compare findings with a baseline; `sure` tells of a code whether it was looked for."""
    standing: list[Diagnostic] = []
    hidden: list[Diagnostic] = []
    left = {entry: known.number for entry, known in baseline.entries.items()}
    for entry, item in _keyed(found, documents, baseline.places):
        if left.get(entry, 0) == 0:
            standing.append(item)
            continue
        left[entry] -= 1
        (standing if is_fixed(item.code) else hidden).append(item)
    names = {place: name for name, place in baseline.places.items()}
    mended = [
        _mended(entry, number, baseline, names[entry.file])
        for entry, number in left.items()
        if number and entry.file in names and sure(entry.code)
    ]
    return Compared(standing, hidden, mended)


def known_entries(
    found: Sequence[Diagnostic], documents: Iterable[Document], places: Mapping[str, str]
) -> Counter[Entry]:
    """Return the entries of the findings that a baseline may hold."""
    keyed = _keyed(found, documents, places)
    return Counter(entry for entry, item in keyed if not is_fixed(item.code))


def baseline_body(entries: Counter[Entry]) -> dict[str, Any]:
    """Return the JSON of a baseline, in an order that does not depend on the run."""
    findings = [
        {
            "file": entry.file,
            "code": entry.code,
            "object": {"kind": entry.kind, "namespace": entry.namespace, "name": entry.name},
            "path": entry.path,
            "digest": entry.digest,
            "count": count,
        }
        for entry, count in sorted(entries.items())
    ]
    return {"apiVersion": API_VERSION, "kind": KIND, "findings": findings}


def read_baseline(
    file: str, data: bytes, places: Mapping[str, str]
) -> tuple[Baseline | None, list[Diagnostic]]:
    """Read a baseline; None if some finding is an error."""
    import json

    text, found = decode(file, data)
    if errors(found):
        return None, found
    try:
        body = json.loads(text)
        json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape")
        document = Document(file, 0, placed(body, text), text)
    except (ValueError, RecursionError) as error:
        return None, [not_read(file, text, "JSON", error, _AGAIN)]
    found += [item._replace(hint=_AGAIN) for item in check_shape(document, load_schema(SCHEMA))]
    if errors(found):
        return None, found
    entries: dict[Entry, Known] = {}
    for index, item in enumerate(body["findings"]):
        about = item["object"]
        entry = Entry(
            item["file"],
            item["code"],
            *(about["kind"], about["namespace"], about["name"]),
            *(item["path"], item["digest"]),
        )
        path = ("findings", index, "code")
        count = int(item["count"]) + (entries[entry].number if entry in entries else 0)
        entries[entry] = Known(count, document.span(path), path)
    return Baseline(file, entries, places), found


def _keyed(
    found: Sequence[Diagnostic], documents: Iterable[Document], places: Mapping[str, str]
) -> Keyed:
    """Return each finding with its entry."""
    by_file: defaultdict[str, list[Document]] = defaultdict(list)
    named = {item.span.file for item in found}
    for document in documents:
        if document.file in named:
            by_file[document.file].append(document)
    for inside in by_file.values():
        inside.sort(key=_start)
    return [(_entry(item, by_file[item.span.file], places), item) for item in found]


def _start(document: Document) -> Mark:
    return document.root.start


def _entry(item: Diagnostic, documents: Sequence[Document], places: Mapping[str, str]) -> Entry:
    owner = _owner(item.span, documents)
    return Entry(
        places.get(item.span.file, item.span.file),
        item.code,
        _text(owner, "kind"),
        _text(owner, "metadata", "namespace"),
        _text(owner, "metadata", "name"),
        path_text(item.path),
        sha256(item.message.encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS],
    )


def _owner(span: Span, documents: Sequence[Document]) -> Document | None:
    """Return the document that a place is in, None for a comment outside of all."""
    place = (span.line - 1, span.column - 1)
    index = bisect_right(documents, place, key=_start) - 1
    return documents[index] if index >= 0 and place < documents[index].root.end else None


def _text(document: Document | None, *steps: str) -> str:
    node = at(document.root, *steps) if document is not None else None
    return node.text if isinstance(node, Scalar) else ""


def _mended(entry: Entry, number: int, baseline: Baseline, file: str) -> Diagnostic:
    known = baseline.entries[entry]
    times = "" if known.number == 1 else f" ({number} of {known.number})"
    return diagnose(
        "PIN020",
        known.span,
        known.path,
        code=entry.code,
        object=entry.object,
        file=file,
        times=times,
        baseline=baseline.file,
    )
