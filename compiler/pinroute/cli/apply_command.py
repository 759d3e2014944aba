"""pinroute apply: what click has to know; `applying` does the work."""

from fractions import Fraction
from typing import Any

import click

from pinroute.cli.connection import Chosen, choice_options, connection_options
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
@choice_options
@click.option(
    "--dry-run",
    type=click.Choice(["none", "client", "server"]),
    default="none",
    show_default=True,
    help="Write nothing: client only looks, server lets the API server and its webhooks try.",
)
@click.option("--prune", is_flag=True, help="Delete the experiment's objects that it has no more.")
@click.option("--adopt", is_flag=True, help="Take over a VirtualService that is not pinroute's.")
@click.option(
    "--override-gitops", is_flag=True, help="Write also what Argo CD or Flux syncs from Git."
)
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
@click.option(
    "--force-conflicts", is_flag=True, help="Take over fields that somebody else manages."
)
@click.option(
    "--field-manager",
    default="pinroute",
    show_default=True,
    metavar="NAME",
    help="In whose name fields are managed.",
)
@click.option(
    "-o", "--output", type=click.Choice(["text", "name"]), default="text", show_default=True
)
@click.option(
    "--gateway-admin",
    "gateways",
    multiple=True,
    metavar="URL",
    help="Ask this gateway pod's Envoy: wait for its routes, take the write back if it refuses them.",
)
@click.option(
    "--timeout",
    default="60s",
    show_default=True,
    metavar="TIME",
    help="How long gateways may take.",
)
@connection_options
def command(
    dry_run: str,
    prune: bool,
    adopt: bool,
    override_gitops: bool,
    allow_unready: bool,
    allow_back: bool,
    max_moved: Fraction | None,
    expected: str | None,
    force_conflicts: bool,
    field_manager: str,
    output: str,
    gateways: tuple[str, ...],
    timeout: str,
    **choice: Any,
) -> int:
    """Apply experiments."""
    from pinroute.cli.applying import Request, apply, manner_of

    manner = manner_of(
        field_manager=field_manager,
        force_conflicts=force_conflicts,
        prune=prune,
        adopt=adopt,
        override_gitops=override_gitops,
        allow_unready=allow_unready,
        allow_back=allow_back,
        max_moved=max_moved,
    )
    return apply(Chosen(**choice), manner, Request(dry_run, expected, output, gateways, timeout))
