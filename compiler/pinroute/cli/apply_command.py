"""pinroute apply: what click has to know; `applying` does the work."""

from fractions import Fraction
from typing import Any

import click

from pinroute.cli.cluster_options import gateway_options, request_of, writing_options
from pinroute.cli.connection import choice_options, chosen_of, connection_options
from pinroute.cli.exits import epilog
from pinroute.cli.group import SETTINGS
from pinroute.cli.options import input_options
from pinroute.cli.percent import PERCENT


@click.command(
    "apply",
    context_settings=SETTINGS,
    epilog=epilog(),
    help="""Bring the live stage of experiments to a cluster.

    Server-side apply, in one write for each object: backends before the routes that name
    them. All experiments are looked at before the first write; nothing is written if users
    would be moved back, if a VirtualService is somebody else's, if Argo CD or Flux syncs it
    from Git, or if a version in use has no backend. Each write is for the state that was
    looked at: what somebody changes in between is a conflict, and is not overwritten.

    With --gateway-admin the gateways themselves are asked afterwards, each pod's Envoy: the
    command ends when all of them have the new routes. A gateway that refuses routes freezes
    every host of its port, so then the write is taken back.

    \b
      pinroute apply -f experiment.yaml
      pinroute apply -f experiment.yaml --stage ramp-25 --max-moved 20%
      pinroute diff -f experiment.yaml          # prints a digest …
      pinroute apply -f experiment.yaml --expect-digest 1f0c2e55b4a7d890
      pinroute apply -R -f experiments/ --dry-run=server
      kubectl port-forward -n istio-system GATEWAY-POD 15000 &
      pinroute apply -f experiment.yaml --gateway-admin http://127.0.0.1:15000
    """,
)
@input_options
@choice_options()
@click.option("--prune", is_flag=True, help="Delete the experiment's objects that it has no more.")
@click.option("--adopt", is_flag=True, help="Take over a VirtualService that is not pinroute's.")
@click.option(
    "--allow-unready", is_flag=True, help="Write although a backend is absent or not ready."
)
@click.option("--allow-back", is_flag=True, help="Write although users are moved back.")
@click.option(
    "--max-moved", type=PERCENT, metavar="SHARE", help="Write only if no more users move."
)
@click.option(
    "--expect-digest",
    "expected",
    metavar="DIGEST",
    help="Write only if the change is the one that `diff` showed.",
)
@writing_options
@gateway_options
@connection_options
def command(
    prune: bool,
    adopt: bool,
    allow_unready: bool,
    allow_back: bool,
    max_moved: Fraction | None,
    expected: str | None,
    **options: Any,
) -> int:
    """Apply experiments."""
    from pinroute.cli.applying import apply
    from pinroute.cluster.deployment import Manner
    from pinroute.cluster.safety import Permissions

    permissions = Permissions(
        adopt, options["override_gitops"], allow_unready, allow_back, max_moved
    )
    manner = Manner(options["field_manager"], options["force_conflicts"], prune, permissions)
    return apply(chosen_of(options), manner, request_of(options, expected))
