"""pinroute init: a first spec."""

from pathlib import Path

import click

from pinroute.cli.exits import Exit, Unwritable
from pinroute.cli.folder import Drift, write
from pinroute.cli.group import SETTINGS
from pinroute.cli.starter import STARTER


@click.command(
    "init",
    context_settings=SETTINGS,
    short_help="Write a first experiment spec.",
    help="""Write a first experiment spec, to stdout or into a file that does not exist yet.

    \b
      pinroute init experiment.yaml
      pinroute init --name checkout --namespace shop > checkout.yaml
    """,
)
@click.argument("file", required=False)
@click.option("--name", default="my-experiment", show_default=True, help="The experiment's name.")
@click.option("--namespace", default="default", show_default=True, help="Its namespace.")
def command(file: str | None, name: str, namespace: str) -> int:
    """Write a first spec."""
    from pinroute.compilation import Source, load

    content = STARTER.replace("my-experiment", name).replace(
        "namespace: default", f"namespace: {namespace}"
    )
    if load([Source("init", content.encode())]).diagnostics:
        raise click.UsageError(
            "--name and --namespace are DNS labels: lower-case letters, digits and '-'"
        )
    if file is None or file == "-":
        click.echo(content, nl=False)
        return Exit.OK
    path = Path(file)
    if path.exists():
        raise click.UsageError(f"{file} exists already; name another file")
    try:
        write([Drift(path, None, content)])
    except OSError as error:
        raise Unwritable(error, str(file)) from None
    click.echo(f"{file} created; next: pinroute try {file}", err=True)
    return Exit.OK
