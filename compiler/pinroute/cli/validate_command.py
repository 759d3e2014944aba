"""pinroute validate: check specs, say everything that is wrong, change nothing."""

from pathlib import Path

import click

from pinroute.cli import SETTINGS
from pinroute.cli.exits import epilog
from pinroute.cli.inputs import input_options, read_source, read_sources
from pinroute.cli.report import FORMATS, counts, exit_code
from pinroute.compilation import compile_specs
from pinroute.diagnostics import Severity


@click.command(
    "validate",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Check specs.",
    help="""Check specs: shape, meaning, and what Istio or Envoy would refuse.

    Documents of other kinds are left alone. The report goes to stdout.

    \b
      pinroute validate experiment.yaml
      pinroute validate -R experiments/ --fail-on warning
      pinroute validate -o sarif experiments/ > findings.sarif
    """,
)
@input_options
@click.option(
    "--env", "environment", metavar="FILE", help="An Environment: what differs by cluster."
)
@click.option(
    "-o", "--output", type=click.Choice(list(FORMATS)), default="text", show_default=True,
    help="How findings are printed.",
)  # fmt: skip
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default="error",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option("--output-file", metavar="FILE", help="Write the report to a file.")
def command(
    files: tuple[str, ...],
    filenames: tuple[str, ...],
    recursive: bool,
    environment: str | None,
    output: str,
    fail_on: str,
    output_file: str | None,
) -> int:
    """Check specs."""
    sources, found = read_sources(files, filenames, recursive)
    overlay = read_source(environment, found) if environment is not None else None
    compilation = compile_specs(sources, environment=overlay)
    found = sorted([*found, *compilation.diagnostics])
    report = FORMATS[output](found)
    if output_file is not None:
        try:
            Path(output_file).write_text(report, "utf-8")
        except OSError as error:
            raise click.FileError(output_file, error.strerror or str(error)) from None
    else:
        click.echo(report, nl=False)
    if output == "text":
        number = len(sources)
        click.echo(f"{number} file{'s' if number != 1 else ''}: {counts(found)}", err=True)
    return exit_code(found, Severity(fail_on))
