"""Findings for people and machines: text, JSON, GitHub annotations, SARIF."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pinroute import __version__
from pinroute.cli.exits import Exit
from pinroute.cli.terminal import BLUE, RED, YELLOW, styled
from pinroute.diagnostics import Diagnostic, Path, Severity, Span

API_VERSION = "pinroute.dev/cli/v1"
_COLOURS = {Severity.ERROR: RED, Severity.WARNING: YELLOW, Severity.NOTE: BLUE}


def exit_code(found: Iterable[Diagnostic], fail_on: Severity = Severity.ERROR) -> Exit:
    """Return 2 if something could not be read, 1 if a finding is at least `fail_on`, else 0."""
    bad = [item for item in found if item.severity.rank <= fail_on.rank]
    if any(item.code.startswith("PIN0") and item.severity is Severity.ERROR for item in bad):
        return Exit.USAGE
    return Exit.NO if bad else Exit.OK


def loud(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return errors and warnings: notes are for those who ask, with `validate`."""
    return [item for item in found if item.severity is not Severity.NOTE]


def counts(found: Sequence[Diagnostic]) -> str:
    """Return how many findings there are, in words."""
    parts = []
    for severity in Severity:
        number = sum(1 for item in found if item.severity is severity)
        if number:
            parts.append(f"{number} {severity.value}{'s' if number > 1 else ''}")
    return ", ".join(parts) or "no findings"


def text(found: Iterable[Diagnostic], coloured: bool = False) -> str:
    """Return findings as editors, `grep` and problem matchers understand them."""
    lines: list[str] = []
    for item in found:
        word = f"{item.severity.value}[{item.code}]"
        if coloured:
            word = styled(word, _COLOURS[item.severity])
        lines.append(f"{_place(item.span)}: {word} {item.message}")
        lines += [f"{_place(other.span)}: note: {other.message}" for other in item.related]
        if item.hint:
            lines.append(f"  hint: {item.hint}")
    return "".join(f"{line}\n" for line in lines)


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}:{span.column}"


def path_text(path: Path) -> str:
    """Return a path as people write it: spec.groups[1].prefixes[0]."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).lstrip(".")


def _range(span: Span) -> dict[str, Any]:
    return {
        "start": {"line": span.line, "column": span.column},
        "end": {"line": span.end_line, "column": span.end_column},
    }


def as_json(found: Sequence[Diagnostic]) -> str:
    """Return findings as the JSON of schemas/cli/diagnostics.schema.json."""
    items = []
    for item in found:
        entry: dict[str, Any] = {
            "code": item.code,
            "name": item.name,
            "severity": item.severity.value,
            "message": item.message,
        }
        if item.hint:
            entry["hint"] = item.hint
        entry["file"] = item.span.file
        entry["path"] = path_text(item.path)
        entry["range"] = _range(item.span)
        entry["related"] = [
            {"message": other.message, "file": other.span.file, "range": _range(other.span)}
            for other in item.related
        ]
        items.append(entry)
    summary = {
        f"{severity.value}s": sum(1 for item in found if item.severity is severity)
        for severity in Severity
    }
    return dumped({"kind": "Diagnostics", "diagnostics": items, "summary": summary})


def dumped(body: dict[str, Any]) -> str:
    """Return the JSON of a command, with its API version in front."""
    return json.dumps({"apiVersion": API_VERSION, **body}, indent=2, ensure_ascii=False) + "\n"


_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_github(found: Iterable[Diagnostic]) -> str:
    """Return findings as workflow commands of GitHub Actions.

    Columns are given only where the finding is in one line: GitHub drops it otherwise.
    """
    lines = []
    for item in found:
        span = item.span
        fields = [f"file={_property(span.file)}", f"line={span.line}", f"endLine={span.end_line}"]
        if span.line == span.end_line:
            fields += [f"col={span.column}", f"endColumn={span.end_column}"]
        fields.append(f"title={_property(item.code)}")
        message = f"{item.message}\nhint: {item.hint}" if item.hint else item.message
        lines.append(f"::{_GITHUB[item.severity]} {','.join(fields)}::{_data(message)}\n")
    return "".join(lines)


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def as_sarif(found: Sequence[Diagnostic]) -> str:
    """Return findings as SARIF 2.1.0, as GitHub's code scanning takes it."""
    from pinroute.diagnostics.catalogue import codes, rule

    rules = [
        {
            "id": code,
            "name": rule(code).name,
            "shortDescription": {"text": rule(code).summary},
            "fullDescription": {"text": rule(code).explain.strip()},
            "help": {"text": rule(code).explain.strip()},
            "defaultConfiguration": {"level": rule(code).severity.value},
        }
        for code in codes()
    ]
    results = [
        {
            "ruleId": item.code,
            "level": item.severity.value,
            "message": {"text": f"{item.message}. {item.hint}" if item.hint else item.message},
            "locations": [{"physicalLocation": _location(item.span)}],
        }
        for item in found
    ]
    driver = {
        "name": "pinroute",
        "version": __version__,
        "informationUri": "https://pinroute.dev",
        "rules": rules,
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _location(span: Span) -> dict[str, Any]:
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {"artifactLocation": {"uri": span.file}, "region": region}


FORMATS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {
    "text": text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
