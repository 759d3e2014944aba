"""pinroute validate: what click has to know; `validating` does the work."""

from typing import Any

import click

from pinroute.cli.exits import epilog
from pinroute.cli.formats import FORMATS
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options, policy_options
from pinroute.cli.validating import run
from pinroute.diagnostics import Severity


@click.command(
    "validate",
    context_settings=SETTINGS,
    epilog=epilog(),
    short_help="Check specs.",
    help="""Check specs: shape, meaning, and what Istio or Envoy would refuse.

    VirtualServices are checked too, also against each other, and against the Gateways,
    DestinationRules and Services among the files. The report goes to stdout.

    \b
      pinroute validate experiment.yaml
      pinroute validate -R experiments/ --fail-on warning
      kubectl get vs,gw,dr,svc -A -o yaml | pinroute validate --complete -
      pinroute validate -o sarif experiments/ > findings.sarif
      pinroute validate -R . --write-baseline pinroute-baseline.json
      pinroute validate -R . --baseline pinroute-baseline.json
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
@click.option(
    "--complete", is_flag=True,
    help="The files hold all that the cluster holds: report what they name and lack.",
)  # fmt: skip
@click.option("--output-file", metavar="FILE", help="Write the report to a file.")
@policy_options
@click.option(
    "--write-baseline", metavar="FILE", help="Write the present findings to a file, as known."
)
@click.option(
    "--show-hidden", is_flag=True, help="Report the findings of the baseline too, marked."
)
def command(**parameters: Any) -> int:
    """Check specs."""
    return run(**parameters)
