"""pinroute explain: what a finding means, or what a field of the spec is for."""

import json
import re
import textwrap

import click

from pinroute.cli.exits import Exit
from pinroute.cli.group import SETTINGS
from pinroute.diagnostics.catalogue import codes, rule
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.schema import KINDS, Schema, field, kind_schema


@click.command(
    "explain",
    context_settings=SETTINGS,
    short_help="Explain a finding or a field.",
    help="""Explain a finding by its code, or a field of the spec by its path.

    \b
      pinroute explain PIN201
      pinroute explain spec.groups.prefixes
      pinroute explain Metric.spec
      pinroute explain            # lists all codes
    """,
)
@click.argument("topic", required=False)
def command(topic: str | None) -> int:
    """Explain a finding or a field."""
    if topic is None:
        for code in codes():
            click.echo(f"{code}  {rule(code).severity.value:<8} {rule(code).summary}")
    elif re.fullmatch(r"(?i)pin\d+", topic):
        click.echo(_finding(topic.upper()), nl=False)
    else:
        click.echo(_field(topic), nl=False)
    return Exit.OK


def _finding(code: str) -> str:
    if code not in codes():
        raise click.UsageError(f"there is no finding {code}: {did_you_mean(code, codes())}")
    entry = rule(code)
    lines = [f"{code}  {entry.name}  ({entry.severity.value})", "", entry.summary, ""]
    lines += [textwrap.fill(line, 88) for line in entry.explain.strip().splitlines()]
    for title, example in (("Wrong:", entry.wrong), ("Right:", entry.right)):
        if example:
            lines += ["", title, "", textwrap.indent(example.strip("\n"), "    ")]
    return "\n".join(lines) + "\n"


def _field(topic: str) -> str:
    steps = tuple(re.sub(r"\[\d*\]", "", topic).split("."))
    kind = "AffinityExperiment"
    if steps[0] in KINDS:
        kind, steps = steps[0], steps[1:]
    schema = kind_schema(kind)
    for depth in range(len(steps)):
        parent, found = field(schema, steps[:depth]), field(schema, steps[: depth + 1])
        if found is None:
            known = _children(parent or schema)
            where = ".".join(steps[:depth]) or kind
            hint = did_you_mean(steps[depth], known)
            raise click.UsageError(f"{where} has no field {steps[depth]!r}: {hint}")
    return _described(".".join((kind, *steps)), field(schema, steps) or schema)


def _children(schema: Schema) -> Schema:
    while schema.get("type") == "array":
        schema = schema["items"]
    properties: Schema = schema.get("properties", {})
    return properties


def _type(schema: Schema) -> str:
    kind = str(schema.get("type", "object"))
    return f"list of {_type(schema['items'])}" if kind == "array" else kind


def _described(name: str, schema: Schema) -> str:
    lines = [f"{name}  <{_type(schema)}>", "", textwrap.fill(schema.get("description", ""), 88)]
    for label, key in (("Default", "default"), ("One of", "enum"), ("Pattern", "pattern")):
        if key in schema:
            lines.append(f"{label}: {json.dumps(schema[key], ensure_ascii=False)}")
    bounds = [
        f"{key} {schema[key]}" for key in ("minimum", "maximum", "minItems") if key in schema
    ]
    if bounds:
        lines.append(f"Bounds: {', '.join(bounds)}")
    if schema.get("examples"):
        lines += ["", "Examples:"]
        lines += [f"  {json.dumps(item, ensure_ascii=False)}" for item in schema["examples"][:3]]
    children = _children(schema)
    if children:
        lines += ["", "Fields:"]
        inner = schema
        while inner.get("type") == "array":
            inner = inner["items"]
        for child, about in children.items():
            mark = " (required)" if child in inner.get("required", ()) else ""
            lines.append(f"  {child}  <{_type(about)}>{mark}")
            text = about.get("description", "")
            lines.append(textwrap.fill(text, 88, initial_indent="    ", subsequent_indent="    "))
    return "\n".join(lines) + "\n"
