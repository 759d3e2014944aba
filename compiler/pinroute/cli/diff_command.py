"""pinroute diff: what click has to know; `diffing` does the work."""

from typing import Any

import click

from pinroute.cli.connection import choice_options, connection_options
from pinroute.cli.diffing import run
from pinroute.cli.exits import epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options


@click.command(
    "diff",
    context_settings=SETTINGS,
    epilog=epilog(),
    help="""Show what `apply` would change in the cluster.

    The difference is what the API server itself says would become of each object (a
    server-side dry run, so that webhooks are asked, too). Who would meet another version,
    and what stands against the write, goes to stderr. Exit code 1 tells that something
    would change, 0 that nothing would.

    The digest at the end names this very change: `apply --expect-digest` writes it only if it
    is still the same.

    \b
      pinroute diff -f experiment.yaml
      pinroute diff -f experiment.yaml --stage ramp-25 --prune
      pinroute diff -R -f experiments/ --context production
    """,
)
@input_options
@choice_options()
@click.option(
    "--prune", is_flag=True, help="Also show the experiment's objects that would be deleted."
)
@click.option(
    "--field-manager",
    default="pinroute",
    show_default=True,
    metavar="NAME",
    help="In whose name fields are managed.",
)
@connection_options
def command(**parameters: Any) -> int:
    """Show what apply would change."""
    return run(**parameters)
