"""A report of findings for people and machines: text, JSON, GitHub annotations, SARIF."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pinroute import __version__
from pinroute.cli.report import dumped, text
from pinroute.diagnostics import Diagnostic, Severity, Span
from pinroute.diagnostics.model import path_text

_MARK = " (in the baseline)"


class Report(NamedTuple):
    """Findings, and those that the baseline hides (None without one); `shown` prints these too."""

    found: Sequence[Diagnostic]
    hidden: Sequence[Diagnostic] | None = None
    shown: bool = False

    def printed(self) -> list[tuple[Diagnostic, bool]]:
        """Return what is printed, in order, and of each whether the baseline hides it."""
        known = [(item, True) for item in self.hidden or ()] if self.shown else []
        return sorted([*((item, False) for item in self.found), *known])


def as_text(report: Report, coloured: bool = False) -> str:
    """Return a report for people."""
    return text(
        (
            item._replace(message=item.message + _MARK) if hidden else item
            for item, hidden in report.printed()
        ),
        coloured,
    )


def _range(span: Span) -> dict[str, Any]:
    return {
        "start": {"line": span.line, "column": span.column},
        "end": {"line": span.end_line, "column": span.end_column},
    }


def as_json(report: Report) -> str:
    """Return findings as the JSON of schemas/cli/diagnostics.schema.json."""
    items = []
    for item, hidden in report.printed():
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
        if hidden:
            entry["hidden"] = True
        items.append(entry)
    summary = {
        f"{severity.value}s": sum(1 for item in report.found if item.severity is severity)
        for severity in Severity
    }
    summary["hidden"] = len(report.hidden or ())
    return dumped({"kind": "Diagnostics", "diagnostics": items, "summary": summary})


_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def as_github(report: Report) -> str:
    """Return findings as workflow commands of GitHub Actions; hidden ones become notices.

    Columns are given only where the finding is in one line: GitHub drops it otherwise.
    """
    lines = []
    for item, hidden in report.printed():
        span = item.span
        fields = [f"file={_property(span.file)}", f"line={span.line}", f"endLine={span.end_line}"]
        if span.line == span.end_line:
            fields += [f"col={span.column}", f"endColumn={span.end_column}"]
        fields.append(f"title={_property(item.code)}")
        message = item.message + _MARK if hidden else item.message
        if item.hint:
            message += f"\nhint: {item.hint}"
        word = _GITHUB[Severity.NOTE if hidden else item.severity]
        lines.append(f"::{word} {','.join(fields)}::{_data(message)}\n")
    return "".join(lines)


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


_SUPPRESSED = {
    "kind": "external",
    "status": "accepted",
    "justification": "the baseline knows it",
}


def as_sarif(report: Report) -> str:
    """Return findings as SARIF 2.1.0, as GitHub's code scanning takes it.

    With a baseline every result says whether it is new. A hidden one is unchanged and
    suppressed; SARIF then wants a list of suppressions, maybe an empty one, in every
    result (3.27.23). They are there on request only: GitHub opens an alert for them.
    """
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
    results = []
    for item, hidden in report.printed():
        result: dict[str, Any] = {
            "ruleId": item.code,
            "level": item.severity.value,
            "message": {"text": f"{item.message}. {item.hint}" if item.hint else item.message},
            "locations": [{"physicalLocation": _location(item.span)}],
        }
        if report.hidden is not None:
            result["baselineState"] = "unchanged" if hidden else "new"
        if report.hidden is not None and report.shown:
            result["suppressions"] = [_SUPPRESSED] if hidden else []
        results.append(result)
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


FORMATS: dict[str, Callable[[Report], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
