"""The catalogue as a page of the documentation: docs/diagnostics.md."""

from collections.abc import Iterator
from itertools import groupby

from pinroute.diagnostics.catalogue import codes, rule
from pinroute.diagnostics.model import Rule

_TITLES = {
    "PIN0": "Reading",
    "PIN1": "Shape",
    "PIN2": "Meaning of a spec",
    "PIN3": "Any VirtualService",
    "PIN4": "The cluster",
    "PIN5": "Metrics and statistics",
}

_TOP = """\
<!-- Generated from compiler/pinroute/diagnostics/catalogue by `make golden`. Do not edit. -->

# Diagnostics

Everything that pinroute finds has a code, which is never used again for something else. An error
stops the compiler; a warning does not. `pinroute explain CODE` prints what is said here.

```text
experiment.yaml:14:52: error[PIN201] prefix '101' of group 'b' is inside of '1' of group 'a': …
experiment.yaml:13:45: note: '1' of group 'a' is claimed here
  hint: take one of the two out, or split '1' into the longer prefixes that are meant
```

A warning that is known and wanted is ignored with a comment in its line or in the line above, and
with a reason: `# pinroute: ignore[PIN212] our gateway allows underscores`. Errors cannot be ignored.
[Configuration](configuration.md) has severities for paths, and a baseline of known findings.
"""


def reference() -> str:
    """Return the page: a table of all codes, and a section for each."""
    rules = [rule(code) for code in codes()]
    parts = [_TOP, _table(rules)]
    for family, members in groupby(rules, lambda item: item.code[:4]):
        parts.append(f"## {_TITLES[family]}\n")
        parts += ["\n".join(_section(item)) for item in members]
    return "\n".join(parts)


def _table(rules: list[Rule]) -> str:
    lines = ["| code | name | severity | summary |", "| --- | --- | --- | --- |"]
    for item in rules:
        link = f"[{item.code}](#{item.code.lower()}-{item.name})"
        summary = item.summary.replace("|", "\\|")
        lines.append(f"| {link} | {item.name} | {item.severity.value} | {summary} |")
    return "\n".join(lines) + "\n"


def _section(item: Rule) -> Iterator[str]:
    yield f"### {item.code} {item.name}\n"
    yield f"*{item.severity.value}*: {item.summary}\n"
    for paragraph in item.explain.strip().splitlines():
        yield f"{paragraph}\n"
    for title, example in (("Wrong", item.wrong), ("Right", item.right)):
        if example:
            yield f"{title}:\n\n```yaml\n{example.strip(chr(10))}\n```\n"
