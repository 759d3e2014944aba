"""pinroute schema: the JSON Schemas for editors, and the OpenAPI document for kustomize."""

import json

import click

from pinroute.cli.exits import Exit
from pinroute.cli.group import SETTINGS
from pinroute.diagnostics.nearest import did_you_mean
from pinroute.spec.openapi import kustomize_openapi
from pinroute.spec.schema import KINDS, load_schema, names


@click.command(
    "schema",
    context_settings=SETTINGS,
    short_help="Print a JSON Schema.",
    help="""Print a JSON Schema: of a kind, or of what a command prints with -o json.

    \b
      pinroute schema > affinityexperiment.schema.json
      pinroute schema Metric
      pinroute schema --list
      pinroute schema --kustomize > openapi.json    # for `openapi: {path: openapi.json}`

    With the OpenAPI document, kustomize merges versions, groups and routes by name.
    """,
)
@click.argument("name", default="AffinityExperiment")
@click.option("--list", "list_", is_flag=True, help="List the schemas.")
@click.option("--kustomize", is_flag=True, help="Print the OpenAPI document with merge keys.")
def command(name: str, list_: bool, kustomize: bool) -> int:
    """Print a schema."""
    if list_:
        click.echo("\n".join(names()))
    elif kustomize:
        click.echo(json.dumps(kustomize_openapi(), indent=2, ensure_ascii=False))
    else:
        kinds = {kind.lower(): f"{kind.lower()}.v1alpha1" for kind in KINDS}
        known = kinds.get(name.lower(), name)
        if known not in names():
            hint = did_you_mean(name, [*KINDS, *names()])
            raise click.UsageError(f"there is no schema {name!r}: {hint}")
        click.echo(json.dumps(load_schema(known), indent=2, ensure_ascii=False))
    return Exit.OK
