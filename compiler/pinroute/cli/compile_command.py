"""pinroute compile: what click has to know; `compiling` does the work."""

from typing import Any

import click

from pinroute.cli.compiling import FOLDER, run
from pinroute.cli.exits import epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options, policy_options


@click.command(
    "compile",
    context_settings=SETTINGS,
    epilog=epilog(),
    help=f"""Compile specs to Istio manifests.

    Without an output folder, the live stage goes to stdout, ready for kubectl. With one,
    active/ holds the live stage for Git to sync, and stages/ every stage. With
    virtualService mode splice, the owner's file is brought up to date in its place.

    \b
      pinroute compile experiment.yaml | kubectl apply -f -
      pinroute compile experiment.yaml --stage promote-v2
      pinroute compile experiments/ -d deploy/
      pinroute compile experiments/*.yaml --write     # into {FOLDER}/ beside each spec
      pinroute compile experiments/*.yaml --check     # exit 1 and a diff if it is stale
    """,
)
@input_options
@click.option("-d", "--output-dir", metavar="DIR", help="Write all stages below this folder.")
@click.option("--stage", metavar="STAGE", help="Compile this stage instead of spec.stage.")
@click.option(
    "--env", "environment", metavar="FILE", help="An Environment: what differs by cluster."
)
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True,
    help="The format on stdout.",
)  # fmt: skip
@click.option(
    "--check", is_flag=True, help="Write nothing; show what would change, exit 1 if anything."
)
@click.option(
    "--write", "write_", is_flag=True, help=f"Write into -d, or into {FOLDER}/ beside each spec."
)
@click.option(
    "--remove", is_flag=True, help="Take the rules out of the owner's file (mode splice)."
)
@policy_options
def command(**parameters: Any) -> int:
    """Compile specs."""
    return run(**parameters)
