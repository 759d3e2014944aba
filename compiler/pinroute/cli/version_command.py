"""pinroute version."""

import platform

import click

from pinroute import __version__
from pinroute.cli.exits import Exit
from pinroute.cli.group import SETTINGS
from pinroute.cli.report import dumped


@click.command("version", context_settings=SETTINGS, short_help="Print the version.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(output: str) -> int:
    """Print the version of pinroute; as JSON also of what it runs on and reads."""
    if output == "text":
        click.echo(f"pinroute {__version__}")
        return Exit.OK
    from pinroute.spec.schema import names

    body = {
        "kind": "Version",
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "schemas": list(names()),
    }
    click.echo(dumped(body), nl=False)
    return Exit.OK
